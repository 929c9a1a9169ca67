//! The noise floor: how large a change must be before it is called one.
//!
//! Equal runs differ by more than the noise inside one of them shows (Kalibera and Jones, Rigorous
//! benchmarking in reasonable time, ISMM 2013): another placement in memory, another neighbour on the host.
//! So a significant difference is not enough; it must also be larger than what is known to be noise.

use super::figures::Figure;
use crate::stats::summary::Stats;
use serde::{Deserialize, Serialize};

/// Smallest change of a time that is called, in ms: timers and schedulers of ordinary hosts are no better.
pub const MIN_MS: f64 = 0.2;
/// Smallest change of a share of errors that is called, in percentage points.
pub const MIN_POINTS: f64 = 0.1;

/// What a floor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FloorSource {
    /// `--noise`.
    Noise,
    /// [`MIN_MS`] or [`MIN_POINTS`].
    Resolution,
    /// The generator's own lag, which is part of latency.
    Lag,
    /// The difference between the halves of a run.
    Drift,
}

impl FloorSource {
    /// Whether the runs themselves raised the floor.
    pub fn is_of_runs(self) -> bool {
        matches!(self, FloorSource::Lag | FloorSource::Drift)
    }

    /// In words for people.
    pub fn text(self) -> &'static str {
        match self {
            FloorSource::Noise => "--noise",
            FloorSource::Resolution => "the resolution of timers",
            FloorSource::Lag => "the generator's own lag",
            FloorSource::Drift => "the difference between the halves of a run",
        }
    }
}

/// A floor on the scale of the changes: a difference of logarithms, or of percentage points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Floor {
    /// How large a change must be.
    pub size: f64,
    /// What made it so large.
    pub source: FloorSource,
    /// Up to here two figures are the same: the floor without what is wrong with the runs, because what
    /// drifts by 30 % is not the same within 30 %.
    pub margin: f64,
}

impl Floor {
    /// The floor of a figure whose smaller value is `smaller`. `noise` is a fraction, `lag_ms` the larger lag
    /// of both sides at the same percentile, `drift` on the scale of the changes.
    pub fn of(figure: Figure, smaller: f64, noise: f64, lag_ms: f64, drift: f64) -> Floor {
        let ratio_of_ms = |ms: f64| if smaller > 0.0 { (ms / smaller).ln_1p() } else { f64::INFINITY };
        let fixed = match figure.unit() {
            "ms" => vec![(ratio_of_ms(MIN_MS), FloorSource::Resolution), (noise.ln_1p(), FloorSource::Noise)],
            "%" => vec![(MIN_POINTS, FloorSource::Resolution)],
            _ => vec![(noise.ln_1p(), FloorSource::Noise)],
        };
        let lag = if figure.unit() == "ms" { ratio_of_ms(lag_ms) } else { 0.0 };
        let own = [(lag, FloorSource::Lag), (drift, FloorSource::Drift)];
        let larger = |largest: (f64, FloorSource), one: (f64, FloorSource)| {
            if one.0 > largest.0 { one } else { largest }
        };
        let fixed = fixed.into_iter().fold((0.0, FloorSource::Noise), larger);
        let (size, source) = own.into_iter().fold(fixed, larger);
        Floor { size, source, margin: fixed.0 }
    }
}

/// The lag that is part of a latency figure, in ms; 0 if it is not known.
pub fn lag_ms(figure: Figure, total: &Stats) -> f64 {
    let lag = total.lag_ms.as_ref().and_then(|lag| figure.of_times(lag));
    lag.unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(figure: Figure, smaller: f64, lag_ms: f64, drift: f64) -> (f64, FloorSource) {
        let floor = Floor::of(figure, smaller, 0.05, lag_ms, drift);
        ((floor.size.exp_m1() * 1_000.0).round() / 10.0, floor.source)
    }

    #[test]
    fn the_largest_part_is_the_floor() {
        assert_eq!(floor(Figure::P99, 100.0, 0.1, 0.01), (5.0, FloorSource::Noise));
        assert_eq!(floor(Figure::P99, 1.0, 0.1, 0.01), (20.0, FloorSource::Resolution));
        assert_eq!(floor(Figure::P99, 1.0, 0.5, 0.01), (50.0, FloorSource::Lag));
        assert_eq!(floor(Figure::P50, 100.0, 0.1, 0.1f64.ln_1p()), (10.0, FloorSource::Drift));
        assert_eq!(floor(Figure::Throughput, 1.0, 9.0, 0.0), (5.0, FloorSource::Noise), "no time");
        let errors = Floor::of(Figure::Errors, 0.0, 0.05, 9.0, 0.02);
        assert_eq!(errors, Floor { size: MIN_POINTS, source: FloorSource::Resolution, margin: MIN_POINTS });
        let drifting = Floor::of(Figure::P50, 100.0, 0.05, 0.1, 0.5);
        assert_eq!((drifting.size, drifting.margin), (0.5, 0.05f64.ln_1p()));
    }
}
