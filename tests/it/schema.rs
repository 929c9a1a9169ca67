//! `docs/summary.schema.json` against the results that the code writes: every field is in the schema, and
//! every field of the schema is written by the code. `.ci/saved.py` validates real results with a library.

use floodgate::stats::causes::ErrorSample;
use floodgate::stats::check_samples::CheckSample;
use floodgate::stats::states::{DriverRowState, RunState};
use floodgate::stats::summary::{
    Conservation, Distribution, DriverSummary, RequestSummary, SCHEMA, SeriesPoint, Stats, Summary,
    ThresholdResult,
};
use floodgate::stats::verdict::{Finding, Severity};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../docs/summary.schema.json")).expect("JSON")
}

/// A result in which no field is omitted.
fn filled() -> Summary {
    let distribution = Distribution {
        min: 1.0,
        mean: 1.0,
        median: 1.0,
        mode: 1.0,
        p90: 1.0,
        p95: 1.0,
        p99: 1.0,
        p999: 1.0,
        max: 1.0,
        stddev: 1.0,
    };
    let stats = Stats {
        requests: 1,
        responses: 1,
        queued: 1,
        resent: 1,
        errors: [("timeout".to_owned(), 1)].into(),
        status: [("200".to_owned(), 1)].into(),
        failed_checks: 1,
        truncated_checks: 1,
        checks: [("status".to_owned(), 1)].into(),
        bytes_received: 1,
        elapsed_s: 1.0,
        throughput_rps: 1.0,
        latency_ms: Some(distribution.clone()),
        service_ms: Some(distribution.clone()),
        lag_ms: Some(distribution.clone()),
        connect_ms: Some(distribution.clone()),
        tls_ms: Some(distribution),
        start_skew_ms: Some(1.0),
        busy: Some(1.0),
        cpu_wait: Some(1.0),
        rest: Some(1.0),
    };
    let driver = DriverSummary { node_id: "d".to_owned(), state: DriverRowState::Done, stats: stats.clone() };
    let finding = Finding {
        driver: Some("d".to_owned()),
        ..Finding::new("driver_lost", Severity::Warning, "Lost.".to_owned())
    };
    let sample = ErrorSample {
        kind: "timeout".to_owned(),
        cause: "none".to_owned(),
        count: 1,
        drivers: vec!["d".to_owned()],
    };
    let point = SeriesPoint {
        second: 1,
        planned: Some(1),
        requests: 1,
        responses: 1,
        errors: 1,
        error_statuses: 1,
        failed_checks: 1,
        queued: 1,
        p50_ms: Some(1.0),
        p90_ms: Some(1.0),
        p99_ms: Some(1.0),
        max_ms: Some(1.0),
        lag_p99_ms: Some(1.0),
        busy: Some(1.0),
        complete: true,
    };
    Summary {
        schema: SCHEMA.to_owned(),
        test_id: "t".to_owned(),
        test_type: "AVALANCHE".to_owned(),
        state: RunState::Completed,
        plan: json!({"test_id": "t", "test_type": "AVALANCHE"}),
        started_at: Some(1.0),
        total: stats.clone(),
        drivers: vec![driver],
        requests: vec![RequestSummary {
            name: "a".to_owned(),
            method: "GET".to_owned(),
            url: "http://h/".to_owned(),
            stats,
        }],
        comparison: Some(json!({})),
        thresholds: vec![ThresholdResult {
            expression: "p99 > 1s".to_owned(),
            value: Some(1.0),
            passed: true,
            since_s: Some(1),
        }],
        conservation: conservation(),
        notices: vec!["Late.".to_owned()],
        verdict: vec!["Lost.".to_owned()],
        findings: vec![finding],
        error_samples: vec![sample],
        check_samples: vec![CheckSample {
            request: Some("a".to_owned()),
            at_ms: 1,
            driver: Some("d".to_owned()),
            checks: vec!["status".to_owned()],
            status: 500,
            body: "x".to_owned(),
            body_bytes: 1,
        }],
        series: vec![point],
    }
}

fn conservation() -> Conservation {
    Conservation {
        planned: 1,
        sent: 1,
        resent: 1,
        never_sent: 1,
        lost: 1,
        lost_unknown: true,
        lost_in_flight: 1,
        responses: 1,
        errors: 1,
        warmup_sent: 1,
        warmup_errors: 1,
        target_seen: Some(1),
        target_beyond: 1,
        reports_missing: 1,
    }
}

