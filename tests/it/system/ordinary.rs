//! Tests with roles started in the documented order, and a fleet that changes between tests.

use super::{System, assert_exact, on_both};
use crate::support::kafka;
use serde_json::json;

on_both!(both_test_types_run_and_the_fleet_changes_in_between, a_restarted_driver_takes_over_its_name);

fn both_test_types_run_and_the_fleet_changes_in_between(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "ordinary");
    let one = system.driver("d1");
    let _two = system.driver("d2");
    system.wait_alive(&["d1", "d2"]);

    // The smallest body: 10 s by default, and 50 requests per second from each driver.
    let smallest = json!({"test_id": "smallest", "test_type": "tsunami", "test_message_delay": "20"});
    assert_eq!(system.configure(&smallest), ["d1", "d2"]);
    let tsunami = system.wait_over("smallest", "completed");
    assert_exact(&tsunami, 1_000);
    assert_eq!(system.target_count(), 1_000);
    assert!((9.9..10.3).contains(&tsunami.total.elapsed_s), "{}", tsunami.total.elapsed_s);

    let three = system.driver("d3");
    let gone = one.terminate();
    assert_eq!(gone.code, Some(0), "{}", gone.said);
    system.wait_state("d1", "left");
    system.wait_alive(&["d2", "d3"]);
    let avalanche = json!({"test_id": "avalanche", "test_type": "AVALANCHE", "test_message_delay": 0,
        "message_count_per_driver": 300, "connections": 4});
    assert_eq!(system.configure(&avalanche), ["d2", "d3"]);
    let summary = system.wait_over("avalanche", "completed");
    assert_exact(&summary, 600);
    assert_eq!(system.target_count(), 1_600);
    assert!(summary.drivers.iter().all(|row| row.state == "done" && row.stats.requests == 300));

    let history = system.dashboard().history;
    assert_eq!(history.iter().map(|row| row.test_id.as_str()).collect::<Vec<_>>(), ["avalanche", "smallest"]);
    assert_eq!(three.terminate().code, Some(0));
    let System { orchestrator, target, .. } = system;
    assert_eq!(orchestrator.terminate().code, Some(0));
    assert_eq!(target.terminate().code, Some(0));
}

fn a_restarted_driver_takes_over_its_name(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "again");
    let old = system.driver("d1");
    let _other = system.driver("d2");
    system.wait_alive(&["d1", "d2"]);
    let old_epoch = system.row("d1").and_then(|row| row.epoch);
    assert!(old_epoch.is_some());

    // Killed and restarted at once, as by a service manager.
    old.kill();
    let _new = system.driver("d1");
    let new_epoch = super::wait(
        "the new d1",
        || system.fleet_text(),
        || system.row("d1").and_then(|row| row.epoch).filter(|epoch| Some(*epoch) != old_epoch),
    );
    assert!(Some(new_epoch) > old_epoch);
    system.wait_alive(&["d1", "d2"]);
    let plan = json!({"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 10,
        "message_count_per_driver": 100});
    system.configure(&plan);
    assert_exact(&system.wait_over("t", "completed"), 200);

    // A third process takes over the name while the second is alive; the test does not wait for the second.
    let _third = system.driver("d1");
    super::wait(
        "the third d1",
        || system.fleet_text(),
        || system.row("d1").filter(|row| row.epoch > Some(new_epoch) && row.activity.is_some()),
    );
    let plan = json!({"test_id": "t2", "test_type": "TSUNAMI", "test_message_delay": 10,
        "message_count_per_driver": 100});
    assert_eq!(system.configure(&plan), ["d1", "d2"]);
    assert_exact(&system.wait_over("t2", "completed"), 200);
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn the_legacy_client_runs_a_whole_test_without_a_clock_offset() {
    let _peace = kafka::in_peace();
    let system = System::start_over(&kafka::broker("3.9.1"), "legacy", "legacy");
    let _drivers = [system.driver("d1"), system.driver("d2")];
    system.wait_alive(&["d1", "d2"]);
    let plan = json!({"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 10,
        "message_count_per_driver": 200});
    assert_eq!(system.configure(&plan), ["d1", "d2"]);
    let summary = system.wait_over("t", "completed");
    assert_exact(&summary, 400);
    assert!(
        summary.verdict.join("\n").contains("clock offset to the broker is unknown"),
        "{:?}",
        summary.verdict
    );
    assert!(system.dashboard().fleet.iter().all(|row| row.clock_offset_ms.is_none()));
}
