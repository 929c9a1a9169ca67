//! The failed checks, and what came back.

use super::Table;
use crate::stats::check_rows::rows;
use crate::stats::summary::Summary;
use crate::units::{format_count, format_figure};

/// Most rows of a table.
const MAX_ROWS: usize = 50;
/// Most characters of a body.
const MAX_BODY_CHARS: usize = 200;

/// Counts by request and check; empty if no response failed one.
pub fn counts(summary: &Summary) -> String {
    let failed = rows(summary);
    if failed.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["failed check", "failed", "responses", "%"]).named();
    for row in failed.iter().take(MAX_ROWS) {
        let figures = [format_count(row.failed), format_count(row.responses), format_figure(row.percent())];
        let cells: Vec<String> = std::iter::once(row.name()).chain(figures).collect();
        table.add(&cells);
    }
    table.end()
}

/// The first responses that failed; empty if none is known.
pub fn samples(summary: &Summary) -> String {
    if summary.check_samples.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["request", "driver", "after s", "status", "failed", "body begins with"]);
    for sample in summary.check_samples.iter().take(MAX_ROWS) {
        table.add(&[
            sample.request.clone().unwrap_or_default(),
            sample.driver.clone().unwrap_or_default(),
            format_figure(sample.at_ms as f64 / 1_000.0),
            sample.status.to_string(),
            sample.checks.join(", "),
            sample.body.chars().take(MAX_BODY_CHARS).collect(),
        ]);
    }
    table.end()
}
