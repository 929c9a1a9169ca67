//! The latencies of a long test, merged to the times that a plot shows. A page is fetched each second, and
//! only the newest time has changed since: the others are kept.

use crate::plot::Timeline;
use crate::stats::histogram::{Histogram, Packed};
use crate::stats::summary::Summary;
use std::collections::BTreeMap;

/// The merged times of one test.
#[derive(Debug, Default)]
pub struct Merged {
    test_id: String,
    /// Seconds of one time.
    length_s: u64,
    /// By number of the time: how many latencies were merged, and the result.
    times: BTreeMap<u64, (u64, Packed)>,
}

impl Merged {
    /// The same latencies in fewer histograms: those of a time stand at its first second, and its other
    /// seconds are empty. `intervals` are the seconds of `test` in order.
    pub fn of(&mut self, test: &Summary, intervals: &[(u64, Packed)]) -> Vec<(u64, Packed)> {
        let length_s = Timeline::new(&test.series, &[]).length_s();
        if self.test_id != test.test_id || self.length_s != length_s {
            *self = Merged { test_id: test.test_id.clone(), length_s, times: BTreeMap::new() };
        }
        let number = |second: u64| second.saturating_sub(1) / length_s.max(1);
        let first = intervals.first().map_or(0, |(second, _)| number(*second));
        self.times = self.times.split_off(&first);
        let mut merged = Vec::with_capacity(intervals.len());
        for seconds in intervals.chunk_by(|a, b| number(a.0) == number(b.0)) {
            let sum = self.time(number(seconds[0].0), seconds);
            merged.push((seconds[0].0, sum));
            merged.extend(seconds[1..].iter().map(|(second, _)| (*second, Packed::default())));
        }
        merged
    }

    /// Latencies are only ever added, so equal counts are equal latencies.
    fn time(&mut self, number: u64, seconds: &[(u64, Packed)]) -> Packed {
        let count = seconds.iter().map(|(_, latency)| latency.count()).fold(0, u64::saturating_add);
        if let Some((known, sum)) = self.times.get(&number)
            && *known == count
        {
            return sum.clone();
        }
        let mut sum = Histogram::new();
        seconds.iter().for_each(|(_, latency)| sum.add(latency));
        let sum = Packed::from(&sum);
        self.times.insert(number, (count, sum.clone()));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::summary::SeriesPoint;

    fn seconds(range: std::ops::RangeInclusive<u64>) -> (Summary, Vec<(u64, Packed)>) {
        let point = |second| SeriesPoint { second, complete: true, ..SeriesPoint::default() };
        let series = range.clone().map(point).collect();
        let latency = |second: u64| {
            let mut latency = Histogram::new();
            (0..3).for_each(|n| latency.record_us(1_000 * second + n));
            (second, Packed::from(&latency))
        };
        (Summary { test_id: "t".to_owned(), series, ..Summary::default() }, range.map(latency).collect())
    }

    #[test]
    fn the_plot_of_merged_latencies_is_the_same() {
        let mut merged = Merged::default();
        // Grows, loses its first seconds, and becomes another test.
        for range in [1..=1_000, 1..=1_001, 1..=1_950, 500..=3_000, 1..=1_000] {
            let (test, intervals) = seconds(range.clone());
            let fewer = merged.of(&test, &intervals);
            assert_eq!(fewer.len(), intervals.len());
            assert!(fewer.iter().filter(|(_, latency)| !latency.is_empty()).count() <= 961, "{range:?}");
            let (all, few) = (Timeline::new(&test.series, &intervals), Timeline::new(&test.series, &fewer));
            assert!(all == few, "{range:?}");
        }
    }

    #[test]
    fn a_late_report_changes_its_time() {
        let mut merged = Merged::default();
        let (test, mut intervals) = seconds(1..=2_000);
        merged.of(&test, &intervals);
        intervals[4].1 = intervals[4].1.and(&intervals[5].1);
        let fewer = merged.of(&test, &intervals);
        assert_eq!(fewer.iter().map(|(_, latency)| latency.count()).sum::<u64>(), 6_003);
    }
}
