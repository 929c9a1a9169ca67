//! The figures of the newest test: by driver, where every request went, and second by second.

use super::errors;
use super::table::{Cell, Column, table};
use super::tone::{self, Tone};
use crate::stats::summary::{Conservation, Distribution, SeriesPoint, Stats, Summary};
use crate::stats::verdict::{BUSY_SHARE, CPU_WAIT_SHARE};
use crate::units::{format_count, format_sum};
use maud::{Markup, html};

/// Maximum number of seconds that are shown, the newest ones.
const MAX_SECONDS: usize = 60;

const DRIVER_COLUMNS: [Column; 15] = [
    Column::Text("driver"),
    Column::Text("state"),
    Column::Number("requests"),
    Column::Number("errors"),
    Column::Number("4xx, 5xx"),
    Column::Number("queued"),
    Column::Number("per s"),
    Column::Number("mean ms"),
    Column::Number("p50 ms"),
    Column::Number("p90 ms"),
    Column::Number("p99 ms"),
    Column::Number("max ms"),
    Column::Number("start +ms"),
    Column::Number("busy"),
    Column::Number("CPU wait"),
];

/// The fleet, then each of its drivers.
pub fn drivers(summary: &Summary) -> Markup {
    let state = Cell::toned(summary.state.as_str(), tone::of_run(summary.state));
    let all = row("all", state, &summary.total, summary.is_original_only());
    let each = summary.drivers.iter().map(|driver| {
        let state = Cell::toned(driver.state.as_str(), tone::of_driver(driver.state));
        row(&driver.node_id, state, &driver.stats, driver.is_original())
    });
    let rows: Vec<_> = std::iter::once(all).chain(each).collect();
    html! {
        h3 { "Drivers" }
        div.totals { (table("Drivers", &DRIVER_COLUMNS, &rows)) }
        p.dim {
            "Errors are failed requests and responses with status 4xx or 5xx. Queued requests had to wait \
             for a free connection; per s counts responses. A generator near 100\u{a0}% busy, or with \
             10\u{a0}% CPU wait, is at its limit."
        }
    }
}

/// A driver of the original protocol reports latencies and no counts.
fn row(name: &str, state: Cell, stats: &Stats, is_original: bool) -> Vec<Cell> {
    let counted = |cell: Cell| if is_original { Cell::unknown() } else { cell };
    let latency = |read: fn(&Distribution) -> f64| Cell::figure(stats.latency_ms.as_ref().map(read));
    vec![
        Cell::plain(name),
        state,
        counted(Cell::count(stats.requests)),
        counted(Cell::errors(errors::count(stats))),
        counted(Cell::errors(stats.error_statuses())),
        counted(Cell::count(stats.queued)),
        counted(Cell::figure(Some(stats.throughput_rps))),
        latency(|d| d.mean),
        latency(|d| d.median),
        latency(|d| d.p90),
        latency(|d| d.p99),
        latency(|d| d.max),
        Cell::figure(stats.start_skew_ms),
        Cell::share(stats.busy, BUSY_SHARE),
        Cell::share(stats.cpu_wait, CPU_WAIT_SHARE),
    ]
}

/// Where every planned request went.
pub fn conservation(summary: &Summary) -> Markup {
    let counts = &summary.conservation;
    let lost = Some(("lost with drivers", counts.lost)).filter(|(_, n)| *n > 0);
    let flying = Some(("in flight on lost drivers", counts.lost_in_flight)).filter(|(_, n)| *n > 0);
    // Between two reports some requests are due or in flight: no difference before the test is over.
    let open = |name| Some(name).filter(|_| !summary.state.is_over());
    let planned = [("sent", counts.sent), ("never sent", counts.never_sent)].into_iter().chain(lost);
    let sent = [("responses", counts.responses), ("failed", counts.errors)].into_iter().chain(flying);
    html! {
        h3 { "Where every request went" }
        ul.sums {
            li { (sum("planned", counts.planned, planned.collect(), open("due"))) }
            li { (sum("sent", counts.sent, sent.collect(), open("in flight"))) }
            @if counts.lost_unknown { li { "lost: unknown, because the plan has no number of requests" } }
            @for text in beside(counts) { li { (text) } }
            @if counts.reports_missing > 0 {
                li.warn { (format_count(counts.reports_missing)) " reports missing" }
            }
        }
    }
}

/// `sent 5 = responses 4 + failed 1`; what is missing while a test runs has the name `open`.
fn sum(name: &str, total: u64, mut parts: Vec<(&str, u64)>, open: Option<&'static str>) -> String {
    let known = parts.iter().fold(0u64, |sum, (_, n)| sum.saturating_add(*n));
    parts.extend(open.map(|name| (name, total.saturating_sub(known))).filter(|(_, n)| *n > 0));
    format_sum(name, total, &parts)
}

