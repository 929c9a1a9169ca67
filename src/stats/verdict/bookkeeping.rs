//! Counts that do not add up, and facts that are unknown.

use super::{Facts, Finding, names};
use crate::units::format_count;

pub fn find(facts: &Facts, found: &mut Vec<Finding>) {
    if facts.reports_missing > 0 {
        let text = format!(
            "{} numbered reports never arrived. The totals are complete, because reports are cumulative, but \
             individual seconds of the series may not be.",
            format_count(facts.reports_missing)
        );
        found.push(Finding::info("reports_missing", text));
    }
    let differ =
        |text: &String| Finding::failure("counts_differ", format!("The counts do not agree: {text}."));
    found.extend(facts.differences.iter().map(differ));
    if !facts.clock_unknown.is_empty() {
        let text = format!(
            "The clock offset to the broker is unknown and assumed to be 0 (the broker sent no append \
             time): {}. Start times and skew are only as accurate as the hosts' clocks.",
            names(&facts.clock_unknown)
        );
        found.push(Finding::info("clock_unknown", text));
    }
    found.extend(facts.notes.iter().map(|text| Finding::warning("note", text.clone())));
}
