use super::*;
use crate::message::TestType;

fn at(ms: u64) -> Now {
    Now { ns: ms * NS_PER_MS, broker_ms: 1_000_000.0 + ms as f64 }
}

fn node(node_id: &str) -> NodeRef {
    NodeRef { node_id: node_id.to_owned(), epoch: 1 }
}

fn new_run(config: TestConfig) -> (Run, Command) {
    let plan = Plan::as_written(&config).expect("a valid plan");
    Run::new(config, plan)
}

fn run_of(names: &[&str]) -> Run {
    let mut config = TestConfig::new("t", TestType::Tsunami);
    (config.test_message_delay, config.message_count_per_driver) = (Some(100.0), Some(10));
    config.timeout_ms = Some(1_000);
    config.drivers = names.iter().map(|name| node(name)).collect();
    let (mut run, command) = new_run(config.clone());
    assert_eq!(command, Command::Config(Box::new(config)));
    run.written(&command, Ok(()), at(0));
    run
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

/// Both ready at 100 ms, gate open at 1,100 ms, planned end at 2,150 ms at the latest.
fn started() -> Run {
    let mut run = run_of(&["a", "b"]);
    say(&mut run, "a", DriverState::Ready, 50);
    assert!(run.tick(at(60)).is_empty());
    say(&mut run, "b", DriverState::Ready, 100);
    let commands = run.tick(at(100));
    assert_eq!(commands, [Command::Start(Trigger::start("t", 1_001_100.0))]);
    assert!(run.tick(at(110)).is_empty(), "the trigger is written once");
    run.written(&commands[0], Ok(()), at(120));
    assert_eq!(run.phase, Phase::Running);
    say(&mut run, "a", DriverState::Running, 1_100);
    say(&mut run, "b", DriverState::Running, 1_100);
    run
}

#[test]
fn a_run_completes_when_all_final_reports_are_in() {
    let mut run = started();
    say(&mut run, "a", DriverState::Finishing, 1_500);
    run.tick(at(1_500));
    assert_eq!(run.phase, Phase::Running);
    say(&mut run, "b", DriverState::Finishing, 1_600);
    run.tick(at(1_600));
    assert_eq!(run.phase, Phase::Finishing);
    run.final_report(&node("a"));
    run.tick(at(1_700));
    assert_eq!(run.phase, Phase::Finishing);
    run.final_report(&node("b"));
    assert!(run.tick(at(1_800)).is_empty());
    assert_eq!(run.phase, Phase::Completed);
}

#[test]
fn nothing_starts_before_the_plan_was_written() {
    let mut config = TestConfig::new("t", TestType::Avalanche);
    config.drivers = vec![node("a")];
    let (mut run, command) = new_run(config);
    say(&mut run, "a", DriverState::Ready, 5);
    assert!(run.tick(at(60_000)).is_empty());
    run.written(&command, Err("nobody answers".to_owned()), at(60_001));
    assert!(matches!(&run.tick(at(60_002))[..], [Command::Stop(_)]));
    assert_eq!(run.phase, Phase::Failed);
    assert_eq!(run.failed, ["the plan could not be written: nobody answers"]);
}

#[test]
fn a_refusal_and_a_wrong_hash_fail_the_run_with_all_names() {
    let mut run = run_of(&["a", "b", "c"]);
    let refused = Heartbeat { reason: Some("host".to_owned()), ..beat(&run, "a", DriverState::Refused) };
    let other = Heartbeat { plan_hash: Some("ff".to_owned()), ..beat(&run, "b", DriverState::Ready) };
    run.heartbeat(&refused, at(1));
    run.heartbeat(&other, at(1));
    let commands = run.tick(at(2));
    assert!(matches!(&commands[..], [Command::Stop(stop)] if stop.is_stop()), "{commands:?}");
    assert_eq!(run.phase, Phase::Failed);
    assert_eq!(run.failed[0], "driver a refused the plan: host");
    assert!(run.failed[1].starts_with("driver b refused the plan: it read a different plan (ff, not "));
    assert_eq!(run.failed.len(), 2);
}

#[test]
fn a_driver_that_is_not_ready_in_time_is_named() {
    let mut run = run_of(&["a", "b"]);
    say(&mut run, "a", DriverState::Ready, 1);
    run.tick(at(9_999));
    assert_eq!(run.phase, Phase::Ready);
    run.tick(at(10_000));
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
    assert!(run.tick(at(2)).is_empty());
    assert!(!run.members[0].ready);
}

#[test]
fn a_driver_lost_before_the_start_fails_the_run() {
    let mut run = run_of(&["a"]);
    run.change(&Change::Lost { node: node("a"), what: "it left".to_owned(), permanently: true });
    run.tick(at(1));
    assert_eq!(run.failed, ["driver a was lost before the start: it left"]);
}

#[test]
fn a_lost_driver_is_not_waited_for_and_may_come_back() {
    let mut run = started();
    let lost = Change::Lost { node: node("b"), what: "it was silent for 5 s".to_owned(), permanently: false };
    run.change(&lost);
    run.tick(at(1_500));
    assert_eq!(run.phase, Phase::Running);
    run.change(&Change::Back(node("b")));
    assert!(run.members[1].lost.is_none());
    run.change(&lost);
    run.final_report(&node("a"));
    run.tick(at(1_700));
    assert_eq!(run.phase, Phase::Completed);
    assert_eq!(run.members[1].lost.as_ref().unwrap().0, "it was silent for 5 s");
}

#[test]
fn a_driver_that_leaves_after_its_final_report_is_not_lost() {
    let mut run = started();
    run.final_report(&node("a"));
    run.change(&Change::Lost { node: node("a"), what: "it left".to_owned(), permanently: true });
    assert!(run.members[0].lost.is_none());
}

#[test]
fn a_run_is_closed_at_its_deadline_and_the_rest_are_told_to_stop() {
    let mut run = started();
    run.final_report(&node("a"));
    assert!(run.tick(at(8_000)).is_empty());
    assert_eq!(run.phase, Phase::Finishing, "the planned end has passed");
    // 1,100 + 1,050 (planned end) + 1,000 (timeout) + 5,000.
    let commands = run.tick(at(8_150));
    assert!(matches!(&commands[..], [Command::Stop(_)]), "{commands:?}");
    assert_eq!(run.phase, Phase::Completed);
    assert!(run.members[1].lost.as_ref().unwrap().0.contains("did not finish within timeout + 5 s"));
}

#[test]
fn stop_ends_the_run_aborted_and_is_written_once() {
    let mut run = started();
    let command = run.stop("Ctrl-C", at(1_500));
    assert_eq!(command, Some(Command::Stop(Trigger::stop("t", "Ctrl-C"))));
    assert_eq!(run.stop("again", at(1_501)), None);
    assert_eq!(run.phase, Phase::Finishing);
    run.final_report(&node("a"));
    run.final_report(&node("b"));
    run.tick(at(1_600));
    assert_eq!(run.phase, Phase::Aborted);
    assert_eq!(run.stopped.as_deref(), Some("Ctrl-C"));
}

#[test]
fn a_stopped_run_waits_at_most_timeout_plus_five_seconds() {
    let mut run = started();
    run.stop("enough", at(1_200));
    run.tick(at(7_199));
    assert_eq!(run.phase, Phase::Finishing);
    assert!(run.tick(at(7_200)).is_empty(), "the STOP was already written");
    assert_eq!(run.phase, Phase::Aborted);
}

#[test]
fn a_stop_before_the_trigger_ends_the_run_at_once() {
    let mut run = run_of(&["a"]);
    assert!(matches!(run.stop("no", at(5)), Some(Command::Stop(_))));
    assert_eq!(run.phase, Phase::Aborted);
    say(&mut run, "a", DriverState::Ready, 6);
    assert!(run.tick(at(7)).is_empty());
}

#[test]
fn a_trigger_that_cannot_be_written_fails_the_run_and_releases_the_drivers() {
    let mut run = run_of(&["a"]);
    say(&mut run, "a", DriverState::Ready, 1);
    let commands = run.tick(at(2));
    run.written(&commands[0], Err("away".to_owned()), at(5_000));
    assert!(matches!(&run.tick(at(5_001))[..], [Command::Stop(_)]));
    assert_eq!(run.failed, ["the trigger could not be written: away"]);
}

#[test]
fn a_driver_that_returns_to_idle_without_a_final_report_is_given_up() {
    let mut run = started();
    run.config.timeout_ms = None;
    run.closing = None;
    let idle = Heartbeat { test_id: None, ..beat(&run, "a", DriverState::Idle) };
    run.heartbeat(&idle, at(2_000));
    run.tick(at(12_000));
    assert!(run.members[0].lost.is_none());
    run.tick(at(12_001));
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
    run.final_report(&node("a"));
    run.tick(at(1_300));
    assert_eq!(run.phase, Phase::Completed);
    assert!(run.members[1].lost.as_ref().is_some_and(|(what, _)| what.contains("too far ahead")));
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
    assert!(run.tick(at(999)).is_empty());
    let commands = run.tick(at(1_000));
    assert_eq!(commands, [Command::Start(Trigger::start("t", 1_001_000.0))], "they start when they read it");
    let mut mixed = run_of(&["a"]).with_originals(vec!["m".to_owned()]);
    say(&mut mixed, "a", DriverState::Ready, 50);
    assert!(mixed.tick(at(999)).is_empty());
    assert_eq!(mixed.tick(at(1_000)), [Command::Start(Trigger::start("t", 1_002_000.0))]);
}

/// Started at 1 s.
fn original_started(names: &[&str]) -> Run {
    let mut run = original_run(names);
    let commands = run.tick(at(1_000));
    run.written(&commands[0], Ok(()), at(1_000));
    assert_eq!(run.phase, Phase::Running);
    run
}

#[test]
fn an_original_driver_may_report_before_its_trigger_is_acknowledged() {
    let mut run = original_run(&["m"]);
    assert!(!run.original("m", true, at(900)), "no trigger was written");
    let commands = run.tick(at(1_000));
    assert!(run.original("m", true, at(1_001)));
    run.written(&commands[0], Err("gone".to_owned()), at(1_002));
    assert!(!run.original("m", true, at(1_003)), "the run failed");
}

#[test]
fn original_drivers_alone_are_closed_when_quiet_or_overdue() {
    let mut quiet = original_started(&["m", "gone"]);
    assert!(quiet.original("m", true, at(2_500)));
    quiet.tick(at(2_600));
    assert_eq!(quiet.phase, Phase::Finishing);
    quiet.tick(at(5_400));
    assert_eq!(quiet.phase, Phase::Finishing, "its last report was 2.9 s ago");
    quiet.tick(at(5_500));
    assert_eq!(quiet.phase, Phase::Completed);
    assert!(quiet.original("m", true, at(8_050)), "a late report is accepted");
    assert!(!quiet.original("m", true, at(8_051)), "the run is closed for all drivers");
    assert_eq!(
        (quiet.originals.active(), quiet.originals.silent()),
        (vec!["m".to_owned()], vec!["gone".to_owned()])
    );
    let mut overdue = original_started(&["m", "n"]);
    overdue.original("m", true, at(1_500));
    overdue.original("n", false, at(1_500));
    overdue.tick(at(7_900));
    assert_eq!(overdue.phase, Phase::Finishing, "n was heard from but has not reported");
    overdue.tick(at(8_050));
    assert_eq!(overdue.phase, Phase::Completed);
}

#[test]
fn without_a_planned_end_original_drivers_are_waited_for_while_they_report() {
    let mut config = TestConfig::new("t", TestType::Avalanche);
    (config.message_count_per_driver, config.timeout_ms) = (Some(10), Some(1_000));
    let (run, command) = new_run(config);
    let mut run = run.with_originals(vec!["m".to_owned()]);
    run.written(&command, Ok(()), at(0));
    let commands = run.tick(at(1_000));
    run.written(&commands[0], Ok(()), at(1_000));
    run.original("m", true, at(5_000));
    run.tick(at(10_900));
    assert_eq!(run.phase, Phase::Running);
    run.tick(at(11_000));
    assert_eq!(run.phase, Phase::Completed);
}

#[test]
fn a_stop_ends_a_run_of_original_drivers_at_once() {
    let mut run = original_started(&["m"]);
    assert!(matches!(run.stop("x", at(1_200)), Some(Command::Stop(_))));
    assert!(run.tick(at(1_200)).is_empty());
    assert_eq!(run.phase, Phase::Aborted);
}