/// Requests that are in no sum.
fn beside(counts: &Conservation) -> Vec<String> {
    let some = |n: u64, text: String| Some(text).filter(|_| n > 0);
    let n = format_count;
    let failed = some(counts.warmup_errors, format!(", {} of them failed", n(counts.warmup_errors)));
    let warmup = format!("warm-up {}{}", n(counts.warmup_sent), failed.unwrap_or_default());
    let beyond = some(counts.target_beyond, format!(", original drivers {}", n(counts.target_beyond)));
    let seen = |seen| format!("target counted {}{}", n(seen), beyond.clone().unwrap_or_default());
    let found = [
        some(counts.warmup_sent, warmup),
        some(counts.resent, format!("resent {} on a new connection", n(counts.resent))),
        counts.target_seen.map(seen),
    ];
    found.into_iter().flatten().collect()
}

/// The newest seconds, the newest first.
pub fn series(points: &[SeriesPoint]) -> Markup {
    let columns = [
        Column::Number("second"),
        Column::Number("requests"),
        Column::Number("responses"),
        Column::Number("failed"),
        Column::Number("p50 ms"),
        Column::Number("p99 ms"),
        Column::Number("max ms"),
        Column::Text(""),
    ];
    let newest = || points.iter().rev().take(MAX_SECONDS);
    html! {
        @if !points.is_empty() {
            h3 { "Second by second" @if points.len() > MAX_SECONDS { ", the newest " (MAX_SECONDS) } }
            @if newest().any(|point| !point.complete) {
                p.dim {
                    "Incomplete seconds are those that a driver has not reported one by one: its counts are \
                     missing or spread evenly, and its latencies are left out."
                }
            }
            (table("Second by second", &columns, &newest().map(second).collect::<Vec<_>>()))
        }
    }
}

fn second(point: &SeriesPoint) -> Vec<Cell> {
    let number = format_count(point.second);
    let (tone, mark) = if point.complete { (Tone::Plain, "") } else { (Tone::Warn, "incomplete") };
    vec![
        Cell::toned(number, tone),
        Cell::count(point.requests),
        Cell::count(point.responses),
        Cell::errors(point.errors),
        Cell::figure(point.p50_ms),
        Cell::figure(point.p99_ms),
        Cell::figure(point.max_ms),
        Cell::toned(mark, tone),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::states::RunState;

    #[test]
    fn sums_name_what_is_open_and_show_what_is_wrong() {
        let parts = || vec![("responses", 3), ("failed", 1)];
        assert_eq!(sum("sent", 4, parts(), Some("in flight")), "sent 4 = responses 3 + failed 1");
        assert_eq!(
            sum("sent", 1_006, parts(), Some("in flight")),
            "sent 1,006 = responses 3 + failed 1 + in flight 1,002"
        );
        assert_eq!(sum("sent", 6, parts(), None), "sent 6 ≠ responses 3 + failed 1");
        assert_eq!(sum("sent", 3, parts(), Some("in flight")), "sent 3 ≠ responses 3 + failed 1");
    }

    #[test]
    fn what_was_lost_is_a_part_of_the_plan() {
        let counts = Conservation {
            planned: 10,
            sent: 6,
            lost: 4,
            responses: 5,
            lost_in_flight: 1,
            warmup_sent: 3,
            warmup_errors: 1,
            target_seen: Some(9),
            reports_missing: 2,
            ..Conservation::default()
        };
        let state = RunState::Completed;
        let markup =
            conservation(&Summary { conservation: counts, state, ..Summary::default() }).into_string();
        for text in [
            "planned 10 = sent 6 + never sent 0 + lost with drivers 4",
            "sent 6 = responses 5 + failed 0 + in flight on lost drivers 1",
            "warm-up 3, 1 of them failed",
            "target counted 9",
            "2 reports missing",
        ] {
            assert!(markup.contains(text), "{text}: {markup}");
        }
    }

    #[test]
    fn incomplete_seconds_are_marked() {
        let point = |second, complete| SeriesPoint { second, complete, ..SeriesPoint::default() };
        let marks = |points: &[SeriesPoint]| series(points).into_string().matches("incomplete").count();
        assert_eq!(marks(&[point(1, true), point(2, false)]), 1);
        assert_eq!(marks(&[point(1, true)]), 0);
        let old: Vec<_> = (1..=MAX_SECONDS as u64 + 1).map(|n| point(n, n > 1)).collect();
        assert!(!series(&old).into_string().to_lowercase().contains("incomplete"), "not of those shown");
        assert_eq!(series(&[]).into_string(), "");
    }
}
