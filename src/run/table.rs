//! The result as text: the verdict, the errors, the figures of the fleet and of each driver, and where every
//! request went. At most [`WIDTH`] columns.

use crate::stats::causes::ErrorSample;
use crate::stats::summary::{Conservation, Distribution, DriverSummary, Stats, Summary};
use crate::units::{format_bytes, format_count, format_figure, trim_number};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Columns of the text.
pub const WIDTH: usize = 100;
/// Most drivers with a row of their own.
const MAX_ROWS: usize = 50;
/// Characters of a driver's name; a longer one is cut.
const NAME: usize = 16;

/// The whole text, with a newline at its end.
pub fn render(summary: &Summary) -> String {
    let mut out = String::new();
    let mut put = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    summary.verdict.iter().for_each(|text| put(&wrap(text, 0)));
    if summary.total.errors_total() > 0 && !summary.verdict.iter().any(|text| text.starts_with("Errors")) {
        put(&wrap(&errors(&summary.total), 2));
    }
    for sample in &summary.error_samples {
        put(&wrap(&cause(sample), 4));
    }
    put("");
    put(&title(summary));
    put("");
    put(&table(summary));
    for text in generator(summary) {
        put(&wrap(&text, NAME));
    }
    put(&wrap(&format!("{:<NAME$}{}", "status", pairs(&summary.total.status, ": ")), NAME));
    put(&format!("{:<NAME$}{}", "received", format_bytes(summary.total.bytes_received)));
    for text in conservation(&summary.conservation) {
        put(&wrap(&text, NAME));
    }
    for threshold in &summary.thresholds {
        let value = threshold.value.map_or("nothing measured".to_owned(), trim_number);
        let word = if threshold.passed { "passed" } else { "FAILED" };
        put(&wrap(
            &format!("{:<NAME$}fail if {}: {word} ({value})", "condition", threshold.expression),
            NAME,
        ));
    }
    out
}

fn errors(total: &Stats) -> String {
    let (failed, sent) = (total.errors_total(), total.requests);
    let share = failed as f64 * 100.0 / sent.max(1) as f64;
    format!(
        "Errors: {} of {} requests ({}%): {}",
        format_count(failed),
        format_count(sent),
        trim_number(share),
        pairs(&total.errors, " ")
    )
}

/// `  connect 12: connection refused (driver-1, driver-2)`
fn cause(sample: &ErrorSample) -> String {
    let on =
        if sample.drivers.is_empty() { String::new() } else { format!(" ({})", sample.drivers.join(", ")) };
    format!("  {} {}: {}{on}", sample.kind, format_count(sample.count), sample.cause)
}

/// What the generator did with its time, in total and, of several drivers, of each; nothing if that is not
/// known.
fn generator(summary: &Summary) -> Vec<String> {
    let Some(total) = shares(&summary.total) else { return Vec::new() };
    let mut lines = vec![format!("{:<NAME$}{total}", "generator")];
    let drivers = summary.drivers.iter().take(MAX_ROWS);
    let each: Vec<String> =
        drivers.filter_map(|d| Some(format!("{}: {}", d.node_id, shares(&d.stats)?))).collect();
    if each.len() > 1 {
        lines.push(format!("{:<NAME$}{}", "", each.join("; ")));
    }
    lines
}

/// `busy 31 %, CPU wait 0.4 %, rests 12 %`
fn shares(stats: &Stats) -> Option<String> {
    let share = |name: &str, share: Option<f64>| share.map(|share| format!("{name} {}", percent(share)));
    let known = [share("busy", stats.busy), share("CPU wait", stats.cpu_wait), share("rests", stats.rest)];
    let known: Vec<String> = known.into_iter().flatten().collect();
    (!known.is_empty()).then(|| known.join(", "))
}

/// A share of time, with a digit more where it is small.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// `200: 1,000, 404: 3`; the most frequent first.
fn pairs(counts: &BTreeMap<String, u64>, between: &str) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
    let texts = sorted.iter().map(|(name, count)| format!("{name}{between}{}", format_count(**count)));
    texts.collect::<Vec<_>>().join(", ")
}

