//! The folded parts.

use super::{Table, checks, compared, escape};
use crate::compare::Comparison;
use crate::plan::words::shown_plan;
use crate::stats::summary::{Distribution, DriverSummary, SeriesPoint, Summary};
use crate::units::{format_bytes, format_count, format_figure, format_ms, format_sum, sum};
use std::collections::BTreeMap;

/// Most rows of a table.
const MAX_ROWS: usize = 50;
/// Most names in one cell.
const MAX_NAMES: usize = 5;
/// Most characters of a drawn line.
const MAX_POINTS: usize = 60;
/// Longest plan that is shown, in bytes.
const MAX_PLAN_BYTES: usize = 4_000;
/// Eighths of a line, from empty to full.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Every folded part, the most important first; a part without content is empty.
pub fn all(summary: &Summary, comparison: Option<&Comparison>) -> [String; 8] {
    [
        folded("How A and B were compared", &comparison.map_or_else(String::new, compared::method)),
        folded("Times in ms", &times(summary)),
        folded("Errors and statuses", &errors(summary)),
        folded("First responses that failed a check", &checks::samples(summary)),
        folded("Second by second", &seconds(&summary.series)),
        folded("Drivers", &drivers(&summary.drivers)),
        folded("Where every request went", &conservation(summary)),
        folded("Plan", &plan(summary)),
    ]
}

fn folded(title: &str, inside: &str) -> String {
    if inside.is_empty() {
        return String::new();
    }
    format!("<details><summary>{title}</summary>\n\n{inside}\n</details>\n")
}

fn times(summary: &Summary) -> String {
    let total = &summary.total;
    let mut table = Table::new(&["", "min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"]).named();
    let all = [
        ("latency", &total.latency_ms),
        ("service time", &total.service_ms),
        ("lag", &total.lag_ms),
        ("TCP connect", &total.connect_ms),
        ("TLS handshake", &total.tls_ms),
    ];
    let known: Vec<_> = all.into_iter().filter_map(|(name, times)| Some((name, times.as_ref()?))).collect();
    if known.is_empty() {
        return String::new();
    }
    for (name, d) in known {
        let figures = [d.min, d.mean, d.median, d.p90, d.p95, d.p99, d.p999, d.max].map(figure);
        let cells: Vec<String> = std::iter::once(name.to_owned()).chain(figures).collect();
        table.add(&cells);
    }
    table.end()
}

/// NaN is a figure that was not reported.
fn figure(ms: f64) -> String {
    if ms.is_finite() { format_figure(ms) } else { "-".to_owned() }
}

fn errors(summary: &Summary) -> String {
    let total = &summary.total;
    let mut table = Table::new(&["", "count", "cause"]);
    for (kind, n) in most_frequent(&total.errors) {
        let of_kind = summary.error_samples.iter().filter(|sample| sample.kind == *kind);
        let causes: Vec<String> = of_kind
            .take(MAX_NAMES)
            .map(|sample| format!("{} ({})", sample.cause, format_count(sample.count)))
            .collect();
        table.add(&[format!("error {kind}"), format_count(*n), causes.join("; ")]);
    }
    for (code, n) in most_frequent(&total.status) {
        table.add(&[format!("status {code}"), format_count(*n), String::new()]);
    }
    let is_empty = total.errors.is_empty() && total.status.is_empty();
    if is_empty { String::new() } else { table.end() }
}

fn most_frequent(counts: &BTreeMap<String, u64>) -> impl Iterator<Item = (&String, &u64)> {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), (*name).clone()));
    sorted.into_iter().take(MAX_ROWS)
}

fn drivers(rows: &[DriverSummary]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new(&["", "state", "requests", "per s", "errors", "queued", "p50 ms", "p99 ms", "busy"])
            .named();
    // Those that did not do what they should come first: the list may be cut.
    let mut sorted: Vec<&DriverSummary> = rows.iter().collect();
    sorted.sort_by_key(|row| row.state.is_ordinary());
    for row in sorted.iter().take(MAX_ROWS) {
        let stats = &row.stats;
        let count = |n: u64| if row.is_original() { "-".to_owned() } else { format_count(n) };
        let time = |read: fn(&Distribution) -> f64| {
            stats.latency_ms.as_ref().map_or("-".to_owned(), |latency| figure(read(latency)))
        };
        table.add(&[
            row.node_id.clone(),
            row.state.to_string(),
            count(stats.requests),
            if row.is_original() { "-".to_owned() } else { format_figure(stats.throughput_rps) },
            count(stats.errors_total()),
            count(stats.queued),
            time(|d| d.median),
            time(|d| d.p99),
            stats.busy.map_or("-".to_owned(), |busy| format!("{:.0} %", 100.0 * busy)),
        ]);
    }
    let more = match rows.len().saturating_sub(MAX_ROWS) {
        0 => String::new(),
        more => format!("\n… and {} more drivers\n", format_count(more as u64)),
    };
    table.end() + &more
}

