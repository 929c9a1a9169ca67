//! The figures of one test: a pure fold over the reports of its drivers, in the order of the log. Sans-IO.
//!
//! Nothing here depends on a clock, on other topics, or on when a report was read: the same reports in the
//! same order give the same figures. Once all of them are in and the run is closed, the order of different
//! drivers' reports makes no difference either; until then, it decides which seconds are closed.
//!
//! Reports are cumulative and numbered, so of each driver only the newest states are kept. What it counted
//! between the ends of two seconds is added to the fleet's seconds as soon as it is reported, whether they
//! are closed or not. A second is closed when every driver that is waited for has reported it. A driver is
//! not waited for once it is done, or behind: another one was more than [`PATIENCE_S`] seconds ahead of it,
//! so that a second was closed without it; it is waited for again when it has caught up.
//!
//! Differences of cumulative histograms telescope, so the sum of all seconds is exactly the merge of all
//! final states.

mod driver;
mod report;
mod sequences;
mod series;
mod target_count;
#[cfg(test)]
mod tests;

use crate::message::{LatencyMs, NodeRef};
use crate::stats::counts::Counts;
use crate::stats::histogram::{Histogram, Packed};
use crate::stats::summary::{Distribution, SeriesPoint};
use crate::thresholds::SecondFigures;
pub use driver::DriverFigures;
pub use report::{NumberedReport, Report};
use series::{Part, Series};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
pub use target_count::Counted;

/// How many seconds a driver may be behind another before the fleet's seconds are closed without it.
pub const PATIENCE_S: u64 = 5;
/// Maximum number of drivers of the original protocol with their own row.
const MAX_ORIGINALS: usize = 1_000;

/// The figures of one test.
#[derive(Debug)]
pub struct Aggregate {
    drivers: Vec<DriverFigures>,
    /// Epochs and positions of the drivers of each name.
    positions: HashMap<String, Vec<(u64, usize)>>,
    originals: BTreeMap<String, LatencyMs>,
    /// The sum of all drivers' counts, cached on first use.
    counts: OnceCell<Counts>,
    service: Histogram,
    /// `None` until a driver reports any.
    connect: Option<Box<Histogram>>,
    tls: Option<Box<Histogram>>,
    series: Series,
    /// The newest second that a driver reported.
    newest: u64,
    /// How many drivers owe the next second.
    owing: usize,
    finished: bool,
    /// The figures of each named request: the same fold over that part of the reports.
    by_name: Vec<(String, Aggregate)>,
}

impl Aggregate {
    /// Empty figures for these drivers.
    pub fn new(drivers: &[NodeRef]) -> Aggregate {
        let mut positions: HashMap<String, Vec<(u64, usize)>> = HashMap::new();
        for (position, node) in drivers.iter().enumerate() {
            positions.entry(node.node_id.clone()).or_default().push((node.epoch, position));
        }
        Aggregate {
            drivers: drivers.iter().map(DriverFigures::new).collect(),
            positions,
            originals: BTreeMap::new(),
            counts: OnceCell::new(),
            service: Histogram::new(),
            connect: None,
            tls: None,
            series: Series::default(),
            newest: 0,
            owing: drivers.len(),
            finished: false,
            by_name: Vec::new(),
        }
    }

    /// Empty figures for these drivers and the requests with these names.
    pub fn with_names(drivers: &[NodeRef], names: &[String]) -> Aggregate {
        let by_name = names.iter().map(|name| (name.clone(), Aggregate::new(drivers))).collect();
        Aggregate { by_name, ..Aggregate::new(drivers) }
    }