fn title(summary: &Summary) -> String {
    let text = |key: &str| summary.plan.get(key).and_then(|value| value.as_str()).unwrap_or_default();
    let count = |path: &str| summary.plan.pointer(path).and_then(serde_json::Value::as_u64);
    let mut parts = vec![summary.test_type.clone()];
    parts.extend(Some(text("target_url").to_owned()).filter(|url| !url.is_empty()));
    let drivers = summary.drivers.len();
    let mut fleet = format!("{drivers} driver{}", if drivers == 1 { "" } else { "s" });
    if let Some(all) = count("/fleet/connections") {
        let _ = write!(fleet, ", {} connection{}", format_count(all), if all == 1 { "" } else { "s" });
    } else if let Some(each) = count("/connections") {
        let _ = write!(fleet, ", {} connections each", format_count(each));
    }
    parts.push(fleet);
    parts.push(format!("{} s", trim_number((summary.total.elapsed_s * 10.0).round() / 10.0)));
    parts.push(summary.state.to_string());
    wrap(&parts.join("  "), 2)
}

/// Times in ms: min, mean, median, 90th, 99th and 99.9th percentile, max.
const HEAD: [&str; 7] = ["min", "mean", "p50", "p90", "p99", "p99.9", "max"];

fn table(summary: &Summary) -> String {
    let mut rows =
        vec![row("latency in ms", ["requests".to_owned(), "per s".to_owned()], &HEAD.map(str::to_owned))];
    rows.push(stats_row("total", &summary.total));
    rows.extend(summary.drivers.iter().take(MAX_ROWS).map(driver_row));
    if summary.drivers.len() > MAX_ROWS {
        rows.push(format!("… and {} drivers more (--json shows all)", summary.drivers.len() - MAX_ROWS));
    }
    rows.push(String::new());
    let queued = format!("{} queued", format_count(summary.total.queued));
    let blank = || [String::new(), String::new()];
    rows.push(row("service time", blank(), &times(summary.total.service_ms.as_ref())));
    rows.push(row("lag", blank(), &times(summary.total.lag_ms.as_ref())));
    rows.push(row("queued", [queued, String::new()], &HEAD.map(|_| String::new())));
    let started = summary.drivers.iter().filter(|driver| driver.stats.start_skew_ms.is_some()).count();
    if let Some(skew) = summary.total.start_skew_ms.filter(|_| started > 1) {
        rows.push(format!(
            "{:<NAME$}drivers started within {} ms of each other",
            "start",
            format_figure(skew)
        ));
    }
    rows.join("\n")
}

fn driver_row(driver: &DriverSummary) -> String {
    let mut name = driver.node_id.clone();
    if !driver.state.is_ordinary() {
        name = format!("{} {name}", driver.state);
    }
    if driver.is_original() {
        // It reports latencies and no counts.
        let unknown = || "-".to_owned();
        return row(&name, [unknown(), unknown()], &times(driver.stats.latency_ms.as_ref()));
    }
    stats_row(&name, &driver.stats)
}

fn stats_row(name: &str, stats: &Stats) -> String {
    let counts = [format_count(stats.requests), format_count(stats.throughput_rps.round() as u64)];
    row(name, counts, &times(stats.latency_ms.as_ref()))
}

fn times(of: Option<&Distribution>) -> [String; 7] {
    match of {
        Some(d) => [d.min, d.mean, d.median, d.p90, d.p99, d.p999, d.max].map(figure),
        None => HEAD.map(|_| "-".to_owned()),
    }
}

/// A figure that was not reported is no number.
fn figure(ms: f64) -> String {
    if ms.is_nan() { "-".to_owned() } else { format_figure(ms) }
}

/// Name, two counts and seven times, right-aligned.
fn row(name: &str, [count, rate]: [String; 2], times: &[String; 7]) -> String {
    let printable: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let name = match printable.char_indices().nth(NAME) {
        Some(_) => printable.chars().take(NAME - 1).chain(['…']).collect(),
        None => printable,
    };
    let mut line = format!("{name:<NAME$}{count:>14}{rate:>10}");
    for time in times {
        let _ = write!(line, "{time:>8}");
    }
    line.trim_end().to_owned()
}

