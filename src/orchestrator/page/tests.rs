//! The page as a whole.

use super::{Controls, Form, View, Window, fragment, page, start_page};
use crate::clock;
use crate::compare::Comparison;
use crate::compare::tests::ab_without_answer;
use crate::orchestrator::dashboard::{Dashboard, FleetRow, HistoryRow};
use crate::orchestrator::merged::Merged;
use crate::stats::causes::ErrorSample;
use crate::stats::histogram::{Histogram, Packed};
use crate::stats::states::{DriverRowState, RunState};
use crate::stats::summary::{DriverSummary, RequestSummary, SeriesPoint, Stats, Summary, ThresholdResult};
use crate::stats::verdict::{Finding, Severity};
use serde_json::json;
use std::collections::BTreeMap;

const EVIL: &str = "<script>alert('x')</script>\"&";
const ESCAPED: &str = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;";

fn render(dashboard: Dashboard) -> String {
    page(&View { dashboard, ..View::default() })
}

/// A running test of the given figures.
fn page_of(total: Stats, change: impl FnOnce(&mut Summary)) -> String {
    let mut summary = Summary { state: RunState::Running, total, ..Summary::default() };
    change(&mut summary);
    render(Dashboard { test: Some(summary), ..Dashboard::default() })
}

fn ten_requests() -> Stats {
    Stats { requests: 10, responses: 10, ..Stats::default() }
}

/// Nothing but the page's own script is a script.
fn assert_harmless(page: &str) {
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    assert!(page.contains("<script src=\"/dashboard/page.js\"></script>"));
    assert!(!page.contains("alert('x')") && !page.contains("<b>"));
}

fn evil_comparison() -> serde_json::Value {
    let mut document = ab_without_answer().comparison.expect("compared");
    (document["sentence"], document["method"]["text"]) = (EVIL.into(), EVIL.into());
    (document["reasons"], document["notes"]) = (json!([EVIL, EVIL]), json!([EVIL]));
    document["figures"][0]["reason"] = EVIL.into();
    assert!(Comparison::of(&document).is_some(), "it is shown");
    document
}

#[test]
fn nothing_from_outside_is_markup() {
    let evil = || EVIL.to_owned();
    let row = DriverSummary { node_id: evil(), state: DriverRowState::Lost, stats: ten_requests() };
    let summary = Summary {
        test_id: evil(),
        test_type: evil(),
        verdict: vec![evil()],
        findings: vec![Finding::new(EVIL, Severity::Failure, evil())],
        notices: vec![evil()],
        drivers: vec![row],
        error_samples: vec![ErrorSample { kind: evil(), cause: evil(), count: 1, drivers: vec![evil()] }],
        total: Stats { status: BTreeMap::from([(format!("9{EVIL}"), 1)]), ..ten_requests() },
        requests: vec![RequestSummary { name: evil(), method: evil(), url: evil(), stats: ten_requests() }],
        comparison: Some(evil_comparison()),
        plan: json!({"test_id": EVIL, "test_type": "TSUNAMI", "target_url": EVIL,
            "request": {"method": "<b>", "headers": [[EVIL, EVIL]], "body": EVIL}}),
        series: vec![SeriesPoint { second: 1, requests: 1, complete: true, ..SeriesPoint::default() }],
        thresholds: vec![ThresholdResult {
            expression: evil(),
            value: Some(1.0),
            passed: false,
            since_s: Some(1),
        }],
        ..Summary::default()
    };
    let node = FleetRow {
        node_id: format!("other {EVIL}"),
        node_ip: evil(),
        state: evil(),
        activity: Some(evil()),
        version: Some(evil()),
        epoch: Some(1),
        ..FleetRow::default()
    };
    let old = HistoryRow { test_id: evil(), test_type: evil(), ..HistoryRow::default() };
    let page = render(Dashboard {
        fleet: vec![node],
        test: Some(summary),
        history: vec![old.clone(), old],
        ..Dashboard::default()
    });
    assert_harmless(&page);
    assert!(page.contains("&lt;b&gt;") && page.matches(ESCAPED).count() > 25, "{page}");
}

