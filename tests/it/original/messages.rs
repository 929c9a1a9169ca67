//! Messages as public programs of the original protocol write and read them.

use floodgate::message::{
    Heartbeat, Metrics, Register, TestConfig, TestType, Trigger, decode, decode_config, encode,
};
use serde_json::{Value, json};

fn written<T: serde::Serialize>(message: &T) -> Value {
    serde_json::from_slice(&encode(message)).expect("JSON")
}

#[test]
fn only_known_trigger_words_are_read_in_any_case() {
    let read = |word: &str| decode::<Trigger>(format!(r#"{{"test_id":"t","trigger":{word}}}"#).as_bytes());
    for (word, stops) in [
        (r#""YES""#, false),
        (r#""yes""#, false),
        (r#"" Yes ""#, false),
        (r#""NO""#, true),
        (r#""no""#, true),
        (r#""stop""#, true),
        (r#""END""#, true),
        (r#""end""#, true),
    ] {
        assert_eq!(read(word).expect(word).is_stop(), stops, "{word}");
    }
    for word in [r#""maybe""#, r#""""#, r#""YESSIR""#, "true", "1", "null"] {
        let error = read(word).expect_err(word);
        assert!(error.contains("YES") && error.contains("STOP"), "{error}");
    }
    let long = format!(r#""{}""#, "x".repeat(100_000));
    assert!(read(&long).expect_err("long").len() < 300, "no word is quoted in full");
}

#[test]
fn a_registration_is_written_in_both_spellings_and_read_in_either() {
    for fields in [
        r#""node_IP": "10.0.0.7""#,
        r#""node_ip": "10.0.0.7""#,
        r#""nodeIP": "10.0.0.7""#,
        r#""node_IP": "10.0.0.7", "node_ip": "10.0.0.7""#,
        r#""node_ip": "other", "node_IP": "10.0.0.7""#,
        r#""node_IP": null, "node_ip": "10.0.0.7""#,
    ] {
        let register: Register = decode(format!(r#"{{"node_id": "d", {fields}}}"#).as_bytes()).expect(fields);
        assert_eq!(register.node_ip, "10.0.0.7", "{fields}");
        let written = written(&register);
        assert_eq!((&written["node_IP"], &written["node_ip"]), (&json!("10.0.0.7"), &json!("10.0.0.7")));
    }
    let bare: Register = decode(br#"{"node_id": "go"}"#).expect("some programs send no address");
    assert_eq!(bare.node_ip, "");
}

/// The four figures of a report; null if unknown.
fn figures(metrics: &str) -> Value {
    let text = format!(r#"{{"node_id":"m","test_id":"t","metrics":{metrics}}}"#);
    written(&decode::<Metrics>(text.as_bytes()).expect(metrics).metrics)
}

#[test]
fn figures_are_read_in_all_known_spellings_and_are_unknown_otherwise() {
    let all = json!({"mean_latency": 4.5, "median_latency": 4.0, "min_latency": 1.0, "max_latency": 9.0});
    for metrics in [
        r#"{"mean_latency": 4.5, "median_latency": 4, "min_latency": 1, "max_latency": 9}"#,
        r#"{"Mean_latency": "4.5", "Median_latency": "4", "Min_latency": "1", "Max_latency": "9"}"#,
        r#"{"MEAN_LATENCY": 4.5, "median": 4, "min": 1, "Max": 9, "latency": 77, "p99": 8}"#,
        r#"{"MeanLatency": 4.5, "MedianLatency": 4, "minLatency": 1, "maxLatency": 9}"#,
        r#"{"avg_latency": 4.5, "p50": 4, "minimum_latency": 1, "maximum_latency": 9}"#,
        r#"{"average_latency_ms": 4.5, "median_latency_ms": 4, "min_latency_ms": 1, "max_latency_ms": 9}"#,
        r#"{"mean_latency": "4.5ms", "median_latency": "4ms", "min_latency": "1000µs", "max_latency": "9ms"}"#,
    ] {
        assert_eq!(figures(metrics), all, "{metrics}");
    }
    let none =
        json!({"mean_latency": null, "median_latency": null, "min_latency": null, "max_latency": null});
    for metrics in ["{}", "null", "[]", r#""none""#, r#"{"mean_latency": "", "max_latency": {"a": [1]}}"#] {
        assert_eq!(figures(metrics), none, "{metrics}");
    }
    assert_eq!(figures(r#"{"mean_latency": 3}"#)["mean_latency"], 3.0);
    assert_eq!(figures(r#"{"mean_latency": 3}"#)["median_latency"], Value::Null);
}

#[test]
fn a_report_needs_no_id_and_a_heartbeat_no_text() {
    let report: Metrics = decode(br#"{"node_id": "m", "test_id": "t"}"#).expect("read");
    assert_eq!(report.report_id, "");
    for beat in [r#""YES""#, "true", "1", "null"] {
        let text = format!(r#"{{"node_id": "m", "heartbeat": {beat}, "timestamp": {{}}}}"#);
        decode::<Heartbeat>(text.as_bytes()).expect(beat);
    }
}

#[test]
fn whole_numbers_are_written_without_a_fraction() {
    let mut config = TestConfig::new("t", TestType::Avalanche);
    (config.test_message_delay, config.target_throughput) = (Some(20.0), Some(100.0));
    config.stages = vec![floodgate::message::Stage { duration_ms: 1_000, rate: 5.0 }];
    let text = String::from_utf8(encode(&config)).expect("text");
    assert!(!text.contains(".0"), "{text}");
    config.test_message_delay = Some(0.5);
    assert!(String::from_utf8(encode(&config)).expect("text").contains("0.5"));
}

#[test]
fn a_nested_plan_is_unwrapped() {
    let text = br#"{"node_ip": "10.0.0.1", "test_config": {"test_id": "t", "test_type": "TSUNAMI",
        "test_message_delay": 20, "message_count_per_driver": "50"}}"#;
    let config = decode_config(text).expect("read");
    assert_eq!((config.test_id.as_str(), config.message_count_per_driver), ("t", Some(50)));
    let error = decode_config(br#"{"test_config": {"test_id": "t"}}"#).expect_err("no type");
    assert!(error.contains("test_type"), "{error}");
}

#[test]
fn fields_derived_for_original_drivers_are_not_part_of_the_plan() {
    let plain = TestConfig { duration_ms: Some(10_000), ..TestConfig::new("t", TestType::Avalanche) };
    let text = br#"{"test_id": "t", "test_type": "AVALANCHE", "duration_ms": 10000, "test_message_delay": 0,
        "message_count_per_driver": 1000, "derived": ["test_message_delay", "message_count_per_driver"]}"#;
    for read in [decode_config(text), decode(text)] {
        let read = read.expect("read");
        assert_eq!(read, plain);
        assert_eq!(read.plan_hash(), plain.plan_hash());
    }
}

#[test]
fn an_empty_delay_is_no_delay_at_all() {
    for empty in [r#""""#, r#""  ""#] {
        let text = format!(r#"{{"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": {empty}}}"#);
        let error = decode_config(text.as_bytes()).expect_err("empty");
        assert!(error.contains("test_message_delay") && error.contains("leave it out"), "{error}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let with_mark = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    decode::<Heartbeat>(&with_mark(r#"{"node_id": "m", "heartbeat": "YES"}"#)).expect("read");
    decode_config(&with_mark(r#"{"test_id": "t", "test_type": "TSUNAMI"}"#)).expect("read");
}
