//! Responses that failed a check.

use super::words::of;
use super::{Facts, Finding};
use crate::units::format_count;

/// Maximum number of checks that are named.
const MOST_NAMED: usize = 5;

pub fn find(facts: &Facts) -> Option<Finding> {
    (facts.failed_checks > 0).then(|| Finding::warning("failed_checks", failed(facts) + &truncated(facts)))
}

fn failed(facts: &Facts) -> String {
    let share = of(facts.failed_checks, facts.responses, "responses");
    let mut checks: Vec<&(String, u64)> = facts.checks.iter().filter(|(_, n)| *n > 0).collect();
    checks.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), name.as_str()));
    let named = checks.iter().take(MOST_NAMED).map(|(name, n)| format!("{name} ({})", format_count(*n)));
    let mut named: Vec<String> = named.collect();
    match checks.len().saturating_sub(MOST_NAMED) {
        0 => {}
        more => named.push(format!("{more} more")),
    }
    match named.is_empty() {
        true => format!("{share} failed a check."),
        false => format!("{share} failed a check: {}.", named.join(", ")),
    }
}

/// A body of which too little was kept is a mistake of the plan, not of the target.
fn truncated(facts: &Facts) -> String {
    match facts.truncated_checks {
        0 => String::new(),
        n => format!(
            " {} of them did because only the first bytes of their body are kept for checks: raise capture_bytes.",
            format_count(n)
        ),
    }
}
