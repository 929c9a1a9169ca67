//! `GET /metrics` through the life of two tests.

use super::support::*;
use crate::raw_http::{Connection, get, post};
use serde_json::json;
use std::sync::Arc;

/// The value of a sample.
fn sample(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
}

#[test]
fn a_test_is_scraped_from_ready_to_the_next_one() {
    let bus = local();
    let (orchestrator, addr) = serve(Arc::clone(&bus), None);
    let control = orchestrator.control();
    let scrape = || {
        let answer = get(addr, "/metrics");
        let kind = Some("text/plain; version=0.0.4; charset=utf-8");
        assert_eq!((answer.status, answer.header("Content-Type")), (200, kind));
        answer.body
    };
    assert_eq!(sample(&scrape(), "floodgate_drivers{state=\"alive\"}"), Some(0.0));
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&control, 1);
    let configure = |id: &str| {
        let body = json!({"test_id": id, "test_type": "AVALANCHE", "message_count_per_driver": 10});
        control.configure_json(body.to_string().as_bytes()).expect("configures");
    };
    configure("one");
    let ready = scrape();
    assert_eq!(sample(&ready, "floodgate_drivers{state=\"alive\"}"), Some(1.0));
    assert_eq!(sample(&ready, "floodgate_test_state{test_id=\"one\",state=\"ready\"}"), Some(1.0));
    let answered = "floodgate_responses_total{test_id=\"one\",driver=\"a\",code=\"200\"}";
    assert_eq!(sample(&ready, answered), Some(0.0), "{ready}");
    assert_eq!(sample(&ready, "floodgate_latency_seconds_count{test_id=\"one\"}"), Some(0.0));
    let (_, origin_ms) = driver.run();
    let last = Figures {
        sequence: 1,
        origin_ms,
        elapsed_ms: 1_300.0,
        responses: 10,
        latency_ms: 2,
        is_final: true,
        seen: None,
    };
    driver.report("one", last);
    wait_state(&control, "one", "completed");
    let over = scrape();
    assert_eq!(sample(&over, "floodgate_test_state{test_id=\"one\",state=\"completed\"}"), Some(1.0));
    assert_eq!(sample(&over, answered), Some(10.0), "{over}");
    assert_eq!(sample(&over, "floodgate_requests_sent_total{test_id=\"one\"}"), Some(10.0));
    assert_eq!(sample(&over, "floodgate_latency_seconds_bucket{test_id=\"one\",le=\"+Inf\"}"), Some(10.0));
    let start_s = sample(&over, "floodgate_test_start_timestamp_seconds{test_id=\"one\"}");
    assert_eq!(start_s, Some(origin_ms / 1_000.0));
    configure("two");
    let both = scrape();
    assert_eq!(sample(&both, answered), Some(10.0), "it stays for five minutes");
    assert_eq!(sample(&both, "floodgate_test_state{test_id=\"two\",state=\"ready\"}"), Some(1.0));
    orchestrator.shutdown();
}

#[test]
fn metrics_follow_the_access_rules_of_the_dashboard() {
    let (orchestrator, addr) = serve(local(), Some("s3cret"));
    assert_eq!(get(addr, "/metrics").status, 200, "reads need no token");
    assert_eq!(post(addr, "/metrics", "").status, 405);
    let mut connection = Connection::open(addr);
    connection.send(b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(connection.receive().status, 403);
    orchestrator.shutdown();
}
