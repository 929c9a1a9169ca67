//! Drivers that lose the broker for longer than they may fire without it, and drivers that are frozen or
//! restarted in mid-run.

use super::process::wait;
use super::{System, assert_exact, on_both};
use crate::support::kafka::{self, Victim};
use floodgate::clock;
use floodgate::stats::summary::{DriverSummary, Summary};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;

on_both!(
    a_driver_without_its_broker_stops_its_load_and_reports_when_it_is_back,
    a_driver_with_a_frozen_broker_stops_its_load_and_reports_when_it_is_back,
    a_driver_that_was_frozen_for_ten_seconds_is_not_fenced,
    a_restarted_driver_is_another_one_and_does_not_join_half_way,
);

/// 50 requests a second from each driver.
fn plan(test_id: &str, seconds: u64) -> Value {
    json!({"test_id": test_id, "test_type": "TSUNAMI", "test_message_delay": 20, "timeout_ms": 2_000,
        "duration_ms": seconds * 1_000})
}

fn row<'a>(summary: &'a Summary, node_id: &str) -> &'a DriverSummary {
    summary.drivers.iter().find(|row| row.node_id == node_id).expect("a row for each driver")
}

fn a_driver_without_its_broker_stops_its_load_and_reports_when_it_is_back(version: &str) {
    fenced(version, "fenced", Victim::stop, Victim::start);
}

fn a_driver_with_a_frozen_broker_stops_its_load_and_reports_when_it_is_back(version: &str) {
    fenced(version, "iced", Victim::freeze, Victim::thaw);
}

fn fenced(version: &str, case: &str, disturb: fn(&Victim), restore: fn(&Victim)) {
    let victim = Victim::of(version);
    let system = System::start(victim.address(), case);
    let mut driver = system.driver_with("d1", &system.url(), &["--fence-after", "3s"]);
    system.wait_alive(&["d1"]);
    system.configure(&plan(case, 300));
    system.wait_second(case, 2);
    disturb(&victim);
    let began_ns = clock::now_ns();
    driver.line("the load is stopped");
    let took_ms = (clock::now_ns() - began_ns) / clock::NS_PER_MS;
    assert!((2_000..8_000).contains(&took_ms), "{took_ms} ms");
    driver.line("requests sent");
    let count = system.target_count();
    clock::sleep(Duration::from_secs(2));
    assert_eq!(system.target_count(), count, "it sends nothing more");
    restore(&victim);
    let summary = wait("the report", String::new, || {
        system.test(case).filter(|summary| row(summary, "d1").stats.service_ms.is_some())
    });
    let stats = &row(&summary, "d1").stats;
    let errors: u64 = stats.errors.values().sum();
    // A request that was aborted may have reached the target.
    assert!((count..=count + errors).contains(&stats.requests), "{count} counted: {stats:?}");
    let summary = system.wait_over(case, "completed");
    let said = "it could not reach Kafka for 3 s and stopped its load";
    assert!(summary.verdict.iter().any(|line| line.contains(said)), "{:#?}", summary.verdict);
    system.wait_activity("d1", "idle");
}

fn a_driver_that_was_frozen_for_ten_seconds_is_not_fenced(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "frozen");
    let _one = system.driver("d1");
    // A pause of its own is no outage of the bus.
    let two = system.driver_with("d2", &system.url(), &["--fence-after", "2s"]);
    system.wait_alive(&["d1", "d2"]);
    let epoch = system.row("d2").and_then(|row| row.epoch);
    system.configure(&plan("t", 20));
    system.wait_second("t", 2);
    two.signal(Signal::STOP);
    clock::sleep(Duration::from_secs(10));
    two.signal(Signal::CONT);
    let summary = system.wait_over("t", "completed");
    assert_exact(&summary, 2_000);
    assert_eq!(row(&summary, "d2").state, "done");
    assert_eq!(system.wait_state("d2", "alive").epoch, epoch);
}

fn a_restarted_driver_is_another_one_and_does_not_join_half_way(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "restarted");
    let (_one, two) = (system.driver("d1"), system.driver("d2"));
    system.wait_alive(&["d1", "d2"]);
    let epoch = system.row("d2").and_then(|row| row.epoch);
    system.configure(&plan("t", 10));
    system.wait_second("t", 2);
    two.kill();
    let again = system.driver("d2");
    let seen = wait(
        "the new process",
        || system.fleet_text(),
        || system.row("d2").and_then(|row| row.epoch).filter(|seen| Some(*seen) != epoch),
    );
    assert!(Some(seen) > epoch);
    let summary = system.wait_over("t", "completed");
    assert_eq!(row(&summary, "d2").state, "lost");
    let last = row(&summary, "d2").stats.requests;
    assert!((50..500).contains(&last), "d2 ends with its last report: {last}");
    assert_eq!(summary.total.requests, 500 + last);
    assert!(!again.said().contains("plan received"), "{}", again.said());
    assert_eq!(system.configure(&plan("t2", 2)), ["d1", "d2"]);
    assert_exact(&system.wait_over("t2", "completed"), 200);
}
