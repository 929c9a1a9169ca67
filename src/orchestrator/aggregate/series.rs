//! The seconds of the fleet: what was counted in each, and what is still missing.
//!
//! A second is complete when each running driver has reported its end. Late reports are added to the second
//! they belong to. If a driver reports several seconds at once, it is unknown how they differed: its counts
//! are spread evenly over them, so that there is neither an empty second nor a false peak, its latencies are
//! excluded from their percentiles, and they stay marked as incomplete.

use super::report::read_histogram;
use crate::stats::counts::Counts;
use crate::stats::histogram::Histogram;
use crate::stats::summary::SeriesPoint;
use std::collections::VecDeque;

/// Maximum number of points kept (2 h 46 min); the oldest are dropped first.
pub const MAX_POINTS: usize = 10_000;
/// How many of the newest seconds a late report can still complete.
const OPEN_SECONDS: usize = 120;

/// What one driver counted between the ends of two seconds.
#[derive(Clone, Debug)]
pub struct Part {
    /// The second before the first one.
    pub after: u64,
    /// The last second; the same as `after` if a report adds to a second that was already reported.
    pub at: u64,
    /// Whether it covers all of the last second.
    pub to_its_end: bool,
    /// What was counted.
    pub counts: Counts,
    /// The latencies.
    pub latency: Histogram,
    /// The lag.
    pub lag: Histogram,
}

/// State of a second that may still be completed.
#[derive(Debug)]
struct Open {
    /// Indices of the drivers whose part is missing.
    missing: Vec<usize>,
    /// Whether some driver's part is only an estimate.
    estimated: bool,
    /// Its latencies in their encoded form, a twentieth of the size; empty for the newest second.
    latency: String,
}

/// Second by second.
#[derive(Debug, Default)]
pub struct Series {
    points: VecDeque<SeriesPoint>,
    /// State of the newest points.
    open: VecDeque<Open>,
    /// The latencies of the newest point.
    newest: Histogram,
}

impl Series {
    /// Begins the next second; `missing` are the drivers whose parts it still needs.
    pub fn open(&mut self, second: u64, missing: Vec<usize>) {
        let latency = std::mem::take(&mut self.newest);
        if let Some(open) = self.open.back_mut().filter(|_| !latency.is_empty()) {
            open.latency = latency.encode().unwrap_or_default();
        }
        let complete = missing.is_empty();
        self.points.push_back(SeriesPoint { second, complete, ..SeriesPoint::default() });
        self.open.push_back(Open { missing, estimated: false, latency: String::new() });
        if self.points.len() > MAX_POINTS {
            self.points.pop_front();
        }
        if self.open.len() > OPEN_SECONDS {
            self.open.pop_front();
        }
    }

    /// Adds a driver's part to the seconds that it covers; call [`Series::settle`] after the last part.
    pub fn add(&mut self, driver: usize, part: &Part) {
        let seconds = part.at.saturating_sub(part.after).max(1);
        for i in 0..seconds {
            let second = part.at + 1 + i - seconds;
            let Some(index) = self.index(second) else { continue };
            if let Some(point) = self.points.get_mut(index) {
                let add = |into: &mut u64, n: u64| *into = into.saturating_add(share(n, i, seconds));
                add(&mut point.requests, part.counts.sent);
                add(&mut point.responses, part.counts.responses);
                add(&mut point.errors, part.counts.errors_total());
            }
            let exact = seconds == 1 && part.to_its_end;
            self.complete(index, driver, exact, Some(&part.latency).filter(|_| seconds == 1));
        }
    }

    /// Drops an empty last second: the last request ends slightly after the last whole second.
    pub fn drop_empty_end(&mut self) {
        let is_empty = |point: &SeriesPoint| (point.requests, point.responses, point.errors) == (0, 0, 0);
        if self.points.back().is_some_and(is_empty) {
            self.points.pop_back();
            self.open.pop_back();
        }
    }

    /// All points, oldest first.
    pub fn points(&self) -> Vec<SeriesPoint> {
        self.points.iter().cloned().collect()
    }

    fn index(&self, second: u64) -> Option<usize> {
        let first = self.points.front()?.second;
        usize::try_from(second.checked_sub(first)?).ok().filter(|index| *index < self.points.len())
    }

    /// Updates the percentiles of the newest second.
    pub fn settle(&mut self) {
        if let Some(point) = self.points.back_mut() {
            set_latencies(point, &self.newest);
        }
    }

