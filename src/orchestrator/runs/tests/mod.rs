mod stops;
mod together;

use super::deciding::{HEAR_WITHIN_NS, STAND_IN_NS};
use super::*;
use crate::message::{Fate, OnDriverLoss, TestType};

fn at(ms: u64) -> Now {
    Now { ns: ms * NS_PER_MS, broker_ms: 1_000_000.0 + ms as f64 }
}

fn node(node_id: &str) -> NodeRef {
    NodeRef { node_id: node_id.to_owned(), epoch: 1 }
}

fn new_run(config: TestConfig) -> Run {
    let plan = Plan::as_written(&config).expect("a valid plan");
    Run::new(config, plan, 1_000_000.0, true, at(0))
}

fn config_of(names: &[&str]) -> TestConfig {
    let mut config = TestConfig::new("t", TestType::Tsunami);
    (config.test_message_delay, config.message_count_per_driver) = (Some(100.0), Some(10));
    config.timeout_ms = Some(1_000);
    config.drivers = names.iter().map(|name| node(name)).collect();
    config
}

fn run_of(names: &[&str]) -> Run {
    new_run(config_of(names))
}

fn beat(run: &Run, name: &str, state: DriverState) -> Heartbeat {
    Heartbeat {
        node_id: name.to_owned(),
        heartbeat: "YES".to_owned(),
        timestamp: 0.0,
        epoch: Some(1),
        state: Some(state),
        reason: None,
        test_id: Some("t".to_owned()),
        plan_hash: Some(run.config.plan_hash()),
        clock_offset_ms: None,
        clock_error_ms: None,
    }
}

fn say(run: &mut Run, name: &str, state: DriverState, ms: u64) {
    let message = beat(run, name, state);
    run.heartbeat(&message, at(ms));
}

/// Evaluates the run, and reads back what it writes.
fn tick(run: &mut Run, ms: u64) -> Vec<Command> {
    let commands = run.tick(at(ms), 0);
    read_back(run, &commands, ms);
    commands
}

fn read_back(run: &mut Run, commands: &[Command], ms: u64) {
    for command in commands {
        match command {
            Command::Start(trigger) | Command::Stop(trigger) => {
                run.trigger(trigger, at(ms).broker_ms, at(ms))
            }
            Command::End(end) => run.end(End::clone(end)),
            Command::Config(_) | Command::Index(_) => panic!("{command:?}"),
        }
    }
}

fn stop(run: &mut Run, reason: &str, ms: u64) {
    let command = run.stop(reason, at(ms)).expect("a STOP");
    read_back(run, &[command], ms);
}

fn lose(run: &mut Run, name: &str, what: &str, permanently: bool, ms: u64) {
    run.change(&Change::Lost { node: node(name), what: what.to_owned(), permanently }, at(ms));
}

fn fates(run: &Run) -> Vec<(Fate, Option<&str>)> {
    let drivers = run.end.as_ref().expect("an END").drivers.iter();
    drivers.map(|driver| (driver.fate, driver.reason.as_deref())).collect()
}

/// Both ready at 100 ms, gate open at 1,100 ms, planned end at 2,150 ms at the latest.
fn started() -> Run {
    started_with(config_of(&["a", "b"]))
}

fn started_with(config: TestConfig) -> Run {
    let mut run = new_run(config);
    say(&mut run, "a", DriverState::Ready, 50);
    assert!(tick(&mut run, 60).is_empty());
    say(&mut run, "b", DriverState::Ready, 100);
    let commands = run.tick(at(100), 0);
    assert_eq!(commands, [Command::Start(Trigger::start("t", 1_001_100.0))]);
    assert!(run.tick(at(110), 0).is_empty(), "the trigger is written once");
    read_back(&mut run, &commands, 120);
    assert_eq!(run.phase, Phase::Running);
    say(&mut run, "a", DriverState::Running, 1_100);
    say(&mut run, "b", DriverState::Running, 1_100);
    run
}

