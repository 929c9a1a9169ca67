//! Roles that die, hang, leave or come back while the gate is open.

use super::{System, assert_exact, on_both};
use crate::raw_http;
use crate::support::kafka;
use floodgate::clock;
use floodgate::stats::summary::{DriverSummary, Summary};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;

on_both!(
    a_killed_driver_is_named_and_the_others_complete,
    a_driver_that_hangs_for_three_seconds_is_not_lost,
    a_driver_that_is_shut_down_reports_and_leaves,
    an_orchestrator_that_is_shut_down_stops_its_drivers,
    commands_may_go_to_either_of_two_orchestrators,
);

/// 50 requests a second from each driver.
fn plan(test_id: &str, seconds: u64) -> Value {
    json!({"test_id": test_id, "test_type": "TSUNAMI", "test_message_delay": 20, "timeout_ms": 2_000,
        "duration_ms": seconds * 1_000})
}

fn row<'a>(summary: &'a Summary, node_id: &str) -> &'a DriverSummary {
    summary.drivers.iter().find(|row| row.node_id == node_id).expect("a row for each driver")
}

fn verdict(summary: &Summary) -> String {
    summary.verdict.join("\n")
}

fn a_killed_driver_is_named_and_the_others_complete(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "killed");
    let (_one, two, _three) = (system.driver("d1"), system.driver("d2"), system.driver("d3"));
    system.wait_alive(&["d1", "d2", "d3"]);
    system.configure(&plan("t", 6));
    system.wait_second("t", 2);
    two.kill();
    let summary = system.wait_over("t", "completed");
    assert!(verdict(&summary).contains("because it was silent for 3 s"), "{}", verdict(&summary));
    assert_eq!(["d1", "d2", "d3"].map(|name| row(&summary, name).state.as_str()), ["done", "lost", "done"]);
    for name in ["d1", "d3"] {
        let stats = &row(&summary, name).stats;
        assert_eq!((stats.requests, stats.responses), (300, 300), "{name}");
    }
    let last = row(&summary, "d2").stats.requests;
    assert!((50..300).contains(&last), "d2 ends with its last report: {last}");
    assert_eq!(summary.total.requests, 600 + last);
    assert_eq!(system.wait_state("d2", "dead").node_id, "d2");
    // The fleet continues without it.
    assert_eq!(system.configure(&plan("t2", 1)), ["d1", "d3"]);
    assert_exact(&system.wait_over("t2", "completed"), 100);
}

fn a_driver_that_hangs_for_three_seconds_is_not_lost(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "hangs");
    let (_one, two) = (system.driver("d1"), system.driver("d2"));
    system.wait_alive(&["d1", "d2"]);
    system.configure(&plan("t", 7));
    system.wait_second("t", 2);
    two.signal(Signal::STOP);
    clock::sleep(Duration::from_secs(3));
    two.signal(Signal::CONT);
    let summary = system.wait_over("t", "completed");
    assert_exact(&summary, 700);
    assert_eq!(row(&summary, "d2").state, "done");
    assert!(!verdict(&summary).contains("lost"), "{}", verdict(&summary));
    let lag = |name: &str| row(&summary, name).stats.lag_ms.as_ref().map_or(0.0, |lag| lag.max);
    assert!(lag("d2") > 2_500.0, "the pause shows as its lag: {} ms", lag("d2"));
    assert!(lag("d1") < 1_000.0, "{} ms", lag("d1"));
    // There are too few requests for a finding about d2's lag; its pause explains the queue.
    assert!(verdict(&summary).contains("the generator itself may have paused"), "{}", verdict(&summary));
}

fn a_driver_that_is_shut_down_reports_and_leaves(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "leaves");
    let (_one, two) = (system.driver("d1"), system.driver("d2"));
    system.wait_alive(&["d1", "d2"]);
    system.configure(&plan("t", 6));
    system.wait_second("t", 2);
    let ended = two.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    system.wait_state("d2", "left");
    let summary = system.wait_over("t", "completed");
    assert_eq!(row(&summary, "d1").stats.requests, 300);
    let stats = &row(&summary, "d2").stats;
    assert!((50..300).contains(&stats.requests), "{}", stats.requests);
    // Only a final report has these.
    assert!(stats.service_ms.is_some() && stats.lag_ms.is_some(), "{stats:?}");
    assert_eq!(summary.conservation.target_seen, Some(summary.total.requests));
    assert_eq!(summary.conservation.reports_missing, 0);
    assert!(verdict(&summary).contains("d2"), "the driver that left is named: {}", verdict(&summary));
}

fn an_orchestrator_that_is_shut_down_stops_its_drivers(version: &str) {
    let _peace = kafka::in_peace();
    let mut system = System::start(&kafka::broker(version), "ended");
    let mut one = system.driver("d1");
    system.wait_alive(&["d1"]);
    system.configure(&plan("t", 600));
    system.wait_second("t", 1);
    let (new, addr) = system.orchestrator();
    let old = std::mem::replace(&mut system.orchestrator, new);
    system.addr = addr;
    let ended = old.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    one.line("the test is stopped");
    system.wait_activity("d1", "idle");
    system.wait_over("t", "aborted");
    let count = system.target_count();
    system.configure(&plan("t2", 1));
    assert_exact(&system.wait_over("t2", "completed"), 50);
    assert_eq!(system.target_count(), count + 50, "the stopped test sent nothing more");
}

fn commands_may_go_to_either_of_two_orchestrators(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "two");
    let (_one, _two) = (system.driver("d1"), system.driver("d2"));
    let (_second, addr) = system.orchestrator();
    system.wait_alive(&["d1", "d2"]);
    system.configure(&plan("first", 60));
    system.wait_second("first", 1);
    let busy = raw_http::post(addr, "/configure", &plan("second", 1).to_string());
    assert_eq!(busy.status, 409, "{}", busy.body);
    assert!(busy.body.contains("\\\"first\\\" is running"), "{}", busy.body);
    let stopped = raw_http::post(addr, "/stop", r#"{"test_id":"first","reason":"enough"}"#);
    assert_eq!(stopped.status, 202, "{}", stopped.body);
    let result = system.wait_over("first", "aborted");
    assert!(verdict(&result).contains("stopped early: enough"), "{}", verdict(&result));
    assert_eq!(system.target_count(), result.total.requests);
}
