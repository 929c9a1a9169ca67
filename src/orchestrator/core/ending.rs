//! The END of a test: its result, and what is told to others.

use super::{Core, Early, Test};
use crate::compare;
use crate::message::{DriverEnd, End, Fate, NodeRef, Trigger};
use crate::orchestrator::aggregate::Aggregate;
use crate::orchestrator::dashboard::{HistoryRow, MAX_HISTORY};
use crate::orchestrator::prometheus::TestFigures;
use crate::orchestrator::runs::{Command, Now};
use crate::orchestrator::{ab, named};
use crate::plot::Mark;
use crate::stats::histogram::{Histogram, Packed};
use crate::stats::summary::Summary;
use std::collections::BTreeSet;

/// Maximum number of finished tests whose full result is kept.
const MAX_RESULTS: usize = 10;

/// The END by what precedes it in the log: its author may not have read every final report.
fn corrected(end: &End, figures: &Aggregate) -> End {
    let done = figures.drivers().iter().filter(|driver| driver.is_done());
    let done: BTreeSet<&NodeRef> = done.map(|driver| &driver.node).collect();
    let mut end = end.clone();
    for driver in &mut end.drivers {
        if matches!(driver.fate, Fate::Lost | Fate::Unreported) && done.contains(&driver.node) {
            (driver.fate, driver.reason) = (Fate::Done, None);
        }
    }
    end
}

/// A test that has ended, with everything that is saved of it.
#[derive(Debug)]
pub struct Finished {
    /// The result.
    pub summary: Summary,
    /// When its author ended it, in broker time, ms since 1970.
    pub ended_at_ms: f64,
    /// Losses of drivers and the STOP, in s since the start of the measurement.
    pub events: Vec<Mark>,
    figures: Aggregate,
}

impl Finished {
    /// The latencies of all responses.
    pub fn latency(&self) -> &Histogram {
        self.figures.histograms().0
    }

    /// The service times of all responses.
    pub fn service(&self) -> &Histogram {
        self.figures.histograms().1
    }

    /// The requests to A and to B, each as a run of its own; `None` if it is no A/B test.
    pub fn sides(&self) -> Option<[compare::Run; 2]> {
        ab::runs(&self.summary, &self.figures)
    }

    /// The requests of each name, each as a run of its own; empty if the plan names none.
    pub fn requests(&self) -> Vec<compare::Run> {
        named::runs(&self.summary, &self.figures)
    }

    /// The latencies of each second.
    pub fn intervals(&self) -> Vec<(u64, Packed)> {
        self.figures.intervals().collect()
    }
}

/// What a plot marks: the ends of drivers that did not finish, and the STOP.
fn events(test: &Test, end: &End) -> Vec<Mark> {
    let warmup_ms = test.run.config.warmup_ms.unwrap_or(0) as f64;
    let Some(start_ms) = end.started_at_ms.map(|ms| ms + warmup_ms) else { return Vec::new() };
    let since_s = |ms: f64| ((ms - start_ms) / 1_000.0).max(0.0);
    // A driver's part ends with its last report.
    let ended_s = |node: &NodeRef| {
        let driver = test.figures.drivers().iter().find(|driver| driver.node == *node)?;
        Some(since_s(driver.origin_ms.unwrap_or(start_ms) + driver.shown.as_ref()?.elapsed_ms))
    };
    let gone = end.drivers.iter().filter_map(|driver| {
        let name = &driver.node.node_id;
        let what = match driver.fate {
            Fate::Done => return None,
            Fate::Lost => format!("{name} lost"),
            Fate::Left => format!("{name} left"),
            Fate::Refused => format!("{name} refused"),
            Fate::Unreported => format!("{name}: no final report"),
        };
        Some(Mark::new(ended_s(&driver.node).unwrap_or(0.0), what))
    });
    let stop =
        end.stopped.as_ref().map(|stop| Mark::new(since_s(stop.at_ms), format!("STOP: {}", stop.reason)));
    gone.chain(stop).collect()
}

impl Core {
    /// Closes a test: what the log says up to here is its result.
    pub(super) fn end(&mut self, end: &End, now: Now) {
        let found = self.tests.iter().position(|test| test.run.config.test_id == end.test_id);
        let Some(index) = found else {
            if !self.chain.contains(&end.test_id) {
                self.early.keep(&end.test_id, Early::End(Box::new(end.clone())));
            }
            return;
        };
        let mut test = self.tests.remove(index);
        let wrote_it = test.run.has_written_end() && test.index.is_none();
        let end = &corrected(end, &test.figures);
        test.run.end(end.clone());
        let gone = end.drivers.iter().filter(|driver| driver.fate != Fate::Done);
        let gone: BTreeSet<&NodeRef> = gone.map(|driver| &driver.node).collect();
        test.figures.finish(|node| !gone.contains(node));
        test.judge_again();
        let mut summary = self.result(&test);
        summary.comparison = ab::comparison(&summary, &test.figures);
        self.journal.test(&test.run, Some(&summary));
        if wrote_it {
            self.tell_of_end(&test, end);
        }
        self.record(&summary);
        self.intervals = test.figures.intervals().collect();
        let exposed = TestFigures::of(&test.run, &test.figures, &summary.thresholds);
        self.ended.add(exposed, Packed::from(test.figures.histograms().0), now.ns);
        if self.keeps_finished {
            let events = events(&test, end);
            let figures = test.figures;
            self.finished.push(Finished { summary, ended_at_ms: end.ended_at_ms, events, figures });
        }
        self.moment = now;
    }

    /// Tells drivers that may still execute the test, and orchestrators that start later.
    fn tell_of_end(&mut self, test: &Test, end: &End) {
        let is_whole = |member: &DriverEnd| member.fate == Fate::Done;
        if end.started_at_ms.is_none() {
            self.release(&end.test_id, "the test ended before it started");
        } else if !end.drivers.iter().all(is_whole) {
            self.release(&end.test_id, "the run was closed without this driver");
        }
        // Some drivers of the original protocol start on any record of `trigger`.
        if test.run.originals.is_empty() && self.fleet.originals().is_empty() {
            self.due.push((end.test_id.clone(), Command::Index(Box::new(end.clone()))));
        }
    }

    /// Writes a STOP for drivers that may still wait for or execute the plan.
    pub(super) fn release(&mut self, test_id: &str, reason: &str) {
        self.due.push((test_id.to_owned(), Command::Stop(Trigger::stop(test_id, reason))));
    }

    fn record(&mut self, summary: &Summary) {
        self.history.retain(|row| row.test_id != summary.test_id);
        self.history.push_front(HistoryRow::of(summary));
        self.history.truncate(MAX_HISTORY);
        self.results.push_front(summary.clone());
        self.results.truncate(MAX_RESULTS);
    }

    /// A core that reads a saved log.
    pub fn replaying() -> Core {
        Core { keeps_finished: true, ..Core::default() }
    }

    /// Keeps what is saved of tests that end, until it is taken.
    pub fn keep_finished(&mut self) {
        self.keeps_finished = true;
    }

    /// Whether records of this test may change its result: it has not ended, or is not known yet.
    pub fn follows(&self, test_id: &str) -> bool {
        self.tests.iter().any(|test| test.run.config.test_id == test_id) || !self.chain.contains(test_id)
    }

    /// Whether a test has ended that was not taken yet.
    pub fn has_finished(&self) -> bool {
        !self.finished.is_empty()
    }

    /// The tests that ended since the last call.
    pub fn take_finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.finished)
    }
}
