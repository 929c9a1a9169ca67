//! Whole reports.

use super::*;
use crate::compare::tests::ab_test;
use crate::plot::Mark;
use crate::stats::histogram::Histogram;
use crate::stats::states::{DriverRowState, RunState};
use crate::stats::summary::{DriverSummary, SCHEMA, SeriesPoint, Stats, ThresholdResult};
use crate::stats::verdict::{Finding, Severity};
use serde_json::json;
use std::sync::LazyLock;

/// Values that differ from second to second, without a generator of random numbers.
fn noise(second: u64, salt: u64) -> f64 {
    let mixed = (second.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f64 / (1u64 << 24) as f64
}

/// The latencies of a second; those of a few seconds repeat.
fn times_of(second: u64) -> Packed {
    static TIMES: LazyLock<Vec<Packed>> = LazyLock::new(|| (0..40).map(times).collect());
    TIMES[second as usize % TIMES.len()].clone()
}

fn times(salt: u64) -> Packed {
    let mut histogram = Histogram::new();
    (0..200).for_each(|n| histogram.record_us(800 + (noise(n, salt).powi(6) * 90_000.0) as u64));
    Packed::from(&histogram)
}

fn point(second: u64) -> SeriesPoint {
    let sent = 2_000 - (noise(second, 1) * 300.0) as u64;
    let [p50_ms, p90_ms, p99_ms, max_ms] =
        times_of(second).percentiles_ms([50.0, 90.0, 99.0, 100.0]).map(Some);
    SeriesPoint {
        second,
        error_statuses: 0,
        failed_checks: 0,
        planned: Some(2_000),
        requests: sent,
        responses: sent - second % 3,
        errors: second % 3,
        queued: second % 7,
        p50_ms,
        p90_ms,
        p99_ms,
        max_ms,
        lag_p99_ms: Some(0.02 + noise(second, 2)),
        busy: Some(0.3 + noise(second, 4) / 3.0),
        complete: !(1_200..1_230).contains(&second),
    }
}

/// A run of this many seconds with this many drivers.
fn summary(seconds: u64, drivers: usize) -> Summary {
    let mut latency = Histogram::new();
    (1..=seconds.min(20)).for_each(|second| latency.add(&times_of(second)));
    let total = Stats {
        requests: 2_000 * seconds,
        responses: 1_999 * seconds,
        errors: [("timeout".to_owned(), seconds)].into(),
        status: [("200".to_owned(), 1_999 * seconds)].into(),
        latency_ms: latency.distribution(),
        lag_ms: latency.distribution(),
        elapsed_s: seconds as f64,
        busy: Some(0.42),
        ..Stats::default()
    };
    let row = |n| DriverSummary {
        node_id: format!("driver-{n}"),
        state: if n == 7 { DriverRowState::Lost } else { DriverRowState::Done },
        stats: total.clone(),
    };
    let finding = Finding::new("driver_lost", Severity::Warning, "Driver driver-7 was lost.".to_owned());
    Summary {
        schema: SCHEMA.to_owned(),
        test_id: "t-1".to_owned(),
        test_type: "AVALANCHE".to_owned(),
        state: RunState::Completed,
        plan: json!({"test_id": "t-1", "test_type": "AVALANCHE", "fleet": {"rate": 2_000},
                     "duration_ms": seconds * 1_000, "target_url": "http://127.0.0.1:8000/?token=x"}),
        started_at: Some(1_795_885_810_000.0),
        total: total.clone(),
        drivers: (1..=drivers).map(row).collect(),
        verdict: vec![finding.text.clone()],
        findings: vec![finding],
        series: (1..=seconds).map(point).collect(),
        ..Summary::default()
    }
}

fn report(summary: &Summary) -> String {
    let intervals: Vec<_> =
        summary.series.iter().map(|point| (point.second, times_of(point.second))).collect();
    let all = intervals.iter().fold(Histogram::new(), |mut sum, (_, times)| {
        sum.add(times);
        sum
    });
    let all = Packed::from(&all);
    let records = Records { sha256: "ab".repeat(32), bytes: 12_345, clocks: Vec::new() };
    let events = [Mark::new(summary.series.len() as f64 * 0.7, "driver-7 lost")];
    let known = Some(&all);
    let report = Report {
        summary,
        intervals: &intervals,
        latency: known,
        service: known,
        events: &events,
        records: Some(&records),
    };
    report.render()
}

#[test]
fn an_hour_fits_into_300_kb() {
    let text = report(&summary(3_600, 10));
    assert!(text.len() < 300_000, "{} bytes", text.len());
    assert_eq!(text.matches("<figure").count(), 6);
    assert!(text.contains("Each point is 5 s.") && text.contains("Each row is 15 s"), "merged");
    let of_fleet = report(&summary(3_600, 1_000));
    assert!(of_fleet.len() < 350_000, "{} bytes", of_fleet.len());
    assert!(of_fleet.contains("and 800 more, in summary.json"));
}

#[test]
fn a_run_of_one_second_has_plots_too() {
    for seconds in [1, 3] {
        let text = report(&summary(seconds, 2));
        assert_eq!(text.matches("<div class=\"plot").count(), 7 - usize::from(seconds == 0), "{seconds} s");
    }
}

#[test]
fn it_asks_nobody_for_anything() {
    let text = report(&summary(30, 2));
    for word in ["<script", "src=", "href=", "@import", "url(http", "style=\"", " on", "javascript:"] {
        let found = text.match_indices(word).filter(|_| word != " on").count();
        assert_eq!(found, 0, "{word}");
    }
    assert!(text.contains("Content-Security-Policy") && text.contains("default-src"), "{text}");
    assert!(!text.contains("token=x"), "a query may hold a secret");
}

#[test]
fn the_verdict_stands_before_every_figure() {
    let text = report(&summary(3, 8));
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} in {text}"));
    let order = [
        "Driver driver-7 was lost.",
        "class=\"tiles\"",
        "<h2>Plan</h2>",
        "id=\"rate\"",
        "id=\"percentiles\"",
        "id=\"histogram\"",
        "<h2>Responses and errors</h2>",
        "<h2>Drivers</h2>",
        "<h2>Where every request went</h2>",
        "<h2>Every second</h2>",
        "floodgate replay records.jsonl --json",
    ];
    assert!(order.map(at).is_sorted(), "{:?}", order.map(at));
    let drivers = &text[at("<h2>Drivers</h2>")..];
    assert!(drivers.find("driver-7") < drivers.find("driver-1"), "who did not finish comes first");
    assert!(text.contains(&"ab".repeat(32)) && text.contains("2026-11-28T17:10:10Z"));
}