/// What a walk through a value and its schema found.
#[derive(Default)]
struct Walk {
    problems: Vec<String>,
    /// The objects of the schema that were met, with the fields that they have.
    met: BTreeSet<String>,
}

impl Walk {
    fn value(&mut self, root: &Value, schema: &Value, value: &Value, path: &str) {
        let schema = resolved(root, schema, value);
        if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
            self.problems.push(format!("{path}: {value} is none of {words:?}"));
        }
        match value {
            Value::Object(fields) => self.object(root, schema, fields, path),
            Value::Array(items) => {
                let path = format!("{path}[]");
                items.iter().for_each(|item| self.value(root, &schema["items"], item, &path));
            }
            _ => {}
        }
    }

    fn object(&mut self, root: &Value, schema: &Value, fields: &serde_json::Map<String, Value>, path: &str) {
        let (known, others) = (schema["properties"].as_object(), &schema["additionalProperties"]);
        for (name, value) in fields {
            let path = format!("{path}.{name}");
            match known.and_then(|known| known.get(name)) {
                Some(schema) => self.value(root, schema, value, &path),
                None if others == &json!(false) || others.is_null() => {
                    self.problems.push(format!("{path} is not in the schema"));
                }
                None => {}
            }
        }
        for name in known.into_iter().flatten().map(|(name, _)| name) {
            if !fields.contains_key(name) && others != &json!(true) {
                self.problems.push(format!("{path}.{name} is in the schema, but was not written"));
            }
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap_or_default()) {
                self.problems.push(format!("{path}.{name} is required, but was not written"));
            }
        }
        self.met.insert(path.to_owned());
    }
}

/// The part of the schema that a value must follow, behind references and choices.
fn resolved<'a>(root: &'a Value, schema: &'a Value, value: &Value) -> &'a Value {
    if let Some(path) = schema["$ref"].as_str() {
        return resolved(root, root.pointer(path.trim_start_matches('#')).expect(path), value);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let choice = choices.iter().find(|choice| (choice["type"] == "null") == value.is_null());
        return resolved(root, choice.expect("a choice"), value);
    }
    schema
}

fn walked(value: &Value) -> Walk {
    let (root, mut walk) = (schema(), Walk::default());
    walk.value(&root, &root, value, "$");
    walk
}

#[test]
fn every_field_of_a_result_is_in_the_schema_and_the_reverse() {
    let walk = walked(&serde_json::to_value(filled()).expect("JSON"));
    assert_eq!(walk.problems, [""; 0]);
    assert!(walk.met.contains("$.drivers[].latency_ms") && walk.met.contains("$.series[]"), "{:?}", walk.met);
}

#[test]
fn a_field_that_one_of_them_lacks_is_found() {
    let mut value = serde_json::to_value(filled()).expect("JSON");
    value["series"][0]["novel"] = json!(1);
    value["total"].as_object_mut().expect("an object").remove("rest");
    value["drivers"][0].as_object_mut().expect("an object").remove("requests");
    let problems = walked(&value).problems.join("\n");
    for expected in [
        "$.series[].novel is not in the schema",
        "$.total.rest is in the schema, but was not written",
        "$.drivers[].\"requests\" is required, but was not written",
    ] {
        assert!(problems.contains(expected), "{problems}");
    }
}

#[test]
fn every_state_is_in_the_schema() {
    let root = schema();
    let words = |path: &str| root.pointer(path).and_then(Value::as_array).expect(path).clone();
    let runs = words("/properties/state/enum");
    for state in [
        RunState::Ready,
        RunState::Running,
        RunState::Finishing,
        RunState::Completed,
        RunState::Aborted,
        RunState::Failed,
        RunState::Unknown,
    ] {
        assert!(runs.contains(&json!(state)), "{state}");
    }
    let rows = words("/$defs/driver/properties/state/enum");
    use DriverRowState as D;
    for state in [D::Waiting, D::Ready, D::Running, D::Finishing, D::Done, D::Lost, D::Unreported, D::Refused]
    {
        assert!(rows.contains(&json!(state)), "{state}");
    }
    assert!(rows.contains(&json!(D::Original)) && rows.contains(&json!(D::Unknown)));
    assert_eq!((runs.len(), rows.len()), (7, 10));
    assert_eq!(root["properties"]["schema"]["const"], SCHEMA);
    for severity in [Severity::Info, Severity::Warning, Severity::Failure] {
        assert!(words("/$defs/finding/properties/severity/enum").contains(&json!(severity)));
    }
}
