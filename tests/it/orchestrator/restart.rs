//! Orchestrators that die and start again, and several of them on one log.

use super::support::*;
use floodgate::bus::{Connector, Record, Start, Topic};
use floodgate::orchestrator::replay::Replay;
use floodgate::orchestrator::{Control, Orchestrator};
use floodgate::stats::summary::Summary;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// An orchestrator that can be killed: from then on it neither reads nor writes.
struct Mortal {
    bus: Fragile,
    orchestrator: Orchestrator,
}

impl Mortal {
    fn on(bus: &Fragile) -> Mortal {
        let bus = bus.with_own_switch();
        let connector: Arc<dyn Connector> = Arc::new(bus.clone());
        Mortal { orchestrator: orchestrator(&connector), bus }
    }

    fn kill(self) {
        self.bus.set_away(true);
        drop(self.orchestrator);
    }
}

const PLAN: &[u8] = br#"{"test_id":"t","test_type":"AVALANCHE","message_count_per_driver":10}"#;

fn last(origin_ms: f64, sequence: u64) -> Figures {
    let is_final = true;
    Figures { sequence, origin_ms, elapsed_ms: 900.0, responses: 10, latency_ms: 2, is_final, seen: None }
}

fn json(control: &Control) -> String {
    serde_json::to_string(&control.summary("t").expect("known")).expect("JSON")
}

/// Everything on the bus.
fn records(bus: &Fragile) -> Vec<Record> {
    let mut reader = bus.sound().open();
    Topic::ALL.iter().for_each(|topic| reader.subscribe(*topic, Start::Beginning, SOON).expect("subscribes"));
    let mut all = Vec::new();
    loop {
        let records = reader.poll(Duration::ZERO).expect("polls");
        if records.is_empty() {
            return all;
        }
        all.extend(records);
    }
}

fn replayed(bus: &Fragile) -> Summary {
    let mut replay = Replay::new(Some("t".to_owned()));
    for topic in [Topic::TestConfig, Topic::Metrics] {
        let records = records(bus).into_iter().filter(|record| record.topic == topic);
        records.for_each(|record| replay.add(&record).expect("understood"));
    }
    replay.finish().expect("a result").summary().clone()
}

/// The run goes on whenever the orchestrator that configured it dies, and its successor ends it.
#[test]
fn a_new_orchestrator_continues_the_test_of_a_dead_one() {
    for moment in ["before ready", "before the trigger", "mid-run", "finishing"] {
        let bus = Fragile::new();
        let first = Mortal::on(&bus);
        let mut driver = Driver::join(&bus.sound(), "a", 7);
        wait_alive(&first.orchestrator.control(), 1);
        first.orchestrator.control().configure_json(PLAN).expect("configures");
        let mut first = Some(first);
        let mut die_at = |now: &str| {
            if now == moment {
                first.take().into_iter().for_each(Mortal::kill);
                return Some(Mortal::on(&bus));
            }
            None
        };
        let mut second = die_at("before ready");
        let plan = driver.plan();
        let ready = json!({"state": "ready", "test_id": "t", "plan_hash": plan.plan_hash()});
        second = second.or_else(|| die_at("before the trigger"));
        wait("a trigger", || {
            driver.say(ready.clone());
            (driver.triggers_waiting() > 0).then_some(())
        });
        let origin_ms = driver.trigger("t").start_at_ms.expect("a start");
        driver.state("t", "running");
        driver
            .report("t", Figures { is_final: false, responses: 4, elapsed_ms: 500.0, ..last(origin_ms, 1) });
        second = second.or_else(|| die_at("mid-run"));
        driver.state("t", "finishing");
        second = second.or_else(|| die_at("finishing"));
        driver.report("t", last(origin_ms, 2));
        driver.say(json!({"state": "idle"}));
        let control = second.as_ref().expect("started").orchestrator.control();
        let result = wait_state(&control, "t", "completed");
        assert_eq!((result.total.requests, result.conservation.reports_missing), (10, 0), "{moment}");
        assert_eq!(result.started_at, Some(origin_ms), "{moment}");
        assert_eq!(replayed(&bus), result, "{moment}");
    }
}

