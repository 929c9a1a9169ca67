use super::*;
use crate::message::TestType;

fn me() -> NodeRef {
    NodeRef { node_id: "d1".to_owned(), epoch: 7 }
}

fn session() -> Session {
    let defaults =
        Defaults { target_url: Some("http://127.0.0.1:8000/ping".to_owned()), ..Defaults::default() };
    let allowed =
        Allowed::new(defaults.target_url.as_deref(), &["other:81".to_owned()]).expect("valid hosts");
    Session::new(me(), defaults, allowed)
}

fn config(test_id: &str) -> TestConfig {
    let mut config = TestConfig::new(test_id, TestType::Avalanche);
    config.drivers = vec![NodeRef { node_id: "d0".to_owned(), epoch: 3 }, me()];
    config
}

fn read(config: TestConfig) -> Event {
    Event::Config(Box::new(config))
}

fn announced(actions: &[Action]) -> Option<(DriverState, Option<&str>)> {
    actions.iter().find_map(|action| match action {
        Action::Announce(beat) => Some((beat.state, beat.reason.as_deref())),
        _ => None,
    })
}

fn ready() -> Session {
    let mut session = session();
    session.handle(read(config("t1")));
    session.handle(Event::Prepared(Ok(())));
    session
}

#[test]
fn a_test_goes_from_plan_to_report() {
    let mut session = session();
    let actions = session.handle(read(config("t1")));
    let [Action::Prepare(assignment)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!((assignment.part, assignment.parts), (1, 2));
    let actions = session.handle(Event::Prepared(Ok(())));
    let [Action::Announce(beat)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(
        (beat.state, beat.plan_hash.as_deref()),
        (DriverState::Ready, Some(config("t1").plan_hash().as_str()))
    );
    let actions = session.handle(Event::Trigger(Trigger::start("t1", 123.0)));
    assert_eq!(actions[0], Action::Start { start_at_ms: Some(123.0) });
    assert!(session.is_busy());
    assert_eq!(announced(&session.handle(Event::LoadEnded)), Some((DriverState::Finishing, None)));
    assert_eq!(announced(&session.handle(Event::Reported)), Some((DriverState::Idle, None)));
    assert!(!session.is_busy());
}

#[test]
fn a_plan_for_others_or_for_an_earlier_epoch_is_ignored() {
    for other in
        [NodeRef { node_id: "d1".to_owned(), epoch: 6 }, NodeRef { node_id: "x".to_owned(), epoch: 7 }]
    {
        let mut config = config("t1");
        config.drivers = vec![other];
        assert_eq!(session().handle(read(config)), []);
    }
}

#[test]
fn a_plan_without_names_is_for_every_driver() {
    let mut config = config("t1");
    config.drivers.clear();
    assert!(matches!(session().handle(read(config)).as_slice(), [Action::Prepare(_)]));
}

#[test]
fn an_impossible_plan_is_refused_with_a_reason() {
    let mut foreign = config("t1");
    foreign.target_url = Some("http://example.org/".to_owned());
    let actions = session().handle(read(foreign));
    let (state, reason) = announced(&actions).expect("an answer");
    assert_eq!(state, DriverState::Refused);
    assert!(
        reason.is_some_and(|text| text.contains("example.org") && text.contains("--allow-target")),
        "{reason:?}"
    );

    let mut allowed = config("t1");
    allowed.target_url = Some("http://other:81/x".to_owned());
    assert!(matches!(session().handle(read(allowed)).as_slice(), [Action::Prepare(_)]));

    let mut invalid = config("t1");
    invalid.connections = Some(0);
    let actions = session().handle(read(invalid));
    assert!(
        announced(&actions)
            .is_some_and(|(_, reason)| reason.is_some_and(|text| text.contains("connections")))
    );

    let mut session = session();
    session.handle(read(config("t1")));
    let actions = session.handle(Event::Prepared(Err("too few descriptors".to_owned())));
    assert_eq!(announced(&actions), Some((DriverState::Refused, Some("too few descriptors"))));
}

#[test]
fn a_second_plan_replaces_a_ready_one_and_never_a_running_one() {
    let mut session = ready();
    let actions = session.handle(read(config("t2")));
    assert!(matches!(actions.as_slice(), [Action::Discard, Action::Prepare(_)]), "{actions:?}");
    session.handle(Event::Prepared(Ok(())));
    assert_eq!(session.handle(Event::Trigger(Trigger::start("t1", 1.0))), [], "the replaced test");
    session.handle(Event::Trigger(Trigger::start("t2", 1.0)));
    let actions = session.handle(read(config("t3")));
    assert!(announced(&actions).is_some_and(|(_, reason)| reason.is_some_and(|text| text.contains("t2"))));
    assert!(session.is_busy());
    let [Action::Announce(refused)] = actions.as_slice() else { panic!("{actions:?}") };
    let next = refused.next.as_ref().map(|beat| (beat.state, beat.test_id.as_deref()));
    assert_eq!(next, Some((DriverState::Running, Some("t2"))), "refused once, then back to the running test");
}

#[test]
fn a_shutdown_mid_run_is_announced() {
    let mut session = ready();
    assert_eq!(session.leave(), None);
    session.handle(Event::Trigger(Trigger::start("t1", 1.0)));
    let beat = session.leave().expect("a load is cut off");
    assert_eq!((beat.state, beat.test_id.as_deref()), (DriverState::Finishing, Some("t1")));
    assert!(beat.reason.is_some_and(|reason| reason.contains("mid-run")));
    session.handle(Event::LoadEnded);
    assert_eq!(session.leave(), None, "nothing is cut off any more");
}

#[test]
fn a_trigger_counts_once_and_only_when_ready() {
    assert_eq!(session().handle(Event::Trigger(Trigger::start("t1", 1.0))), []);
    let mut session = ready();
    assert_eq!(session.handle(Event::Trigger(Trigger::start("t1", 1.0))).len(), 2);
    assert_eq!(session.handle(Event::Trigger(Trigger::start("t1", 1.0))), []);
}

#[test]
fn a_stop_ends_what_it_names() {
    let mut session = ready();
    assert_eq!(session.handle(Event::Trigger(Trigger::stop("t0", "old"))), []);
    let actions = session.handle(Event::Trigger(Trigger::stop("t1", "changed my mind")));
    assert_eq!(actions, [Action::Announce(Beat::idle()), Action::Discard]);

    let mut session = ready();
    session.handle(Event::Trigger(Trigger::start("t1", 1.0)));
    assert_eq!(session.handle(Event::Trigger(Trigger::stop("t1", "enough"))), [Action::Stop]);
    assert_eq!(announced(&session.handle(Event::LoadEnded)), Some((DriverState::Finishing, None)));
}

#[test]
fn a_duplicate_of_its_plan_changes_nothing_for_a_ready_driver() {
    let mut session = ready();
    assert_eq!(session.handle(read(config("t1"))), []);
    let actions = session.handle(Event::Trigger(Trigger::start("t1", 1.0)));
    assert_eq!(actions[0], Action::Start { start_at_ms: Some(1.0) });
}

#[test]
fn preparation_can_be_stopped_and_starts_once_for_each_plan() {
    let mut session = session();
    session.handle(read(config("t1")));
    assert_eq!(session.handle(read(config("t1"))), [], "a duplicate of the record");
    assert_eq!(session.handle(Event::Trigger(Trigger::stop("another", "test"))), []);
    let actions = session.handle(Event::Trigger(Trigger::stop("t1", "changed my mind")));
    assert_eq!(actions, [Action::Announce(Beat::idle()), Action::Discard]);
    session.handle(read(config("t2")));
    let actions = session.handle(read(config("t3")));
    let [Action::Discard, Action::Prepare(assignment)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(assignment.test_id, "t3");
}

#[test]
fn a_start_that_arrives_during_preparation_waits_for_its_end() {
    let start = |test_id: &str| Event::Trigger(Trigger::start(test_id, 123.0));
    let mut session = session();
    session.handle(read(config("t1")));
    assert_eq!(session.handle(start("t1")), []);
    let actions = session.handle(Event::Prepared(Ok(())));
    let [Action::Announce(ready), Action::Start { start_at_ms }, Action::Announce(running)] =
        actions.as_slice()
    else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (ready.state, *start_at_ms, running.state),
        (DriverState::Ready, Some(123.0), DriverState::Running)
    );
    // It is forgotten with its test.
    let mut session = self::session();
    session.handle(read(config("t1")));
    session.handle(start("t1"));
    session.handle(Event::Trigger(Trigger::stop("t1", "changed my mind")));
    session.handle(read(config("t2")));
    assert_eq!(session.handle(Event::Prepared(Ok(()))).len(), 1);
}

#[test]
fn a_different_plan_with_the_same_id_replaces_the_one_being_prepared() {
    let mut session = session();
    session.handle(read(config("t1")));
    let other = TestConfig { connections: Some(7), ..config("t1") };
    let actions = session.handle(read(other));
    assert!(matches!(actions.as_slice(), [Action::Discard, Action::Prepare(_)]), "{actions:?}");
}

#[test]
fn a_running_driver_refuses_another_plan_once_and_then_reports_its_own_again() {
    let mut session = ready();
    session.handle(Event::Trigger(Trigger::start("t1", 1.0)));
    assert_eq!(session.handle(read(config("t1"))), [], "a duplicate of its own plan");
    let actions = session.handle(read(config("t2")));
    let [Action::Announce(beat)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!((beat.state, beat.test_id.as_deref()), (DriverState::Refused, Some("t2")));
    let next = beat.next.as_deref().expect("continues with its own test");
    assert_eq!((next.state, next.test_id.as_deref()), (DriverState::Running, Some("t1")));
}

#[test]
fn a_plan_that_arrives_while_the_last_report_is_being_sent_waits_for_it() {
    let finishing = || {
        let mut session = ready();
        session.handle(Event::Trigger(Trigger::start("t1", 1.0)));
        session.handle(Event::LoadEnded);
        assert_eq!(session.handle(read(config("t2"))), [Action::Hurry]);
        session
    };
    let actions = finishing().handle(Event::Reported);
    let [Action::Announce(beat), Action::Prepare(assignment)] = actions.as_slice() else {
        panic!("{actions:?}")
    };
    assert_eq!((beat.state, assignment.test_id.as_str()), (DriverState::Idle, "t2"));

    let mut stopped = finishing();
    stopped.handle(Event::Trigger(Trigger::stop("t2", "too late")));
    assert_eq!(stopped.handle(Event::Reported), [Action::Announce(Beat::idle())]);

    // An original orchestrator sends the start right after the plan.
    let mut started = finishing();
    assert_eq!(started.handle(Event::Trigger(Trigger::start("t2", 77.0))), []);
    assert_eq!(started.handle(Event::Trigger(Trigger::start("t2", 99.0))), []);
    started.handle(Event::Reported);
    let actions = started.handle(Event::Prepared(Ok(())));
    let [_, Action::Start { start_at_ms }, Action::Announce(running)] = actions.as_slice() else {
        panic!("{actions:?}")
    };
    assert_eq!((*start_at_ms, running.state), (Some(77.0), DriverState::Running), "the first start counts");
}

#[test]
fn a_crash_is_the_reason_of_the_end_and_is_repeated_before_idle() {
    let mut session = ready();
    session.handle(Event::Trigger(Trigger::start("t1", 1.0)));
    assert_eq!(session.handle(Event::Broken("thread worker-0 panicked: at once".to_owned())), []);
    let said = Some((DriverState::Finishing, Some("thread worker-0 panicked: at once")));
    assert_eq!(announced(&session.handle(Event::LoadEnded)), said);
    let actions = session.handle(Event::Reported);
    assert_eq!(announced(&actions), said);
    let [Action::Announce(beat)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(beat.next.as_deref(), Some(&Beat::idle()));
    // It is forgotten with its test.
    assert_eq!(session.handle(Event::Broken("late".to_owned())), []);
    session.handle(read(config("t2")));
    session.handle(Event::Prepared(Ok(())));
    session.handle(Event::Trigger(Trigger::start("t2", 1.0)));
    assert_eq!(announced(&session.handle(Event::LoadEnded)), Some((DriverState::Finishing, None)));
}

#[test]
fn an_impossible_start_is_refused_with_a_reason() {
    let mut session = ready();
    session.handle(Event::Trigger(Trigger::start("t1", 1e300)));
    let actions = session.handle(Event::NotStarted("too far ahead".to_owned()));
    assert_eq!(announced(&actions), Some((DriverState::Refused, Some("too far ahead"))));
    assert!(!session.is_busy());
}

#[test]
fn a_refusal_of_a_huge_plan_fits_into_a_heartbeat() {
    let mut session = session();
    let huge = TestConfig { target_url: Some("x".repeat(900_000)), ..config(&"\u{1b}".repeat(900_000)) };
    let actions = session.handle(read(huge));
    let [Action::Announce(beat)] = actions.as_slice() else { panic!("{} actions", actions.len()) };
    let said = beat.test_id.as_ref().map_or(0, String::len) + beat.reason.as_ref().map_or(0, String::len);
    assert!(beat.state == DriverState::Refused && said < 5_000, "{said} bytes");
}

#[test]
fn the_end_of_a_run_stops_drivers_that_still_execute_it() {
    let end = |id: &str| Event::Trigger(Trigger { trigger: Word::End, ..Trigger::stop(id, "") });
    let mut session = ready();
    session.handle(Event::Trigger(Trigger::start("t1", 0.0)));
    assert!(session.handle(end("another")).is_empty());
    assert_eq!(session.handle(end("t1")), [Action::Stop]);
    session.handle(Event::LoadEnded);
    assert!(session.handle(end("another")).is_empty());
    assert_eq!(session.handle(end("t1")), [Action::Hurry], "its final report does not count any more");
    let mut waiting = ready();
    assert!(waiting.handle(end("t1")).contains(&Action::Discard), "no start follows an end");
}

#[test]
fn a_fenced_load_stops_and_says_why_until_its_report_is_sent() {
    let why = "it could not reach Kafka for 30s and stopped its load";
    let fenced = || Event::Fenced(why.to_owned());
    let mut session = ready();
    assert!(!session.is_loaded());
    assert_eq!(session.handle(fenced()), [], "there is no load");
    session.handle(Event::Trigger(Trigger::start("t1", 1.0)));
    assert!(session.is_loaded());
    assert_eq!(session.handle(fenced()), [Action::Stop]);
    let said = Some((DriverState::Finishing, Some(why)));
    assert_eq!(announced(&session.handle(Event::LoadEnded)), said);
    assert!(!session.is_loaded());
    assert_eq!(session.handle(fenced()), [], "it has ended");
    let actions = session.handle(Event::Reported);
    assert_eq!(announced(&actions), said, "the bus may not have accepted the first one");
    let [Action::Announce(beat)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(beat.next.as_deref(), Some(&Beat::idle()));
}

/// A plan of one of several orchestrators.
fn after(previous: &str, test_id: &str) -> Event {
    read(TestConfig { previous: Some(previous.to_owned()), ..config(test_id) })
}

#[test]
fn of_two_plans_at_once_the_first_in_the_log_wins_in_every_state() {
    let ends = || Event::Trigger(Trigger::stop("theirs", "its orchestrator lost"));
    let start = |test_id: &str| Event::Trigger(Trigger::start(test_id, 1.0));
    let steps =
        [Event::Prepared(Ok(())), start("ours"), Event::LoadEnded, Event::Reported, after("ours", "next")];
    for taken in 0..=steps.len() {
        let mut session = session();
        assert!(matches!(session.handle(after("t0", "ours")).as_slice(), [Action::Prepare(_)]));
        steps[..taken].iter().for_each(|event| drop(session.handle(event.clone())));
        for event in [after("t0", "theirs"), ends(), start("theirs"), after("t0", "theirs")] {
            assert_eq!(session.handle(event), [], "after {taken} steps");
        }
        for (index, event) in steps[taken..].iter().enumerate() {
            assert_ne!(session.handle(event.clone()), [], "{index} after {taken}");
        }
    }
}

#[test]
fn a_plan_is_void_even_if_the_first_one_names_other_drivers_or_is_refused() {
    let others = vec![NodeRef { node_id: "d0".to_owned(), epoch: 3 }];
    let foreign = TestConfig { drivers: others, previous: Some(String::new()), ..config("ours") };
    let mut session = session();
    assert_eq!(session.handle(read(foreign)), []);
    assert_eq!(session.handle(after("", "theirs")), []);
    let refused = TestConfig { connections: Some(0), previous: Some("ours".to_owned()), ..config("t2") };
    assert!(announced(&session.handle(read(refused))).is_some());
    assert_eq!(session.handle(after("ours", "t3")), []);
}

/// Kafka may append a record again when its test is over, and topics are read independently.
#[test]
fn a_late_copy_of_a_plan_and_a_plan_after_its_stop_start_nothing() {
    let mut session = session();
    session.handle(after("", "t1"));
    session.handle(Event::Prepared(Ok(())));
    session.handle(Event::Trigger(Trigger::start("t1", 1.0)));
    session.handle(Event::LoadEnded);
    session.handle(Event::Reported);
    assert_eq!(session.handle(after("", "t1")), []);
    assert_eq!(session.handle(Event::Trigger(Trigger::start("t1", 1.0))), []);
    session.handle(Event::Trigger(Trigger::stop("t2", "a user")));
    assert_eq!(session.handle(after("t1", "t2")), []);
    assert_eq!(session.handle(Event::Trigger(Trigger::start("t2", 1.0))), []);
    assert!(matches!(session.handle(after("t2", "t3")).as_slice(), [Action::Prepare(_)]));
}

#[test]
fn a_plan_that_names_no_previous_test_replaces_a_ready_one_as_before() {
    let mut session = session();
    session.handle(after("t0", "t1"));
    session.handle(Event::Prepared(Ok(())));
    let actions = session.handle(read(config("t2")));
    assert!(matches!(actions.as_slice(), [Action::Discard, Action::Prepare(_)]), "{actions:?}");
    assert!(matches!(session.handle(after("t2", "t3")).as_slice(), [Action::Discard, Action::Prepare(_)]));
}
