//! How often equal runs are called different, and how often a real difference is found, by simulation.

use super::*;

/// The scale of a second's latencies changes in steps of half a percent.
const STEP: f64 = 0.005;
const LEVELS: i32 = 140;
const MIDDLE: i32 = 60;
/// Histograms of one level.
const COPIES: usize = 4;
const VALUES: usize = 200;

/// Pseudorandom numbers: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Close to a standard normal.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Seconds of every level, so that a simulated run only chooses.
struct Bank(Vec<Packed>);

impl Bank {
    fn new(random: &mut Random) -> Bank {
        let mut one = |level: i32| {
            let scale_us = 50_000.0 * (f64::from(level - MIDDLE) * STEP).exp();
            let mut histogram = Histogram::new();
            for _ in 0..VALUES {
                histogram.record_us((scale_us * (0.3 * random.normal()).exp()) as u64);
            }
            Packed::from(&histogram)
        };
        Bank((0..LEVELS).flat_map(|level| [level; COPIES]).map(&mut one).collect())
    }

    /// A run whose seconds depend on those before them: an autoregressive level with this correlation of
    /// neighbours and this standard deviation, both of the logarithm.
    fn run(&self, random: &mut Random, noise: &Noise, shift: f64) -> Run {
        let mut level = noise.deviation * random.normal();
        let mut seconds = Vec::with_capacity(noise.seconds);
        for _ in 0..noise.seconds {
            let fresh = (1.0 - noise.correlation * noise.correlation).sqrt() * noise.deviation;
            level = noise.correlation * level + fresh * random.normal();
            let at = (MIDDLE + ((level + shift) / STEP).round() as i32).clamp(0, LEVELS - 1) as usize;
            seconds.push(self.0[at * COPIES + random.next() as usize % COPIES].clone());
        }
        run_of(seconds, 0)
    }
}

struct Noise {
    correlation: f64,
    deviation: f64,
    seconds: usize,
}

/// In how many of `pairs` pairs any latency figure is called, and in how many the median is.
fn called(pairs: u64, noise: &Noise, shift: f64, floor: f64) -> (u64, u64) {
    let mut random = Random(20_261_128);
    let bank = Bank::new(&mut random);
    let settings = Settings { noise: floor, ..Settings::default() };
    let (mut any, mut median) = (0, 0);
    for _ in 0..pairs {
        let (a, b) = (bank.run(&mut random, noise, 0.0), bank.run(&mut random, noise, shift));
        let result = compare(&[a], &[b], &settings).expect("one pair");
        let is_called = |change: &&Change| change.word.is_change() && change.family == Family::Latency;
        any += u64::from(result.figures.iter().any(|change| is_called(&change)));
        median += u64::from(word(&result, Figure::P50).is_change());
    }
    (any, median)
}

#[test]
fn equal_runs_are_rarely_called_different() {
    for (pairs, correlation, deviation) in [(100, 0.0, 0.03), (500, 0.5, 0.05), (100, 0.8, 0.08)] {
        let noise = Noise { correlation, deviation, seconds: 30 };
        let (any, _) = called(pairs, &noise, 0.0, NOISE);
        println!("correlation {correlation}, deviation {deviation}: {any} of {pairs}");
        assert!(any <= pairs / 50, "{any} of {pairs} false alarms with correlation {correlation}");
    }
}

/// Without a fixed floor, the family must still keep its level as far as seconds forget each other within a
/// section.
#[test]
fn the_intervals_alone_keep_their_level() {
    let noise = Noise { correlation: 0.3, deviation: 0.05, seconds: 30 };
    let (any, _) = called(200, &noise, 0.0, 0.0);
    println!("without --noise: {any} of 200");
    assert!((any as f64) < 1.5 * ALPHA * 200.0, "{any} false alarms");
}

#[test]
fn a_shift_of_a_tenth_is_found() {
    let noise = Noise { correlation: 0.3, deviation: 0.03, seconds: 60 };
    let (_, found) = called(100, &noise, 0.1f64.ln_1p(), NOISE);
    println!("shift of 10 %: {found} of 100");
    assert!(found >= 90, "{found} of 100 were found");
}
