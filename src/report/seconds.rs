//! The test as a table, second by second.

use crate::html::{Cell, Column, Tone, table};
use crate::plot::{Bin, Timeline, elapsed};
use crate::stats::histogram::Packed;
use crate::stats::summary::Summary;
use crate::stats::verdict::BUSY_SHARE;
use maud::{Markup, html};

/// Maximum number of rows: the seconds of a longer test are merged, its histograms too.
const MAX_ROWS: usize = 240;

const HEADS: [Column; 13] = [
    Column::Text("to"),
    Column::Number("planned"),
    Column::Number("sent"),
    Column::Number("answered"),
    Column::Number("failed"),
    Column::Number("queued"),
    Column::Number("p50 ms"),
    Column::Number("p90 ms"),
    Column::Number("p99 ms"),
    Column::Number("max ms"),
    Column::Number("lag p99 ms"),
    Column::Number("busy"),
    Column::Text(""),
];

/// Every second, or at most [`MAX_ROWS`] merged ones.
pub fn section(summary: &Summary, intervals: &[(u64, Packed)]) -> Markup {
    let bins = Timeline::merged(&summary.series, intervals, MAX_ROWS);
    let length_s = bins.iter().map(Bin::seconds).max().unwrap_or(1);
    let rows: Vec<_> = bins.iter().map(row).collect();
    html! {
        @if !rows.is_empty() {
            h2 { "Every second" }
            @if length_s > 1 {
                p.dim {
                    "Each row is " (length_s) " s: its counts are sums, its percentiles those of all its \
                     requests, its lag that of its worst second. series.csv has every second."
                }
            }
            details {
                summary { (rows.len()) " rows" }
                (table("Second by second", &HEADS, &rows))
            }
        }
    }
}

fn row(bin: &Bin) -> Vec<Cell> {
    let [p50, p90, p99] = bin.percentiles_ms.map(Cell::figure);
    let remark = if bin.is_complete { Cell::plain("") } else { Cell::toned("incomplete", Tone::Warn) };
    vec![
        Cell::plain(elapsed(bin.last)),
        bin.planned.map_or_else(Cell::unknown, Cell::count),
        Cell::count(bin.sent),
        Cell::count(bin.answered),
        Cell::errors(bin.errors),
        Cell::count(bin.queued),
        p50,
        p90,
        p99,
        Cell::figure(bin.max_ms),
        Cell::figure(bin.lag_p99_ms),
        Cell::share(bin.busy, BUSY_SHARE),
        remark,
    ]
}
