//! Failures, and how they are reported.

use super::support::*;
use floodgate::bus::{Connector, Topic};
use floodgate::clock;
use floodgate::orchestrator::{Config, Control, start};
use floodgate::stats::summary::Summary;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const TSUNAMI: &[u8] =
    br#"{"test_id":"t","test_type":"TSUNAMI","test_message_delay":10,"duration_ms":2000,"timeout_ms":500}"#;

fn last(origin_ms: f64, responses: u64) -> Figures {
    Figures {
        sequence: 3,
        origin_ms,
        elapsed_ms: 1_900.0,
        responses,
        latency_ms: 2,
        is_final: true,
        seen: None,
    }
}

/// Drivers a and b, which have agreed to this plan of test t, and its start.
fn two_started(bus: &Arc<dyn Connector>, control: &Control, plan: &[u8]) -> ([Driver; 2], f64) {
    let mut drivers = ["a", "b"].map(|name| Driver::join(bus, name, 1));
    wait_alive(control, 2);
    control.configure_json(plan).expect("configures");
    drivers.iter_mut().for_each(|driver| drop(driver.agree()));
    let origin_ms = drivers[0].trigger("t").start_at_ms.expect("a start");
    (drivers, origin_ms)
}

#[test]
fn a_refusal_and_a_different_plan_fail_the_test_with_names_and_reasons() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let mut drivers = ["a", "b"].map(|name| Driver::join(&bus, name, 1));
    wait_alive(&control, 2);
    control.configure_json(TSUNAMI).expect("configures");
    let plan = drivers[0].plan();
    drivers[0]
        .say(json!({"state": "refused", "test_id": plan.test_id, "reason": "host <evil> is not allowed"}));
    let result = wait_state(&control, "t", "failed");
    assert_eq!(result.verdict, ["The test failed: driver a refused the plan: host <evil> is not allowed"]);
    assert_eq!(result.drivers[0].state, "refused");
    assert_eq!(result.started_at, None);
    let stop = drivers[1].trigger("t");
    assert!(stop.is_stop(), "the ready driver is released");
    control.configure_json(br#"{"test_id":"t2","test_type":"TSUNAMI"}"#).expect("the next one can start");
    drivers[0].agree();
    drivers[1].plan();
    drivers[1].plan();
    drivers[1].say(json!({"state": "ready", "test_id": "t2", "plan_hash": "0123"}));
    let result = wait_state(&control, "t2", "failed");
    assert!(
        result.verdict[0].contains("driver b refused the plan: it read a different plan (0123"),
        "{:?}",
        result.verdict
    );
}

#[test]
fn a_driver_that_leaves_or_restarts_during_the_run_is_named_and_not_waited_for() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let mut drivers = ["a", "b", "c"].map(|name| Driver::join(&bus, name, 1));
    wait_alive(&control, 3);
    control.configure_json(TSUNAMI).expect("configures");
    let plans = drivers.each_mut().map(Driver::agree);
    let origin_ms = drivers[0].trigger("t").start_at_ms.expect("a start");
    wait_state(&control, "t", "running");
    assert_eq!(plans[0].drivers.len(), 3);
    drivers[1]
        .report("t", Figures { sequence: 1, is_final: false, elapsed_ms: 500.0, ..last(origin_ms, 40) });
    drivers[1].say(json!({"state": "left"}));
    let _reborn = Driver::join(&bus, "c", 2);
    drivers[0].report("t", last(origin_ms, 190));
    let result = wait_state(&control, "t", "completed");
    let states: Vec<_> = result.drivers.iter().map(|d| d.state.as_str()).collect();
    assert_eq!(states, ["done", "lost", "lost"]);
    assert_eq!(result.total.requests, 230, "what b reported before it left is included");
    // Each of the three had 200 requests to send; driver a reports 190 as planned.
    let counts = &result.conservation;
    assert_eq!((counts.planned, counts.sent, counts.never_sent, counts.lost), (590, 230, 0, 360));
    assert!(counts.differences().is_empty(), "{counts:?}");
    assert_eq!(
        result.verdict[..2],
        [
            "Driver b was lost after 0.5 s: 27.1 % of the plan was not sent (160 of 590 requests), because \
             it left.",
            "Driver c was lost: 33.9 % of the plan was not sent (200 of 590 requests), because a new \
             process took its name."
        ]
    );
    let row = control.dashboard().fleet.into_iter().find(|row| row.node_id == "b").expect("listed");
    assert_eq!(row.state, "left");
}

