//! Drivers of the original protocol in one run: they do not report ready, ignore STOP, and do not report when
//! they have finished. Sans-IO.

use super::Now;
use crate::clock::NS_PER_S;
use std::collections::BTreeMap;

/// How long after the plan the trigger is written if there are such drivers: they read the two topics
/// concurrently, and one that reads the trigger first starts without a plan.
pub const READ_PLAN_NS: u64 = NS_PER_S;
/// How long they must have been silent after the planned end before a run with only such drivers is closed.
const QUIET_NS: u64 = 3 * NS_PER_S;
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
    last_report_ns: Option<u64>,
}

impl Originals {
    /// Those that were present when the plan was written.
    pub fn new(names: Vec<String>) -> Originals {
        let known = names.into_iter().take(MAX_ORIGINALS).map(|name| (name, Original::default()));
        Originals { known: known.collect(), last_report_ns: None }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Notes a heartbeat or a report from one of them after the start.
    pub fn heard(&mut self, name: &str, is_report: bool, now: Now) {
        if !self.known.contains_key(name) && self.known.len() >= MAX_ORIGINALS {
            return;
        }
        let original = self.known.entry(name.to_owned()).or_default();
        original.heard = true;
        original.reported |= is_report;
        if is_report {
            self.last_report_ns = Some(now.ns);
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
    /// heard from have reported and nothing arrived for a while. Without a planned end (`end_ns`),
    /// `patience_ns` after the last report.
    pub fn are_quiet(&self, now: Now, opened_ns: u64, end_ns: Option<u64>, patience_ns: u64) -> bool {
        let since_ns = |from_ns: u64| now.ns.saturating_sub(from_ns);
        let Some(end_ns) = end_ns else {
            return since_ns(self.last_report_ns.unwrap_or(opened_ns).max(opened_ns)) >= patience_ns;
        };
        let all_reported = self.known.values().all(|original| original.reported || !original.heard);
        all_reported && self.last_report_ns.is_some_and(|last_ns| since_ns(last_ns.max(end_ns)) >= QUIET_NS)
    }
}
