//! The life cycle of tests, as drivers and callers see it.

use super::support::*;
use floodgate::bus::{Start, Topic};
use floodgate::message::{End, Trigger, Word, decode};
use floodgate::stats::states::RunState;
use serde_json::json;

fn last(origin_ms: f64, responses: u64, seen: Option<(u64, u64)>) -> Figures {
    Figures { sequence: 2, origin_ms, elapsed_ms: 1_300.0, responses, latency_ms: 2, is_final: true, seen }
}

#[test]
fn a_tsunami_runs_from_its_configuration_to_its_result() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let mut drivers = [Driver::join(&bus, "b", 7), Driver::join(&bus, "a", 7)];
    wait_alive(&control, 2);
    let body = br#"{"test_id": "t1", "test_type": "tsunami", "test_message_delay": "20"}"#;
    let configured = control.configure_json(body).expect("configures");
    assert_eq!((configured.test_id.as_str(), configured.state.as_str()), ("t1", "ready"));
    assert_eq!(configured.drivers, ["a", "b"]);
    let again = control.configure_json(br#"{"test_id": "t2", "test_type": "AVALANCHE"}"#).expect_err("busy");
    assert_eq!(again.status, 409);
    assert!(again.message.contains("\"t1\" is ready"), "{again}");
    let starts: Vec<_> = drivers.each_mut().map(|driver| driver.agree()).into_iter().collect();
    let named: Vec<_> = starts[0].drivers.iter().map(|node| (node.node_id.as_str(), node.epoch)).collect();
    assert_eq!(named, [("a", 7), ("b", 7)], "sorted, with epochs");
    let origin_ms = drivers[0].trigger("t1").start_at_ms.expect("a start");
    drivers[1].trigger("t1");
    wait_state(&control, "t1", "running");
    // Driver a has share 0 of 2, b has share 1: it starts half an interval later by plan, and 3 ms late.
    let late =
        Figures { sequence: 1, elapsed_ms: 1_000.0, responses: 50, latency_ms: 2, ..Figures::default() };
    drivers[0].report("t1", Figures { origin_ms: origin_ms + 13.0, ..late });
    drivers[1].report("t1", Figures { origin_ms, ..late });
    let running = wait("its first second", || control.summary("t1").filter(|s| !s.series.is_empty()));
    assert_eq!((running.total.requests, running.series[0].complete), (100, true));
    assert!(
        running.total.lag_ms.is_some() && running.total.service_ms.is_none(),
        "service times arrive with the final reports"
    );
    drivers[0].report("t1", last(origin_ms + 13.0, 65, Some((0, 131))));
    drivers[1].report("t1", last(origin_ms, 66, Some((1, 130))));
    let result = wait_state(&control, "t1", "completed");
    assert_eq!((result.total.requests, result.total.responses), (131, 131));
    assert_eq!(result.conservation.target_seen, Some(131));
    assert_eq!(result.conservation.reports_missing, 0);
    assert_eq!(result.total.start_skew_ms, Some(3.0));
    assert_eq!(result.drivers[1].stats.start_skew_ms, Some(3.0));
    assert!((result.total.elapsed_s - 1.313).abs() < 1e-6, "the union of both: {}", result.total.elapsed_s);
    assert_eq!(result.series.iter().map(|point| point.requests).collect::<Vec<_>>(), [100, 31]);
    assert_eq!(result.started_at, Some(origin_ms));
    assert_eq!(result.verdict, ["OK: schedule met, no errors."]);
    let dashboard = control.dashboard();
    assert_eq!(dashboard.history.len(), 1);
    assert_eq!((dashboard.history[0].requests, dashboard.history[0].p99_ms), (131, Some(2.0)));
    assert_eq!(drivers[0].triggers_waiting(), 0, "the trigger is written once, and no STOP");
    orchestrator.shutdown();
}

