//! The whole document, and the dashboard that reads it.

use super::figures::{BOUNDS_US, Driver, NamedFigures};
use super::*;
use crate::clock::to_ns;
use crate::orchestrator::dashboard::FleetRow;
use crate::stats::histogram::{Histogram, Packed};
use std::collections::BTreeSet;

/// The names of the issue.
const NAMES: [&str; 21] = [
    "floodgate_build_info",
    "floodgate_driver_busy_ratio",
    "floodgate_driver_clock_offset_seconds",
    "floodgate_driver_last_seen_timestamp_seconds",
    "floodgate_drivers",
    "floodgate_failed_checks_total",
    "floodgate_lag_seconds",
    "floodgate_latency_seconds",
    "floodgate_received_bytes_total",
    "floodgate_reports_missing",
    "floodgate_request_errors_total",
    "floodgate_requests_never_sent_total",
    "floodgate_requests_planned_total",
    "floodgate_requests_queued_total",
    "floodgate_requests_sent_total",
    "floodgate_responses_total",
    "floodgate_test_end_timestamp_seconds",
    "floodgate_test_info",
    "floodgate_test_start_timestamp_seconds",
    "floodgate_test_state",
    "floodgate_threshold_passed",
];

fn ready(test_id: &str) -> TestFigures {
    TestFigures {
        test_id: test_id.to_owned(),
        test_type: "AVALANCHE",
        drivers: [("driver-1".to_owned(), Driver::ready())].into(),
        latency: Histogram::new().cumulative(&BOUNDS_US),
        lag: Histogram::new().cumulative(&BOUNDS_US),
        thresholds: [("p99 > \"1s\"".to_owned(), true)].into(),
        ..TestFigures::default()
    }
}

fn scrape(tests: Vec<TestFigures>) -> String {
    let row = |name: &str, state: &str| FleetRow {
        node_id: name.to_owned(),
        state: state.to_owned(),
        last_seen_ms: Some(1_500),
        ..FleetRow::default()
    };
    let fleet = vec![row("driver-1", "alive"), row("driver-2", "dead")];
    render(&Scrape { now_s: 1_790_000_000.0, fleet, tests })
}

fn samples(text: &str) -> Vec<(String, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pair = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    lines.map(pair).collect()
}

