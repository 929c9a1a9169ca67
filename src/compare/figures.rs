//! The figures that are compared.

use crate::stats::histogram::Packed;
use crate::stats::summary::{Distribution, Stats};
use serde::{Deserialize, Serialize};

/// A figure of a run or of a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// Median of latency, in ms.
    P50,
    /// 90th percentile, in ms.
    P90,
    /// 99th percentile, in ms.
    P99,
    /// 99.9th percentile, in ms.
    #[serde(rename = "p99.9")]
    P999,
    /// Arithmetic mean, in ms.
    Mean,
    /// Maximum, in ms: a single request, so it is shown but not tested.
    Max,
    /// Complete responses per second.
    Throughput,
    /// Requests that failed or were answered with an error status, in % of those sent.
    Errors,
}

/// Figures that are tested together: the chance of a wrong call is that of the whole family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// How long responses took.
    Latency,
    /// How many there were.
    Volume,
}

impl Figure {
    /// All, in the order of the table.
    pub const ALL: [Figure; 8] = [
        Figure::P50,
        Figure::P90,
        Figure::P99,
        Figure::P999,
        Figure::Max,
        Figure::Mean,
        Figure::Throughput,
        Figure::Errors,
    ];

    /// Its name in tables, documents and conditions.
    pub fn name(self) -> &'static str {
        match self {
            Figure::P50 => "p50",
            Figure::P90 => "p90",
            Figure::P99 => "p99",
            Figure::P999 => "p99.9",
            Figure::Mean => "mean",
            Figure::Max => "max",
            Figure::Throughput => "throughput",
            Figure::Errors => "errors",
        }
    }

    /// Its unit: `ms`, `1/s` or `%`.
    pub fn unit(self) -> &'static str {
        match self {
            Figure::Throughput => "1/s",
            Figure::Errors => "%",
            _ => "ms",
        }
    }

    /// Its family.
    pub fn family(self) -> Family {
        match self {
            Figure::Throughput | Figure::Errors => Family::Volume,
            _ => Family::Latency,
        }
    }

    /// Whether its changes are ratios. A share of errors can be 0, so its changes are percentage points.
    pub fn is_ratio(self) -> bool {
        self != Figure::Errors
    }

    /// The unit of its changes: `%` of A, or percentage `points`.
    pub fn change_unit(self) -> &'static str {
        if self.is_ratio() { "%" } else { "points" }
    }

    /// Whether more of it is better.
    pub fn is_better_high(self) -> bool {
        self == Figure::Throughput
    }

    /// The share of values above it, for percentiles.
    pub fn tail(self) -> Option<f64> {
        match self {
            Figure::P50 => Some(0.5),
            Figure::P90 => Some(0.1),
            Figure::P99 => Some(0.01),
            Figure::P999 => Some(0.001),
            _ => None,
        }
    }

    /// Its value in a distribution of times, in ms; `None` if it is not known there.
    pub fn of_times(self, times: &Distribution) -> Option<f64> {
        let value = match self {
            Figure::P50 => times.median,
            Figure::P90 => times.p90,
            Figure::P99 => times.p99,
            Figure::P999 => times.p999,
            Figure::Mean => times.mean,
            Figure::Max => times.max,
            Figure::Throughput | Figure::Errors => return None,
        };
        Some(value).filter(|value| value.is_finite())
    }

    /// Its value in the result of a run.
    pub fn of_run(self, total: &Stats) -> Option<f64> {
        match self {
            Figure::Throughput => Some(total.throughput_rps).filter(|rate| *rate > 0.0),
            Figure::Errors => {
                share(total.errors_total().saturating_add(total.error_statuses()), total.requests)
            }
            _ => self.of_times(total.latency_ms.as_ref()?),
        }
    }
}

/// A contiguous part of a run.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// How many seconds.
    pub seconds: u64,
    /// Requests sent.
    pub requests: u64,
    /// Complete responses.
    pub responses: u64,
    /// Requests that failed or were answered with an error status.
    pub errors: u64,
    /// The latencies.
    pub latency: Packed,
    /// Their figures; `None` if there is no response.
    pub times: Option<Distribution>,
}

impl Part {
    /// The value of a figure in this part; `None` if it is not known.
    pub fn value(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Throughput if self.seconds == 0 || self.responses == 0 => None,
            Figure::Throughput => Some(self.responses as f64 / self.seconds as f64),
            Figure::Errors => share(self.errors, self.requests),
            _ => figure.of_times(self.times.as_ref()?),
        }
    }
}

fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| 100.0 * part as f64 / all as f64)
}

/// Merges parts: percentiles are those of the merged histogram.
pub fn merged(parts: &[Part]) -> Part {
    let mut all = Part { latency: merged_latencies(parts), ..Part::default() };
    for part in parts {
        all.seconds += part.seconds;
        all.requests += part.requests;
        all.responses += part.responses;
        all.errors += part.errors;
    }
    all.times = all.latency.distribution();
    all
}

/// Halves first: each latency is then copied only a few times.
fn merged_latencies(parts: &[Part]) -> Packed {
    match parts {
        [] => Packed::default(),
        [one] => one.latency.clone(),
        _ => {
            let (left, right) = parts.split_at(parts.len() / 2);
            merged_latencies(left).and(&merged_latencies(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::histogram::Histogram;

    fn second(ms: &[u64], errors: u64) -> Part {
        let mut histogram = Histogram::new();
        ms.iter().for_each(|ms| histogram.record_us(ms * 1_000));
        let responses = ms.len() as u64;
        let latency = Packed::from(&histogram);
        Part { seconds: 1, requests: responses + errors, responses, errors, latency, times: None }
    }

    #[test]
    fn the_figures_of_a_part_are_those_of_its_merged_seconds() {
        let part = merged(&[second(&[1, 2, 3], 1), second(&[], 0), second(&[10], 3)]);
        assert_eq!((part.seconds, part.latency.count()), (3, 4));
        assert_eq!(part.value(Figure::Max).map(f64::round), Some(10.0));
        assert_eq!(part.value(Figure::Mean).map(|ms| (ms * 10.0).round()), Some(40.0));
        assert_eq!(part.value(Figure::P50).map(f64::round), Some(2.0));
        assert_eq!(part.value(Figure::Errors), Some(50.0));
        assert_eq!(part.value(Figure::Throughput), Some(4.0 / 3.0));
    }

    #[test]
    fn what_is_not_known_is_no_figure() {
        let empty = merged(&[second(&[], 0)]);
        assert!(Figure::ALL.iter().all(|figure| empty.value(*figure).is_none()));
        assert!(Figure::ALL.iter().all(|figure| figure.of_run(&Stats::default()).is_none()));
    }
}