#[test]
fn a_run_completes_when_all_final_reports_are_in() {
    let mut run = started();
    say(&mut run, "a", DriverState::Finishing, 1_500);
    tick(&mut run, 1_500);
    assert_eq!(run.phase, Phase::Running);
    say(&mut run, "b", DriverState::Finishing, 1_600);
    tick(&mut run, 1_600);
    assert_eq!(run.phase, Phase::Finishing);
    run.final_report(&node("a"), 10);
    tick(&mut run, 1_700);
    assert_eq!(run.phase, Phase::Finishing);
    run.reported(&node("b"), 7, at(1_750));
    run.final_report(&node("b"), 10);
    let commands = tick(&mut run, 1_800);
    assert!(
        matches!(&commands[..], [Command::End(end)] if end.drivers[1].last_sequence == 7),
        "{commands:?}"
    );
    assert_eq!(run.phase, Phase::Completed);
    assert_eq!(fates(&run), [(Fate::Done, None), (Fate::Done, None)]);
    assert!(tick(&mut run, 60_000).is_empty());
}

#[test]
fn who_did_not_configure_the_test_acts_later() {
    let config = config_of(&["a"]);
    let plan = Plan::as_written(&config).expect("a valid plan");
    let mut run = Run::new(config, plan, 1_000_000.0, false, at(0));
    say(&mut run, "a", DriverState::Ready, 50);
    assert!(tick(&mut run, 60).is_empty());
    let stand_in_ms = STAND_IN_NS / NS_PER_MS;
    assert!(tick(&mut run, 59 + stand_in_ms).is_empty());
    assert!(matches!(&tick(&mut run, 60 + stand_in_ms)[..], [Command::Start(_)]));
    run.final_report(&node("a"), 10);
    assert!(tick(&mut run, 5_000).is_empty());
    assert!(matches!(&tick(&mut run, 5_000 + stand_in_ms)[..], [Command::End(_)]));
}

#[test]
fn the_first_yes_stop_and_end_count() {
    let mut run = started();
    run.trigger(&Trigger::start("t", 9.0), 9.0, at(1_200));
    assert_eq!(run.started_at_ms, Some(1_001_100.0));
    run.trigger(&Trigger::stop("t", "first"), 1_001_300.0, at(1_300));
    run.trigger(&Trigger::stop("t", "second"), 1_001_400.0, at(1_400));
    assert_eq!(
        run.stopped.as_ref().map(|stop| (stop.reason.as_str(), stop.at_ms)),
        Some(("first", 1_001_300.0))
    );
    assert_eq!(run.stopped_after_ns(), Some(200 * NS_PER_MS));
    let first = run.to_end(at(2_000));
    let second = End { state: EndState::Failed, ..first.clone() };
    run.end(first);
    run.end(second);
    assert_eq!(run.phase, Phase::Aborted);
    let mut early = run_of(&["a"]);
    early.trigger(&Trigger::stop("t", "no"), 1_000_001.0, at(1));
    early.trigger(&Trigger::start("t", 1_000_900.0), 1_000_002.0, at(2));
    assert_eq!(early.started_at_ms, None, "it was stopped before");
}

#[test]
fn a_refusal_and_a_wrong_hash_fail_the_run_with_all_names() {
    let mut run = run_of(&["a", "b", "c"]);
    let refused = Heartbeat { reason: Some("host".to_owned()), ..beat(&run, "a", DriverState::Refused) };
    let other = Heartbeat { plan_hash: Some("ff".to_owned()), ..beat(&run, "b", DriverState::Ready) };
    run.heartbeat(&refused, at(1));
    run.heartbeat(&other, at(1));
    let commands = tick(&mut run, 2);
    assert!(matches!(&commands[..], [Command::End(_)]), "{commands:?}");
    assert_eq!(run.phase, Phase::Failed);
    assert_eq!(run.failed[0], "driver a refused the plan: host");
    assert!(run.failed[1].starts_with("driver b refused the plan: it read a different plan (ff, not "));
    assert_eq!(run.failed.len(), 2);
}

#[test]
fn a_driver_that_is_not_ready_in_time_is_named() {
    let mut run = run_of(&["a", "b"]);
    say(&mut run, "a", DriverState::Ready, 1);
    tick(&mut run, 9_999);
    assert_eq!(run.phase, Phase::Ready);
    tick(&mut run, 10_000);
    assert_eq!(run.phase, Phase::Failed);
    assert_eq!(run.failed, ["driver b was not ready within 10 s"]);
}

