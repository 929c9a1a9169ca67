//! The seconds of a test, merged where there are more of them than a plot can show.
//!
//! Seconds are merged by merging their histograms, which gives the exact percentiles of the merged time.
//! Percentiles are never averaged.

use crate::stats::histogram::Packed;
use crate::stats::summary::SeriesPoint;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Maximum number of points of a line.
pub const MAX_BINS: usize = 960;
/// Maximum number of rows of the table below a plot.
pub const MAX_ROWS: usize = 60;
/// Lengths of merged times, in s; longer ones are multiples of the last.
const LENGTHS_S: [u64; 9] = [1, 2, 5, 10, 15, 20, 30, 60, 120];

/// One or several seconds of the fleet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bin {
    /// Its first second; the first one of a test is 1.
    pub first: u64,
    /// Its last second.
    pub last: u64,
    /// Requests planned by the schedule; `None` for a closed loop.
    pub planned: Option<u64>,
    /// Requests sent.
    pub sent: u64,
    /// Complete responses.
    pub answered: u64,
    /// Requests failed.
    pub errors: u64,
    /// Requests that had to wait for a free connection.
    pub queued: u64,
    /// Median, 90th and 99th percentile of latency, in ms; `None` without a response, or if several seconds
    /// without histograms were merged.
    pub percentiles_ms: [Option<f64>; 3],
    /// Maximum latency in ms.
    pub max_ms: Option<f64>,
    /// 99th percentile of lag in ms; of several seconds, the highest.
    pub lag_p99_ms: Option<f64>,
    /// Share of the generator's time in which it had work to do.
    pub busy: Option<f64>,
    /// Whether every running driver reported each of its seconds separately.
    pub is_complete: bool,
}

impl Bin {
    /// How many seconds it covers.
    pub fn seconds(&self) -> u64 {
        self.last + 1 - self.first
    }

    /// Its middle, in s since the start.
    pub fn middle_s(&self) -> f64 {
        (self.first as f64 - 1.0 + self.last as f64) / 2.0
    }

    /// A count as a rate per second.
    pub fn per_s(&self, count: u64) -> f64 {
        count as f64 / self.seconds() as f64
    }
}

/// A test from its first to its last known second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// What lines show.
    bins: Vec<Bin>,
    /// What tables show.
    rows: Vec<Bin>,
    /// Seconds of a bin.
    length_s: u64,
    /// Where the time axis ends, in s.
    until_s: f64,
}

impl Timeline {
    /// The seconds of a result. `intervals` are the latencies of each second; without them, merged seconds
    /// have a maximum and no percentiles.
    pub fn new(points: &[SeriesPoint], intervals: &[(u64, Packed)]) -> Timeline {
        let seconds = seconds(points, intervals);
        let length_s = length_s(points, MAX_BINS);
        let bins = merge(&seconds, length_s);
        // Rows are merged bins, which is faster than merging the seconds once more.
        let rows = merge(&bins, self::length_s(points, MAX_ROWS).next_multiple_of(length_s));
        let known = |parts: Vec<Part>| parts.into_iter().map(|part| part.bin).collect();
        Timeline {
            bins: known(bins),
            rows: known(rows),
            length_s,
            until_s: points.last().map_or(0.0, |point| point.second as f64),
        }
    }

    /// The same with a time axis to at least `until_s`, such as the planned end of a running test.
    #[must_use]
    pub fn until(self, until_s: f64) -> Timeline {
        let is_possible = until_s.is_finite() && until_s > self.until_s;
        Timeline { until_s: if is_possible { until_s } else { self.until_s }, ..self }
    }

    /// What lines show: at most [`MAX_BINS`], in order. Missing seconds have no bin.
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// What tables show: at most 60.
    pub fn rows(&self) -> &[Bin] {
        &self.rows
    }

    /// At most `most` rows of as many seconds as necessary.
    pub fn merged(points: &[SeriesPoint], intervals: &[(u64, Packed)], most: usize) -> Vec<Bin> {
        let merged = merge(&seconds(points, intervals), length_s(points, most));
        merged.into_iter().map(|part| part.bin).collect()
    }

    /// Seconds of one bin.
    pub fn length_s(&self) -> u64 {
        self.length_s
    }

    /// Begin and end of the time axis, in s since the start.
    pub fn span_s(&self) -> (f64, f64) {
        let from_s = self.bins.first().map_or(0.0, |bin| bin.first as f64 - 1.0);
        (from_s, self.until_s.max(from_s + 1.0))
    }

