//! How requests were answered, why some failed, and where every planned one went.

use crate::html::{Cell, Column, table};
use crate::stats::counts::is_error_status;
use crate::stats::summary::{Conservation, Summary};
use crate::units::{format_bytes, format_count, format_names, format_sum};
use maud::{Markup, html};

/// Maximum number of drivers named in one line.
const MAX_NAMES: usize = 5;

/// Status codes, then errors with their causes.
pub fn answers(summary: &Summary) -> Markup {
    let total = &summary.total;
    let status = total.status.iter().map(|(code, n)| {
        let count = if is_error_status(code) { Cell::errors(*n) } else { Cell::count(*n) };
        vec![Cell::plain(format!("status {code}")), count, Cell::plain(""), Cell::plain("")]
    });
    let errors = total.errors.iter().filter(|(_, n)| **n > 0).map(|(kind, n)| {
        let is_explained = summary.error_samples.iter().any(|sample| sample.kind == *kind);
        let cause = Cell::plain(if is_explained { "all causes" } else { "" });
        vec![Cell::plain(kind.as_str()), Cell::errors(*n), cause, Cell::plain("")]
    });
    let causes = summary.error_samples.iter().map(|sample| {
        let drivers = format_names(&sample.drivers, MAX_NAMES);
        let cells = [sample.cause.as_str(), &drivers].map(Cell::plain);
        let counted = [Cell::plain(sample.kind.as_str()), Cell::errors(sample.count)];
        counted.into_iter().chain(cells).collect()
    });
    let rows: Vec<_> = status.chain(errors).chain(causes).collect();
    let heads =
        [Column::Text("answer"), Column::Number("count"), Column::Text("cause"), Column::Text("drivers")];
    // Without errors there are no causes.
    let heads = if total.errors_total() > 0 { &heads[..] } else { &heads[..2] };
    html! {
        h2 { "Responses and errors" }
        @if rows.is_empty() {
            p.dim { "There was no response." }
        } @else {
            (table("Responses and errors", heads, &rows))
            p.dim { "Received " (format_bytes(total.bytes_received)) "." }
        }
    }
}

/// Where every planned request went.
pub fn conservation(summary: &Summary) -> Markup {
    let counts = &summary.conservation;
    let some = |name, n: u64| Some((name, n)).filter(|_| n > 0);
    let planned = [Some(("sent", counts.sent)), Some(("never sent", counts.never_sent))];
    let planned: Vec<_> =
        planned.into_iter().chain([some("lost with drivers", counts.lost)]).flatten().collect();
    let sent = [Some(("responses", counts.responses)), Some(("failed", counts.errors))];
    let flying = [some("in flight on lost drivers", counts.lost_in_flight)];
    let sent: Vec<_> = sent.into_iter().chain(flying).flatten().collect();
    let differences = if summary.state.is_over() { counts.differences() } else { Vec::new() };
    html! {
        h2 { "Where every request went" }
        ul.sums {
            li { (format_sum("planned", counts.planned, &planned)) }
            li { (format_sum("sent", counts.sent, &sent)) }
            @for line in beside(counts) { li { (line) } }
            @for line in differences { li.bad { (line) } }
        }
    }
}

/// Requests that are in no sum.
fn beside(counts: &Conservation) -> Vec<String> {
    let n = format_count;
    let some = |count: u64, text: String| Some(text).filter(|_| count > 0);
    let unknown = "lost: unknown, because the plan has no number of requests".to_owned();
    let found = [
        Some(unknown).filter(|_| counts.lost_unknown),
        some(
            counts.warmup_sent,
            format!("warm-up {}, {} failed", n(counts.warmup_sent), n(counts.warmup_errors)),
        ),
        some(counts.resent, format!("resent {} on a new connection", n(counts.resent))),
        counts.target_seen.map(|seen| format!("target counted {}", n(seen))),
        some(counts.target_beyond, format!("{} of them by original drivers", n(counts.target_beyond))),
        some(counts.reports_missing, format!("{} reports missing", n(counts.reports_missing))),
    ];
    found.into_iter().flatten().collect()
}