#[test]
fn an_avalanche_runs_after_another_test_but_no_id_runs_twice() {
    let bus = local();
    let first = orchestrator(&bus);
    let mut driver = Driver::join(&bus, "a", 1);
    for (id, kind) in [("one", "Avalanche"), ("two", "AVALANCHE")] {
        let control = first.control();
        wait_alive(&control, 1);
        let body = json!({"test_id": id, "test_type": kind, "message_count_per_driver": 10}).to_string();
        control.configure_json(body.as_bytes()).expect("configures");
        let (_, origin_ms) = driver.run();
        driver.report(id, Figures { sequence: 1, ..last(origin_ms, 10, None) });
        assert_eq!(wait_state(&control, id, "completed").total.requests, 10);
        let used = control.configure_json(body.as_bytes()).expect_err("used");
        assert_eq!(used.status, 409);
        assert!(used.message.contains(&format!("test_id \"{id}\" was already used")), "{used}");
    }
    let rows: Vec<_> = first.control().dashboard().history.into_iter().map(|row| row.test_id).collect();
    assert_eq!(rows, ["two", "one"], "newest first");
    assert_eq!(first.control().summary("one").map(|s| s.state), Some(RunState::Completed));
    first.shutdown();
    // A new process on the same bus knows which ids were used.
    let second = orchestrator(&bus);
    driver.say(json!({"state": "idle"}));
    wait_alive(&second.control(), 1);
    let used =
        second.control().configure_json(br#"{"test_id":"one","test_type":"TSUNAMI"}"#).expect_err("used");
    assert_eq!(used.status, 409);
    assert_eq!(second.control().dashboard().fleet[0].node_ip, "127.0.0.1", "from its old registration");
}

#[test]
fn without_a_driver_nothing_is_configured() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let refused = orchestrator.control().configure_json(br#"{"test_id":"t","test_type":"TSUNAMI"}"#);
    let refused = refused.expect_err("no driver");
    assert_eq!(refused.status, 409);
    assert!(refused.message.contains("no driver is alive"), "{refused}");
}

#[test]
fn stop_closes_the_gate_and_the_run_ends_aborted() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&control, 1);
    assert_eq!(control.stop(None, "x").expect_err("nothing runs").status, 404);
    control.configure_json(br#"{"test_id":"t","test_type":"TSUNAMI"}"#).expect("configures");
    let (_, origin_ms) = driver.run();
    wait_state(&control, "t", "running");
    assert_eq!(control.stop(Some("other"), "x").expect_err("another test").status, 404);
    assert_eq!(control.stop(Some("t"), "Ctrl-C").expect("stops").state, "finishing");
    assert_eq!(control.stop(None, "again").expect("the same").state, "finishing");
    let stop = driver.trigger("t");
    assert!(stop.is_stop());
    assert_eq!(stop.reason.as_deref(), Some("Ctrl-C"));
    driver.report("t", Figures { sequence: 1, ..last(origin_ms, 5, None) });
    let result = wait_state(&control, "t", "aborted");
    assert_eq!(result.verdict, ["The test was stopped early: Ctrl-C. Its driver stopped and reported."]);
    assert_eq!((result.total.requests, driver.triggers_waiting()), (5, 0));
}

#[test]
fn an_orchestrator_that_shuts_down_stops_its_test() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&orchestrator.control(), 1);
    orchestrator.control().configure_json(br#"{"test_id":"t","test_type":"TSUNAMI"}"#).expect("configures");
    driver.run();
    orchestrator.shutdown();
    assert!(driver.trigger("t").is_stop());
}