/// Every sum with its parts, and every difference in words.
fn conservation(counts: &Conservation) -> Vec<String> {
    let mut planned = vec![("sent", counts.sent), ("never sent", counts.never_sent)];
    planned.extend(Some(("lost", counts.lost)).filter(|(_, n)| *n > 0));
    let mut sent = vec![("responses", counts.responses), ("errors", counts.errors)];
    sent.extend(Some(("in flight on lost drivers", counts.lost_in_flight)).filter(|(_, n)| *n > 0));
    let mut lines = vec![
        format!("{:<NAME$}{}", "conservation", sum("planned", counts.planned, &planned)),
        format!("{:<NAME$}{}", "", sum("sent", counts.sent, &sent)),
    ];
    if counts.lost_unknown {
        lines.push(format!("{:<NAME$}lost: unknown (the plan has no number of requests)", ""));
    }
    if counts.resent > 0 {
        let resent = format_count(counts.resent);
        lines.push(format!("{:<NAME$}resent {resent} (sent once more, on a new connection)", ""));
    }
    if let Some(seen) = counts.target_seen {
        let mut parts = vec![("sent", counts.sent), ("warm-up", counts.warmup_sent)];
        parts.extend(Some(("original drivers", counts.target_beyond)).filter(|(_, n)| *n > 0));
        // Usually a server does not count the attempts that it could not read.
        let has_counted_resent = counts.resent > 0 && seen > counts.sent + counts.warmup_sent;
        parts.extend(Some(("resent", counts.resent)).filter(|_| has_counted_resent));
        let text = sum("target counted", seen, &parts);
        // Requests that failed may have reached the target or not: fewer is then no difference.
        let text = if counts.errors + counts.warmup_errors > 0 { text.replace('≠', "of") } else { text };
        lines.push(format!("{:<NAME$}{text}", ""));
    }
    if counts.reports_missing > 0 {
        lines.push(format!("{:<NAME$}{} reports missing", "", format_count(counts.reports_missing)));
    }
    lines.extend(counts.differences().iter().map(|text| format!("{:<NAME$}DIFFERENCE: {text}", "")));
    lines
}

/// `sent 5 = responses 4 + errors 1`
fn sum(name: &str, total: u64, parts: &[(&str, u64)]) -> String {
    let sign = if total == parts.iter().map(|(_, n)| n).sum::<u64>() { "=" } else { "≠" };
    let parts: Vec<_> = parts.iter().map(|(name, n)| format!("{name} {}", format_count(*n))).collect();
    format!("{name} {} {sign} {}", format_count(total), parts.join(" + "))
}