#[test]
fn what_a_driver_that_cut_its_load_short_did_not_send_is_not_blamed_on_the_target() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let (mut drivers, origin_ms) = two_started(&bus, &control, TSUNAMI);
    let mut message = Figures { sequence: 1, elapsed_ms: 500.0, ..last(origin_ms, 50) }.message("b", 1, "t");
    (message["counts"]["planned"], message["counts"]["never_sent"]) = (json!(200), json!(150));
    drivers[1].publish(Topic::Metrics, &message);
    let reason = "it could not reach Kafka for 30 s and stopped its load";
    drivers[1].say(json!({"state": "left", "test_id": "t", "reason": reason}));
    drivers[0].report("t", Figures { sequence: 1, ..last(origin_ms, 200) });
    let result = wait_state(&control, "t", "completed");
    let counts = &result.conservation;
    assert_eq!((counts.planned, counts.sent, counts.never_sent, counts.lost), (400, 250, 150, 0));
    assert_eq!(
        result.verdict,
        [format!(
            "Driver b was lost after 0.5 s: 37.5 % of the plan was not sent (150 of 400 requests), because \
             {reason}."
        )]
    );
}

#[test]
fn a_silent_driver_is_lost_after_three_seconds_and_waited_for_a_little() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let mut drivers = ["a", "b"].map(|name| Driver::join(&bus, name, 1));
    wait_alive(&control, 2);
    let body = br#"{"test_id":"t","test_type":"AVALANCHE","message_count_per_driver":1000}"#;
    control.configure_json(body).expect("configures");
    let starts = drivers.each_mut().map(Driver::agree);
    let origin_ms = drivers[0].trigger("t").start_at_ms.expect("a start");
    assert_eq!(starts.len(), 2);
    drivers.iter_mut().for_each(|driver| driver.state("t", "running"));
    let silent_ns = clock::now_ns();
    drivers[0].report("t", last(origin_ms, 1_000));
    let is_lost = |s: &Summary| s.drivers[1].state == "lost";
    wait("it is lost", || control.summary("t").filter(is_lost));
    let waited_s = (clock::now_ns() - silent_ns) as f64 / 1e9;
    assert!((2.5..12.0).contains(&waited_s), "waited {waited_s} s");
    let result = wait_state(&control, "t", "completed");
    let waited_s = (clock::now_ns() - silent_ns) as f64 / 1e9;
    assert!((12.5..20.0).contains(&waited_s), "waited {waited_s} s");
    assert_eq!(result.drivers[1].state, "lost");
    assert_eq!((result.conservation.planned, result.conservation.lost), (2_000, 1_000));
    assert!(
        result.verdict[0].starts_with("Driver b was lost: 50.0 % of the plan was not sent (1,000 of 2,000"),
        "{:?}",
        result.verdict
    );
    assert_eq!(control.fleet_alive(), 0, "a was silent for just as long, but had finished");
}

#[test]
fn the_loss_of_a_closed_loop_has_no_number() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let body = br#"{"test_id":"t","test_type":"AVALANCHE","duration_ms":2000,"timeout_ms":500}"#;
    let (mut drivers, origin_ms) = two_started(&bus, &control, body);
    drivers[1]
        .report("t", Figures { sequence: 1, is_final: false, elapsed_ms: 500.0, ..last(origin_ms, 40) });
    drivers[1].say(json!({"state": "left"}));
    drivers[0].report("t", last(origin_ms, 190));
    let result = wait_state(&control, "t", "completed");
    let counts = &result.conservation;
    assert_eq!((counts.planned, counts.lost, counts.lost_unknown), (230, 0, true));
    assert!(
        result.verdict[0]
            .starts_with("Driver b was lost after 0.5 s: it left. How much of the plan was not sent"),
        "{:?}",
        result.verdict
    );
}

