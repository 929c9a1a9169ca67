//! Records of the original protocol and malformed records: what is readable is used, and none of them ends
//! a run.

use super::{System, on_both};
use crate::support::kafka;
use floodgate::bus::kafka::{KafkaConnector, KafkaSettings};
use floodgate::bus::{Bus, Connector, Topic};
use serde_json::json;
use std::time::Duration;

on_both!(records_of_other_programs_never_stop_a_run);

const SOON: Duration = Duration::from_secs(10);
/// A driver of the original protocol with common variations: no epoch, numbers as strings.
const ORIGINAL: [(Topic, &str); 4] = [
    (Topic::Register, r#"{"node_id": "old", "node_ip": "10.1.2.3", "message_type": "DRIVER_NODE_REGISTER"}"#),
    (Topic::Heartbeat, r#"{"node_id": "old", "heartbeat": "YES", "timestamp": "1700000000000"}"#),
    (Topic::Heartbeat, r#"{"node_id": "old", "heartbeat": "YES", "timestamp": "2023-11-14 22:13:20"}"#),
    (
        Topic::Metrics,
        r#"{"node_id": "old", "test_id": "t", "report_id": 7, "metrics":
            {"mean_latency": "12.5", "median_latency": "11", "min_latency": 3, "max_latency": "99.5"}}"#,
    ),
];

fn write(bus: &mut dyn Bus, topic: Topic, value: &[u8]) {
    bus.publish(topic, "old", value, SOON).expect("publish");
}

/// Writes to every topic: invalid UTF-8, text that is not JSON, unexpected JSON, wrong fields, large records.
fn write_malformed(bus: &mut dyn Bus, test_id: &str) {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let large = format!(r#"{{"node_id": "{}"}}"#, "x".repeat(900_000));
    let report = format!(
        r#"{{"node_id": "d1", "test_id": "{test_id}", "report_id": "r", "epoch": 1, "sequence": -5, "metrics": "none"}}"#
    );
    let malformed: [&[u8]; 10] = [
        b"",
        b"\xff\xfe\x00\x01",
        b"garbage",
        b"[]",
        b"{}",
        br#"{"node_id": null, "test_id": {}, "trigger": 5}"#,
        report.as_bytes(),
        br#"{"node_id": "d1", "heartbeat": "YES", "state": "flying", "epoch": "never", "timestamp": 0}"#,
        deep.as_bytes(),
        large.as_bytes(),
    ];
    for topic in Topic::ALL {
        malformed.iter().for_each(|value| write(bus, topic, value));
    }
}

fn records_of_other_programs_never_stop_a_run(version: &str) {
    let _peace = kafka::in_peace();
    let broker = kafka::broker(version);
    let mut system = System::start(&broker, "tolerance");
    let settings =
        KafkaSettings { topic_prefix: system.prefix.clone(), ..KafkaSettings::new(vec![broker.clone()]) };
    let mut bus = KafkaConnector::new(settings).expect("settings").open();
    write_malformed(bus.as_mut(), "earlier");
    let (mut one, _two) = (system.driver("d1"), system.driver("d2"));
    system.wait_alive(&["d1", "d2"]);
    ORIGINAL[..3].iter().for_each(|(topic, value)| write(bus.as_mut(), *topic, value.as_bytes()));
    let old = system.wait_state("old", "alive");
    assert_eq!((old.node_ip.as_str(), old.epoch, old.activity), ("10.1.2.3", None, None));

    let plan = json!({"test_id": "t", "test_type": "Tsunami", "test_message_delay": "20",
        "message_count_per_driver": "200"});
    assert_eq!(system.configure(&plan), ["d1", "d2"], "the test never waits for the original driver");
    system.wait_second("t", 1);
    write_malformed(bus.as_mut(), "t");
    write(bus.as_mut(), ORIGINAL[3].0, ORIGINAL[3].1.as_bytes());
    write(bus.as_mut(), Topic::Trigger, br#"{"test_id": "another", "trigger": "STOP"}"#);
    let summary = system.wait_over("t", "completed");

    assert_eq!(summary.drivers.len(), 3);
    let row = summary.drivers.iter().find(|row| row.node_id == "old").expect("a separate row");
    let latency = row.stats.latency_ms.as_ref().expect("its latencies");
    assert_eq!((latency.mean, latency.median, latency.min, latency.max), (12.5, 11.0, 3.0, 99.5));
    assert_eq!(row.state, "original");
    assert_eq!((summary.total.requests, summary.conservation.target_seen), (400, Some(400)));
    let verdict = summary.verdict.join("\n");
    assert!(verdict.contains("original protocol are left out of the merged figures: old"), "{verdict}");
    assert_eq!(system.orchestrator.line("not understood").matches('\n').count(), 1);
    assert!(one.line("not understood").len() < 500, "no record is quoted in full");
    let said = system.orchestrator.said();
    assert!(said.len() < 20_000, "{} bytes of log: malformed input must not flood the log", said.len());
}
