//! Results for the tests of this module.

use crate::stats::states::{DriverRowState, RunState};
use crate::stats::summary::{
    Conservation, Distribution, DriverSummary, SeriesPoint, Stats, Summary, ThresholdResult,
};
use crate::stats::verdict::{Finding, Severity};

/// A test in which nothing went wrong.
pub fn good() -> Summary {
    let latency = Distribution {
        min: 0.2,
        mean: 1.5,
        median: 1.2,
        mode: 1.1,
        p90: 2.5,
        p95: 2.9,
        p99: 3.456,
        p999: 8.0,
        max: 12.5,
        stddev: 0.7,
    };
    let total = Stats {
        requests: 1_000,
        responses: 1_000,
        status: [("200".to_owned(), 1_000)].into(),
        elapsed_s: 10.002,
        throughput_rps: 99.98,
        latency_ms: Some(latency),
        ..Stats::default()
    };
    let point = |second| SeriesPoint {
        second,
        requests: 100,
        responses: 100,
        p50_ms: Some(1.2),
        p99_ms: Some(second as f64),
        ..SeriesPoint::default()
    };
    let conservation =
        Conservation { planned: 1_000, sent: 1_000, responses: 1_000, ..Conservation::default() };
    let mut driver = row("driver-1", DriverRowState::Done);
    driver.stats = total.clone();
    Summary {
        schema: crate::stats::summary::SCHEMA.to_owned(),
        test_id: "t-1".to_owned(),
        test_type: "AVALANCHE".to_owned(),
        state: RunState::Completed,
        plan: serde_json::json!({"test_id": "t-1", "test_type": "AVALANCHE"}),
        started_at: Some(1_790_000_001_000.5),
        total,
        drivers: vec![driver],
        conservation,
        verdict: vec!["OK: schedule met, no errors.".to_owned()],
        findings: vec![finding("all_well", Severity::Info, "OK: schedule met, no errors.")],
        series: (1..=10).map(point).collect(),
        ..Summary::default()
    }
}

/// A driver's row without figures.
pub fn row(name: &str, state: DriverRowState) -> DriverSummary {
    DriverSummary { node_id: name.to_owned(), state, ..DriverSummary::default() }
}

/// A finding about nobody.
pub fn finding(code: &str, severity: Severity, text: &str) -> Finding {
    Finding::new(code, severity, text.to_owned())
}

/// A judged threshold.
pub fn threshold(expression: &str, value: Option<f64>, passed: bool) -> ThresholdResult {
    ThresholdResult { expression: expression.to_owned(), value, passed, since_s: None }
}
