//! Axes: where a value lies, and the ticks with their labels.

use super::text::{elapsed_tick, number};

/// About how many ticks an axis has.
const TICKS: f64 = 5.0;
/// Room above the largest value of a linear axis, as a factor: no line lies on its upper end.
const HEADROOM: f64 = 1.02;
/// Least range of a logarithmic axis, as a factor.
const LEAST_FACTOR: f64 = 10.0;
/// Most decades of a logarithmic axis with ticks at 1, 2 and 5; wider ones have one tick a decade.
const MOST_FINE_DECADES: i32 = 3;
/// Steps of a time axis, in s.
const TIME_STEPS: [f64; 22] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0,
    7_200.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0, 172_800.0,
];

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From 0 to a round number at or above `max`.
    pub fn linear(max: f64, label: fn(f64) -> String) -> Axis {
        let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
        let step = round_up(max / TICKS);
        let count = (max * HEADROOM / step).ceil().max(1.0);
        let ticks = (0..=count as u32).map(|n| f64::from(n) * step).map(|at| (at, label(at))).collect();
        Axis { low: 0.0, high: count * step, is_log: false, ticks }
    }

    /// From 0 % to 100 % of 1.
    pub fn share() -> Axis {
        let ticks = [0.0, 0.5, 1.0].map(|at| (at, format!("{} %", number(at * 100.0))));
        Axis { low: 0.0, high: 1.0, is_log: false, ticks: ticks.to_vec() }
    }

    /// Logarithmic, between round numbers around `min` and `max`, at least one decade.
    pub fn log(min: f64, max: f64, label: fn(f64) -> String) -> Axis {
        let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
        let min = if min.is_finite() && min > 0.0 { min.min(max) } else { max };
        let (mut low, mut high) = (round_down(min), round_up(max));
        if high / low < LEAST_FACTOR {
            let middle = (low * high).sqrt();
            (low, high) = (round_down(middle / LEAST_FACTOR.sqrt()), round_up(middle * LEAST_FACTOR.sqrt()));
        }
        let decades = (high / low).log10().ceil() as i32;
        let digits: &[f64] = if decades <= MOST_FINE_DECADES { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let first = low.log10().floor() as i32;
        let all =
            (first..=first + decades + 1).flat_map(|power| digits.iter().map(move |d| d * 10f64.powi(power)));
        let inside = all.filter(|at| *at > low * 0.999 && *at < high * 1.001);
        Axis { low, high, is_log: true, ticks: inside.map(|at| (at, label(at))).collect() }
    }

    /// Time since the start of the test, in s.
    pub fn time(from_s: f64, to_s: f64) -> Axis {
        let high = if to_s > from_s { to_s } else { from_s + 1.0 };
        let rough = (high - from_s) / (TICKS + 1.0);
        let step = TIME_STEPS.iter().find(|step| **step >= rough).copied();
        let step = step.unwrap_or_else(|| (rough / 86_400.0).ceil() * 86_400.0);
        let first = (from_s / step - 1e-9).ceil() as u64;
        let last = (high / step + 1e-9).floor() as u64;
        let ticks = (first..=last).map(|n| n as f64 * step).map(|at| (at, elapsed_tick(at, step))).collect();
        Axis { low: from_s, high, is_log: false, ticks }
    }

    /// With the given ends and ticks.
    pub fn fixed(low: f64, high: f64, ticks: Vec<(f64, String)>) -> Axis {
        Axis { low, high, is_log: false, ticks }
    }

    /// Where `value` lies: 0 at the low end, 1 at the high one; values outside lie on the ends.
    pub fn at(&self, value: f64) -> f64 {
        let place = |v: f64| if self.is_log { v.max(self.low).ln() } else { v };
        let (low, high) = (place(self.low), place(self.high));
        ((place(value) - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// Ticks as places from 0 to 1, with labels.
    pub fn ticks(&self) -> impl Iterator<Item = (f64, &str)> {
        self.ticks.iter().map(|(value, label)| (self.at(*value), label.as_str()))
    }

    /// Its ends, and whether it is logarithmic.
    pub fn range(&self) -> (f64, f64, bool) {
        (self.low, self.high, self.is_log)
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below `value`, which is positive.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powi(value.log10().floor() as i32);
    let digit = value / power;
    let round = [1.0, 2.0, 5.0].into_iter().find(|round| digit <= round * (1.0 + 1e-9));
    round.unwrap_or(10.0) * power
}

/// The largest such number that is not above `value`.
fn round_down(value: f64) -> f64 {
    let power = 10f64.powi(value.log10().floor() as i32);
    let digit = value / power;
    let round = [5.0, 2.0].into_iter().find(|round| digit >= round * (1.0 - 1e-9));
    round.unwrap_or(1.0) * power
}

#[cfg(test)]
mod tests {
    use super::super::text::ms;
    use super::*;

    fn labels(axis: &Axis) -> String {
        axis.ticks().map(|(_, label)| label).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn linear_ticks_are_round_and_cover_the_maximum() {
        for (max, expected) in [
            (1_000.0, "0 | 200 | 400 | 600 | 800 | 1,000 | 1,200"),
            (1_001.0, "0 | 500 | 1,000 | 1,500"),
            (3.0, "0 | 1 | 2 | 3 | 4"),
            (0.0, "0 | 0.2 | 0.4 | 0.6 | 0.8 | 1 | 1.2"),
            (f64::NAN, "0 | 0.2 | 0.4 | 0.6 | 0.8 | 1 | 1.2"),
        ] {
            let axis = Axis::linear(max, number);
            assert_eq!(labels(&axis), expected, "{max}");
            assert!(axis.range().1 >= max.max(0.0), "{axis:?}");
        }
    }

    #[test]
    fn log_axes_have_ticks_at_1_2_5_or_one_a_decade() {
        let axis = Axis::log(0.3, 12.0, ms);
        assert_eq!(labels(&axis), "200 µs | 500 µs | 1 ms | 2 ms | 5 ms | 10 ms | 20 ms");
        assert_eq!((axis.at(0.2), axis.at(20.0)), (0.0, 1.0));
        assert!((axis.at(2.0) - 0.5).abs() < 1e-9, "the middle of 0.2 and 20");
        assert_eq!(labels(&Axis::log(0.02, 9_000.0, ms)), "100 µs | 1 ms | 10 ms | 100 ms | 1 s | 10 s");
        let one = Axis::log(1.0, 1.0, ms);
        assert!(one.range().1 / one.range().0 >= LEAST_FACTOR && one.ticks().count() >= 3, "{one:?}");
        assert_eq!((one.at(0.0), one.at(f64::INFINITY)), (0.0, 1.0));
        assert!(Axis::log(f64::NAN, 0.0, ms).ticks().count() >= 3);
    }

    #[test]
    fn time_is_in_the_unit_that_fits() {
        for (to_s, expected) in [
            (1.0, "0 s | 0.2 s | 0.4 s | 0.6 s | 0.8 s | 1 s"),
            (3.0, "0 s | 0.5 s | 1 s | 1.5 s | 2 s | 2.5 s | 3 s"),
            (60.0, "0 s | 10 s | 20 s | 30 s | 40 s | 50 s | 60 s"),
            (600.0, "0 min | 2 min | 4 min | 6 min | 8 min | 10 min"),
            (3_600.0, "0 min | 10 min | 20 min | 30 min | 40 min | 50 min | 60 min"),
            (36_000.0, "0 h | 2 h | 4 h | 6 h | 8 h | 10 h"),
        ] {
            assert_eq!(labels(&Axis::time(0.0, to_s)), expected);
        }
        assert_eq!(labels(&Axis::time(95.0, 130.0)), "100 s | 110 s | 120 s | 130 s");
        assert!(Axis::time(0.0, 1e9).ticks().count() < 9);
        assert!(Axis::time(5.0, 5.0).ticks().count() > 0);
    }
}
