//! The failed checks, and the first responses that failed one.

use super::grid::Grid;
use super::text::{WIDTH, shorten, wrap};
use super::{MAX_NAME, Page};
use crate::stats::check_rows::rows;
use crate::stats::check_samples::CheckSample;
use crate::stats::summary::Summary;
use crate::units::{format_count, trim_number};

/// Most rows of the table.
const MAX_ROWS: usize = 50;
/// Most responses that are shown; the result has up to ten of each request.
const MAX_SAMPLES: usize = 5;

/// Nothing if no response failed a check.
pub fn section(page: &mut Page, summary: &Summary) {
    let failed = rows(summary);
    if failed.is_empty() && summary.total.failed_checks == 0 {
        return;
    }
    let mut grid = Grid::new("failed checks", &["failed", "responses", "share"]);
    for row in failed.iter().take(MAX_ROWS) {
        let share = format!("{} %", trim_number((row.percent() * 100.0).round() / 100.0));
        grid.add(
            &format!("  {}", row.name()),
            vec![format_count(row.failed), format_count(row.responses), share],
        );
    }
    page.grid(&grid);
    if let Some(more) = failed.len().checked_sub(MAX_ROWS).filter(|more| *more > 0) {
        page.put(&format!("… and {more} more (--json shows all)"));
    }
    page.put("");
    if summary.check_samples.is_empty() {
        return;
    }
    page.put("what came back");
    // One response for each set of failed checks: the others look like it.
    let mut shown: Vec<&CheckSample> = Vec::new();
    for sample in &summary.check_samples {
        let is_alike =
            |other: &&CheckSample| other.request == sample.request && other.checks == sample.checks;
        if shown.len() < MAX_SAMPLES && !shown.iter().any(is_alike) {
            page.put(&wrap(&format!("  {}", head(sample)), 4));
            page.put(&format!("    {}", body(sample)));
            shown.push(sample);
        }
    }
    if let Some(more) = summary.check_samples.len().checked_sub(shown.len()).filter(|more| *more > 0) {
        page.put(&format!("  … and {more} more (--json shows all)"));
    }
    page.put("");
}

/// `order on driver-1 after 1.25 s: status 500, failed status, json /id`
fn head(sample: &CheckSample) -> String {
    let request = sample.request.as_ref().map_or(String::new(), |name| format!("{name} "));
    let driver =
        sample.driver.as_ref().map_or(String::new(), |name| format!("on {} ", shorten(name, MAX_NAME)));
    let after = trim_number(sample.at_ms as f64 / 1_000.0);
    format!("{request}{driver}after {after} s: status {}, failed {}", sample.status, sample.checks.join(", "))
}

/// The beginning of the body on one line.
fn body(sample: &CheckSample) -> String {
    if sample.body_bytes == 0 {
        return "(no body)".to_owned();
    }
    let words: Vec<&str> = sample.body.split_whitespace().collect();
    let text = words.join(" ");
    let most = WIDTH - 4;
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text,
    }
}