    /// Adds a report. `most_seconds` is the longest time the test can have been running. Returns whether it
    /// was the driver's final one; reports from drivers that the test does not name are ignored, and so is
    /// everything after [`Aggregate::finish`].
    pub fn numbered(&mut self, report: &NumberedReport, most_seconds: u64) -> bool {
        for (name, part) in &report.by_name {
            let known = self.by_name.iter_mut().find(|(known, _)| known == name);
            known.into_iter().for_each(|(_, figures)| {
                figures.numbered(part, most_seconds);
            });
        }
        let position = self.position(&report.node).filter(|_| !self.finished);
        let Some(driver) = position.and_then(|position| self.drivers.get_mut(position)) else { return false };
        let number = report.snapshot.sequence;
        let is_older = number <= driver.sequences.highest();
        let is_possible = report.snapshot.elapsed_ms <= (most_seconds as f64 + 1.0) * 1_000.0;
        if is_older || driver.done || !is_possible {
            // A newer report includes it; at most, it fills a gap.
            if is_older {
                driver.sequences.see(number);
            }
            return false;
        }
        driver.sequences.see(number);
        let closed = self.series.closed();
        let owed = driver.owes(closed);
        let part = driver.take(report);
        driver.done = report.snapshot.is_final;
        self.newest = self.newest.max(driver.second());
        driver.behind &= driver.second() + PATIENCE_S <= self.newest;
        driver.show(closed);
        let owes = driver.owes(closed);
        self.owing = self.owing + usize::from(owes) - usize::from(owed);
        if let Some(part) = part {
            self.add(&part);
        }
        if report.snapshot.is_final {
            self.take_final(report);
        }
        self.close_seconds();
        report.snapshot.is_final
    }

    /// Adds a report of the original protocol: shown as received, in no merged figure.
    pub fn original(&mut self, node_id: &str, latency: &LatencyMs) {
        let known = self.originals.contains_key(node_id) || self.originals.len() < MAX_ORIGINALS;
        if known && !self.positions.contains_key(node_id) {
            self.originals.insert(node_id.to_owned(), latency.clone());
        }
    }

    /// Closes the run: the reports received so far become the result. `counted` says whether a driver's final
    /// report was due: the seconds after the last report of a driver that was lost, left or refused are
    /// complete without it.
    pub fn finish(&mut self, counted: impl Fn(&NodeRef) -> bool) {
        self.end(&counted);
    }

