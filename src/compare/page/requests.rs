//! The figures of a test by request name: of an A/B test, those of A and of B.

use crate::html::{Cell, Column, table};
use crate::plan::words::{request_name, target};
use crate::stats::summary::{Distribution, RequestSummary, Summary};
use crate::units::clip;
use maud::Markup;

const COLUMNS: [Column; 12] = [
    Column::Text("request"),
    Column::Text("sends"),
    Column::Number("requests"),
    Column::Number("per s"),
    Column::Number("errors"),
    Column::Number("4xx/5xx"),
    Column::Number("queued"),
    Column::Number("p50 ms"),
    Column::Number("p90 ms"),
    Column::Number("p99 ms"),
    Column::Number("p99.9 ms"),
    Column::Number("max ms"),
];
/// Maximum number of rows; the JSON form has all.
const MAX_ROWS: usize = 50;

/// What the rows are called together.
pub fn title(summary: &Summary) -> &'static str {
    if summary.is_ab() { "A and B" } else { "Requests" }
}

/// One row for each request name. URLs are shown without what may be a secret.
pub fn requests(summary: &Summary) -> Markup {
    let is_ab = summary.is_ab();
    let rows: Vec<_> = summary.requests.iter().take(MAX_ROWS).map(|one| row(one, is_ab)).collect();
    table("Figures by request", &COLUMNS, &rows)
}

fn row(one: &RequestSummary, is_ab: bool) -> Vec<Cell> {
    let stats = &one.stats;
    let latency = |read: fn(&Distribution) -> f64| Cell::figure(stats.latency_ms.as_ref().map(read));
    vec![
        Cell::plain(request_name(&one.name, is_ab)),
        Cell::plain(format!("{} {}", clip(&one.method, 20), target(&one.url))),
        Cell::count(stats.requests),
        Cell::figure(Some(stats.throughput_rps)),
        Cell::errors(stats.errors_total()),
        Cell::errors(stats.error_statuses()),
        Cell::count(stats.queued),
        latency(|d| d.median),
        latency(|d| d.p90),
        latency(|d| d.p99),
        latency(|d| d.p999),
        latency(|d| d.max),
    ]
}
