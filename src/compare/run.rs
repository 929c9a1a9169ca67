//! One run as far as it is compared.

use super::figures::{Figure, Part, merged};
use crate::plot::Timeline;
use crate::stats::histogram::Packed;
use crate::stats::summary::{RequestSummary, Summary};

/// How much of the last second may be missing, in s: a run ends with the last response, not on a full second.
const LAST_SECOND_S: f64 = 0.1;

/// The result of a run with its latencies second by second.
#[derive(Clone)]
pub struct Run {
    /// How the user named it: a path, or the id of a test.
    pub name: String,
    /// The result.
    pub summary: Summary,
    /// Its whole seconds, oldest first; empty if only the result is known.
    pub seconds: Vec<Part>,
    /// The requests of each name as runs of their own; empty if the plan names none.
    pub requests: Vec<Run>,
    /// The number of the first one; a run begins with 1, but of a very long one the oldest are forgotten.
    first: u64,
}

impl Run {
    /// A run from its result and the latencies of each second, which may be empty.
    pub fn new(name: &str, summary: Summary, latencies: Vec<(u64, Packed)>) -> Run {
        let whole = (summary.total.elapsed_s + LAST_SECOND_S).max(0.0) as u64;
        let first = latencies.first().map_or(1, |(number, _)| *number);
        let mut points = summary.series.iter().peekable();
        let mut seconds = Vec::with_capacity(latencies.len());
        for (number, latency) in latencies.into_iter().filter(|(number, _)| *number <= whole) {
            while points.next_if(|point| point.second < number).is_some() {}
            let known = points.next_if(|point| point.second == number);
            let (requests, responses, errors) = match known {
                Some(point) => {
                    (point.requests, point.responses, point.errors.saturating_add(point.error_statuses))
                }
                None => (0, latency.count(), 0),
            };
            let second = Part { seconds: 1, requests, responses, errors, latency, times: None };
            seconds.push(second);
        }
        let requests = summary.requests.iter().map(|one| Run::of_request(&summary, one)).collect();
        Run { name: name.to_owned(), summary, seconds, requests, first }
    }

    /// The same run with the latencies of each name second by second.
    #[must_use]
    pub fn with_requests(self, requests: Vec<Run>) -> Run {
        Run { requests, ..self }
    }

    /// The requests of one name, of which only the result is known.
    fn of_request(summary: &Summary, one: &RequestSummary) -> Run {
        let total = one.stats.clone();
        let (requests, series) = (Vec::new(), Vec::new());
        Run::new(&one.name, Summary { total, requests, series, ..summary.clone() }, Vec::new())
    }

    /// Whether the errors of each second are known: results of older versions have no error statuses there.
    pub fn knows_errors(&self) -> bool {
        let in_a_second = self.summary.series.iter().any(|point| point.error_statuses > 0);
        in_a_second || self.summary.total.error_statuses() == 0
    }

    /// The value of a figure over the whole run; `None` if it is not known.
    pub fn value(&self, figure: Figure) -> Option<f64> {
        figure.of_run(&self.summary.total)
    }

    /// Its seconds, for a plot.
    pub fn timeline(&self) -> Timeline {
        let latencies = (self.first..).zip(self.seconds.iter().map(|second| second.latency.clone()));
        Timeline::new(&self.summary.series, &latencies.collect::<Vec<_>>())
    }

    /// Contiguous parts of whole seconds, as equal as possible; `None` if there are fewer seconds than parts.
    pub fn parts(&self, count: usize) -> Option<Vec<Part>> {
        let all = self.seconds.len();
        let part = |at: usize| merged(&self.seconds[at * all / count..(at + 1) * all / count]);
        (count > 0 && all >= count).then(|| (0..count).map(part).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::histogram::Histogram;
    use crate::stats::summary::{SeriesPoint, Stats};

    fn run(seconds: u64, elapsed_s: f64) -> Run {
        let mut histogram = Histogram::new();
        histogram.record_us(1_000);
        let latency = Packed::from(&histogram);
        let point =
            |second| SeriesPoint { second, requests: 2 * second, responses: 1, ..SeriesPoint::default() };
        let total = Stats { elapsed_s, ..Stats::default() };
        let summary = Summary { total, series: (2..=seconds).map(point).collect(), ..Summary::default() };
        Run::new("a", summary, (1..=seconds).map(|second| (second, latency.clone())).collect())
    }

    #[test]
    fn only_whole_seconds_count() {
        assert_eq!(run(11, 10.004).seconds.len(), 10);
        assert_eq!(run(11, 10.95).seconds.len(), 11);
        assert_eq!(run(3, 10.0).seconds.len(), 3);
        let counted: Vec<u64> = run(4, 4.0).seconds.iter().map(|second| second.requests).collect();
        assert_eq!(counted, [0, 4, 6, 8], "each second has its own counts");
    }

    #[test]
    fn parts_cover_every_second_once() {
        let parts = run(23, 23.0).parts(10).expect("enough seconds");
        let lengths: Vec<u64> = parts.iter().map(|part| part.seconds).collect();
        assert_eq!((lengths.iter().sum::<u64>(), lengths.len()), (23, 10));
        assert!(lengths.iter().all(|seconds| (2..=3).contains(seconds)), "{lengths:?}");
        assert!(run(9, 9.0).parts(10).is_none() && run(0, 0.0).parts(0).is_none());
    }
}
