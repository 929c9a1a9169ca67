//! Fleets of original drivers, alone and alongside ours, over the in-process bus.

use crate::orchestrator::support::*;
use floodgate::bus::{Bus, Connector, Start, Topic};
use floodgate::orchestrator::{Configured, Control};
use floodgate::stats::summary::Summary;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

/// A scripted original driver: the test decides what it writes. It reads plans and triggers as plain JSON.
struct Old {
    name: String,
    bus: Box<dyn Bus>,
    kept: VecDeque<(Topic, Value)>,
}

impl Old {
    fn join(connector: &Arc<dyn Connector>, name: &str) -> Old {
        let mut bus = connector.open();
        for topic in [Topic::TestConfig, Topic::Trigger] {
            bus.subscribe(topic, Start::End, SOON).expect("subscribes");
        }
        let mut old = Old { name: name.to_owned(), bus, kept: VecDeque::new() };
        old.write(Topic::Register, json!({"node_ip": "10.0.0.1", "message_type": "DRIVER_NODE_REGISTER"}));
        old
    }

    fn write(&mut self, topic: Topic, mut message: Value) {
        message["node_id"] = json!(self.name);
        let name = self.name.clone();
        self.bus.publish(topic, &name, message.to_string().as_bytes(), SOON).expect("publishes");
    }

    fn report(&mut self, test_id: &str, metrics: Value) {
        self.write(Topic::Metrics, json!({"test_id": test_id, "metrics": metrics}));
    }

    /// The next record of either topic.
    fn next(&mut self) -> (Topic, Value) {
        wait("a record", || {
            for record in self.bus.poll(std::time::Duration::from_millis(50)).expect("polls") {
                self.kept.push_back((record.topic, serde_json::from_slice(&record.value).expect("JSON")));
            }
            self.kept.pop_front()
        })
    }
}

fn wait_known(control: &Control, nodes: usize) {
    wait("nodes known", || (control.dashboard().fleet.len() == nodes).then_some(()));
}

/// Configures a test as soon as the orchestrator is sure that there is no driver of ours.
fn configure(control: &Control, plan: &[u8]) -> Configured {
    wait("the certainty that there are no other drivers", || match control.configure_json(plan) {
        Err(e) if e.status == 409 && e.message.contains("try again") => None,
        other => Some(other.expect("configures")),
    })
}

fn said(summary: &Summary, text: &str) -> bool {
    summary.verdict.iter().any(|line| line.contains(text))
}

#[test]
fn original_drivers_alone_run_a_test() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let mut olds = [Old::join(&bus, "m1"), Old::join(&bus, "m2")];
    wait_known(&control, 2);
    let closed = br#"{"test_id":"c","test_type":"AVALANCHE"}"#;
    let early = control.configure_json(closed).expect_err("there may be other drivers");
    assert!(early.status == 409 && early.message.contains("try again"), "{early}");
    let plan = br#"{"test_id":"t","test_type":"TSUNAMI","test_message_delay":"20","duration_ms":200,"timeout_ms":1000}"#;
    let configured = configure(&control, plan);
    assert!(configured.drivers.is_empty());
    assert_eq!(configured.original, ["m1", "m2"]);
    for old in &mut olds {
        let (topic, plan) = old.next();
        assert_eq!((topic, &plan["test_id"]), (Topic::TestConfig, &json!("t")));
        let fields = [&plan["test_message_delay"], &plan["message_count_per_driver"]];
        assert_eq!(fields, [&json!(20), &json!(10)], "whole numbers, and the count that the duration gives");
        assert_eq!(plan["drivers"][0], json!({"node_id": "m1", "epoch": 0}), "no driver of ours executes it");
        let (topic, trigger) = old.next();
        assert_eq!((topic, &trigger["trigger"]), (Topic::Trigger, &json!("YES")));
    }
    olds[0].report("t", json!({"Mean_latency": "3.5", "Max_latency": 9}));
    olds[1].report("t", json!({"mean_latency": 2, "median_latency": 2, "min_latency": 1, "max_latency": 4}));
    let result = wait_state(&control, "t", "completed");
    let rows: Vec<_> = result.drivers.iter().map(|row| (row.node_id.as_str(), row.state.as_str())).collect();
    assert_eq!(rows, [("m1", "original"), ("m2", "original")]);
    let figures = result.drivers[0].stats.latency_ms.as_ref().expect("its figures");
    assert_eq!((figures.mean, figures.max), (3.5, 9.0));
    assert!(figures.median.is_nan() && figures.min.is_nan(), "what it does not report is unknown");
    assert!(result.verdict[0].starts_with("Only drivers of the original protocol"), "{:?}", result.verdict);
    assert!(said(&result, "m1, m2") && !said(&result, "Nothing was sent"), "{:?}", result.verdict);
    let table = floodgate::run::table::render(&result);
    let rows: Vec<&str> = table.lines().filter(|line| line.contains("original m1")).collect();
    assert!(rows.len() == 2 && rows.iter().all(|row| row.contains(" - ") && !row.contains(" 0")), "{rows:?}");
    assert!(rows[1].contains("3.50"), "{rows:?}");
    assert!(
        olds[0].bus.poll(std::time::Duration::from_millis(300)).expect("polls").is_empty(),
        "no STOP at the end"
    );
}

