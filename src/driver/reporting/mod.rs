//! What one test's reporter sends, and when it gives up. Pure: drafts, times and outcomes go in, reports come
//! out.
//!
//! A report that is too large for the bus is reduced and retried: first without histograms by request name,
//! then with no histogram but that of latency, then without any.

use super::outbox::Outbox;
use super::report::{Author, Detail, DraftReport, Facts};
use crate::bus::BusError;
use crate::clock::{NS_PER_MS, NS_PER_S};
use crate::message::Metrics;
use crate::units::format_count;

/// Pause after a failed attempt.
const PAUSE_NS: u64 = 100 * NS_PER_MS;
/// How long the final report is retried while nothing else is to be done. A longer outage than this also
/// exceeds the patience of those who wait for the result.
pub const FINAL_PATIENCE_NS: u64 = 3_600 * NS_PER_S;
/// How long if the next plan waits, or if the test is closed. Shorter than an orchestrator waits for a driver
/// to get ready.
pub const NEXT_PATIENCE_NS: u64 = 5 * NS_PER_S;
/// How long during shutdown.
pub const LAST_PATIENCE_NS: u64 = 6 * NS_PER_S;

/// What to do next.
#[derive(Debug, PartialEq)]
pub enum Next<'a> {
    /// Publish this report, then call [`Reporting::outcome`].
    Send(&'a Metrics),
    /// Nothing, before this time or the next draft.
    Wait {
        /// `u64::MAX` if nothing waits to be sent.
        until_ns: u64,
    },
    /// Every report was published or given up. If that includes the final one: why.
    Over(Option<String>),
}

/// What a failed attempt means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The report is retried.
    Later(String),
    /// From now on, reports have less detail.
    Reduced(String, Detail),
    /// The report is dropped.
    Lost(String),
}

/// Why the reporter must end soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hurry {
    /// The next plan waits, or the test is closed.
    NextPlan,
    /// The process shuts down: only the newest report is still sent.
    Leaving,
}

/// One test's reports, from the first draft to the final one.
#[derive(Debug)]
pub struct Reporting {
    author: Author,
    outbox: Outbox<Box<Metrics>>,
    detail: Detail,
    /// Whether the newest report has figures by name.
    has_names: bool,
    /// Why the bus will never accept the last report.
    refused: Option<String>,
    is_closed: bool,
    /// When to give up, once closed.
    limit_ns: u64,
    is_leaving: bool,
    /// Whether the last attempt failed.
    is_stuck: bool,
    /// When the next attempt may be made.
    resume_ns: u64,
}

impl Reporting {
    /// Nothing to send yet.
    pub fn new(author: Author) -> Reporting {
        Reporting {
            author,
            outbox: Outbox::default(),
            detail: Detail::All,
            has_names: false,
            refused: None,
            is_closed: false,
            limit_ns: u64::MAX,
            is_leaving: false,
            is_stuck: false,
            resume_ns: 0,
        }
    }

    /// Queues a report. Its histograms are encoded at once, since they then take far less memory.
    pub fn offer(&mut self, report: DraftReport, facts: Facts) {
        let is_kept = report.is_kept();
        self.outbox.offer(Box::new(self.author.metrics(report, facts)), is_kept);
    }

    /// No more drafts follow.
    pub fn close(&mut self, now_ns: u64) {
        if !std::mem::replace(&mut self.is_closed, true) {
            self.end_within(FINAL_PATIENCE_NS, now_ns);
        }
    }

    /// Someone waits for the end. Has no effect before [`Reporting::close`]; may be called again.
    pub fn hurry(&mut self, why: Hurry, now_ns: u64) {
        match why {
            _ if !self.is_closed => {}
            Hurry::NextPlan => self.end_within(NEXT_PATIENCE_NS, now_ns),
            Hurry::Leaving => {
                self.outbox.keep_newest();
                if !std::mem::replace(&mut self.is_leaving, true) {
                    self.end_within(LAST_PATIENCE_NS, now_ns);
                }
            }
        }
    }

    /// Only ever shortens the time.
    fn end_within(&mut self, patience_ns: u64, now_ns: u64) {
        self.limit_ns = self.limit_ns.min(now_ns.saturating_add(patience_ns));
    }

    /// What to do at `now_ns`.
    pub fn next(&mut self, now_ns: u64) -> Next<'_> {
        if self.outbox.is_empty() {
            let is_over = self.is_closed;
            return if is_over { Next::Over(self.refused.take()) } else { Next::Wait { until_ns: u64::MAX } };
        }
        // A process that was suspended makes one more attempt.
        if self.is_closed && self.is_stuck && now_ns >= self.limit_ns {
            return Next::Over(Some("Kafka was unavailable".to_owned()));
        }
        if now_ns < self.resume_ns {
            return Next::Wait { until_ns: self.resume_ns };
        }
        let number = |sequence, report: &mut Box<Metrics>| report.sequence = Some(sequence);
        match self.outbox.next(number) {
            Some(report) => {
                self.has_names = !report.by_name.is_empty();
                self.detail.limit(report);
                Next::Send(report)
            }
            None => Next::Wait { until_ns: u64::MAX },
        }
    }

    /// The outcome of an attempt to publish the report that [`Reporting::next`] returned.
    pub fn outcome(&mut self, result: Result<(), BusError>, now_ns: u64) -> Option<Failed> {
        self.is_stuck = false;
        let failed = match result {
            Ok(()) => {
                self.refused = None;
                self.outbox.done();
                return None;
            }
            Err(BusError::Unavailable(text)) => {
                (self.is_stuck, self.resume_ns) = (true, now_ns.saturating_add(PAUSE_NS));
                return Some(Failed::Later(text));
            }
            Err(BusError::TooLarge { bytes, text }) => {
                if let Some(less) = self.detail.less(self.has_names) {
                    self.detail = less;
                    return Some(Failed::Reduced(text, less));
                }
                let bytes = format_count(bytes as u64);
                self.refused = Some(format!("the broker refused {bytes} bytes; raise max.message.bytes"));
                Failed::Lost(text)
            }
            Err(error) => {
                self.refused = Some(error.to_string());
                Failed::Lost(error.to_string())
            }
        };
        self.outbox.done();
        Some(failed)
    }
}

#[cfg(test)]
mod tests;
