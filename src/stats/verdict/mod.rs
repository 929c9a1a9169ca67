//! The verdict: what a reader must know before looking at any figure, most important first. Findings have
//! codes for programs and sentences for people.
//!
//! A pure function of plain facts. What a reader must act on comes first: a failed test, failed requests,
//! lost drivers. Then the bottleneck, then counts that do not add up, then notes.

mod bookkeeping;
mod bottleneck;
mod checks;
mod drivers;
mod errors;
mod facts;
mod originals;
mod redirects;
mod words;

use crate::units::format_names;
pub use bottleneck::{
    BUSY_SHARE, CPU_WAIT_SHARE, LAG_FLOOR_MS, LAG_SHARE, LEAST_REQUESTS, PORTS_SHARE, RATE_SHARE, is_starved,
    lags,
};
pub use drivers::LATE_MS;
pub use facts::{Facts, LostDriver};
pub use originals::Originals;
use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// The figures do not mean what they seem to mean, or something must be done.
    Warning,
    /// The test did not achieve its purpose.
    Failure,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A stable code: `all_well`, `generator_saturated`, `generator_lag`, `ports_exhausted`,
    /// `target_slow`, `queued`, `never_sent`, `nothing_sent`, `errors`, `error_status`, `resent`,
    /// `failed_checks`, `driver_lost`, `driver_behind`, `original_drivers`, `no_final_report`,
    /// `counts_differ`, `reports_missing`, `clock_unknown`, `redirects`, `shared_host`,
    /// `certificates_unverified`, `proxied`, `stopped`,
    /// `failed`, `threshold`, `threshold_unknown`, `result_unknown` or `note`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// One or two sentences.
    pub text: String,
    /// The driver it is about, if it concerns a single one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}

impl Finding {
    /// A finding that does not concern a single driver.
    pub fn new(code: &str, severity: Severity, text: String) -> Finding {
        Finding { code: code.to_owned(), severity, text, driver: None }
    }

    fn info(code: &str, text: String) -> Finding {
        Finding::new(code, Severity::Info, text)
    }

    fn warning(code: &str, text: String) -> Finding {
        Finding::new(code, Severity::Warning, text)
    }

    fn failure(code: &str, text: String) -> Finding {
        Finding::new(code, Severity::Failure, text)
    }

    fn of(self, driver: &str) -> Finding {
        Finding { driver: Some(driver.to_owned()), ..self }
    }
}

/// All findings, most important first; `all_well` if there is nothing to act on.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = facts
        .failed
        .iter()
        .map(|why| Finding::failure("failed", format!("The test failed: {why}")))
        .collect();
    if let Some(reason) = &facts.stopped {
        found.push(Finding::warning("stopped", stopped(reason, facts.confirmed)));
    }
    let has_begun = found.is_empty() || facts.sent > 0;
    if has_begun {
        found.extend(conditions(facts));
    }
    let has_counts = has_begun && !facts.originals.alone;
    let has_reached = has_counts && !errors::nothing_reached(facts);
    found.extend(originals::first(facts));
    if has_counts {
        errors::find(facts, &mut found);
        found.extend(checks::find(facts));
    }
    drivers::lost(facts, &mut found);
    if has_reached {
        bottleneck::find(facts, &mut found);
    }
    drivers::find(facts, &mut found);
    found.extend(originals::beside(facts));
    bookkeeping::find(facts, &mut found);
    if found.is_empty() {
        found.push(Finding::info("all_well", well(facts)));
    }
    // Notes that only explain the figures come last.
    if has_reached {
        found.extend(bottleneck::queued_few(facts));
    }
    found.extend(redirects::find(facts));
    found.extend(bottleneck::shared_host(facts));
    found.extend(unverified(facts));
    found.extend(proxied(facts));
    found
}

/// The findings' sentences.
pub fn verdict(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| finding.text.clone()).collect()
}

/// A note that anyone could have answered in the target's place.
fn unverified(facts: &Facts) -> Option<Finding> {
    let text =
        "Note: the target's certificates were not verified (insecure), so it is not certain who answered.";
    facts.generator.unverified.then(|| Finding::info("certificates_unverified", text.to_owned()))
}

/// A note that the target was not measured alone.
fn proxied(facts: &Facts) -> Option<Finding> {
    let text = "Note: the target was reached through a proxy, which is part of what was measured.";
    let is_measured = facts.generator.proxied && !errors::nothing_reached(facts);
    is_measured.then(|| Finding::info("proxied", text.to_owned()))
}

/// Conditions of the plan that were true, and after the end those that could not be judged.
fn conditions(facts: &Facts) -> impl Iterator<Item = Finding> {
    let said = facts.conditions.iter().filter(|(_, was_true)| *was_true || facts.finished);
    said.map(|(text, was_true)| match was_true {
        true => Finding::failure("threshold", text.clone()),
        false => Finding::warning("threshold_unknown", text.clone()),
    })
}

/// That a test was stopped, and which part of the fleet is known to have stopped.
fn stopped(reason: &str, confirmed: Option<(usize, usize)>) -> String {
    let text = format!("The test was stopped early: {reason}");
    match confirmed {
        None | Some((_, 0)) => text,
        Some((n, all)) if n == all => {
            let who = if all == 1 { "Its driver".to_owned() } else { format!("All {all} drivers") };
            format!("{}. {who} stopped and reported.", text.trim_end_matches('.'))
        }
        Some((n, all)) => {
            let rest = "the others may still be sending";
            format!("{}. Only {n} of {all} drivers stopped and reported; {rest}.", text.trim_end_matches('.'))
        }
    }
}

fn well(facts: &Facts) -> String {
    let none = if facts.has_checks { "no errors, no failed checks" } else { "no errors" };
    let so_far = if facts.finished { "" } else { " so far" };
    match facts.is_closed {
        true if facts.finished && bottleneck::has_time_to_spare(facts) => {
            format!("OK: the target set the pace, {none}.")
        }
        // A closed loop has no schedule.
        true => format!("OK{so_far}: {none}."),
        false => format!("OK{so_far}: schedule met, {none}."),
    }
}

/// Maximum number of names in one line; the rest are only counted.
const MOST_NAMES: usize = 20;

fn names(all: &[String]) -> String {
    format_names(all, MOST_NAMES)
}

#[cfg(test)]
mod tests;
