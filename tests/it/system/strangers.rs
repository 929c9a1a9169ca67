//! Kafka's own Java consumer reads the five topics and finds the fields of the original protocol.

use super::{System, assert_exact, on_both};
use crate::raw_http;
use crate::support::kafka;
use serde_json::{Value, json};

on_both!(a_java_client_finds_the_original_fields);

/// All records of the five topics, as Kafka's console consumer prints them.
fn consume(system: &System, version: &str) -> Vec<Value> {
    let topics = format!("{}(register|test_config|trigger|metrics|heartbeat)", system.prefix);
    let consumer = ["tool", version, "org.apache.kafka.tools.consumer.ConsoleConsumer"];
    let from = ["--bootstrap-server", &system.broker, "--include", &topics, "--from-beginning"];
    let printed = kafka::script(&[&consumer[..], &from, &["--timeout-ms", "8000"]].concat());
    printed.lines().map(|line| serde_json::from_str(line).expect("JSON on one line")).collect()
}

/// Whether a field's value has the expected type.
type Kind = fn(&Value) -> bool;
const TEXT: Kind = Value::is_string;
const NUMBER: Kind = Value::is_number;

/// The records that have all of these fields with the expected types.
fn having<'a>(records: &'a [Value], fields: &[(&str, Kind)]) -> Vec<&'a Value> {
    let fits = |record: &&Value| fields.iter().all(|(path, is)| record.pointer(path).is_some_and(is));
    records.iter().filter(fits).collect()
}

fn a_java_client_finds_the_original_fields(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "java");
    let drivers = [system.driver("d1"), system.driver("d2")];
    system.wait_alive(&["d1", "d2"]);
    let posted = json!({"node_id": "posted", "node_IP": "10.0.0.9", "message_type": "DRIVER_NODE_REGISTER"});
    assert_eq!(raw_http::post(system.addr, "/register", &posted.to_string()).status, 202);
    let plan = json!({"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 20,
        "message_count_per_driver": 60});
    assert_eq!(system.configure(&plan), ["d1", "d2"], "a node without heartbeats is not named");
    assert_exact(&system.wait_over("t", "completed"), 120);
    assert!(system.row("posted").is_some());

    // The consumer exits when no more records arrive.
    drivers.into_iter().for_each(|driver| assert_eq!(driver.terminate().code, Some(0)));
    let records = consume(&system, version);
    let register = [("/node_id", TEXT), ("/node_IP", TEXT), ("/message_type", TEXT)];
    let registered = having(&records, &register);
    assert_eq!(registered.len(), 3, "{records:#?}");
    assert!(registered.iter().all(|record| record["message_type"] == "DRIVER_NODE_REGISTER"));
    let config = [
        ("/test_id", TEXT),
        ("/test_type", TEXT),
        ("/test_message_delay", NUMBER),
        ("/message_count_per_driver", NUMBER),
    ];
    let configs = having(&records, &config);
    assert_eq!(configs.len(), 1, "{records:#?}");
    assert_eq!(configs[0]["test_message_delay"].as_f64(), Some(20.0));
    let triggers = having(&records, &[("/test_id", TEXT), ("/trigger", TEXT)]);
    let words: Vec<_> = triggers.iter().map(|record| record["trigger"].as_str().expect("a word")).collect();
    let count = |word: &str| words.iter().filter(|known| **known == word).count();
    assert_eq!(count("YES"), 1, "the trigger is written once: {records:#?}");
    // A node without an epoch is known, so there is no copy of the END.
    assert_eq!((count("END"), words.len()), (1, 2), "{records:#?}");
    let metrics = [
        ("/node_id", TEXT),
        ("/test_id", TEXT),
        ("/report_id", TEXT),
        ("/metrics/mean_latency", NUMBER),
        ("/metrics/median_latency", NUMBER),
        ("/metrics/min_latency", NUMBER),
        ("/metrics/max_latency", NUMBER),
    ];
    let reports = having(&records, &metrics);
    assert!(reports.len() >= 4, "{records:#?}");
    let ids: std::collections::BTreeSet<_> = reports.iter().map(|r| r["report_id"].to_string()).collect();
    assert_eq!(ids.len(), reports.len(), "each report has a unique id");
    let beats = having(&records, &[("/node_id", TEXT), ("/heartbeat", TEXT), ("/timestamp", NUMBER)]);
    assert!(beats.len() >= 4 && beats.iter().all(|beat| beat["heartbeat"] == "YES"), "{records:#?}");
    let all = registered.len() + configs.len() + triggers.len() + reports.len() + beats.len();
    assert_eq!(all, records.len(), "nothing else is in the five topics");
}
