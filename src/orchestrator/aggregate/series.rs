//! The seconds of the fleet: what was counted in each, and what is still missing.
//!
//! A second is complete when each running driver has reported its end. Late reports are added to the second
//! they belong to. If a driver reports several seconds at once, it is unknown how they differed: its counts
//! are spread evenly over them, so that there is neither an empty second nor a false peak, its latencies are
//! excluded from their percentiles, and they stay marked as incomplete.

use crate::stats::histogram::{Histogram, Packed, round_ms};
use crate::stats::summary::SeriesPoint;
use crate::thresholds::SecondFigures;
use std::collections::{BTreeMap, VecDeque};

/// Maximum number of seconds kept (2 h 46 min); the oldest are dropped first.
pub const MAX_POINTS: usize = 10_000;

/// Maximum number of different statuses that are counted in one second.
const MAX_STATUSES: usize = 32;
/// What further ones count as.
const OTHER_STATUS: u16 = 0;

/// What one driver counted between the ends of two seconds.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// The second before the first one.
    pub after: u64,
    /// The last second; the same as `after` if a report adds to a second that was already reported.
    pub at: u64,
    /// Whether it covers all of the last second.
    pub to_its_end: bool,
    /// Requests sent.
    pub requests: u64,
    /// Responses received.
    pub responses: u64,
    /// Requests failed.
    pub errors: u64,
    /// Responses with a status of 400 or more.
    pub error_statuses: u64,
    /// Responses that failed a check.
    pub failed_checks: u64,
    /// Sent requests that waited for a slot.
    pub queued: u64,
    /// Responses by status.
    pub status: Vec<(u16, u64)>,
    /// How its workers spent their time.
    pub work: Work,
    /// The latencies.
    pub latency: Packed,
    /// The lag.
    pub lag: Packed,
}

/// Time of workers, in µs: whole numbers, so that the order of the drivers makes no difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// With work to do.
    pub busy_us: u64,
    /// In all, as far as it is known whether there was work.
    pub known_us: u64,
}

/// One second of the fleet.
#[derive(Debug, Default)]
struct Second {
    requests: u64,
    responses: u64,
    errors: u64,
    error_statuses: u64,
    failed_checks: u64,
    queued: u64,
    status: Vec<(u16, u64)>,
    work: Work,
    /// Drivers that reported exactly this second.
    exact: usize,
    /// Median, 90th and 99th percentile and maximum of latency, in ms, once it is closed.
    latency_ms: Option<[f64; 4]>,
    /// 99th percentile of lag, in ms; likewise.
    lag_p99_ms: Option<f64>,
    /// Latencies and lag once it is closed.
    times: Times,
    /// The same from reports of several seconds, of which this is the last.
    beyond: Option<Box<Times>>,
    /// Its sums until it is closed.
    open: Option<Box<Open>>,
}

#[derive(Clone, Debug, Default)]
struct Times {
    latency: Packed,
    lag: Packed,
}

impl Times {
    fn add(&mut self, part: &Part) {
        self.latency = self.latency.and(&part.latency);
        self.lag = self.lag.and(&part.lag);
    }
}

#[derive(Debug, Default)]
struct Open {
    latency: Histogram,
    lag: Histogram,
}

/// Second by second, and the histograms of all closed seconds.
#[derive(Debug, Default)]
pub struct Series {
    seconds: VecDeque<Second>,
    /// The number of the last one.
    last: u64,
    closed: u64,
    /// How many drivers report nothing after a second.
    ended: BTreeMap<u64, usize>,
    latency: Histogram,
    lag: Histogram,
}

impl Series {
    /// Adds a driver's part to the seconds that it covers.
    pub fn add(&mut self, part: &Part) {
        self.reach(part.at);
        let seconds = part.at.saturating_sub(part.after).max(1);
        let before = part.at - seconds;
        for second in (before + 1).max(self.first())..=part.at {
            let Some(one) = self.second(second) else { continue };
            let add =
                |into: &mut u64, n: u64| *into = into.saturating_add(share(n, second - before - 1, seconds));
            add(&mut one.requests, part.requests);
            add(&mut one.responses, part.responses);
            add(&mut one.errors, part.errors);
            add(&mut one.error_statuses, part.error_statuses);
            add(&mut one.failed_checks, part.failed_checks);
            add(&mut one.queued, part.queued);
            add(&mut one.work.busy_us, part.work.busy_us);
            add(&mut one.work.known_us, part.work.known_us);
            part.status.iter().for_each(|(code, n)| add(one.of_status(*code), *n));
        }
        let closed = self.closed;
        let Some(one) = self.second(part.at) else { return self.add_up(part) };
        one.exact += usize::from(part.to_its_end && part.at == part.after + 1);
        if seconds > 1 {
            one.beyond.get_or_insert_default().add(part);
        }
        if part.at <= closed {
            if seconds == 1 {
                one.times.add(part);
                one.measure();
            }
            return self.add_up(part);
        }
        let open = one.open.get_or_insert_default();
        if seconds == 1 {
            open.latency.add(&part.latency);
            open.lag.add(&part.lag);
        }
    }

