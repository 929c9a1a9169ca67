//! The page as a whole.

use super::{STYLE, render};
use crate::orchestrator::dashboard::{Dashboard, FleetRow, HistoryRow};
use crate::stats::causes::ErrorSample;
use crate::stats::states::{DriverRowState, RunState};
use crate::stats::summary::{DriverSummary, SeriesPoint, Stats, Summary};
use crate::stats::verdict::{Finding, Severity};
use serde_json::json;
use std::collections::BTreeMap;

const EVIL: &str = "<script>alert('x')</script>\"&";

#[test]
fn nothing_from_outside_is_markup() {
    let evil = || EVIL.to_owned();
    let errors = BTreeMap::from([(evil(), 1)]);
    let row = DriverSummary { node_id: evil(), state: DriverRowState::Done, stats: Stats::default() };
    let summary = Summary {
        test_id: evil(),
        test_type: evil(),
        verdict: vec![evil()],
        drivers: vec![row],
        total: Stats { errors, ..Stats::default() },
        ..Summary::default()
    };
    let node = FleetRow {
        node_id: evil(),
        node_ip: evil(),
        state: evil(),
        activity: Some(evil()),
        test_id: Some(evil()),
        version: Some(evil()),
        ..FleetRow::default()
    };
    let old = HistoryRow { test_id: evil(), test_type: evil(), ..HistoryRow::default() };
    let page = render(&Dashboard {
        fleet: vec![node],
        test: Some(summary),
        history: vec![old],
        ..Dashboard::default()
    });
    assert!(!page.contains("<script") && !page.contains("alert('x')"));
    assert!(page.matches("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;").count() >= 12);
}

#[test]
fn an_empty_dashboard_says_what_to_do() {
    let page = render(&Dashboard::default());
    assert!(page.contains("POST /configure starts one") && page.contains("No driver"));
    assert!(!page.contains("http://") && !page.contains("https://"), "no outside resources");
}

/// A running test of the given figures.
fn page(total: Stats, change: impl FnOnce(&mut Summary)) -> String {
    let mut summary = Summary { state: RunState::Running, total, ..Summary::default() };
    change(&mut summary);
    render(&Dashboard { test: Some(summary), ..Dashboard::default() })
}

fn ten_requests() -> Stats {
    Stats { requests: 10, responses: 10, ..Stats::default() }
}

#[test]
fn neither_is_what_went_wrong_nor_the_plan() {
    let evil = || EVIL.to_owned();
    let sample = ErrorSample { kind: evil(), cause: evil(), count: 1, drivers: vec![evil()] };
    let status = BTreeMap::from([(format!("9{EVIL}"), 1)]);
    let page = page(Stats { status, ..Stats::default() }, |summary| {
        summary.notices = vec![evil()];
        summary.verdict = vec![evil()];
        summary.findings = vec![Finding::new(EVIL, Severity::Failure, evil())];
        summary.error_samples = vec![sample];
        summary.plan = json!({"test_id": EVIL, "test_type": "TSUNAMI", "target_url": EVIL,
            "request": {"method": "<b>", "headers": [[EVIL, EVIL]], "body": EVIL}});
    });
    assert!(!page.contains("<script") && !page.contains("alert('x')") && !page.contains("<b>"));
    // Notice, verdict, kind, cause, driver, target, and the status in two places.
    assert_eq!(page.matches("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;").count(), 8);
    assert!(page.contains("&lt;b&gt;"));
}

#[test]
fn control_characters_are_shown_as_unknown_ones() {
    let page = page(Stats::default(), |summary| summary.test_id = "a\0b\u{1b}[2Jc\u{9b}d".to_owned());
    assert!(page.contains("a\u{fffd}b\u{fffd}[2Jc\u{fffd}d"));
    assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
    assert!(page.contains(STYLE), "the style has nothing to be replaced");
}

