//! Messages and the summary against files that define their form. A change to one of these files changes the
//! protocol.

use floodgate::message::*;
use floodgate::stats::causes::ErrorSample;
use floodgate::stats::check_samples::CheckSample;
use floodgate::stats::counts::Counts;
use floodgate::stats::generator::{Generator, TargetOn};
use floodgate::stats::histogram::Histogram;
use floodgate::stats::summary::Summary;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Debug;

fn read(name: &str) -> String {
    let path = format!("{}/tests/it/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The message is written exactly as in the file, and the file is read as the message.
fn holds<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, message: &T) {
    let file: Value = serde_json::from_str(&read(name)).expect("the golden file is JSON");
    let written: Value = serde_json::from_slice(&encode(message)).expect("JSON");
    assert_eq!(
        written,
        file,
        "{name} is written differently:\n{}",
        serde_json::to_string_pretty(&written).unwrap()
    );
    let read: T = decode(read(name).as_bytes()).expect("the golden file is read");
    assert_eq!(&read, message);
}

#[test]
fn register() {
    holds(
        "register",
        &Register {
            node_id: "driver-1".to_owned(),
            node_ip: "10.0.0.7".to_owned(),
            epoch: Some(1_790_000_000_000),
            version: Some("0.1.0".to_owned()),
            cores: Some(8),
            max_connections: Some(65_000),
        },
    );
}

#[test]
fn test_config() {
    let mut config = TestConfig::new("t-1", TestType::Avalanche);
    config.target_throughput = Some(100.0);
    config.warmup_ms = Some(2_000);
    config.stages = vec![Stage { duration_ms: 30_000, rate: 500.0 }];
    config.connections = Some(64);
    config.timeout_ms = Some(3_000);
    config.client = Some("native".to_owned());
    config.target_url = Some("http://10.0.0.9:8000/ping".to_owned());
    config.request = Some(RequestSpec {
        method: Some("POST".to_owned()),
        headers: vec![("X-Test".to_owned(), "yes".to_owned())],
        body: Some("hello".to_owned()),
        body_base64: None,
        expect: None,
    });
    config.drivers = vec![NodeRef { node_id: "driver-1".to_owned(), epoch: 1_790_000_000_000 }];
    config.thresholds = vec!["p99 > 250ms".to_owned()];
    holds("test_config", &config);
    assert_eq!(config.plan_hash(), "fd3b755ad0ee1d1b", "the hash is part of the protocol");
}

#[test]
fn a_test_config_with_totals() {
    let mut config = TestConfig::new("t-3", TestType::Avalanche);
    config.fleet = Some(Totals {
        rate: Some(1_000.0),
        requests: Some(10_000),
        connections: Some(10),
        stages: vec![Stage { duration_ms: 30_000, rate: 500.0 }],
    });
    holds("test_config_totals", &config);
}

#[test]
fn the_smallest_test_config() {
    let mut config = TestConfig::new("t-2", TestType::Tsunami);
    config.test_message_delay = Some(20.0);
    holds("test_config_smallest", &config);
}

#[test]
fn triggers() {
    holds("trigger_start", &Trigger::start("t-1", 1_790_000_001_000.5));
    holds("trigger_stop", &Trigger::stop("t-1", "Ctrl-C"));
}

#[test]
fn heartbeat() {
    holds(
        "heartbeat",
        &Heartbeat {
            node_id: "driver-1".to_owned(),
            heartbeat: "YES".to_owned(),
            timestamp: 1_790_000_000_500.25,
            epoch: Some(1_790_000_000_000),
            state: Some(DriverState::Ready),
            reason: None,
            test_id: Some("t-1".to_owned()),
            plan_hash: Some("0123456789abcdef".to_owned()),
            clock_offset_ms: Some(-1.5),
            clock_error_ms: Some(0.75),
        },
    );
}

#[test]
fn metrics() {
    let counts = Counts {
        planned: 12,
        sent: 11,
        never_sent: 1,
        queued: 2,
        resent: 1,
        responses: 10,
        errors: [("timeout".to_owned(), 1)].into(),
        status: [("200".to_owned(), 9), ("500".to_owned(), 1)].into(),
        failed_checks: 3,
        truncated_checks: 1,
        checks: [("status".to_owned(), 1), ("json /id".to_owned(), 3)].into(),
        bytes_received: 1_234,
        warmup_sent: 5,
        warmup_errors: 0,
    };
    let histograms = Histograms { latency: "FFFF".to_owned(), ..Histograms::default() };
    let named = NamedFigures { counts: Counts { sent: 4, ..Counts::default() }, histograms };
    holds(
        "metrics",
        &Metrics {
            node_id: "driver-1".to_owned(),
            test_id: "t-1".to_owned(),
            report_id: "6f4c1f0e-0000-4000-8000-000000000001".to_owned(),
            metrics: LatencyMs {
                mean_latency: Some(2.5),
                median_latency: Some(2.0),
                min_latency: Some(1.0),
                max_latency: Some(9.0),
            },
            epoch: Some(1_790_000_000_000),
            sequence: Some(3),
            is_final: true,
            origin_ms: Some(1_790_000_001_000.25),
            first_send_ms: Some(1_790_000_001_000.5),
            elapsed_ms: Some(1_500.0),
            counts: Some(counts),
            histograms: Some(Histograms {
                latency: "AAAA".to_owned(),
                service: Some("BBBB".to_owned()),
                lag: Some("CCCC".to_owned()),
                connect: Some("DDDD".to_owned()),
                tls: Some("EEEE".to_owned()),
            }),
            by_name: [("a".to_owned(), named)].into(),
            generator: Some(Generator {
                busy: Some(0.25),
                cpu_wait: Some(0.0625),
                rest: None,
                worker_s: 3.0,
                ports_waiting: None,
                target_on: Some(TargetOn::SameHost),
                unverified: false,
                proxied: false,
            }),
            error_samples: vec![ErrorSample {
                kind: "timeout".to_owned(),
                cause: "no response head".to_owned(),
                count: 1,
                drivers: Vec::new(),
            }],
            check_samples: vec![CheckSample {
                request: Some("a".to_owned()),
                at_ms: 250,
                driver: None,
                checks: vec!["status".to_owned(), "json /id".to_owned()],
                status: 500,
                body: "{}".to_owned(),
                body_bytes: 2,
            }],
            target_seen: Some(TargetSeen {
                before: 3,
                after: 19,
                instance: Some("6f4c1f0e-0000-4000-8000-000000000002".to_owned()),
            }),
            target_restarted: false,
        },
    );
}

#[test]
fn messages_in_the_original_form_and_its_variants_are_read() {
    let register: Register =
        decode(br#"{"node_id": 1, "node_ip": "10.0.0.7", "message_type": "DRIVER_NODE_REGISTER"}"#)
            .expect("read");
    assert_eq!(
        (register.node_id.as_str(), register.node_ip.as_str(), register.epoch),
        ("1", "10.0.0.7", None)
    );

    let config: TestConfig = decode(
        br#"{"test_id": 7, "test_type": "Tsunami", "test_message_delay": "20", "message_count_per_driver": "100.0",
            "target_throughput": "", "surprise": {"a": [1]}}"#,
    )
    .expect("read");
    assert_eq!((config.test_id.as_str(), config.test_type), ("7", TestType::Tsunami));
    assert_eq!((config.test_message_delay, config.message_count_per_driver), (Some(20.0), Some(100)));
    assert_eq!(config.target_throughput, None);

    let trigger: Trigger = decode(br#"{"test_id": "7", "trigger": "YES"}"#).expect("read");
    assert!(!trigger.is_stop() && trigger.start_at_ms.is_none());

    let metrics: Metrics = decode(
        br#"{"node_id": "d", "test_id": "7", "report_id": 12, "metrics":
            {"mean_latency": "1.5", "median_latency": 1, "min_latency": "0.1", "max_latency": 9}}"#,
    )
    .expect("read");
    assert_eq!((metrics.metrics.mean_latency, metrics.epoch, metrics.is_final), (Some(1.5), None, false));

    let beat: Heartbeat =
        decode(br#"{"node_id": "d", "heartbeat": "YES", "timestamp": "2023-11-01 10:00:00"}"#).expect("read");
    assert_eq!((beat.timestamp, beat.epoch, beat.state), (0.0, None, None));
}

#[test]
fn malformed_input_is_refused_with_an_error() {
    for bytes in [&b""[..], b"{", b"[]", b"null", b"{\"node_id\": {}}", b"\xff\xfe"] {
        assert!(decode::<Heartbeat>(bytes).is_err(), "{bytes:?}");
        assert!(decode::<Metrics>(bytes).is_err(), "{bytes:?}");
    }
    for (body, word) in [
        (r#"{"test_id": "a"}"#, "test_type"),
        (r#"{"test_id": "a", "test_type": "HAIL"}"#, "AVALANCHE or TSUNAMI"),
        (r#"{"test_id": "a", "test_type": "AVALANCHE", "connections": -1}"#, "-1"),
        (r#"{"test_id": "a", "test_type": "AVALANCHE", "duration_ms": "soon"}"#, "soon"),
    ] {
        let error = decode::<TestConfig>(body.as_bytes()).expect_err(body);
        assert!(error.contains(word), "{body}: {error}");
    }
}

#[test]
fn the_summary_keeps_its_form() {
    let text = read("summary");
    let summary: Summary = serde_json::from_str(&text).expect("the golden file is read");
    let written = serde_json::to_value(&summary).expect("JSON");
    assert_eq!(written, serde_json::from_str::<Value>(&text).expect("JSON"));
}

#[test]
fn histograms_travel_in_the_common_form() {
    let mut histogram = Histogram::new();
    [1, 2, 3].iter().for_each(|ms| histogram.record_us(ms * 1_000));
    let text = histogram.encode().expect("encodes");
    assert!(text.starts_with("HISTFAAA"), "the cookie of HdrHistogram V2 with deflate: {text}");
    assert_eq!(Histogram::decode(&text).expect("decodes"), histogram);
}