/// Breaks a text at spaces; the lines after the first are indented.
fn wrap(text: &str, indent: usize) -> String {
    let lead: String = text.chars().take_while(|c| *c == ' ').collect();
    let mut lines = vec![lead.clone()];
    let mut first = true;
    for word in text.trim_start().split(' ') {
        let word: String = word.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let Some(line) = lines.last_mut() else { break };
        if first {
            line.push_str(&word);
            first = false;
        } else if line.chars().count() + 1 + word.chars().count() <= WIDTH {
            line.push(' ');
            line.push_str(&word);
        } else {
            lines.push(format!("{:indent$}{word}", ""));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::states::{DriverRowState, RunState};

    fn distribution(scale: f64) -> Distribution {
        Distribution {
            min: 0.1 * scale,
            mean: 0.5 * scale,
            median: 0.4 * scale,
            mode: 0.4 * scale,
            p90: 1.2 * scale,
            p95: 2.0 * scale,
            p99: 3.456 * scale,
            p999: 12.34 * scale,
            max: 1_234.5 * scale,
            stddev: 1.0,
        }
    }

    fn stats(requests: u64, errors: u64) -> Stats {
        let mut stats = Stats { requests, responses: requests - errors, ..Stats::default() };
        if errors > 0 {
            stats.errors.insert("timeout".to_owned(), errors);
        }
        stats.status.insert("200".to_owned(), requests - errors);
        stats.bytes_received = 1_240_000;
        stats.elapsed_s = 10.002;
        stats.throughput_rps = requests as f64 / 10.0;
        stats.latency_ms = Some(distribution(1.0));
        stats.lag_ms = Some(distribution(0.1));
        stats
    }

    fn summary(errors: u64) -> Summary {
        let driver = |i: u64| DriverSummary {
            node_id: format!("driver-{i}"),
            state: DriverRowState::Done,
            stats: stats(500_000, 0),
        };
        let conservation = Conservation {
            planned: 1_000_010,
            sent: 1_000_000,
            resent: 0,
            never_sent: 10,
            responses: 1_000_000 - errors,
            errors,
            target_seen: Some(1_000_000),
            ..Conservation::default()
        };
        Summary {
            test_type: "AVALANCHE".to_owned(),
            state: RunState::Completed,
            plan: serde_json::json!({"target_url": "http://127.0.0.1:8000/ping", "connections": 16}),
            total: stats(1_000_000, errors),
            drivers: vec![driver(1), driver(2)],
            conservation,
            verdict: vec!["All is well.".to_owned()],
            ..Summary::default()
        }
    }

    fn lines(summary: &Summary) -> Vec<String> {
        let text = render(summary);
        assert!(text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }

    fn find<'a>(lines: &'a [String], start: &str) -> &'a str {
        lines.iter().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{start:?} in {lines:#?}"))
    }

    #[test]
    fn the_verdict_comes_first_then_the_errors() {
        let good = lines(&summary(0));
        assert_eq!((good[0].as_str(), good[1].as_str()), ("All is well.", ""));
        let bad = lines(&summary(1_500));
        assert_eq!(bad[1], "Errors: 1,500 of 1,000,000 requests (0.15%): timeout 1,500");
    }

    #[test]
    fn every_driver_has_a_row_with_counts_and_times() {
        let lines = lines(&summary(0));
        let total: Vec<_> = find(&lines, "total").split_whitespace().collect();
        assert_eq!(
            total,
            ["total", "1,000,000", "100,000", "0.100", "0.500", "0.400", "1.20", "3.46", "12.3", "1,235"]
        );
        assert!(find(&lines, "driver-2").contains("500,000"));
        assert!(find(&lines, "service time").ends_with('-'), "unknown times are not 0");
        assert!(find(&lines, "status").contains("200: 1,000,000"));
        assert!(find(&lines, "received").ends_with("1.24 MB"));
    }

    #[test]
    fn conservation_is_printed_and_a_difference_is_named() {
        let good = lines(&summary(0));
        assert!(find(&good, "conservation").ends_with("planned 1,000,010 = sent 1,000,000 + never sent 10"));
        assert!(good.iter().any(|l| l.trim_start() == "sent 1,000,000 = responses 1,000,000 + errors 0"));
        assert!(
            good.iter().any(|l| l.trim_start() == "target counted 1,000,000 = sent 1,000,000 + warm-up 0")
        );
        assert!(!good.iter().any(|l| l.contains("DIFFERENCE")));
        let mut wrong = summary(0);
        wrong.conservation.target_seen = Some(999_999);
        let wrong = lines(&wrong);
        assert!(wrong.iter().any(|l| l.contains("target counted 999,999 ≠ ")), "{wrong:#?}");
        assert!(wrong.iter().any(|l| l.contains("DIFFERENCE") && l.contains("999999")), "{wrong:#?}");
    }

    #[test]
    fn what_was_lost_with_drivers_is_a_part_of_the_plan() {
        let mut short = summary(0);
        let counts = &mut short.conservation;
        (counts.planned, counts.lost) = (1_500_000, 499_990);
        (counts.responses, counts.lost_in_flight) = (999_998, 2);
        let text = lines(&short);
        let wanted = "planned 1,500,000 = sent 1,000,000 + never sent 10 + lost 499,990";
        assert!(find(&text, "conservation").ends_with(wanted), "{text:#?}");
        let wanted = "sent 1,000,000 = responses 999,998 + errors 0 + in flight on lost drivers 2";
        assert!(text.iter().any(|l| l.trim_start() == wanted), "{text:#?}");
        short.conservation.lost_unknown = true;
        assert!(lines(&short).iter().any(|l| l.trim_start().starts_with("lost: unknown")));
    }

    #[test]
    fn no_line_is_wider_than_the_limit() {
        let mut wide = summary(1_500);
        wide.verdict = vec!["a rather long verdict that goes on ".repeat(10)];
        wide.drivers[0].node_id = "a-name-that-is-much-too-long-for-its-column".to_owned();
        wide.drivers[1].state = DriverRowState::Lost;
        wide.conservation.target_seen = Some(5);
        for code in 200..260 {
            wide.total.status.insert(code.to_string(), 1_000_000);
        }
        let lines = lines(&wide);
        for line in &lines {
            assert!(line.chars().count() <= WIDTH, "{} columns: {line}", line.chars().count());
        }
        assert!(find(&lines, "a-name").contains('…'));
        assert!(find(&lines, "lost driver-2").contains("500,000"));
    }

    #[test]
    fn many_drivers_are_cut_with_a_word() {
        let mut many = summary(0);
        many.drivers = vec![many.drivers[0].clone(); 60];
        assert!(find(&lines(&many), "… and 10 drivers more").contains("--json"));
    }

    #[test]
    fn names_cannot_write_control_characters_to_the_terminal() {
        let mut odd = summary(0);
        odd.drivers[0].node_id = "a\x1b[2Jb".to_owned();
        odd.verdict = vec!["evil\x1b[2J".to_owned()];
        assert!(!render(&odd).contains('\x1b'));
    }
}
