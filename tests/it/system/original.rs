//! A fleet of drivers of the original protocol (`tests/original/driver.py`, based on kafka-python), alone
//! and alongside ours.

use super::process::wait;
use super::{System, on_both};
use crate::raw_http;
use crate::support::kafka;
use floodgate::clock;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

on_both!(original_drivers_run_a_test_alone, original_drivers_run_alongside_ours);

/// The Python interpreter that has kafka-python.
fn python() -> String {
    let made = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/python-env")).output().expect("starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8_lossy(&made.stdout).trim().to_owned()
}

/// One driver of this fleet. Its process ends when this is dropped.
struct Old(Child);

impl Old {
    fn start(system: &System, python: &str, node_id: &str, more: &[&str]) -> Old {
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/original/driver.py"));
        command.args(["--kafka", &system.broker, "--prefix", &system.prefix, "--node-id", node_id]);
        command.args(["--target", &system.url()]).args(more).stdin(Stdio::piped()).stdout(Stdio::null());
        Old(command.spawn().expect("starts"))
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_known(system: &System, names: &[&str]) {
    wait(
        &format!("{names:?}"),
        || system.fleet_text(),
        || names.iter().all(|name| system.row(name).is_some()).then_some(()),
    );
}

fn configure(system: &System, plan: &Value) -> Value {
    let answer = raw_http::post(system.addr, "/configure", &plan.to_string());
    assert_eq!(answer.status, 202, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

fn original_drivers_run_a_test_alone(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "old");
    let python = python();
    let _olds = [
        Old::start(&system, &python, "m1", &[]),
        Old::start(&system, &python, "m2", &["--spelling", "Mean", "--always"]),
        Old::start(&system, &python, "m3", &["--spelling", "short"]),
    ];
    wait_known(&system, &["m1", "m2", "m3"]);
    system.wait_state("m1", "silent");
    let plan = json!({"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 20, "duration_ms": 1000,
        "timeout_ms": 2000});
    // In the first seconds there may be drivers of ours that have not been heard from yet.
    wait(
        "the certainty that there are no other drivers",
        || system.fleet_text(),
        || {
            let probe = json!({"test_id": "p", "test_type": "AVALANCHE"});
            (raw_http::post(system.addr, "/configure", &probe.to_string()).status == 400).then_some(())
        },
    );
    let configured = configure(&system, &plan);
    assert_eq!(configured["original"], json!(["m1", "m2", "m3"]));
    let summary = system.wait_over("t", "completed");
    let rows: Vec<_> = summary.drivers.iter().map(|row| (row.node_id.as_str(), row.state.as_str())).collect();
    assert_eq!(rows, [("m1", "original"), ("m2", "original"), ("m3", "original")], "{:#?}", summary.verdict);
    for row in &summary.drivers {
        let latency = row.stats.latency_ms.as_ref().expect("its figures");
        assert!(
            latency.min > 0.0 && latency.min <= latency.mean && latency.mean <= latency.max,
            "{latency:?}"
        );
        assert_eq!(latency.median.is_nan(), row.node_id == "m3", "m3 reports none: {latency:?}");
    }
    assert!(
        summary.verdict[0].contains("m1, m2, m3") && summary.verdict.len() == 1,
        "{:#?}",
        summary.verdict
    );
    assert_eq!(system.target_count(), 150, "50 each, from the duration and the delay");
    assert_eq!(summary.total.requests, 0, "no figure is invented");
}

fn original_drivers_run_alongside_ours(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "mixed");
    let python = python();
    let _olds = [Old::start(&system, &python, "m1", &[]), Old::start(&system, &python, "m2", &["--always"])];
    let _ours = [system.driver("d1"), system.driver("d2")];
    wait_known(&system, &["m1", "m2"]);
    system.wait_alive(&["d1", "d2"]);
    let plan = json!({"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 20,
        "message_count_per_driver": 100, "timeout_ms": 2000});
    let configured = configure(&system, &plan);
    assert_eq!(
        (&configured["drivers"], &configured["original"]),
        (&json!(["d1", "d2"]), &json!(["m1", "m2"]))
    );
    let summary = system.wait_over("t", "completed");
    assert_eq!(summary.drivers.len(), 4, "{:#?}", summary.drivers);
    let counts = &summary.conservation;
    assert_eq!(
        (counts.planned, counts.sent, counts.responses, counts.errors),
        (200, 200, 200, 0),
        "{counts:?}"
    );
    assert!(counts.differences().is_empty(), "{:?}", counts.differences());
    let beyond = counts.target_beyond;
    assert!((1..=200).contains(&beyond) && counts.target_seen == Some(200 + beyond), "{counts:?}");
    let verdict = summary.verdict.join("\n");
    assert!(verdict.contains("left out of the merged figures: m1, m2"), "{verdict}");
    assert!(verdict.contains("presumably sent by original drivers m1, m2"), "{verdict}");
    assert!(!verdict.contains("do not agree") && !verdict.contains("was lost"), "{verdict}");
    // Their requests take a little longer than ours, whose end closed the run.
    wait(
        "all requests",
        || system.target_count().to_string(),
        || (system.target_count() == 400).then_some(()),
    );

    let endless = json!({"test_id": "s", "test_type": "TSUNAMI", "test_message_delay": 20,
        "message_count_per_driver": 100_000, "timeout_ms": 2000});
    configure(&system, &endless);
    system.wait_second("s", 1);
    clock::sleep(Duration::from_millis(500));
    assert_eq!(raw_http::post(system.addr, "/stop", "{}").status, 202);
    let stopped = system.wait_over("s", "aborted").verdict.join("\n");
    assert!(stopped.contains("do not understand STOP: m1, m2 may still be sending"), "{stopped}");
}