    fn end(&mut self, counted: &dyn Fn(&NodeRef) -> bool) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        self.by_name.iter_mut().for_each(|(_, figures)| figures.end(counted));
        for position in 0..self.drivers.len() {
            let driver = &mut self.drivers[position];
            if driver.done {
                continue;
            }
            let part = driver.settle();
            self.newest = self.newest.max(driver.second());
            if !counted(&driver.node) {
                self.series.end_driver(driver.second());
            }
            if let Some(part) = part {
                self.add(&part);
            }
        }
        self.close(self.newest);
        self.series.drop_empty_end();
    }

    /// The figures of each named request.
    pub fn by_name(&self) -> &[(String, Aggregate)] {
        &self.by_name
    }

    /// The figures of the request with this name, or of all together; `None` if the plan has no such request.
    pub fn of_request(&self, name: Option<&str>) -> Option<&Aggregate> {
        match name {
            None => Some(self),
            Some(name) => self.by_name.iter().find(|(known, _)| known == name).map(|(_, figures)| figures),
        }
    }

    /// Each driver's figures, in the order of the plan.
    pub fn drivers(&self) -> &[DriverFigures] {
        &self.drivers
    }

    /// Drivers of the original protocol and their last reports.
    pub fn originals(&self) -> &BTreeMap<String, LatencyMs> {
        &self.originals
    }

    /// The fleet's counts up to the newest closed second.
    pub fn counts(&self) -> &Counts {
        self.counts.get_or_init(|| {
            let mut sum = Counts::default();
            self.drivers.iter().filter_map(|d| d.shown.as_ref()).for_each(|shown| sum.merge(&shown.counts));
            sum
        })
    }

    /// The fleet's latency, service time and lag; service time only from drivers whose final report is in.
    pub fn histograms(&self) -> (&Histogram, &Histogram, &Histogram) {
        let (latency, lag) = self.series.histograms();
        (latency, &self.service, lag)
    }

    /// The fleet's TCP connects and TLS handshakes, from drivers whose final report is in.
    pub fn openings_ms(&self) -> (Option<Distribution>, Option<Distribution>) {
        (figures_of(self.connect.as_deref()), figures_of(self.tls.as_deref()))
    }

    /// Second by second. Until [`Aggregate::finish`], `is_gone` says which drivers have been lost: the
    /// seconds after their last report are complete without them, as they will be in the result.
    pub fn series(&self, is_gone: impl Fn(&NodeRef) -> bool) -> Vec<SeriesPoint> {
        let open = self.drivers.iter().filter(|driver| !self.finished && !driver.done);
        let gone: Vec<u64> = open.filter(|driver| is_gone(&driver.node)).map(DriverFigures::second).collect();
        self.series.points(self.drivers.len(), &gone)
    }

    /// The latencies of each closed second, for an interval log. Those of a report of several seconds are in
    /// the last one, so that the sum of the seconds kept is the total.
    pub fn intervals(&self) -> impl Iterator<Item = (u64, Packed)> {
        self.series.intervals()
    }

    /// The closed seconds after this one, oldest first, without what the plan has for them.
    pub fn closed_after(&self, second: u64) -> impl Iterator<Item = SecondFigures<'_>> {
        self.series.closed_after(second)
    }

    /// The newest second in the figures; 0 before the first.
    pub fn closed_second(&self) -> u64 {
        self.series.closed()
    }

    /// Whether all figures are in.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Numbered reports that never arrived; 0 until the run is closed.
    pub fn reports_missing(&self) -> u64 {
        if !self.finished {
            return 0;
        }
        self.drivers.iter().map(|driver| driver.sequences.missing()).sum()
    }

    /// Requests that the drivers' floodgate-targets counted during the test.
    pub fn target_counted(&self) -> Counted {
        let drivers = self.drivers.iter();
        target_count::sum(drivers.map(|driver| (driver.node.node_id.as_str(), driver.target.as_ref())))
    }

    /// Drivers whose reports are [`PATIENCE_S`] seconds or more behind those of the others, and by how many
    /// seconds.
    pub fn behind(&self) -> Vec<(String, u64)> {
        let expected = self.drivers.iter().filter(|driver| !driver.done);
        let behind = expected.map(|d| (d.node.node_id.clone(), self.newest - d.second()));
        behind.filter(|(_, seconds)| *seconds >= PATIENCE_S).collect()
    }

    fn position(&self, node: &NodeRef) -> Option<usize> {
        let epochs = self.positions.get(&node.node_id)?;
        epochs.iter().find(|(epoch, _)| *epoch == node.epoch).map(|(_, position)| *position)
    }

    fn add(&mut self, part: &Part) {
        self.counts.take();
        self.series.add(part);
    }

    /// Closes every second that all drivers that are waited for have reported, or for which they were waited
    /// for long enough.
    fn close_seconds(&mut self) {
        let next = self.series.closed() + 1;
        if self.newest < next || (self.owing > 0 && self.newest < next + PATIENCE_S) {
            return;
        }
        for driver in &mut self.drivers {
            driver.behind |= driver.is_overdue(self.newest);
        }
        let awaited = self.drivers.iter().filter(|driver| driver.is_awaited());
        self.close(awaited.map(DriverFigures::second).min().unwrap_or(self.newest));
    }

    fn close(&mut self, to: u64) {
        self.counts.take();
        self.series.close(to);
        self.drivers.iter_mut().for_each(|driver| driver.show(to));
        self.owing = self.drivers.iter().filter(|driver| driver.owes(to)).count();
    }

    fn take_final(&mut self, report: &NumberedReport) {
        if let Some(service) = &report.service {
            self.service.add(service);
        }
        for (sum, part) in [(&mut self.connect, &report.connect), (&mut self.tls, &report.tls)] {
            if let Some(part) = part {
                sum.get_or_insert_default().add(part);
            }
        }
        let position = self.position(&report.node);
        let Some(driver) = position.and_then(|position| self.drivers.get_mut(position)) else { return };
        self.series.end_driver(driver.second());
        driver.target = report.target.clone();
        let figures = |times: &Option<Packed>| times.as_ref().and_then(Packed::distribution);
        driver.service_ms = figures(&report.service);
        driver.connect_ms = figures(&report.connect);
        driver.tls_ms = figures(&report.tls);
    }
}

fn figures_of(histogram: Option<&Histogram>) -> Option<Distribution> {
    histogram.and_then(Histogram::distribution)
}
