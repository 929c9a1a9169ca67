//! Findings about drivers of the original protocol: they report four latencies and no counts, and ignore
//! STOP.

use super::{Facts, Finding, names};
use crate::units::format_count;

/// Facts about such drivers in one test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Originals {
    /// Whether only they ran it.
    pub alone: bool,
    /// Those that were present but reported nothing, if they ran it alone.
    pub silent: Vec<String>,
    /// Those that sent a heartbeat or a report after the start.
    pub active: Vec<String>,
    /// Requests that the target counted in addition to the fleet's.
    pub target_beyond: u64,
}

fn finding(text: String) -> Finding {
    Finding::info("original_drivers", text)
}

/// Findings that come first: a STOP has no effect on them, and there are no counts at all.
pub fn first(facts: &Facts) -> Vec<Finding> {
    let Originals { alone, silent, active, .. } = &facts.originals;
    let mut found = Vec::new();
    if facts.stopped.is_some() && !active.is_empty() {
        found.push(finding(format!(
            "Drivers of the original protocol do not understand STOP: {} may still be sending.",
            names(active)
        )));
    }
    if !*alone || !facts.failed.is_empty() {
        return found;
    }
    if !facts.original.is_empty() {
        found.push(finding(format!(
            "Only drivers of the original protocol ran this test: {}. They report four latencies each and \
             no counts, so requests, errors and throughput are unknown, and nothing is merged.",
            names(&facts.original)
        )));
    }
    if facts.finished && facts.stopped.is_none() && !silent.is_empty() {
        found.push(finding(format!(
            "No report was received from {}: they may not have read the plan and the trigger, or may have \
             exited.",
            names(silent)
        )));
    }
    if found.is_empty() {
        found.push(finding(
            "Only drivers of the original protocol run this test; none has reported yet.".to_owned(),
        ));
    }
    found
}

/// Findings for a run alongside our drivers.
pub fn beside(facts: &Facts) -> Vec<Finding> {
    let Originals { alone, active, target_beyond, .. } = &facts.originals;
    let mut found = Vec::new();
    if !facts.original.is_empty() && !alone {
        found.push(finding(format!(
            "Drivers of the original protocol are left out of the merged figures: {}.",
            names(&facts.original)
        )));
    }
    if *target_beyond > 0 {
        found.push(finding(format!(
            "The target counted {} requests more than the fleet sent, presumably sent by original drivers \
             {}.",
            format_count(*target_beyond),
            names(active)
        )));
    }
    found
}