#[test]
fn lost_duplicated_and_reordered_reports_give_the_same_figures() {
    let at = |sequence: u64, origin_ms: f64| Figures {
        sequence,
        origin_ms,
        elapsed_ms: 500.0 * sequence as f64,
        responses: 50 * sequence,
        latency_ms: 2,
        is_final: sequence == 4,
        seen: None,
    };
    let mut totals = Vec::new();
    let orders: [(&[u64], u64); 4] =
        [(&[1, 2, 3, 4], 0), (&[2, 1, 3, 3, 2, 4], 0), (&[3, 4], 2), (&[1, 2, 3, 4, 1, 3], 0)];
    for (order, missing) in orders {
        let bus = local();
        let orchestrator = orchestrator(&bus);
        let control = orchestrator.control();
        let mut driver = Driver::join(&bus, "a", 1);
        wait_alive(&control, 1);
        control.configure_json(TSUNAMI).expect("configures");
        let (_, origin_ms) = driver.run();
        order.iter().for_each(|sequence| driver.report("t", at(*sequence, origin_ms)));
        let result = wait_state(&control, "t", "completed");
        assert_eq!(result.conservation.reports_missing, missing, "{order:?}");
        assert_eq!(result.verdict.iter().any(|l| l.contains("never arrived")), missing > 0);
        totals.push(result.total);
    }
    assert!(totals.iter().all(|total| *total == totals[0]));
    assert_eq!(totals[0].requests, 200);
}

#[test]
fn nothing_is_accepted_after_a_final_report() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let (mut drivers, origin_ms) = two_started(&bus, &control, TSUNAMI);
    drivers[0].report("t", last(origin_ms, 100));
    drivers[0].report("t", Figures { sequence: 4, is_final: false, ..last(origin_ms, 999) });
    drivers[0].report("t", Figures { sequence: 5, ..last(origin_ms, 999) });
    drivers[1].report("t", last(origin_ms, 100));
    let result = wait_state(&control, "t", "completed");
    assert_eq!(result.total.requests, 200);
    assert_eq!(result.conservation.reports_missing, 4, "1 and 2 of each");
}

#[test]
fn while_the_bus_is_unavailable_no_driver_is_lost_and_no_plan_is_accepted() {
    let bus = Fragile::new();
    let config = Config { connect_timeout: SOON, ..Config::default() };
    let orchestrator = start(Arc::new(bus.clone()), config).expect("starts");
    let control = orchestrator.control();
    let sound = bus.sound();
    let mut driver = Driver::join(&sound, "a", 1);
    wait_alive(&control, 1);
    bus.set_away(true);
    wait("the outage is noticed", || control.health().err());
    let refused = control.configure_json(TSUNAMI).expect_err("away");
    assert_eq!(refused.status, 503);
    assert!(refused.message.contains("nobody answers"), "{refused}");
    assert_eq!(control.register_json(br#"{"node_id":"x","node_ip":"h"}"#).expect_err("away").status, 503);
    clock::sleep(Duration::from_millis(5_500));
    assert_eq!(control.fleet_alive(), 1, "the silence is ours");
    bus.set_away(false);
    wait("the bus is back", || control.health().ok());
    control.configure_json(TSUNAMI).expect("configures");
    let (_, origin_ms) = driver.run();
    driver.report("t", Figures { sequence: 1, ..last(origin_ms, 10) });
    wait_state(&control, "t", "completed");
}

#[test]
fn a_plan_that_cannot_be_written_fails_with_a_reason() {
    let bus = Fragile::new();
    let orchestrator = start(Arc::new(bus.clone()), Config::default()).expect("starts");
    let control = orchestrator.control();
    let sound = bus.sound();
    let _driver = Driver::join(&sound, "a", 1);
    wait_alive(&control, 1);
    bus.set_away(true);
    // The reader may not have noticed yet; if it has, this is a 503.
    if let Err(refused) = control.configure_json(TSUNAMI) {
        assert_eq!(refused.status, 503);
        return;
    }
    let result = wait_state(&control, "t", "failed");
    assert!(result.verdict[0].contains("the plan could not be written"), "{:?}", result.verdict);
    assert!(result.verdict[0].contains("nobody answers"), "{:?}", result.verdict);
}

#[test]
fn an_unavailable_bus_is_reported_at_the_start() {
    let bus = Fragile::new();
    bus.set_away(true);
    let Err(why) = start(Arc::new(bus), Config::default()) else { panic!("it started") };
    assert_eq!(why, "fragile bus: nobody answers");
}
