//! The figures of one test, from the reports of its drivers. Sans-IO.
//!
//! Reports are cumulative and numbered, so only each driver's newest state is kept, plus its states at whole
//! seconds that are not closed yet. A second is closed when every driver that is still expected has reported
//! it, or when another driver is [`PATIENCE_S`] seconds ahead. Closing adds each driver's difference to the
//! fleet's figures. Differences of cumulative histograms telescope, so the sum of all seconds is exactly the
//! merge of all final states.

mod report;
mod sequences;
mod series;
mod target_count;
#[cfg(test)]
mod tests;
mod timeline;

use crate::message::{LatencyMs, NodeRef, TargetCount};
use crate::stats::counts::Counts;
use crate::stats::histogram::Histogram;
use crate::stats::summary::{Distribution, SeriesPoint};
use report::read_histogram;
pub use report::{NumberedReport, Report, Snapshot};
use sequences::Sequences;
use series::Series;
use std::collections::BTreeMap;
use std::sync::Arc;
pub use target_count::Counted;

/// How many seconds a driver may be behind another before the fleet's seconds are closed without it.
pub const PATIENCE_S: u64 = 5;
/// Maximum number of drivers of the original protocol with their own row.
const MAX_ORIGINALS: usize = 1_000;
/// How far from a whole second a report may be and still represent it, in ms.
const MARK_TOLERANCE_MS: f64 = 250.0;

/// The figures of one driver.
#[derive(Debug)]
pub struct DriverFigures {
    /// Which process.
    pub node: NodeRef,
    /// Start of its measurement, in broker time.
    pub origin_ms: Option<f64>,
    /// Its first measured send, in broker time.
    pub first_send_ms: Option<f64>,
    /// Service times, once its final report is in.
    pub service_ms: Option<Distribution>,
    /// Times of its TCP connects, once its final report is in.
    pub connect_ms: Option<Distribution>,
    /// Times of its TLS handshakes; likewise.
    pub tls_ms: Option<Distribution>,
    /// Its state at the newest closed second, as included in the fleet's figures.
    pub shown: Option<Arc<Snapshot>>,
    /// Requests that a floodgate-target counted, from its final report.
    target: Option<TargetCount>,
    sequences: Sequences,
    latest: Option<Arc<Snapshot>>,
    /// Its states at whole seconds that are not closed yet.
    marks: BTreeMap<u64, Arc<Snapshot>>,
    shown_second: u64,
    /// The last second that it is expected to report, once it is lost.
    lost_after: Option<u64>,
    done: bool,
}

impl DriverFigures {
    fn new(node: &NodeRef) -> DriverFigures {
        DriverFigures {
            node: node.clone(),
            origin_ms: None,
            first_send_ms: None,
            service_ms: None,
            connect_ms: None,
            tls_ms: None,
            shown: None,
            target: None,
            sequences: Sequences::default(),
            latest: None,
            marks: BTreeMap::new(),
            shown_second: 0,
            lost_after: None,
            done: false,
        }
    }

    /// Fills in missing histograms from the previous report: the bus did not accept the full report.
    fn completed(&self, snapshot: &Arc<Snapshot>) -> Arc<Snapshot> {
        let lacks_lag = snapshot.lag.is_empty() && snapshot.counts.sent > 0;
        let Some(before) = self.latest.as_ref().filter(|_| lacks_lag || snapshot.lacks_latency()) else {
            return Arc::clone(snapshot);
        };
        let mut whole = Snapshot::clone(snapshot);
        if snapshot.lacks_latency() {
            (whole.latency, whole.latency_ms) = (before.latency.clone(), before.latency_ms.clone());
        }
        if lacks_lag {
            (whole.lag, whole.lag_ms) = (before.lag.clone(), before.lag_ms.clone());
        }
        Arc::new(whole)
    }

    fn newest_second(&self) -> u64 {
        self.marks.last_key_value().map_or(self.shown_second, |(second, _)| *second)
    }

    /// Whether the fleet's `second` is incomplete without this driver's report.
    fn is_expected(&self, second: u64) -> bool {
        let over = self.done && second > self.newest_second();
        !over && self.lost_after.is_none_or(|last| second <= last)
    }
}

/// The figures of one test.
#[derive(Debug)]
pub struct Aggregate {
    drivers: Vec<DriverFigures>,
    originals: BTreeMap<String, LatencyMs>,
    counts: Counts,
    latency: Histogram,
    service: Histogram,
    lag: Histogram,
    /// `None` until a driver reports any.
    connect: Option<Box<Histogram>>,
    tls: Option<Box<Histogram>>,
    closed_second: u64,
    series: Series,
    finished: bool,
}

impl Aggregate {
    /// Empty figures for these drivers.
    pub fn new(drivers: &[NodeRef]) -> Aggregate {
        Aggregate {
            drivers: drivers.iter().map(DriverFigures::new).collect(),
            originals: BTreeMap::new(),
            counts: Counts::default(),
            latency: Histogram::new(),
            service: Histogram::new(),
            lag: Histogram::new(),
            connect: None,
            tls: None,
            closed_second: 0,
            series: Series::default(),
            finished: false,
        }
    }