#[test]
fn conditions_have_a_row_a_line_and_a_mark() {
    let mut summary = summary(30, 1);
    summary.thresholds = vec![ThresholdResult {
        expression: "p99 > 50ms".to_owned(),
        value: Some(85.25),
        passed: false,
        since_s: Some(12),
    }];
    let text = report(&summary);
    assert!(text.contains(">85.2 ms</td>") || text.contains(">85.3 ms</td>"), "{text}");
    assert!(text.contains("failed</td><td class=\"text\">12 s</td>"), "{text}");
    assert_eq!(text.matches("<line class=\"limit\"").count(), 1, "on the plot of latency only");
    assert!(text.matches("<line class=\"mark\" x1=\"40%\"").count() >= 4, "on every plot over time");
}

#[test]
fn names_cannot_leave_their_place() {
    let bad = "<script>alert('x')</script>\"\u{1b}[31m";
    let mut summary = summary(3, 1);
    summary.test_id = bad.to_owned();
    summary.drivers[0].node_id = bad.to_owned();
    summary.verdict = vec![bad.to_owned()];
    summary.total.errors = [(bad.to_owned(), 1)].into();
    summary.plan = json!({"test_id": bad, "test_type": "TSUNAMI", "target_url": bad, "client": bad});
    let text = report(&summary);
    assert!(text.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{text}");
    for part in ["<script", "\u{1b}", "'"] {
        assert!(!text.contains(part), "{part:?}");
    }
}

#[test]
fn a_result_alone_has_a_report_and_says_what_is_missing() {
    let text = Report::of(&summary(3, 1)).render();
    assert!(text.contains("id=\"rate\"") && !text.contains("id=\"histogram\""), "{text}");
    assert!(text.contains("it needs the records") && text.contains("are not saved"), "{text}");
    let nothing = Report::of(&Summary::default()).render();
    assert!(nothing.contains("No second of the test has been reported."), "{nothing}");
}

#[test]
fn the_plan_as_it_was_sent_has_no_queries() {
    let mut summary = summary(3, 1);
    summary.plan["requests"] = json!([{"name": "a", "url": "/x?token=x"}]);
    let text = report(&summary);
    assert!(text.contains("/x?…") && !text.contains("token=x"), "{text}");
}

#[test]
fn an_ab_test_has_its_answer_after_the_tiles() {
    let test = ab_test(60.0);
    let mut whole =
        Summary { plan: test.plan, requests: test.requests, comparison: test.comparison, ..summary(3, 1) };
    let text = report(&whole);
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} in {text}"));
    let order = [
        "class=\"tiles\"",
        "<h2>A and B</h2>",
        "<p class=\"sentence bad\">B is slower than A: p50 +20 %",
        "Figures by request",
        "<td class=\"text\">B</td>",
        "http://new:8000/?…",
        "Figures of A and B",
        "bad\">slower</td>",
        "Pairs of sections of the same moment",
        "Holm (1979)",
        "<h2>Plan</h2>",
        "GET A http://old:8000/?…, B http://new:8000/?…",
    ];
    assert!(order.map(at).is_sorted(), "{:?}", order.map(at));
    assert!(!text.contains("token=x"), "a query may hold a secret");
    whole.comparison = None;
    let text = report(&whole);
    assert!(text.contains("Figures by request") && !text.contains("Figures of A and B"), "{text}");
    assert!(!report(&summary(3, 1)).contains("A and B"), "other tests have no such section");
}