    /// Nothing more comes from one driver after this second.
    pub fn end_driver(&mut self, second: u64) {
        *self.ended.entry(second).or_default() += 1;
    }

    /// Closes all seconds up to this one.
    pub fn close(&mut self, to: u64) {
        self.reach(to);
        for second in (self.closed + 1).max(self.first())..=to {
            let Some(open) = self.second(second).map(Second::close) else { continue };
            self.add_open(open);
        }
        self.closed = self.closed.max(to);
    }

    /// Drops an empty last second: the last request ends slightly after the last whole second.
    pub fn drop_empty_end(&mut self) {
        let is_empty = |one: &Second| (one.requests, one.responses, one.errors) == (0, 0, 0);
        if self.seconds.back().is_some_and(is_empty) {
            self.seconds.pop_back();
            self.last -= 1;
        }
    }

    /// The newest closed second; 0 before the first.
    pub fn closed(&self) -> u64 {
        self.closed
    }

    /// Latencies and lag of all closed seconds.
    pub fn histograms(&self) -> (&Histogram, &Histogram) {
        (&self.latency, &self.lag)
    }

    /// The closed seconds of this many drivers, oldest first. `gone` are the last seconds of drivers that
    /// report nothing after them, in addition to those that ended.
    pub fn points(&self, drivers: usize, gone: &[u64]) -> Vec<SeriesPoint> {
        let first = self.first();
        let mut ended = self.ended.clone();
        gone.iter().for_each(|second| *ended.entry(*second).or_default() += 1);
        let mut over: usize = ended.range(..first).map(|(_, drivers)| drivers).sum();
        let mut points = Vec::with_capacity(self.seconds.len());
        for (second, one) in (first..=self.closed).zip(&self.seconds) {
            points.push(SeriesPoint {
                second,
                requests: one.requests,
                responses: one.responses,
                errors: one.errors,
                error_statuses: one.error_statuses,
                failed_checks: one.failed_checks,
                queued: one.queued,
                p50_ms: one.latency_ms.map(|ms| ms[0]),
                p90_ms: one.latency_ms.map(|ms| ms[1]),
                p99_ms: one.latency_ms.map(|ms| ms[2]),
                max_ms: one.latency_ms.map(|ms| ms[3]),
                lag_p99_ms: one.lag_p99_ms,
                busy: one.work.busy(),
                planned: None,
                complete: one.exact + over >= drivers,
            });
            over += ended.get(&second).copied().unwrap_or(0);
        }
        fill_busy(&mut points);
        points
    }