#[test]
fn readiness_for_another_test_or_from_another_epoch_does_not_count() {
    let mut run = run_of(&["a"]);
    let other = Heartbeat { test_id: Some("x".to_owned()), ..beat(&run, "a", DriverState::Ready) };
    let elder = Heartbeat { epoch: Some(0), ..beat(&run, "a", DriverState::Ready) };
    run.heartbeat(&other, at(1));
    run.heartbeat(&elder, at(1));
    assert!(tick(&mut run, 2).is_empty());
    assert!(!run.members[0].ready);
}

#[test]
fn a_driver_lost_before_the_start_fails_the_run() {
    let mut run = run_of(&["a"]);
    lose(&mut run, "a", "it left", true, 1);
    tick(&mut run, 1);
    assert_eq!(run.failed, ["driver a was lost before the start: it left"]);
}

#[test]
fn a_driver_that_was_not_heard_from_and_is_ready_after_all_is_not_lost() {
    let mut run = run_of(&["a", "b"]);
    lose(&mut run, "a", "nothing was heard from it", false, 1);
    say(&mut run, "a", DriverState::Ready, 2);
    say(&mut run, "b", DriverState::Ready, 2);
    assert!(matches!(&tick(&mut run, 3)[..], [Command::Start(_)]));
}

#[test]
fn a_lost_driver_is_waited_for_a_little_and_may_come_back() {
    let mut run = started_with(TestConfig {
        duration_ms: Some(60_000),
        message_count_per_driver: None,
        ..config_of(&["a", "b"])
    });
    lose(&mut run, "b", "it was silent for 3 s", false, 1_400);
    tick(&mut run, 1_500);
    assert_eq!(run.phase, Phase::Running);
    run.change(&Change::Back(node("b")), at(1_500));
    assert!(run.members[1].lost.is_none());
    lose(&mut run, "b", "it was silent for 3 s", false, 1_600);
    run.final_report(&node("a"), 600);
    assert!(tick(&mut run, 11_599).is_empty(), "its process may only have been stopped");
    tick(&mut run, 11_600);
    assert_eq!(run.phase, Phase::Completed);
    assert_eq!(fates(&run)[1], (Fate::Lost, Some("it was silent for 3 s")));
}

#[test]
fn a_lost_driver_fails_the_run_if_the_plan_says_so() {
    let mut config = config_of(&["a", "b"]);
    config.on_driver_loss = Some(OnDriverLoss::Fail);
    let mut run = started_with(config);
    lose(&mut run, "b", "it left", true, 1_400);
    let commands = tick(&mut run, 1_500);
    assert!(matches!(&commands[..], [Command::Stop(_)]), "{commands:?}");
    assert!(tick(&mut run, 1_600).is_empty(), "once");
    run.final_report(&node("a"), 10);
    tick(&mut run, 1_700);
    assert_eq!(run.phase, Phase::Failed);
    assert_eq!(run.failed, ["driver b was lost: it left (on_driver_loss is fail)"]);
}

#[test]
fn a_driver_that_never_finishes_also_fails_a_run_that_must_not_lose_one() {
    let mut config = config_of(&["a", "b"]);
    config.on_driver_loss = Some(OnDriverLoss::Fail);
    let mut run = started_with(config);
    run.final_report(&node("a"), 10);
    tick(&mut run, 10_000);
    assert_eq!(run.phase, Phase::Failed);
    assert!(run.failed[0].contains("driver b was lost: it did not finish within"), "{:?}", run.failed);
}

#[test]
fn after_an_outage_of_the_bus_a_run_waits_for_what_stands_in_the_log() {
    let mut run = started();
    run.final_report(&node("a"), 10);
    let heard_since_ns = at(20_000).ns;
    assert!(run.tick(at(20_000), heard_since_ns).is_empty(), "its deadline passed during the outage");
    assert!(run.members[1].lost.is_none());
    run.final_report(&node("b"), 10);
    let commands = run.tick(at(20_100), heard_since_ns);
    assert!(
        matches!(&commands[..], [Command::End(end)] if end.drivers[1].fate == Fate::Done),
        "{commands:?}"
    );
    let mut never = started();
    assert!(never.tick(at(68_100), at(68_000).ns).is_empty());
    assert!(matches!(&never.tick(at(68_150), at(68_100).ns)[..], [Command::End(_)]), "but not without end");
}

#[test]
fn a_driver_that_leaves_after_its_final_report_is_not_lost() {
    let mut run = started();
    run.final_report(&node("a"), 10);
    lose(&mut run, "a", "it left", true, 1_200);
    assert!(run.members[0].lost.is_none());
}

