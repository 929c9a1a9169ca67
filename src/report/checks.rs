//! The failed checks, and the first responses that failed one: the same on the dashboard.

use crate::html::{Cell, Column, table};
use crate::stats::check_rows::{CheckRow, rows};
use crate::stats::check_samples::CheckSample;
use crate::stats::summary::Summary;
use crate::units::{format_bytes, format_count, format_figure};
use maud::{Markup, html};

/// Maximum number of rows of a table; the JSON form has all.
const MAX_ROWS: usize = 200;

/// Whether there is anything to show.
pub fn is_any(summary: &Summary) -> bool {
    summary.total.failed_checks > 0 || !summary.check_samples.is_empty()
}

/// The section of a report; nothing if no response failed a check.
pub fn section(summary: &Summary) -> Markup {
    html! { @if is_any(summary) { h2 { "Failed checks" } (tables(summary)) } }
}

/// A sentence, the counts by request and check, and what came back.
pub fn tables(summary: &Summary) -> Markup {
    let total = &summary.total;
    let is_named = !summary.requests.is_empty();
    let share = total.failed_checks as f64 * 100.0 / total.responses.max(1) as f64;
    let counted: Vec<_> = rows(summary).iter().take(MAX_ROWS).map(|row| count(row, is_named)).collect();
    let samples: Vec<_> =
        summary.check_samples.iter().take(MAX_ROWS).map(|one| sample(one, is_named)).collect();
    let own = [Column::Text("request")].into_iter().filter(|_| is_named);
    let heads =
        [Column::Text("check"), Column::Number("failed"), Column::Number("responses"), Column::Number("%")];
    let counts: Vec<Column> = own.clone().chain(heads).collect();
    let heads = [
        Column::Text("driver"),
        Column::Number("after s"),
        Column::Number("status"),
        Column::Text("failed"),
        Column::Number("size"),
        Column::Prose("body begins with"),
    ];
    let came: Vec<Column> = own.chain(heads).collect();
    html! {
        p.bad {
            (format_count(total.failed_checks)) " of " (format_count(total.responses)) " responses ("
            (format_figure(share)) "\u{a0}%) failed a check."
            @if total.truncated_checks > 0 {
                " " (format_count(total.truncated_checks))
                " of them did because only the first bytes of their body are kept for checks."
            }
        }
        @if !counted.is_empty() { (table("Failed checks", &counts, &counted)) }
        @if !samples.is_empty() {
            p { "The first responses that failed:" }
            (table("First failed responses", &came, &samples))
        }
    }
}

fn count(row: &CheckRow, is_named: bool) -> Vec<Cell> {
    let request = is_named.then(|| Cell::plain(row.request.unwrap_or_default()));
    let cells = [
        Cell::plain(row.check),
        Cell::errors(row.failed),
        Cell::count(row.responses),
        Cell::figure(Some(row.percent())),
    ];
    request.into_iter().chain(cells).collect()
}

fn sample(one: &CheckSample, is_named: bool) -> Vec<Cell> {
    let request = is_named.then(|| Cell::plain(one.request.as_deref().unwrap_or_default()));
    let cells = [
        Cell::plain(one.driver.as_deref().unwrap_or_default()),
        Cell::figure(Some(one.at_ms as f64 / 1_000.0)),
        Cell::plain(one.status.to_string()),
        Cell::plain(one.checks.join(", ")),
        Cell::plain(format_bytes(one.body_bytes)),
        Cell::plain(one.body.as_str()),
    ];
    request.into_iter().chain(cells).collect()
}