    /// The closed seconds after this one, oldest first, without what the plan has for them.
    pub fn closed_after(&self, second: u64) -> impl Iterator<Item = SecondFigures<'_>> {
        let first = self.first();
        let known = usize::try_from((second + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let seconds = (first..=self.closed).zip(&self.seconds).skip(known);
        seconds.map(|(second, one)| SecondFigures {
            second,
            planned: None,
            requests: one.requests,
            responses: one.responses,
            errors: one.errors,
            failed_checks: one.failed_checks,
            status: &one.status,
            latency: &one.times.latency,
            lag: &one.times.lag,
        })
    }

    /// The latencies of every closed second, oldest first. Those of a report of several seconds are in the
    /// last one, so that the sum is the total of the seconds kept.
    pub fn intervals(&self) -> impl Iterator<Item = (u64, Packed)> {
        let seconds = (self.first()..=self.closed).zip(&self.seconds);
        seconds.map(|(second, one)| {
            let beyond = one.beyond.as_ref().map(|times| one.times.latency.and(&times.latency));
            (second, beyond.unwrap_or_else(|| one.times.latency.clone()))
        })
    }

    /// The number of the first second kept.
    fn first(&self) -> u64 {
        self.last + 1 - self.seconds.len() as u64
    }

    fn second(&mut self, second: u64) -> Option<&mut Second> {
        let index = second.checked_sub(self.first())?;
        self.seconds.get_mut(usize::try_from(index).ok()?)
    }

    /// Begins all seconds up to this one.
    fn reach(&mut self, second: u64) {
        if second.saturating_sub(self.last) > MAX_POINTS as u64 {
            while self.drop_first() {}
            self.last = second - MAX_POINTS as u64;
        }
        while self.last < second {
            self.seconds.push_back(Second::default());
            self.last += 1;
            if self.seconds.len() > MAX_POINTS {
                self.drop_first();
            }
        }
    }

    /// Forgets the first second, but not its histograms; returns whether there was one.
    fn drop_first(&mut self) -> bool {
        let Some(mut one) = self.seconds.pop_front() else { return false };
        let open = one.close();
        self.add_open(open);
        true
    }

    fn add_up(&mut self, part: &Part) {
        self.latency.add(&part.latency);
        self.lag.add(&part.lag);
    }

    fn add_open(&mut self, open: Option<(Box<Open>, Option<Times>)>) {
        let Some((open, beyond)) = open else { return };
        self.latency.merge(&open.latency);
        self.lag.merge(&open.lag);
        if let Some(beyond) = beyond {
            self.latency.add(&beyond.latency);
            self.lag.add(&beyond.lag);
        }
    }
}

impl Second {
    /// The count of a status. Beyond [`MAX_STATUSES`], all are counted together.
    fn of_status(&mut self, code: u16) -> &mut u64 {
        let known = self.status.iter().position(|(known, _)| *known == code);
        let is_full = known.is_none() && self.status.len() > MAX_STATUSES;
        let index = known.unwrap_or(if is_full { MAX_STATUSES } else { self.status.len() });
        if index == self.status.len() {
            self.status.push((if index == MAX_STATUSES { OTHER_STATUS } else { code }, 0));
        }
        &mut self.status[index].1
    }

    /// Packs its sums and returns them, with the times of reports of several seconds; `None` if it has none
    /// or is closed.
    fn close(&mut self) -> Option<(Box<Open>, Option<Times>)> {
        let open = self.open.take()?;
        self.times = Times { latency: Packed::from(&open.latency), lag: Packed::from(&open.lag) };
        self.measure();
        Some((open, self.beyond.as_deref().cloned()))
    }

    fn measure(&mut self) {
        let Times { latency, lag } = &self.times;
        if !latency.is_empty() {
            self.latency_ms = Some(latency.percentiles_ms([50.0, 90.0, 99.0, 100.0]));
        }
        if !lag.is_empty() {
            let [p99] = lag.percentiles_ms([99.0]);
            self.lag_p99_ms = Some(p99);
        }
    }
}

impl Work {
    /// The busy share; `None` if unknown.
    fn busy(self) -> Option<f64> {
        (self.known_us > 0).then(|| round_ms((self.busy_us as f64 / self.known_us as f64).min(1.0)))
    }
}

/// Workers that send little read their CPU times every other second only: that reading is about the second
/// before, too.
fn fill_busy(points: &mut [SeriesPoint]) {
    for index in 1..points.len() {
        if points[index - 1].busy.is_none() {
            points[index - 1].busy = points[index].busy;
        }
    }
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
        let latency = Packed::from(&latency);
        Part { after, at, to_its_end: true, requests, responses: requests, latency, ..Part::default() }
    }

    fn seconds(series: &Series, drivers: usize) -> Vec<(u64, u64, bool)> {
        series
            .points(drivers, &[])
            .iter()
            .map(|point| (point.second, point.requests, point.complete))
            .collect()
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
        series.add(&part(0, 1, 10, 2));
        series.add(&part(1, 2, 10, 2));
        assert_eq!(seconds(&series, 2), [], "nothing is closed");
        series.close(2);
        assert_eq!(seconds(&series, 2), [(1, 10, false), (2, 10, false)]);
        assert!((series.points(2, &[])[1].max_ms.unwrap() - 2.0).abs() < 0.01);
        series.add(&part(0, 1, 90, 8));
        assert_eq!(seconds(&series, 2), [(1, 100, true), (2, 10, false)]);
        let point = &series.points(2, &[])[0];
        assert!((point.p50_ms.unwrap() - 8.0).abs() < 0.01, "the median of both, {:?}", point.p50_ms);
        assert_eq!(series.histograms().0.count(), 110);
    }