#[test]
fn after_the_end_a_new_orchestrator_has_the_same_result_and_history() {
    let bus = Fragile::new();
    let first = Mortal::on(&bus);
    let mut driver = Driver::join(&bus.sound(), "a", 7);
    wait_alive(&first.orchestrator.control(), 1);
    first.orchestrator.control().configure_json(PLAN).expect("configures");
    let (_, origin_ms) = driver.run();
    driver.report("t", last(origin_ms, 1));
    wait_state(&first.orchestrator.control(), "t", "completed");
    let before = json(&first.orchestrator.control());
    wait("its copy in trigger", || (driver.ends_waiting("t") == 1).then_some(()));
    first.kill();
    let second = Mortal::on(&bus);
    let control = second.orchestrator.control();
    wait_state(&control, "t", "completed");
    assert_eq!(json(&control), before);
    let history = control.dashboard().history;
    assert_eq!(
        history.iter().map(|row| (row.test_id.as_str(), row.requests)).collect::<Vec<_>>(),
        [("t", 10)]
    );
    let used = control.configure_json(PLAN).expect_err("used");
    assert!(used.message.contains("already used"), "{used}");
    driver.say(json!({"state": "idle"}));
    wait_alive(&control, 1);
    control.configure_json(br#"{"test_id":"u","test_type":"TSUNAMI"}"#).expect("configures the next");
}

#[test]
fn two_orchestrators_show_the_same_and_commands_may_go_to_either() {
    let bus = Fragile::new();
    let (a, b) = (Mortal::on(&bus), Mortal::on(&bus));
    let (a, b) = (a.orchestrator.control(), b.orchestrator.control());
    let mut driver = Driver::join(&bus.sound(), "a", 7);
    [&a, &b].into_iter().for_each(|control| wait_alive(control, 1));
    a.configure_json(PLAN).expect("configures");
    wait("the other one knows it", || b.summary("t"));
    let busy = b.configure_json(br#"{"test_id":"u","test_type":"TSUNAMI"}"#).expect_err("busy");
    assert_eq!(busy.status, 409);
    let (_, origin_ms) = driver.run();
    driver.report("t", Figures { is_final: false, responses: 4, ..last(origin_ms, 1) });
    wait_state(&b, "t", "running");
    b.stop(Some("t"), "enough").expect("stops");
    let stop = driver.trigger("t");
    assert!(stop.is_stop() && stop.reason.as_deref() == Some("enough"), "{stop:?}");
    driver.report("t", last(origin_ms, 2));
    [&a, &b].into_iter().for_each(|control| drop(wait_state(control, "t", "aborted")));
    assert_eq!(json(&a), json(&b));
    assert_eq!(serde_json::to_string(&replayed(&bus)).expect("JSON"), json(&a));
}

#[test]
fn of_two_tests_configured_at_once_one_wins_on_every_orchestrator() {
    let bus = Fragile::new();
    let (a, b) = (Mortal::on(&bus), Mortal::on(&bus));
    let _driver = Driver::join(&bus.sound(), "a", 7);
    let controls = [a.orchestrator.control(), b.orchestrator.control()];
    controls.iter().for_each(|control| wait_alive(control, 1));
    for round in 0..5 {
        let configure = |(index, control): (usize, &Control)| {
            // In the last rounds even the ids are the same.
            let id = if round < 3 { format!("t{round}-{index}") } else { format!("t{round}") };
            let body = json!({"test_id": id, "test_type": "TSUNAMI", "timeout_ms": 1_000 + index});
            let body = body.to_string();
            control.configure_json(body.as_bytes())
        };
        let answers: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                controls.iter().enumerate().map(|one| scope.spawn(move || configure(one))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let won: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        let lost = answers.iter().find_map(|answer| answer.as_ref().err()).expect("one lost");
        assert_eq!(lost.status, 409, "{lost}");
        let id = won[0].test_id.clone();
        for control in &controls {
            wait("both know it", || control.summary(&id));
        }
        controls[1].stop(Some(&id), "next").expect("stops");
        controls.iter().for_each(|control| drop(wait_state(control, &id, "aborted")));
    }
}

#[test]
fn a_run_that_nobody_ended_is_ended_by_the_next_orchestrator() {
    let bus = Fragile::new();
    let first = Mortal::on(&bus);
    let mut driver = Driver::join(&bus.sound(), "a", 7);
    wait_alive(&first.orchestrator.control(), 1);
    first.orchestrator.control().configure_json(PLAN).expect("configures");
    let (_, origin_ms) = driver.run();
    first.kill();
    driver.report("t", last(origin_ms, 1));
    driver.say(json!({"state": "left"}));
    let second = Mortal::on(&bus);
    let result = wait_state(&second.orchestrator.control(), "t", "completed");
    assert_eq!(result.total.requests, 10);
}