    /// Adds a report. `most_seconds` is the longest time the test can have been running. Returns whether it
    /// was the driver's final one; reports from drivers that the test does not name are ignored.
    pub fn numbered(&mut self, report: &NumberedReport, most_seconds: u64) -> bool {
        let (finished, closed) = (self.finished, self.closed_second);
        let Some(driver) = self.drivers.iter_mut().find(|driver| driver.node == report.node) else {
            return false;
        };
        let snapshot = &report.snapshot;
        if driver.done || finished {
            // After the final report, only gaps before it can be filled.
            if snapshot.sequence < driver.sequences.highest() {
                driver.sequences.see(snapshot.sequence);
            }
            return false;
        }
        if snapshot.elapsed_ms > (most_seconds as f64 + 1.0) * 1_000.0 {
            return false;
        }
        driver.sequences.see(snapshot.sequence);
        let snapshot = &driver.completed(snapshot);
        driver.origin_ms = driver.origin_ms.or(report.origin_ms);
        driver.first_send_ms = driver.first_send_ms.or(report.first_send_ms);
        if snapshot.is_final || driver.latest.as_ref().is_none_or(|l| l.sequence < snapshot.sequence) {
            driver.latest = Some(Arc::clone(snapshot));
        }
        let late = driver.note(snapshot, closed);
        if snapshot.is_final {
            self.take_final(report);
        }
        if late {
            self.fold_late(&report.node);
        }
        self.close_seconds();
        snapshot.is_final
    }

    /// Adds a report of the original protocol: shown as received, in no merged figure.
    pub fn original(&mut self, node_id: &str, latency: &LatencyMs) {
        let known = self.originals.contains_key(node_id) || self.originals.len() < MAX_ORIGINALS;
        if known && self.drivers.iter().all(|driver| driver.node.node_id != node_id) {
            self.originals.insert(node_id.to_owned(), latency.clone());
        }
    }

    /// Stops waiting for a lost driver.
    #[cfg(test)]
    pub fn lost(&mut self, node: &NodeRef) {
        let newest = self.newest_second();
        if let Some(driver) = self.drivers.iter_mut().find(|driver| driver.node == *node && !driver.done) {
            driver.lost_after = driver.lost_after.or(Some(newest));
            self.close_seconds();
        }
    }

    /// Waits again for a lost driver that came back.
    #[cfg(test)]
    pub fn back(&mut self, node: &NodeRef) {
        if let Some(driver) = self.drivers.iter_mut().find(|driver| driver.node == *node) {
            driver.lost_after = None;
        }
    }

    /// Closes the run: the reports received so far become the result.
    pub fn finish(&mut self, _counted: impl Fn(&NodeRef) -> bool) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let newest = self.newest_second();
        for driver in self.drivers.iter_mut().filter(|driver| !driver.done) {
            driver.lost_after = driver.lost_after.or(Some(newest));
            let shown = driver.shown.as_ref().map_or(0, |shown| shown.sequence);
            if let Some(latest) = driver.latest.clone().filter(|latest| latest.sequence > shown) {
                driver.marks.insert(end_second(latest.elapsed_ms).max(driver.newest_second()), latest);
            }
        }
        let closed = self.closed_second;
        let behind = self.drivers.iter().filter(|d| d.marks.keys().any(|second| *second <= closed));
        let behind: Vec<NodeRef> = behind.map(|driver| driver.node.clone()).collect();
        behind.iter().for_each(|node| self.fold_late(node));
        while self.closed_second < self.newest_second() {
            self.close_next();
        }
        self.series.drop_empty_end();
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
        &self.counts
    }

    /// The fleet's latency, service time and lag; service time only from drivers whose final report is in.
    pub fn histograms(&self) -> (&Histogram, &Histogram, &Histogram) {
        (&self.latency, &self.service, &self.lag)
    }

    /// The fleet's TCP connects and TLS handshakes, from drivers whose final report is in.
    pub fn openings_ms(&self) -> (Option<Distribution>, Option<Distribution>) {
        (figures_of(self.connect.as_deref()), figures_of(self.tls.as_deref()))
    }

    /// Second by second.
    pub fn series(&self) -> Vec<SeriesPoint> {
        self.series.points()
    }

    /// The newest second in the figures; 0 before the first.
    pub fn closed_second(&self) -> u64 {
        self.closed_second
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
        let newest = self.newest_second();
        let expected = self.drivers.iter().filter(|d| !d.done && d.lost_after.is_none());
        let behind = expected.map(|d| (d.node.node_id.clone(), newest - d.newest_second().min(newest)));
        behind.filter(|(_, seconds)| *seconds >= PATIENCE_S).collect()
    }

    fn newest_second(&self) -> u64 {
        self.drivers.iter().map(DriverFigures::newest_second).max().unwrap_or(0)
    }

    fn take_final(&mut self, report: &NumberedReport) {
        if let Some(service) = &report.service {
            self.service.merge(service);
        }
        for (sum, part) in [(&mut self.connect, &report.connect), (&mut self.tls, &report.tls)] {
            if let Some(part) = part {
                sum.get_or_insert_default().merge(part);
            }
        }
        if let Some(driver) = self.drivers.iter_mut().find(|driver| driver.node == report.node) {
            driver.done = true;
            driver.lost_after = None;
            driver.target = report.target.clone();
            driver.service_ms = figures_of(report.service.as_deref());
            driver.connect_ms = figures_of(report.connect.as_deref());
            driver.tls_ms = figures_of(report.tls.as_deref());
        }
    }
}

/// The second that contains this time, counted from 1.
fn end_second(elapsed_ms: f64) -> u64 {
    (elapsed_ms / 1_000.0).ceil().max(1.0) as u64
}

fn figures_of(histogram: Option<&Histogram>) -> Option<Distribution> {
    histogram.and_then(Histogram::distribution)
}

/// Decodes a kept histogram, which was already decoded once before.
fn kept(encoded: &str) -> Histogram {
    read_histogram(Some(encoded)).unwrap_or_default()
}