#[test]
fn a_run_is_closed_at_its_deadline() {
    let mut run = started();
    run.final_report(&node("a"), 10);
    assert!(tick(&mut run, 8_000).is_empty());
    assert_eq!(run.phase, Phase::Finishing, "the planned end has passed");
    // 1,100 + 1,050 (planned end) + 1,000 (timeout) + 5,000, but not within 10 s of the process's start.
    assert!(tick(&mut run, 9_999).is_empty());
    tick(&mut run, 10_000);
    assert_eq!(run.phase, Phase::Completed);
    assert!(fates(&run)[1].1.expect("a reason").contains("did not finish within timeout + 5 s"));
}

#[test]
fn an_orchestrator_that_has_just_started_listens_before_it_closes_a_run() {
    let config = config_of(&["a"]);
    let plan = Plan::as_written(&config).expect("a valid plan");
    let mut run = Run::new(config, plan, 1_000_000.0, false, at(100_000));
    run.trigger(&Trigger::start("t", 1_001_000.0), 1_000_500.0, at(100_000));
    let since_ns = at(100_000).ns;
    let first_ms = 100_000 + HEAR_WITHIN_NS / NS_PER_MS;
    assert!(run.tick(at(first_ms - 1), since_ns).is_empty());
    assert!(run.tick(at(first_ms), since_ns).is_empty(), "it stands in");
    let commands = run.tick(at(first_ms + STAND_IN_NS / NS_PER_MS), since_ns);
    assert!(
        matches!(&commands[..], [Command::End(end)] if end.drivers[0].fate == Fate::Lost),
        "{commands:?}"
    );
}

#[test]
fn a_start_beyond_all_time_is_taken_as_it_is() {
    let mut run = run_of(&["a"]);
    run.trigger(&Trigger::start("t", 1e300), 1_000_001.0, at(1));
    assert_eq!((run.phase, run.members[0].away_ns), (Phase::Running, Some(u64::MAX)));
    assert!(tick(&mut run, 60_000).is_empty());
}

#[test]
fn drivers_that_finish_early_may_have_read_a_stop_that_this_process_has_not() {
    let mut run = started();
    run.final_report(&node("a"), 10);
    run.final_report(&node("b"), 3);
    assert!(tick(&mut run, 1_300).is_empty());
    run.trigger(&Trigger::stop("t", "another orchestrator"), 1_001_200.0, at(1_400));
    tick(&mut run, 1_500);
    assert_eq!(run.phase, Phase::Aborted);
    let mut unexplained = started();
    ["a", "b"].iter().for_each(|name| unexplained.final_report(&node(name), 3));
    assert!(tick(&mut unexplained, 1_300).is_empty());
    assert!(tick(&mut unexplained, 4_299).is_empty());
    tick(&mut unexplained, 4_300);
    assert_eq!(unexplained.phase, Phase::Completed);
}

#[test]
fn a_trigger_that_cannot_be_written_is_tried_again_until_the_drivers_are_late() {
    let mut run = run_of(&["a"]);
    say(&mut run, "a", DriverState::Ready, 1);
    let commands = run.tick(at(2), 0);
    run.written(&commands[0], Err("away".to_owned()), at(5_000));
    assert!(run.tick(at(5_001), 0).is_empty());
    let again = run.tick(at(6_000), 0);
    assert!(matches!(&again[..], [Command::Start(_)]), "{again:?}");
    run.written(&again[0], Err("away".to_owned()), at(11_000));
    tick(&mut run, 11_001);
    assert_eq!(run.failed, ["the trigger could not be written: away"]);
}

#[test]
fn a_driver_that_returns_to_idle_without_a_final_report_is_given_up() {
    let mut run = started();
    run.config.timeout_ms = None;
    run.closing = None;
    let idle = Heartbeat { test_id: None, ..beat(&run, "a", DriverState::Idle) };
    run.heartbeat(&idle, at(2_000));
    tick(&mut run, 12_000);
    assert!(run.members[0].lost.is_none());
    tick(&mut run, 12_001);
    assert!(run.members[0].lost.is_some());
    assert!(run.members[1].lost.is_none());
    say(&mut run, "a", DriverState::Running, 12_500);
    assert!(run.members[0].lost.is_none());
}