fn conservation(summary: &Summary) -> String {
    if summary.is_original_only() {
        return String::new();
    }
    let counts = &summary.conservation;
    let planned = [("sent", counts.sent), ("never sent", counts.never_sent), ("lost", counts.lost)];
    let mut sent = vec![("responses", counts.responses), ("errors", counts.errors)];
    sent.extend(Some(("in flight on lost drivers", counts.lost_in_flight)).filter(|(_, n)| *n > 0));
    let mut lines =
        vec![format_sum("planned", counts.planned, &planned), format_sum("sent", counts.sent, &sent)];
    lines.extend(counts.target_seen.map(|seen| format!("target counted {}", format_count(seen))));
    lines.push(format!("received {}", format_bytes(summary.total.bytes_received)));
    lines.extend(counts.differences().iter().map(|text| format!("DIFFERENCE: {text}")));
    lines.iter().map(|line| format!("- {}\n", escape(line))).collect()
}

/// Two lines of blocks. Where one block stands for several seconds, it shows the mean of their rates, or the
/// largest of their percentiles, because percentiles have no mean.
fn seconds(series: &[SeriesPoint]) -> String {
    if series.len() < 2 {
        return String::new();
    }
    let each = series.len().div_ceil(MAX_POINTS);
    let chunks = || series.chunks(each);
    let mean =
        |part: &[SeriesPoint]| Some(sum(part.iter().map(|point| point.responses)) as f64 / part.len() as f64);
    let largest = |part: &[SeriesPoint]| part.iter().filter_map(|point| point.p99_ms).max_by(f64::total_cmp);
    let rates: Vec<Option<f64>> = chunks().map(mean).collect();
    let times: Vec<Option<f64>> = chunks().map(largest).collect();
    let scale = if each == 1 { "1 s".to_owned() } else { format!("{each} s") };
    let top = |values: &[Option<f64>]| values.iter().flatten().copied().reduce(f64::max).unwrap_or(0.0);
    format!(
        "```text\nresponses/s  {}  highest {}\np99 latency  {}  highest {}\n```\n\nOne block is {scale}.\n",
        blocks(&rates),
        format_figure(top(&rates)),
        blocks(&times),
        format_ms(top(&times)),
    )
}

/// One block for each value, from 0 to the highest; a space for a missing one.
fn blocks(values: &[Option<f64>]) -> String {
    let top = values.iter().flatten().copied().reduce(f64::max).filter(|top| *top > 0.0).unwrap_or(1.0);
    let block = |value: f64| BLOCKS[((value / top * 8.0).ceil() as usize).clamp(1, 8) - 1];
    values.iter().map(|value| value.map_or(' ', block)).collect()
}

/// The plan without secrets, in a fence that is longer than any inside.
fn plan(summary: &Summary) -> String {
    let plan = shown_plan(&summary.plan);
    let text = serde_json::to_string_pretty(&plan).unwrap_or_default();
    if plan.is_null() || text.len() > MAX_PLAN_BYTES {
        return String::new();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}json\n{text}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{good, row};
    use super::*;
    use crate::stats::states::DriverRowState;

    #[test]
    fn blocks_stand_for_values_from_0_to_the_highest() {
        assert_eq!(blocks(&[Some(0.0), Some(1.0), None, Some(4.0), Some(8.0)]), "▁▁ ▄█");
        assert_eq!(blocks(&[Some(0.0), None]), "▁ ");
    }

    #[test]
    fn many_seconds_are_drawn_with_the_largest_percentile_of_each_block() {
        let mut series =
            vec![SeriesPoint { responses: 10, p99_ms: Some(1.0), ..SeriesPoint::default() }; 130];
        series[1].p99_ms = Some(8.0);
        let text = seconds(&series);
        assert!(text.contains("p99 latency  █▁▁") && text.contains("highest 8.00 ms"), "{text}");
        assert!(text.contains("highest 10.0\n") && text.ends_with("One block is 3 s.\n"), "{text}");
        assert_eq!(seconds(&series[..1]), "");
    }

    #[test]
    fn the_plan_has_no_secrets() {
        let plan = serde_json::json!({"target_url": "http://h/?api_key=k"});
        let text = super::plan(&Summary { plan, ..Summary::default() });
        assert!(text.contains("http://h/?…") && !text.contains("api_key"), "{text}");
    }

    #[test]
    fn drivers_in_trouble_are_never_cut_off() {
        let mut rows = vec![good().drivers[0].clone(); 60];
        rows.push(row("broken", DriverRowState::Lost));
        let text = drivers(&rows);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].starts_with("| broken | lost |"), "{text}");
        assert_eq!((lines.len(), lines.last().copied()), (MAX_ROWS + 4, Some("… and 11 more drivers")));
    }

    #[test]
    fn what_was_not_reported_is_left_out() {
        let original = Summary {
            drivers: vec![row("old", DriverRowState::Original)],
            series: Vec::new(),
            ..Summary::default()
        };
        let parts = all(&original, None);
        let filled: Vec<bool> = parts.iter().map(|part| !part.is_empty()).collect();
        assert_eq!(filled, [false, false, false, false, false, true, false, false], "{parts:#?}");
    }
}