#[test]
fn error_statuses_are_no_good_news() {
    let status = BTreeMap::from([("200".to_owned(), 1_901), ("503".to_owned(), 99)]);
    let total = Stats { requests: 2_000, status, ..Stats::default() };
    let driver = DriverSummary { node_id: "d".to_owned(), stats: total.clone(), ..DriverSummary::default() };
    let page = page(total, |summary| summary.drivers = vec![driver]);
    assert!(page.contains("<p class=\"bad\">99 error statuses (4xx or 5xx)</p>"), "{page}");
    assert!(page.contains("<strong class=\"bad\">99</strong><span class=\"remark\">4.95 % of all requests"));
    assert_eq!(
        page.matches("<td class=\"bad\">99</td>").count(),
        4,
        "as errors and as statuses, of all and of d"
    );
    assert!(page.contains("status 503"));
    assert!(!page.contains("No errors"));
}

#[test]
fn the_verdict_stands_before_the_figures() {
    let lost = "Driver a was lost: it left.".to_owned();
    let page = page(ten_requests(), |summary| {
        summary.verdict = vec![lost.clone()];
        summary.findings = vec![Finding::new("driver_lost", Severity::Warning, lost)];
    });
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(place("was lost") < place("No errors"));
    assert!(place("No errors") < place("responses/s"));
    assert!(page.contains("<ul class=\"verdict warn\"><li class=\"warn\">Driver a was lost"));
    assert!(page.contains("http-equiv=\"refresh\" content=\"1\""));
}

#[test]
fn the_heading_says_what_is_sent_and_the_types_are_explained() {
    let page = page(ten_requests(), |summary| {
        summary.test_type = "AVALANCHE".to_owned();
        summary.plan = json!({"test_id": "t", "test_type": "AVALANCHE", "fleet": {"rate": 2_000},
            "target_url": "http://(hidden)@h/a?key=secret", "request": {"method": "PUT"}});
    });
    assert!(page.contains("AVALANCHE (closed loop or fixed rate)"));
    assert!(page.contains("<dd>PUT http://(hidden)@h/a?…</dd>") && !page.contains("secret"));
    assert!(page.contains("<dt>load</dt><dd>2,000/s in total</dd>"));
    let empty = render(&Dashboard::default());
    assert!(empty.contains("<dt>TSUNAMI</dt><dd>fixed interval</dd>"));
    assert!(empty.contains("<dt>AVALANCHE</dt><dd>closed loop or fixed rate</dd>"));
}

#[test]
fn stale_figures_say_so() {
    let alive = FleetRow { state: "alive".to_owned(), last_seen_ms: Some(9_000), ..FleetRow::default() };
    let quiet = render(&Dashboard { fleet: vec![alive.clone()], ..Dashboard::default() });
    assert!(quiet.contains("<p class=\"notice\">No driver could be heard for 9 s"), "{quiet}");
    let notices = vec!["Kafka is unavailable for 9 s (nobody answers)".to_owned()];
    let test = Summary { notices, state: RunState::Running, ..Summary::default() };
    let page = render(&Dashboard { fleet: vec![alive], test: Some(test), ..Dashboard::default() });
    assert!(page.contains("not up to date: Kafka is unavailable for 9 s (nobody answers)"));
    assert_eq!(page.matches("class=\"notice\"").count(), 1, "once is enough");
}

#[test]
fn drivers_of_the_original_protocol_report_no_counts() {
    let original = DriverRowState::Original;
    let row = DriverSummary { node_id: "o".to_owned(), state: original, stats: Stats::default() };
    let page = page(Stats::default(), |summary| summary.drivers = vec![row]);
    assert!(page.contains("Errors are unknown") && !page.contains("No errors"));
    assert!(!page.contains("<td>0</td>"), "{page}");
}

#[test]
fn incomplete_seconds_are_marked_on_the_page() {
    let page = page(ten_requests(), |summary| {
        summary.series = vec![SeriesPoint { second: 7, complete: false, ..SeriesPoint::default() }];
    });
    assert!(
        page.contains("<td class=\"warn\">7</td>")
            && page.contains("<td class=\"text warn\">incomplete</td>")
    );
}

#[test]
fn the_page_loads_nothing_and_sends_nothing() {
    let page = page(ten_requests(), |_| {});
    for word in
        ["<script", "<img", "<link", "<form", "<iframe", "src=", "href=", "url(", "@import", " style="]
    {
        assert!(!page.contains(word), "{word}");
    }
    assert!(
        page.contains(
            "default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; base-uri &#39;none&#39;"
        )
    );
}