#[test]
fn a_driver_that_refuses_the_start_is_lost_at_once_with_its_reason() {
    let mut run = started();
    let refusal = Heartbeat {
        reason: Some("the start is too far ahead".to_owned()),
        ..beat(&run, "b", DriverState::Refused)
    };
    run.heartbeat(&refusal, at(1_200));
    run.final_report(&node("a"), 10);
    tick(&mut run, 1_300);
    assert_eq!(run.phase, Phase::Completed);
    assert!(fates(&run)[1].1.expect("a reason").contains("too far ahead"));
}

/// With only original drivers: the plan is written at 0 ms, the planned end is 1 s after the start, the
/// deadline 6 s later.
fn original_run(names: &[&str]) -> Run {
    let run = run_of(&[]).with_originals(names.iter().map(|name| (*name).to_owned()).collect());
    assert!(run.is_original_only());
    run
}

#[test]
fn original_drivers_have_a_second_to_read_the_plan() {
    let mut run = original_run(&["m"]);
    assert!(tick(&mut run, 999).is_empty());
    let commands = tick(&mut run, 1_000);
    assert_eq!(commands, [Command::Start(Trigger::start("t", 1_001_000.0))], "they start when they read it");
    let mut mixed = run_of(&["a"]).with_originals(vec!["m".to_owned()]);
    say(&mut mixed, "a", DriverState::Ready, 50);
    assert!(tick(&mut mixed, 999).is_empty());
    assert_eq!(tick(&mut mixed, 1_000), [Command::Start(Trigger::start("t", 1_002_000.0))]);
}

/// Started at 1 s.
fn original_started(names: &[&str]) -> Run {
    let mut run = original_run(names);
    tick(&mut run, 1_000);
    assert_eq!(run.phase, Phase::Running);
    run
}

#[test]
fn an_original_driver_may_report_before_its_trigger_is_read() {
    let mut run = original_run(&["m"]);
    assert!(!run.original("m", false, at(900)), "a heartbeat before the start means nothing");
    assert!(run.original("m", true, at(1_001)));
    tick(&mut run, 1_002);
    stop(&mut run, "x", 1_003);
    tick(&mut run, 1_004);
    assert!(!run.original("m", true, at(1_005)), "the run has ended");
}

#[test]
fn original_drivers_alone_are_closed_when_quiet_or_overdue() {
    let mut quiet = original_started(&["m", "gone"]);
    assert!(quiet.original("m", true, at(2_500)));
    tick(&mut quiet, 2_600);
    assert_eq!(quiet.phase, Phase::Finishing);
    tick(&mut quiet, 5_400);
    assert_eq!(quiet.phase, Phase::Finishing, "its last report was 2.9 s ago");
    tick(&mut quiet, 5_500);
    assert_eq!(quiet.phase, Phase::Completed);
    assert!(!quiet.original("m", true, at(5_501)), "the run is closed for all drivers");
    assert_eq!(
        (quiet.originals.active(), quiet.originals.silent()),
        (vec!["m".to_owned()], vec!["gone".to_owned()])
    );
    let mut overdue = original_started(&["m", "n"]);
    overdue.original("m", true, at(1_500));
    overdue.original("n", false, at(1_500));
    tick(&mut overdue, 7_900);
    assert_eq!(overdue.phase, Phase::Finishing, "n was heard from but has not reported");
    tick(&mut overdue, 10_000);
    assert_eq!(overdue.phase, Phase::Completed);
}

#[test]
fn without_a_planned_end_original_drivers_are_waited_for_while_they_report() {
    let mut config = TestConfig::new("t", TestType::Avalanche);
    (config.message_count_per_driver, config.timeout_ms) = (Some(10), Some(1_000));
    let mut run = new_run(config).with_originals(vec!["m".to_owned()]);
    tick(&mut run, 1_000);
    run.original("m", true, at(5_000));
    tick(&mut run, 10_900);
    assert_eq!(run.phase, Phase::Running);
    tick(&mut run, 11_000);
    assert_eq!(run.phase, Phase::Completed);
}

#[test]
fn a_stop_ends_a_run_of_original_drivers_at_once() {
    let mut run = original_started(&["m"]);
    stop(&mut run, "x", 1_200);
    tick(&mut run, 1_200);
    assert_eq!(run.phase, Phase::Aborted);
}
