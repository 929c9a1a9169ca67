//! What a simulated driver reports: a few different stories, which the drivers share.

use crate::SECONDS;
use floodgate::check::Failed;
use floodgate::message::{Histograms, LatencyMs};
use floodgate::stats::counts::Counts;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use floodgate::stats::tally::{Sample, Tally};

/// Requests of one driver in half a second.
const REQUESTS: u64 = 125;

/// The state of a driver at a report.
#[derive(Clone)]
pub struct State {
    pub counts: Counts,
    pub histograms: Histograms,
    pub metrics: LatencyMs,
}

/// One driver's states at the end of each half second, the last one with all histograms.
pub struct Story {
    pub states: Vec<State>,
    pub tally: Tally,
}

impl Story {
    /// The story of a number; the same each time.
    pub fn new(number: u64) -> Result<Story, String> {
        let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (mut tally, mut states) = (Tally::new(), Vec::new());
        let halves = 2 * SECONDS;
        for half in 1..=halves {
            (0..REQUESTS).for_each(|_| request(&mut tally, &mut random));
            states.push(state(&tally, half == halves)?);
        }
        Ok(Story { states, tally })
    }
}

/// A fast request; one in ten takes longer, and one in a thousand fails.
fn request(tally: &mut Tally, random: &mut Random) {
    tally.record_sent(random.bell(40_000, 36_000), false);
    let service_ns = match random.below(1_000) {
        0 => {
            let outcome = Outcome::Error(ErrorKind::Timeout);
            return tally.record_end(&Sample {
                latency_ns: 0,
                service_ns: 0,
                outcome,
                bytes: 0,
                resent: false,
                failed: Failed::default(),
            });
        }
        1..200 => random.bell(12_000_000, 10_000_000),
        _ => random.bell(4_000_000, 3_600_000),
    };
    let latency_ns = service_ns + random.bell(12_000, 8_000);
    tally.record_end(&Sample {
        latency_ns,
        service_ns,
        outcome: Outcome::Status(200),
        bytes: 160,
        resent: false,
        failed: Failed::default(),
    });
}

fn state(tally: &Tally, is_last: bool) -> Result<State, String> {
    let latency = tally.latency.histogram();
    let figures = latency.distribution();
    let figure = |of: fn(&floodgate::stats::distribution::Distribution) -> f64| figures.as_ref().map(of);
    let service = is_last.then(|| tally.service.histogram().encode()).transpose()?;
    Ok(State {
        counts: tally.counts(tally.sent, 0),
        histograms: Histograms {
            latency: latency.encode()?,
            lag: Some(tally.lag.histogram().encode()?),
            service,
            ..Histograms::default()
        },
        metrics: LatencyMs {
            mean_latency: figure(|f| f.mean),
            median_latency: figure(|f| f.median),
            min_latency: figure(|f| f.min),
            max_latency: figure(|f| f.max),
        },
    })
}

/// xorshift64*, so that every run reports the same.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) * end) >> 32
    }

    /// A sum of four parts: `middle`, plus or minus at most `reach`.
    fn bell(&mut self, middle: u64, reach: u64) -> u64 {
        middle - reach + (0..4).map(|_| self.below(reach / 2)).sum::<u64>()
    }
}