#[test]
fn a_test_that_no_original_driver_executed_is_closed_with_a_finding() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let _old = Old::join(&bus, "gone");
    wait_known(&control, 1);
    let plan = br#"{"test_id":"t","test_type":"TSUNAMI","message_count_per_driver":2,"timeout_ms":1}"#;
    configure(&control, plan);
    let result = wait_state(&control, "t", "completed");
    assert!(
        result.drivers.is_empty() && said(&result, "No report was received from gone"),
        "{:?}",
        result.verdict
    );
}

#[test]
fn drivers_that_ignore_stop_are_named() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let mut old = Old::join(&bus, "m1");
    wait_known(&control, 1);
    let plan = br#"{"test_id":"t","test_type":"TSUNAMI","message_count_per_driver":100000}"#;
    configure(&control, plan);
    wait_state(&control, "t", "running");
    old.report("t", json!({"mean_latency": 1}));
    wait("its row", || control.summary("t").filter(|s| s.drivers.len() == 1));
    control.stop(None, "enough").expect("stops");
    let result = wait_state(&control, "t", "aborted");
    assert!(said(&result, "do not understand STOP: m1 may still be sending"), "{:?}", result.verdict);
}

#[test]
fn alongside_ours_an_original_driver_that_has_reported_is_not_waited_for() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let mut old = Old::join(&bus, "m1");
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&control, 1);
    wait_known(&control, 2);
    let plan = br#"{"test_id":"t","test_type":"TSUNAMI","message_count_per_driver":8,"timeout_ms":9000}"#;
    let configured = control.configure_json(plan).expect("configures");
    assert_eq!(
        (&configured.drivers[..], &configured.original[..]),
        (&["a".to_owned()][..], &["m1".to_owned()][..])
    );
    let (plan, origin_ms) = driver.run();
    assert_eq!(plan.test_message_delay, None, "derived fields are not part of our plan");
    old.report("t", json!({"mean_latency": 1}));
    wait("its row", || control.summary("t").filter(|s| s.drivers.len() == 2));
    let last = Figures {
        sequence: 1,
        origin_ms,
        elapsed_ms: 900.0,
        responses: 8,
        latency_ms: 2,
        is_final: true,
        seen: Some((0, 144)),
    };
    driver.report("t", last);
    let result = wait_state(&control, "t", "completed");
    assert_eq!((result.conservation.target_beyond, result.conservation.differences().len()), (136, 0));
    assert!(
        said(&result, "136 requests more") && said(&result, "original drivers m1"),
        "{:?}",
        result.verdict
    );
    assert!(!said(&result, "do not agree") && !said(&result, "STOP"), "{:?}", result.verdict);
    old.report("t", json!({"mean_latency": 7}));
    let mean = |s: &Summary| s.drivers[1].stats.latency_ms.as_ref().map(|latency| latency.mean);
    control.configure_json(br#"{"test_id":"u","test_type":"TSUNAMI"}"#).expect("configures the next");
    let kept = control.summary("t").expect("kept");
    assert_eq!((mean(&kept), kept.state.as_str()), (Some(1.0), "completed"), "nothing counts after the END");
}

#[test]
fn an_original_driver_that_sends_nothing_is_silent_and_not_dead() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let mut old = Old::join(&bus, "m1");
    let state = |wanted: &str| {
        wait(wanted, || control.dashboard().fleet.iter().find(|row| row.state == wanted).map(drop));
    };
    state("alive");
    state("silent");
    old.write(Topic::Heartbeat, json!({"heartbeat": "YES"}));
    state("alive");
}
