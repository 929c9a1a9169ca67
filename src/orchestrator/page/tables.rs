//! The tables of the page.

use super::escape;
use crate::orchestrator::dashboard::{FleetRow, HistoryRow};
use crate::stats::causes::ErrorSample;
use crate::stats::summary::{Conservation, Distribution, SeriesPoint, Stats, Summary};
use crate::units::{format_count, format_figure};

/// Most rows of one table; the JSON form has all.
const MAX_ROWS: usize = 500;
/// Most seconds that are shown, the newest ones.
const MAX_SECONDS: usize = 60;

/// The fleet, then each driver of the newest test.
pub fn drivers(summary: &Summary) -> String {
    let heads = [
        "driver",
        "state",
        "requests",
        "responses",
        "errors",
        "4xx, 5xx",
        "queued",
        "requests/s",
        "mean ms",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "max ms",
        "start +ms",
        "busy",
        "CPU wait",
    ];
    let total = row("all", summary.state.as_str(), &summary.total);
    let rows = summary.drivers.iter().map(|driver| {
        let mut cells = row(&driver.node_id, driver.state.as_str(), &driver.stats);
        if driver.is_original() {
            // It reports latencies and no counts.
            cells[2..8].iter_mut().for_each(|cell| *cell = "-".to_owned());
        }
        cells
    });
    table(&heads, std::iter::once(total).chain(rows).collect())
}

fn row(name: &str, state: &str, stats: &Stats) -> Vec<String> {
    let figure = |read: fn(&Distribution) -> f64| {
        let known = stats.latency_ms.as_ref().map(read).filter(|ms| ms.is_finite());
        optional(known)
    };
    vec![
        escape(name),
        escape(state),
        format_count(stats.requests),
        format_count(stats.responses),
        format_count(stats.errors_total()),
        format_count(stats.error_statuses()),
        format_count(stats.queued),
        format_figure(stats.throughput_rps),
        figure(|d| d.mean),
        figure(|d| d.median),
        figure(|d| d.p90),
        figure(|d| d.p99),
        figure(|d| d.max),
        optional(stats.start_skew_ms),
        percent(stats.busy),
        percent(stats.cpu_wait),
    ]
}

/// Why requests failed.
pub fn causes(samples: &[ErrorSample]) -> String {
    let rows = samples.iter().map(|sample| {
        vec![
            escape(&sample.kind),
            format_count(sample.count),
            escape(&sample.cause),
            escape(&sample.drivers.join(", ")),
        ]
    });
    table(&["error", "requests", "cause", "drivers"], rows.collect())
}

/// Where every planned request went.
pub fn conservation(counts: &Conservation) -> String {
    let seen =
        counts.target_seen.map_or(String::new(), |n| format!(", seen by the target {}", format_count(n)));
    let n = format_count;
    let lost = if counts.lost > 0 { format!(" + lost {}", n(counts.lost)) } else { String::new() };
    format!(
        "<p class=\"dim\">Planned {} = sent {} + never sent {}{lost}; sent = responses {} + errors {}; \
         warm-up {}{seen}; reports missing {}</p>",
        n(counts.planned),
        n(counts.sent),
        n(counts.never_sent),
        n(counts.responses),
        n(counts.errors),
        n(counts.warmup_sent),
        n(counts.reports_missing)
    )
}

/// The newest seconds, the newest first.
pub fn series(points: &[SeriesPoint]) -> String {
    if points.is_empty() {
        return String::new();
    }
    let heads = ["second", "requests", "responses", "errors", "p50 ms", "p99 ms", "max ms", ""];
    let rows = points.iter().rev().take(MAX_SECONDS).map(|point| {
        vec![
            point.second.to_string(),
            format_count(point.requests),
            format_count(point.responses),
            format_count(point.errors),
            optional(point.p50_ms),
            optional(point.p99_ms),
            optional(point.max_ms),
            if point.complete { String::new() } else { "incomplete".to_owned() },
        ]
    });
    format!("<h2>Second by second</h2>{}", table(&heads, rows.collect()))
}

/// Every registered node.
pub fn fleet(fleet: &[FleetRow]) -> String {
    if fleet.is_empty() {
        return "<h2>Fleet</h2><p class=\"dim\">No driver has registered yet.</p>".to_owned();
    }
    let heads = ["driver", "address", "state", "does", "test", "seen", "clock ms", "cores", "version"];
    let rows = fleet.iter().map(|node| {
        let clock = node.clock_offset_ms.map(|offset| match node.clock_error_ms {
            Some(error) => format!("{offset:+.2} ± {error:.2}"),
            None => format!("{offset:+.2}"),
        });
        let original = || "original protocol".to_owned();
        let version =
            if node.epoch.is_none() { original() } else { node.version.clone().unwrap_or_default() };
        vec![
            escape(&node.node_id),
            escape(&node.node_ip),
            escape(&node.state),
            escape(node.activity.as_deref().unwrap_or("")),
            escape(node.test_id.as_deref().unwrap_or("")),
            node.last_seen_ms.map_or("-".to_owned(), |ms| format!("{:.1} s ago", ms as f64 / 1_000.0)),
            clock.unwrap_or_else(|| "-".to_owned()),
            node.cores.map_or("-".to_owned(), |cores| cores.to_string()),
            escape(&version),
        ]
    });
    format!("<h2>Fleet</h2>{}", table(&heads, rows.collect()))
}

/// Finished tests, the newest first.
pub fn history(history: &[HistoryRow]) -> String {
    if history.is_empty() {
        return String::new();
    }
    let heads = ["test", "type", "state", "requests", "errors", "p99 ms"];
    let rows = history.iter().map(|test| {
        vec![
            escape(&test.test_id),
            escape(&test.test_type),
            test.state.to_string(),
            format_count(test.requests),
            format_count(test.errors),
            optional(test.p99_ms),
        ]
    });
    format!("<h2>Finished tests</h2>{}", table(&heads, rows.collect()))
}

/// A table of cells that are safe already.
fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut out = String::from("<div class=\"scroll\"><table><thead><tr>");
    heads.iter().for_each(|head| out.push_str(&format!("<th>{head}</th>")));
    out.push_str("</tr></thead><tbody>");
    for row in rows.iter().take(MAX_ROWS) {
        out.push_str("<tr>");
        row.iter().for_each(|cell| out.push_str(&format!("<td>{cell}</td>")));
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    if rows.len() > MAX_ROWS {
        let more = format_count((rows.len() - MAX_ROWS) as u64);
        out.push_str(&format!("<p class=\"dim\">and {more} more, in the JSON form</p>"));
    }
    out
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), format_figure)
}