    /// Times that are missing or incomplete, in s since the start, up to the last known second.
    pub fn gaps(&self) -> Vec<(f64, f64)> {
        let mut gaps: Vec<(f64, f64)> = Vec::new();
        let mut known_to = self.span_s().0;
        let mut add = |from: f64, to: f64| match gaps.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => gaps.push((from, to)),
        };
        for bin in &self.bins {
            let (from, to) = (bin.first as f64 - 1.0, bin.last as f64);
            if from > known_to {
                add(known_to, from);
            }
            if !bin.is_complete {
                add(from, to);
            }
            known_to = to;
        }
        gaps
    }

    /// A value of each complete bin at its middle; `None` between bins that are not neighbors.
    pub fn values<'a, T: 'a>(
        &'a self,
        read: impl Fn(&Bin) -> Option<T> + 'a,
    ) -> impl Iterator<Item = Option<(f64, T)>> + 'a {
        let mut before = None;
        self.bins.iter().flat_map(move |bin| {
            let is_neighbor = before.replace(bin.last).is_none_or(|last| last + 1 == bin.first);
            let value = read(bin).filter(|_| bin.is_complete).map(|value| (bin.middle_s(), value));
            (!is_neighbor).then_some(None).into_iter().chain([value])
        })
    }
}

/// The length of bins of which at most `most` cover all points.
fn length_s(points: &[SeriesPoint], most: usize) -> u64 {
    let span = |length: u64| match (points.first(), points.last()) {
        (Some(first), Some(last)) => {
            let group = |point: &SeriesPoint| point.second.saturating_sub(1) / length;
            group(last).saturating_sub(group(first)) + 1
        }
        _ => 0,
    };
    let most = most as u64;
    let longer = (2..).map(|n| n * LENGTHS_S[LENGTHS_S.len() - 1]);
    LENGTHS_S.into_iter().chain(longer).find(|length| span(*length) <= most).unwrap_or(1)
}

/// A bin with its latencies, if they are known.
#[derive(Clone)]
struct Part<'a> {
    bin: Bin,
    latency: Option<Cow<'a, Packed>>,
}

fn seconds<'a>(points: &[SeriesPoint], intervals: &'a [(u64, Packed)]) -> Vec<Part<'a>> {
    let known: BTreeMap<u64, &Packed> =
        intervals.iter().map(|(second, latency)| (*second, latency)).collect();
    let latency = |second: &u64| known.get(second).map(|latency| Cow::Borrowed(*latency));
    points.iter().map(|point| Part { bin: single(point), latency: latency(&point.second) }).collect()
}

/// Merges what lies in the same `length_s` seconds.
fn merge<'a>(parts: &[Part<'a>], length_s: u64) -> Vec<Part<'a>> {
    let group = |part: &Part| part.bin.first.saturating_sub(1) / length_s;
    let groups: Vec<&[Part]> = parts.chunk_by(|a, b| group(a) == group(b)).collect();
    let one = |(number, parts): (usize, &&[Part<'a>])| {
        let mut one = together(parts);
        // Only the test's own ends cut a bin; other missing seconds make it incomplete.
        let (begin, bin) = (group(&parts[0]) * length_s, &mut one.bin);
        bin.first = if number > 0 { begin + 1 } else { bin.first };
        bin.last = if number + 1 < groups.len() { begin + length_s } else { bin.last };
        bin.is_complete &= bin.seconds() == parts.iter().map(|part| part.bin.seconds()).sum::<u64>();
        one
    };
    groups.iter().enumerate().map(one).collect()
}

/// Several parts as one, with the percentiles of all their requests.
fn together<'a>(parts: &[Part<'a>]) -> Part<'a> {
    if let [part] = parts {
        return part.clone();
    }
    let bin = parts.iter().map(|part| part.bin.clone()).reduce(sum).unwrap_or_default();
    let known: Option<Vec<&Packed>> = parts.iter().map(|part| part.latency.as_deref()).collect();
    let latency = known.map(|known| known.into_iter().fold(Packed::default(), |sum, one| sum.and(one)));
    let percentiles = latency.as_ref().filter(|latency| !latency.is_empty());
    let percentiles = percentiles.map(|latency| latency.percentiles_ms([50.0, 90.0, 99.0]));
    let bin = Bin { percentiles_ms: percentiles.map_or([None; 3], |ms| ms.map(Some)), ..bin };
    Part { bin, latency: latency.map(Cow::Owned) }
}

/// One second as it was reported.
fn single(point: &SeriesPoint) -> Bin {
    Bin {
        first: point.second,
        last: point.second,
        planned: point.planned,
        sent: point.requests,
        answered: point.responses,
        errors: point.errors,
        queued: point.queued,
        percentiles_ms: [point.p50_ms, point.p90_ms, point.p99_ms],
        max_ms: point.max_ms,
        lag_p99_ms: point.lag_p99_ms,
        busy: point.busy,
        is_complete: point.complete,
    }
}