#[test]
fn a_driver_of_the_original_protocol_has_its_own_row() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let mut old = bus.open();
    let mut send = |topic: Topic, text: &str| {
        old.publish(topic, "old", text.as_bytes(), SOON).expect("publishes");
    };
    send(
        Topic::Register,
        r#"{"node_id": 17, "node_ip": "10.0.0.7", "message_type": "DRIVER_NODE_REGISTER"}"#,
    );
    send(Topic::Heartbeat, r#"{"node_id": "17", "heartbeat": "YES", "timestamp": "12:30"}"#);
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&control, 1);
    let configured = control.configure_json(br#"{"test_id":"t","test_type":"TSUNAMI"}"#).expect("configures");
    assert_eq!(configured.drivers, ["a"], "an original driver is never named");
    let (_, origin_ms) = driver.run();
    send(
        Topic::Metrics,
        r#"{"node_id": 17, "test_id": "t", "report_id": 1, "metrics":
            {"mean_latency": "5.5", "median_latency": 5, "min_latency": 1, "max_latency": 30}}"#,
    );
    wait("its row", || control.summary("t").filter(|s| s.drivers.len() == 2));
    driver.report("t", Figures { sequence: 1, ..last(origin_ms, 8, None) });
    let result = wait_state(&control, "t", "completed");
    let row = &result.drivers[1];
    assert_eq!((row.node_id.as_str(), row.state.as_str()), ("17", "original"));
    let latency = row.stats.latency_ms.as_ref().expect("its latencies");
    assert_eq!((latency.mean, latency.max), (5.5, 30.0));
    assert_eq!((result.total.requests, result.total.latency_ms.expect("merged").max), (8, 2.0));
    assert!(result.verdict.iter().any(|line| line.contains("original protocol")), "{:?}", result.verdict);
    let json = serde_json::to_value(control.dashboard()).expect("json");
    assert!(
        json["test"]["drivers"][1]["latency_ms"]["p99"].is_null(),
        "what it does not report is not invented"
    );
    let fleet: Vec<_> = control.dashboard().fleet.into_iter().map(|row| (row.node_id, row.epoch)).collect();
    assert_eq!(fleet, [("17".to_owned(), None), ("a".to_owned(), Some(1))]);
}

#[test]
fn malformed_input_on_any_topic_stops_nothing() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&control, 1);
    control.configure_json(br#"{"test_id":"t","test_type":"TSUNAMI"}"#).expect("configures");
    let mut other = bus.open();
    let malformed: [&[u8]; 8] = [
        b"",
        b"{",
        b"null",
        b"[[[[",
        b"\xff\xfe",
        br#"{"node_id":""}"#,
        br#"{"node_id":"a","epoch":1,"test_id":"t","report_id":"r","sequence":1,"counts":{"sent":-4}}"#,
        br#"{"node_id":"a","epoch":1,"test_id":"t","report_id":"r","sequence":99999,"final":true}"#,
    ];
    for topic in Topic::ALL {
        for value in malformed {
            other.publish(topic, "k", value, SOON).expect("publishes");
        }
    }
    let (_, origin_ms) = driver.run();
    driver.report("t", Figures { sequence: 1, ..last(origin_ms, 8, None) });
    let result = wait_state(&control, "t", "completed");
    assert_eq!((result.total.requests, result.conservation.reports_missing), (8, 0));
    assert_eq!(control.dashboard().fleet.len(), 1);
}

#[test]
fn the_topics_hold_one_plan_one_trigger_and_one_end() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&orchestrator.control(), 1);
    orchestrator.control().configure_json(br#"{"test_id":"t","test_type":"TSUNAMI"}"#).expect("configures");
    let (_, origin_ms) = driver.run();
    driver.report("t", Figures { sequence: 1, ..last(origin_ms, 8, None) });
    wait_state(&orchestrator.control(), "t", "completed");
    orchestrator.shutdown();
    let mut reader = bus.open();
    for topic in [Topic::TestConfig, Topic::Trigger, Topic::Metrics] {
        reader.subscribe(topic, Start::Beginning, SOON).expect("subscribes");
    }
    let records = reader.poll(SOON).expect("polls");
    let of = |topic| records.iter().filter(move |record| record.topic == topic);
    assert_eq!(of(Topic::TestConfig).count(), 1);
    let words: Vec<_> =
        of(Topic::Trigger).map(|record| decode::<Trigger>(&record.value).expect("one")).collect();
    assert_eq!(words.iter().map(|trigger| trigger.trigger).collect::<Vec<_>>(), [Word::Yes, Word::End]);
    let metrics: Vec<_> = of(Topic::Metrics).map(|record| decode::<End>(&record.value).is_ok()).collect();
    assert_eq!(metrics, [false, true], "the END stands after the reports");
    assert!(records.iter().all(|record| record.key == "t" || record.key == "a"));
}