#[test]
fn what_was_typed_is_no_markup() {
    let body =
        format!("url={EVIL}&rate={EVIL}&headers={EVIL}").replace('&', "%26").replace("%26rate", "&rate");
    let body = body.replace("%26headers", "&headers");
    let form = Form::read(body.as_bytes()).expect_err("wrong");
    let page = start_page(&form.with_problem(EVIL), Controls::Shown);
    assert_harmless(&page);
    assert!(page.matches("&lt;script&gt;").count() >= 4, "{page}");
}

#[test]
fn the_page_loads_its_own_files_and_nothing_else() {
    let page = page_of(ten_requests(), |_| {}) + &render(Dashboard::default());
    let urls = page.split(['"', '\'']).filter(|text| text.contains("//") || text.starts_with("data:"));
    assert_eq!(urls.collect::<Vec<_>>(), [""; 0]);
    for word in ["<img", "<iframe", "url(http", "@import", " style=", "<style", "onclick", "javascript:"] {
        assert!(!page.contains(word), "{word}");
    }
    for file in page.split("src=\"").skip(1) {
        assert!(file.starts_with("/dashboard/page.js\""), "{file}");
    }
}

#[test]
fn the_order_is_what_a_reader_asks_first() {
    let lost = "Driver a was lost: it left.".to_owned();
    let page = page_of(ten_requests(), |summary| {
        summary.plan = json!({"test_id": "t", "test_type": "AVALANCHE", "duration_ms": 60_000});
        summary.total.elapsed_s = 12.0;
        summary.total.errors = [("connect".to_owned(), 1)].into();
        summary.total.lag_ms = Histogram::new().distribution();
        summary.verdict = vec![lost.clone()];
        summary.findings = vec![Finding::new("driver_lost", Severity::Warning, lost)];
        summary.series =
            vec![SeriesPoint { second: 1, requests: 9, complete: true, ..SeriesPoint::default() }];
    });
    let order = [
        "class=\"badge live\">running",
        "12.0 s</strong> of 60 s",
        "id=\"stop\"",
        "Driver a was lost",
        "<dt>rate</dt>",
        "<dt>p50</dt>",
        "<dt>p99</dt>",
        "<dt>errors</dt>",
        "<dt>lag p99</dt>",
        "<dt>busy</dt>",
        "<dt>drivers alive</dt>",
        "id=\"rate\"",
        "id=\"latency\"",
        "Errors by kind",
        "id=\"generator\"",
        "<h3>Drivers</h3>",
        "Where every request went",
        "id=\"plan\"",
    ];
    let places: Vec<_> =
        order.iter().map(|text| page.find(text).unwrap_or_else(|| panic!("{text}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(page.contains("<noscript><meta http-equiv=\"refresh\" content=\"1\"></noscript>"));
}

#[test]
fn without_the_token_there_are_no_controls() {
    let test = Summary { state: RunState::Running, test_id: "t".to_owned(), ..Summary::default() };
    let dashboard = Dashboard { test: Some(test), ..Dashboard::default() };
    let shown = page(&View { dashboard: dashboard.clone(), ..View::default() });
    assert!(shown.contains("action=\"/dashboard/stop\"") && shown.contains("action=\"/dashboard/start\""));
    let locked = View { dashboard, controls: Controls::Locked, ..View::default() };
    for text in [page(&locked), fragment(&locked), start_page(&Form::default(), Controls::Locked)] {
        assert!(!text.contains("method=\"post\"") && !text.contains("id=\"stop\""), "{text}");
        assert!(text.contains("id=\"token-value\""));
    }
}

#[test]
fn one_region_speaks_and_only_of_states() {
    let page = page_of(ten_requests(), |summary| summary.test_id = "t".to_owned());
    assert_eq!(page.matches("role=\"status\"").count() + page.matches("aria-live").count(), 1);
    assert!(page.contains("role=\"status\">Test t is running.</p>"), "{page}");
    assert!(page.contains("data-status=\"Test t is running.\""));
    assert!(!page.contains("role=\"alert\""));
}

#[test]
fn an_empty_dashboard_says_what_to_do() {
    let page = render(Dashboard::default());
    assert!(page.contains("POST /configure") && page.contains("No driver has registered yet"));
    assert!(page.contains("<dt>TSUNAMI</dt><dd>fixed interval</dd>"));
    assert!(page.contains("<dt>AVALANCHE</dt><dd>closed loop or fixed rate</dd>"));
}

#[test]
fn control_characters_are_shown_as_unknown_ones() {
    let page = page_of(Stats::default(), |summary| summary.test_id = "a\0b\u{1b}[2Jc\u{9b}d".to_owned());
    assert!(page.contains("a\u{fffd}b\u{fffd}[2Jc\u{fffd}d"));
    assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn error_statuses_are_no_good_news() {
    let status = BTreeMap::from([("200".to_owned(), 1_901), ("503".to_owned(), 99)]);
    let total = Stats { requests: 2_000, status, ..Stats::default() };
    let driver = DriverSummary { node_id: "d".to_owned(), stats: total.clone(), ..DriverSummary::default() };
    let page = page_of(total, |summary| summary.drivers = vec![driver]);
    assert!(page.contains("<p class=\"bad\">99 error statuses (4xx or 5xx)</p>"), "{page}");
    assert!(page.contains("<dd class=\"bad\">99</dd><dd class=\"remark\">4.95 % of all requests"), "{page}");
    assert!(page.contains("<td class=\"bad\">99</td>") && page.contains("status 503"));
    assert!(!page.contains("No errors"));
}

#[test]
fn the_heading_says_what_is_sent_and_hides_secrets() {
    let page = page_of(ten_requests(), |summary| {
        summary.test_type = "AVALANCHE".to_owned();
        summary.plan = json!({"test_id": "t", "test_type": "AVALANCHE", "fleet": {"rate": 2_000},
            "target_url": "http://(hidden)@h/a?key=secret", "request": {"method": "PUT"}});
    });
    assert!(page.contains("AVALANCHE (closed loop or fixed rate)"));
    assert!(page.contains("<dd>PUT http://(hidden)@h/a?…</dd>") && !page.contains("secret"));
    assert!(page.contains("<dt>load</dt><dd>2,000/s in total</dd>"));
}

#[test]
fn stale_figures_say_so() {
    let alive = FleetRow { state: "alive".to_owned(), last_seen_ms: Some(9_000), ..FleetRow::default() };
    let quiet = render(Dashboard { fleet: vec![alive.clone()], ..Dashboard::default() });
    assert!(quiet.contains("<p class=\"notice\">No driver could be heard for 9 s"), "{quiet}");
    let notices = vec!["Kafka is unavailable for 9 s (nobody answers)".to_owned()];
    let test = Summary { notices, state: RunState::Running, ..Summary::default() };
    let page = render(Dashboard { fleet: vec![alive], test: Some(test), ..Dashboard::default() });
    assert!(page.contains("not up to date: Kafka is unavailable for 9 s (nobody answers)"));
    assert_eq!(page.matches("class=\"notice\"").count(), 1, "once is enough");
}

#[test]
fn drivers_of_the_original_protocol_report_no_counts() {
    let original = DriverRowState::Original;
    let row = DriverSummary { node_id: "o".to_owned(), state: original, stats: Stats::default() };
    let page = page_of(Stats::default(), |summary| summary.drivers = vec![row]);
    assert!(page.contains("Errors are unknown") && !page.contains("No errors"));
    assert!(!page.contains("<td>0</td>"), "{page}");
}

/// Latencies like those of a real second: some hundred different values.
fn second_of_latencies(seed: u64) -> Packed {
    let mut latency = Histogram::new();
    (0..600).for_each(|n| latency.record_us(800 + (n * n * 7 + seed * 13) % 90_000));
    Packed::from(&latency)
}

/// 1,000 drivers, and as many seconds as are kept of a run of 10 hours.
fn large() -> View {
    let latency_ms = second_of_latencies(1).distribution();
    let stats = |n: u64| Stats {
        requests: 36_000_000 + n,
        responses: 36_000_000,
        throughput_rps: 1_000.0 + n as f64 / 7.0,
        latency_ms: latency_ms.clone(),
        start_skew_ms: Some(n as f64 / 1_000.0),
        busy: Some(0.5),
        cpu_wait: Some(0.01),
        ..Stats::default()
    };
    let name = |n: u64| format!("driver-{n:04}.load.example");
    let driver = |n| DriverSummary { node_id: name(n), state: DriverRowState::Running, stats: stats(n) };
    let node = |n| FleetRow {
        node_id: name(n),
        node_ip: format!("10.0.{}.{}", n / 250, n % 250),
        state: "alive".to_owned(),
        last_seen_ms: Some(n),
        epoch: Some(1_790_000_000_000 + n),
        clock_offset_ms: Some(0.123),
        clock_error_ms: Some(0.456),
        version: Some("0.1.0".to_owned()),
        ..FleetRow::default()
    };
    let point = |second: u64| SeriesPoint {
        second,
        planned: Some(1_000_000),
        requests: 1_000_000 - second * 17 % 9_999,
        responses: 999_000 + second * 31 % 999,
        errors: second % 7,
        p50_ms: Some(3.0 + second as f64 % 1.7),
        p90_ms: Some(12.0 + second as f64 % 3.1),
        p99_ms: Some(44.0 + second as f64 % 21.3),
        max_ms: Some(90.0 + second as f64 % 210.7),
        lag_p99_ms: Some(0.02 + second as f64 % 0.13),
        busy: Some(0.4 + second as f64 % 0.13),
        complete: !second.is_multiple_of(500),
        ..SeriesPoint::default()
    };
    let test = Summary {
        test_id: "ten-hours".to_owned(),
        state: RunState::Running,
        plan: json!({"test_id": "t", "test_type": "AVALANCHE", "fleet": {"rate": 1_000_000},
            "duration_ms": 36_000_000}),
        drivers: (0..1_000).map(driver).collect(),
        total: stats(0),
        series: (26_001..=36_000).map(point).collect(),
        ..Summary::default()
    };
    let history = (0..100).map(|n| HistoryRow { test_id: format!("test-{n}"), ..HistoryRow::default() });
    let dashboard = Dashboard {
        fleet: (0..1_000).map(node).collect(),
        test: Some(test),
        history: history.collect(),
        ..Dashboard::default()
    };
    let intervals = (26_001..=36_000).map(|second| (second, second_of_latencies(second))).collect();
    View { dashboard, intervals, ..View::default() }
}

/// Prints how long it takes: `cargo test --release --lib a_thousand -- --nocapture`.
#[test]
fn a_thousand_drivers_and_ten_hours_stay_below_a_megabyte() {
    let view = large();
    let mut merged = Merged::default();
    let mut shown = |query: &str| {
        let began_ns = clock::now_ns();
        let intervals = merged.of(view.dashboard.test.as_ref().expect("a test"), &view.intervals);
        let window = Window::of(query, true).expect("a range");
        let text = page(&View { dashboard: view.dashboard.clone(), intervals, window, ..View::default() });
        let ms = (clock::now_ns() - began_ns) / clock::NS_PER_MS;
        println!("{query:?}: {} bytes in {ms} ms", text.len());
        text
    };
    shown("");
    let first = shown("");
    assert!(first.len() < 300_000, "{} bytes", first.len());
    let all = shown("drivers=1-1000");
    assert!(all.len() < 1_000_000, "{} bytes", all.len());
    assert!(all.contains("driver-0999.load.example") && !first.contains("<td>driver-0999.load.example"));
    assert_eq!(all.matches("<figure").count(), 3, "rate, latency, generator");
    assert!(all.contains("Each point is"), "merged seconds");
}