/// Counts add up. Of the seconds' lag, the highest remains; their shares of time have a mean.
fn sum(a: Bin, b: Bin) -> Bin {
    let (before, after) = (a.seconds() as f64, b.seconds() as f64);
    let mean = |(x, y): (f64, f64)| (x * before + y * after) / (before + after);
    Bin {
        first: a.first,
        last: b.last,
        planned: a.planned.zip(b.planned).map(|(a, b)| a.saturating_add(b)),
        sent: a.sent.saturating_add(b.sent),
        answered: a.answered.saturating_add(b.answered),
        errors: a.errors.saturating_add(b.errors),
        queued: a.queued.saturating_add(b.queued),
        percentiles_ms: [None; 3],
        max_ms: highest(a.max_ms, b.max_ms),
        lag_p99_ms: highest(a.lag_p99_ms, b.lag_p99_ms),
        busy: a.busy.zip(b.busy).map(mean).or(a.busy).or(b.busy),
        is_complete: a.is_complete && b.is_complete,
    }
}

fn highest(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::histogram::Histogram;

    fn point(second: u64) -> SeriesPoint {
        SeriesPoint {
            second,
            requests: 10,
            responses: 9,
            errors: 1,
            p50_ms: Some(1.0),
            p90_ms: Some(2.0),
            p99_ms: Some(5.0),
            max_ms: Some(second as f64),
            complete: true,
            ..SeriesPoint::default()
        }
    }

    /// `n` times of `us` µs.
    fn times(us: u64, n: usize) -> Packed {
        let mut histogram = Histogram::new();
        (0..n).for_each(|_| histogram.record_us(us));
        Packed::from(&histogram)
    }

    #[test]
    fn a_short_test_keeps_its_seconds_and_a_long_one_fits() {
        let points = |n: u64| (1..=n).map(point).collect::<Vec<_>>();
        for (seconds, length_s, bins) in
            [(1, 1, 1), (3, 1, 3), (960, 1, 960), (961, 2, 481), (3_600, 5, 720), (10_000, 15, 667)]
        {
            let timeline = Timeline::new(&points(seconds), &[]);
            assert_eq!((timeline.length_s(), timeline.bins().len()), (length_s, bins), "{seconds} s");
            assert!(timeline.rows().len() <= MAX_ROWS, "{seconds} s");
            let sent: u64 = timeline.bins().iter().map(|bin| bin.sent).sum();
            assert_eq!(sent, 10 * seconds, "nothing is lost");
            assert_eq!(timeline.gaps(), []);
        }
        assert_eq!(Timeline::new(&[], &[]).span_s(), (0.0, 1.0));
    }

    #[test]
    fn merged_percentiles_are_those_of_all_requests() {
        let points: Vec<_> = (1..=1_920).map(point).collect();
        // A fast second with 99 requests, then a slow one with a single request.
        let of = |second: u64| if second % 2 == 1 { times(1_000, 99) } else { times(50_000, 1) };
        let intervals: Vec<_> = (1..=1_920).map(|second| (second, of(second))).collect();
        let timeline = Timeline::new(&points, &intervals);
        let bin = &timeline.bins()[7];
        assert_eq!((bin.first, bin.last, bin.max_ms), (15, 16, Some(16.0)));
        let [p50, p90, p99] = bin.percentiles_ms.map(|ms| ms.expect("known"));
        assert_eq!([p50, p90, p99], [1.0, 1.0, 1.0], "an average of 1 and 50 ms would be 25.5 ms");
        let unknown = Timeline::new(&points, &[]);
        assert_eq!(unknown.bins()[7].percentiles_ms, [None; 3], "no guess without histograms");
        assert_eq!(unknown.bins()[7].max_ms, Some(16.0));
    }

    #[test]
    fn missing_and_incomplete_seconds_are_gaps() {
        let mut points: Vec<_> = [1, 2, 5, 6, 7].map(point).to_vec();
        points[3].complete = false;
        let timeline = Timeline::new(&points, &[]);
        assert_eq!(timeline.gaps(), [(2.0, 4.0), (5.0, 6.0)]);
        let values: Vec<_> = timeline.values(|bin| Some(bin.first)).collect();
        assert_eq!(values, [Some((0.5, 1)), Some((1.5, 2)), None, Some((4.5, 5)), None, Some((6.5, 7))]);
        // The same in a long test.
        let long: Vec<_> = (1..=2_000).filter(|second| *second != 10).map(point).collect();
        let gaps = Timeline::new(&long, &[]).gaps();
        assert_eq!(gaps, [(5.0, 10.0)], "the bin of seconds 6 to 10");
    }

    #[test]
    fn the_axis_can_reach_to_the_planned_end() {
        let timeline = Timeline::new(&[point(1), point(2)], &[]);
        assert_eq!(timeline.clone().until(60.0).span_s(), (0.0, 60.0));
        assert_eq!(timeline.clone().until(1.0).span_s(), (0.0, 2.0));
        assert_eq!(timeline.until(f64::NAN).span_s(), (0.0, 2.0));
    }
}