    fn complete(&mut self, index: usize, driver: usize, exact: bool, latency: Option<&Histogram>) {
        let is_newest = index + 1 == self.points.len();
        let closed = self.points.len() - self.open.len();
        let Some(point) = self.points.get_mut(index) else { return };
        let open = index.checked_sub(closed).and_then(|index| self.open.get_mut(index));
        let Some(open) = open else {
            // Too old to be completed.
            point.complete = false;
            return;
        };
        open.missing.retain(|missing| *missing != driver);
        open.estimated |= !exact;
        point.complete = open.missing.is_empty() && !open.estimated;
        let Some(latency) = latency else { return };
        if is_newest {
            self.newest.merge(latency);
            return;
        }
        let mut all = read_histogram(Some(&open.latency)).unwrap_or_default();
        all.merge(latency);
        set_latencies(point, &all);
        open.latency = all.encode().unwrap_or_default();
    }
}

fn set_latencies(point: &mut SeriesPoint, latency: &Histogram) {
    if latency.is_empty() {
        return;
    }
    point.p50_ms = Some(latency.percentile_ms(50.0));
    point.p99_ms = Some(latency.percentile_ms(99.0));
    point.max_ms = Some(latency.max_ms());
}

/// The i-th of `parts` nearly equal integer parts of `n`, which add up to `n`.
fn share(n: u64, i: u64, parts: u64) -> u64 {
    let upto = |i: u64| u128::from(n) * u128::from(i) / u128::from(parts);
    u64::try_from(upto(i + 1) - upto(i)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(after: u64, at: u64, requests: u64, ms: u64) -> Part {
        let mut latency = Histogram::new();
        (0..requests).for_each(|_| latency.record_us(ms * 1_000));
        let counts = Counts { sent: requests, responses: requests, ..Counts::default() };
        Part { after, at, to_its_end: true, counts, latency, lag: Histogram::new() }
    }

    fn seconds(series: &Series) -> Vec<(u64, u64, bool)> {
        series.points().iter().map(|point| (point.second, point.requests, point.complete)).collect()
    }

    #[test]
    fn parts_add_up() {
        for (n, parts) in [(10, 3), (0, 2), (1, 7), (u64::MAX, 3)] {
            let all: Vec<u64> = (0..parts).map(|i| share(n, i, parts)).collect();
            assert_eq!(all.iter().sum::<u64>(), n);
            assert!(all.iter().max().unwrap() - all.iter().min().unwrap() <= 1, "{all:?}");
        }
    }

    #[test]
    fn a_late_part_completes_its_second_including_latencies() {
        let mut series = Series::default();
        (1..=2).for_each(|second| series.open(second, vec![0, 1]));
        series.add(0, &part(0, 1, 10, 2));
        series.add(0, &part(1, 2, 10, 2));
        assert_eq!(seconds(&series), [(1, 10, false), (2, 10, false)]);
        series.settle();
        assert!((series.points()[1].max_ms.unwrap() - 2.0).abs() < 0.01);
        series.add(1, &part(0, 1, 90, 8));
        assert_eq!(seconds(&series), [(1, 100, true), (2, 10, false)]);
        let point = &series.points()[0];
        assert!((point.p50_ms.unwrap() - 8.0).abs() < 0.01, "the median of both, {:?}", point.p50_ms);
    }

    #[test]
    fn a_report_of_several_seconds_at_once_makes_no_peak() {
        let mut series = Series::default();
        (1..=4).for_each(|second| series.open(second, vec![0]));
        series.add(0, &part(0, 1, 10, 2));
        series.add(0, &part(1, 4, 31, 2));
        assert_eq!(seconds(&series), [(1, 10, true), (2, 10, false), (3, 10, false), (4, 11, false)]);
        assert_eq!(series.points()[3].p99_ms, None, "the latencies of one second are unknown");
    }

    #[test]
    fn old_seconds_accept_counts_and_stay_incomplete() {
        let mut series = Series::default();
        (1..=OPEN_SECONDS as u64 + 1).for_each(|second| series.open(second, vec![0]));
        series.add(0, &part(0, 1, 5, 2));
        assert_eq!(seconds(&series)[0], (1, 5, false));
        assert_eq!((series.points.len(), series.open.len()), (OPEN_SECONDS + 1, OPEN_SECONDS));
    }
}
