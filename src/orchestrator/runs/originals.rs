//! Drivers of the original protocol in one run: they do not report ready, ignore STOP, and do not report when
//! they have finished. Sans-IO.

use crate::message::OriginalEnd;
use std::collections::BTreeMap;

/// How long after the plan the trigger is written if there are such drivers: they read the two topics
/// concurrently, and one that reads the trigger first starts without a plan.
pub const READ_PLAN_MS: f64 = 1_000.0;
/// How long they must have been silent after the planned end before a run with only such drivers is closed.
const QUIET_MS: f64 = 3_000.0;
/// Maximum number of them kept.
const MAX_ORIGINALS: usize = 1_000;

/// What is known about one of them.
#[derive(Clone, Copy, Debug, Default)]
struct Original {
    heard: bool,
    reported: bool,
}

/// The drivers of the original protocol that a run may have started.
#[derive(Debug, Default)]
pub struct Originals {
    known: BTreeMap<String, Original>,
    last_report_ms: Option<f64>,
}

impl Originals {
    /// Those that were present when the plan was written.
    pub fn new(names: Vec<String>) -> Originals {
        let known = names.into_iter().take(MAX_ORIGINALS).map(|name| (name, Original::default()));
        Originals { known: known.collect(), last_report_ms: None }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Those that an END lists.
    pub fn from_end(ended: &[OriginalEnd]) -> Originals {
        let known = ended.iter().take(MAX_ORIGINALS);
        let known = known.map(|o| (o.node_id.clone(), Original { heard: o.heard, reported: o.reported }));
        Originals { known: known.collect(), last_report_ms: None }
    }

    /// The list for an END.
    pub fn to_end(&self) -> Vec<OriginalEnd> {
        let end = |(name, original): (&String, &Original)| OriginalEnd {
            node_id: name.clone(),
            heard: original.heard,
            reported: original.reported,
        };
        self.known.iter().map(end).collect()
    }

    /// Notes a heartbeat or a report from one of them after the start, at `now_ms` in broker time.
    pub fn heard(&mut self, name: &str, is_report: bool, now_ms: f64) {
        if !self.known.contains_key(name) && self.known.len() >= MAX_ORIGINALS {
            return;
        }
        let original = self.known.entry(name.to_owned()).or_default();
        original.heard = true;
        original.reported |= is_report;
        if is_report {
            self.last_report_ms = Some(now_ms);
        }
    }

    /// All of them.
    pub fn names(&self) -> Vec<String> {
        self.named(|_| true)
    }

    /// Those that sent a heartbeat or a report after the start: they may have read it.
    pub fn active(&self) -> Vec<String> {
        self.named(|original| original.heard)
    }

    /// Those that reported nothing.
    pub fn silent(&self) -> Vec<String> {
        self.named(|original| !original.reported)
    }

    fn named(&self, which: impl Fn(&Original) -> bool) -> Vec<String> {
        self.known.iter().filter(|(_, original)| which(original)).map(|(name, _)| name.clone()).collect()
    }

    /// Whether a run with only such drivers can be closed early: after the planned end, once all that were
    /// heard from have reported and nothing arrived for a while. Without a planned end (`end_ms`),
    /// `patience_ms` after the last report. All times are broker time.
    pub fn are_quiet(&self, now_ms: f64, opened_ms: f64, end_ms: Option<f64>, patience_ms: f64) -> bool {
        let Some(end_ms) = end_ms else {
            return now_ms - self.last_report_ms.unwrap_or(opened_ms).max(opened_ms) >= patience_ms;
        };
        let last_ms = self.last_report_ms.map(|last_ms| last_ms.max(end_ms));
        self.have_reported() && last_ms.is_some_and(|last_ms| now_ms - last_ms >= QUIET_MS)
    }

    /// Whether all that were heard from have reported.
    pub fn have_reported(&self) -> bool {
        self.known.values().all(|original| original.reported || !original.heard)
    }
}