fn families(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn all_series_exist_at_0_from_the_beginning() {
    let text = scrape(vec![ready("t-1")]);
    assert_eq!(families(&text), BTreeSet::from(NAMES));
    let not_0 = ["build_info", "floodgate_drivers", "last_seen", "test_info", "ready", "threshold_passed"];
    for (name, value) in samples(&text) {
        let is_0 = !not_0.iter().any(|part| name.contains(part)) || name.contains("state=\"left\"");
        assert!(!is_0 || value == 0.0, "{name} {value}");
    }
    for expected in [
        "floodgate_drivers{state=\"alive\"} 1\n",
        "floodgate_drivers{state=\"silent\"} 0\n",
        "floodgate_driver_last_seen_timestamp_seconds{driver=\"driver-2\"} 1789999998.5\n",
        "floodgate_test_state{test_id=\"t-1\",state=\"ready\"} 1\n",
        "floodgate_test_state{test_id=\"t-1\",state=\"running\"} 0\n",
        "floodgate_responses_total{test_id=\"t-1\",driver=\"driver-1\",code=\"200\"} 0\n",
        "floodgate_request_errors_total{test_id=\"t-1\",driver=\"driver-1\",kind=\"timeout\"} 0\n",
        "floodgate_threshold_passed{test_id=\"t-1\",expression=\"p99 > \\\"1s\\\"\"} 1\n",
        "floodgate_latency_seconds_bucket{test_id=\"t-1\",le=\"0.0001\"} 0\n",
        "floodgate_latency_seconds_bucket{test_id=\"t-1\",le=\"60\"} 0\n",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn named_requests_have_families_of_their_own() {
    let mut latency = Histogram::new();
    latency.record_us(1_500);
    let figures = NamedFigures {
        sent: 3,
        failed_checks: 2,
        outcomes: Driver::ready(),
        latency: latency.cumulative(&BOUNDS_US),
    };
    let test = TestFigures { requests: vec![("order".to_owned(), figures)], ..ready("t-1") };
    let text = scrape(vec![test, ready("t-2")]);
    for expected in [
        "floodgate_named_requests_sent_total{test_id=\"t-1\",name=\"order\"} 3\n",
        "floodgate_named_responses_total{test_id=\"t-1\",name=\"order\",code=\"200\"} 0\n",
        "floodgate_named_request_errors_total{test_id=\"t-1\",name=\"order\",kind=\"timeout\"} 0\n",
        "floodgate_named_failed_checks_total{test_id=\"t-1\",name=\"order\"} 2\n",
        "floodgate_named_latency_seconds_bucket{test_id=\"t-1\",name=\"order\",le=\"0.0016\"} 1\n",
        "floodgate_named_latency_seconds_count{test_id=\"t-1\",name=\"order\"} 1\n",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert_eq!(families(&text).difference(&BTreeSet::from(NAMES)).count(), 5);
}

#[test]
fn no_series_appears_twice_and_every_family_has_one_block() {
    let text = scrape(vec![ready("t-1"), ready("t-2")]);
    let names: Vec<String> = samples(&text).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert_eq!(text.matches("# TYPE ").count(), families(&text).len());
}

#[test]
fn buckets_are_five_a_decade_from_100_us_to_60_s() {
    assert_eq!((BOUNDS_US[0], BOUNDS_US[29]), (100, 60_000_000));
    for start in [100, 1_000, 10_000, 100_000, 1_000_000] {
        let decade = BOUNDS_US.iter().filter(|bound| (start..10 * start).contains(*bound));
        assert_eq!(decade.count(), 5, "from {start} µs");
    }
}

#[test]
fn histograms_are_cumulative_and_end_with_their_count() {
    let mut latency = Histogram::new();
    [90, 100, 1_000, 30_000_000, 70_000_000].iter().for_each(|us| latency.record_us(*us));
    let test = TestFigures { latency: latency.cumulative(&BOUNDS_US), ..ready("t-1") };
    let text = scrape(vec![test]);
    for (le, n) in [("0.0001", 2), ("0.00063", 2), ("0.001", 3), ("25", 3), ("40", 4), ("60", 4), ("+Inf", 5)]
    {
        let line = format!("floodgate_latency_seconds_bucket{{test_id=\"t-1\",le=\"{le}\"}} {n}\n");
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert!(text.contains("floodgate_latency_seconds_count{test_id=\"t-1\"} 5\n"), "{text}");
    let sum = samples(&text).into_iter().find(|(name, _)| name.starts_with("floodgate_latency_seconds_sum"));
    let sum = sum.expect("a sum").1;
    assert!((sum - 100.00119).abs() < 0.1, "{sum}");
}

#[test]
fn a_test_stays_until_the_next_one_and_for_five_minutes() {
    let mut ended = Ended::default();
    let listed = |ended: &Ended, now_ns: u64, newest: bool| -> Vec<String> {
        ended.listed(now_ns, newest).map(|test| test.test_id.clone()).collect()
    };
    ended.add(ready("t-1"), Packed::default(), 0);
    let kept = to_ns(KEPT);
    assert_eq!(listed(&ended, 100 * kept, true), ["t-1"], "nothing came after it");
    assert_eq!(listed(&ended, kept - 1, false), ["t-1"]);
    assert_eq!(listed(&ended, kept, false), [""; 0]);
    ended.add(ready("t-2"), Packed::default(), kept - 1);
    assert_eq!(listed(&ended, kept - 1, true), ["t-2", "t-1"]);
    assert_eq!(listed(&ended, kept, true), ["t-2"]);
    assert!(ended.latency("t-1").is_some() && ended.latency("t-3").is_none());
    (0..50).for_each(|n| ended.add(ready(&n.to_string()), Packed::default(), kept));
    assert_eq!(listed(&ended, kept, true).len(), MAX_ENDED);
}

/// Every word of an expression that begins like a metric of ours.
fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("floodgate_"))
}

#[test]
fn the_dashboard_for_grafana_uses_existing_metrics_only() {
    let text = include_str!("../../../deploy/grafana.json");
    let dashboard: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut used = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            let expression = target["expr"].as_str().expect("an expression");
            let known: Vec<&str> = metrics(expression).collect();
            assert!(!known.is_empty(), "{expression}");
            used.extend(known);
        }
    }
    for variable in dashboard["templating"]["list"].as_array().expect("variables") {
        used.extend(variable["query"]["query"].as_str().into_iter().flat_map(metrics));
    }
    let exposed = families(&scrape(vec![ready("t-1")]))
        .into_iter()
        .flat_map(|name| ["", "_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")))
        .collect::<BTreeSet<String>>();
    let unknown: Vec<&&str> = used.iter().filter(|name| !exposed.contains(**name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(used.len() > 12, "{used:?}");
}