    #[test]
    fn a_report_of_several_seconds_at_once_makes_no_peak() {
        let mut series = Series::default();
        series.add(&part(0, 1, 10, 2));
        series.add(&part(1, 4, 31, 2));
        series.close(4);
        assert_eq!(seconds(&series, 1), [(1, 10, true), (2, 10, false), (3, 10, false), (4, 11, false)]);
        assert_eq!(series.points(1, &[])[3].p99_ms, None, "the latencies of one second are unknown");
        let intervals: Vec<u64> = series.intervals().map(|(_, latency)| latency.count()).collect();
        assert_eq!((intervals, series.histograms().0.count()), (vec![10, 0, 0, 31], 41));
    }

    #[test]
    fn the_generators_own_figures_are_those_of_all_drivers_in_that_second() {
        let with = |mut part: Part, queued, busy_us, lag_ms: u64| {
            let mut lag = Histogram::new();
            (0..part.requests).for_each(|_| lag.record_us(lag_ms * 1_000));
            part.lag = Packed::from(&lag);
            (part.queued, part.work) = (queued, Work { busy_us, known_us: 1_000_000 });
            part
        };
        let mut series = Series::default();
        series.add(&with(part(0, 1, 10, 2), 3, 900_000, 1));
        series.close(1);
        // A late one, and one without known times.
        series.add(&with(part(0, 1, 10, 2), 1, 300_000, 9));
        series.add(&part(0, 1, 10, 2));
        let known = series.points(3, &[]).remove(0);
        assert_eq!((known.queued, known.busy), (4, Some(0.6)));
        assert!((known.lag_p99_ms.unwrap() - 9.0).abs() < 0.01, "{known:?}");
        series.add(&with(part(1, 3, 10, 2), 5, 2_000_000, 7));
        series.close(3);
        let spread: Vec<_> =
            series.points(3, &[])[1..].iter().map(|p| (p.queued, p.busy, p.lag_p99_ms)).collect();
        assert_eq!(spread, [(2, Some(1.0), None), (3, Some(1.0), None)]);
        assert_eq!(series.histograms().1.count(), 30, "the lag of all requests");
        series.add(&part(3, 4, 10, 2));
        series.add(&part(4, 5, 10, 2));
        series.add(&with(part(5, 6, 10, 2), 0, 250_000, 1));
        series.close(6);
        let busy: Vec<_> = series.points(3, &[])[3..].iter().map(|p| p.busy).collect();
        assert_eq!(busy, [None, Some(0.25), Some(0.25)], "of the second before, too");
    }

    #[test]
    fn a_driver_that_ended_is_not_missing_later() {
        let mut series = Series::default();
        (0..3).for_each(|second| series.add(&part(second, second + 1, 10, 2)));
        series.end_driver(1);
        series.close(3);
        assert_eq!(seconds(&series, 2), [(1, 10, false), (2, 10, true), (3, 10, true)]);
    }

    #[test]
    fn a_driver_that_is_gone_is_not_missing_later() {
        let mut series = Series::default();
        (0..3).for_each(|second| series.add(&part(second, second + 1, 10, 2)));
        series.add(&part(0, 1, 10, 2));
        series.close(3);
        let complete = |gone: &[u64]| -> Vec<bool> {
            series.points(2, gone).iter().map(|point| point.complete).collect()
        };
        assert_eq!(complete(&[]), [true, false, false]);
        assert_eq!(complete(&[1]), [true, true, true], "it reported the first second");
        assert_eq!(complete(&[2]), [true, false, true]);
    }

    #[test]
    fn the_oldest_seconds_are_dropped_and_stay_in_the_totals() {
        let most = MAX_POINTS as u64;
        for jump in [most + 2, 5 * most] {
            let mut series = Series::default();
            series.add(&part(0, 1, 5, 2));
            series.add(&part(1, 2, 5, 2));
            series.close(1);
            series.add(&part(jump - 1, jump, 7, 2));
            series.close(jump);
            series.add(&part(0, 1, 100, 2));
            let points = seconds(&series, 1);
            assert_eq!(
                (points.len(), points[0].0, points[MAX_POINTS - 1]),
                (MAX_POINTS, jump + 1 - most, (jump, 7, true))
            );
            assert_eq!(points.iter().map(|point| point.1).sum::<u64>(), 7);
            assert_eq!(series.histograms().0.count(), 117);
        }
    }
}
