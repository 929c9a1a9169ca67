use super::early::{MAX_EARLY, MAX_EARLY_BYTES};
use super::*;
use crate::message::{decode, decode_config};
use crate::plot::Mark;
use crate::stats::histogram::Histogram;
use crate::stats::states::DriverRowState;

/// A core at 1 s of the clock, fed with messages.
struct Told(Core, u64);

impl Told {
    fn new() -> Told {
        Told(Core::default(), 1_000)
    }

    fn now(&self) -> Now {
        Now { ns: self.1 * 1_000_000, broker_ms: self.1 as f64 }
    }

    fn register(&mut self, epoch: u64) {
        let text = format!(
            r#"{{"node_id":"a","node_IP":"10.0.0.{epoch}","epoch":{epoch},"cores":8,"version":"0.1.0"}}"#
        );
        let message = Message::Register(decode(text.as_bytes()).expect("registers"), None);
        self.0.message(&message, self.now());
    }

    fn beat(&mut self, epoch: u64, state: &str) {
        self.1 += 100;
        let at = self.1;
        let text = format!(r#"{{"node_id":"a","epoch":{epoch},"state":"{state}","timestamp":{at}}}"#);
        self.0.message(&Message::Heartbeat(decode(text.as_bytes()).expect("a heartbeat"), None), self.now());
    }

    fn lines(&mut self) -> Vec<String> {
        let now = self.now();
        self.0.tick(now, None);
        self.0.take_lines().into_iter().map(|(level, text)| format!("{level} {text}")).collect()
    }
}

#[test]
fn each_join_leave_loss_and_return_is_one_line() {
    let mut told = Told::new();
    told.register(1);
    told.beat(1, "idle");
    told.beat(1, "idle");
    assert_eq!(told.lines(), [r#"INFO driver "a" joined (10.0.0.1, 8 cores, version 0.1.0)"#]);
    let mut lost = Vec::new();
    for _ in 0..70 {
        told.1 += 100;
        lost.extend(told.lines());
    }
    assert_eq!(lost, [r#"WARN driver "a" is lost: it was silent for 3 s"#]);
    told.beat(1, "idle");
    assert_eq!(told.lines(), [r#"INFO driver "a" is back"#]);
    told.beat(1, "left");
    told.beat(1, "left");
    assert_eq!(told.lines(), [r#"INFO driver "a" left"#]);
}

#[test]
fn a_second_process_with_the_same_name_is_logged_with_the_one_that_counts() {
    let mut told = Told::new();
    told.register(1);
    told.beat(1, "idle");
    told.lines();
    told.register(2);
    told.beat(2, "idle");
    let lines = told.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with(r#"WARN driver "a": another process registered under this name"#));
    told.beat(1, "idle");
    assert!(told.lines().is_empty(), "it may have been in transit");
    (0..5).for_each(|_| {
        told.beat(1, "idle");
        told.beat(2, "idle");
    });
    let lines = told.lines();
    assert_eq!(lines.len(), 1, "once: {lines:?}");
    assert!(lines[0].contains("the newer one (10.0.0.2) is in the fleet, the older one gets no plans"));
}

fn plan() -> Message {
    let text = r#"{"test_id":"t","test_type":"TSUNAMI","test_message_delay":100,"message_count_per_driver":10,
        "timeout_ms":1000,"previous":"","drivers":[{"node_id":"a","epoch":1}]}"#;
    Message::Config(Box::new(decode_config(text.as_bytes()).expect("a plan")), Some(1_000))
}

fn trigger() -> Message {
    Message::Trigger(Trigger::start("t", 2_000.0), Some(1_500))
}

fn last_report() -> Message {
    let text = r#"{"node_id":"a","test_id":"t","epoch":1,"sequence":1,"final":true,"elapsed_ms":900,
        "counts":{"planned":10,"sent":10,"responses":10,"status":{"200":10}}}"#;
    let report = Report::read(&decode(text.as_bytes()).expect("a report")).expect("a valid report");
    Message::Report("t".to_owned(), Box::new(report), Some(3_000))
}

/// An END whose author knows nothing of the final report.
fn end() -> Message {
    let text = r#"{"test_id":"t","trigger":"END","ended_at_ms":9000,"state":"completed","started_at_ms":2000,
        "drivers":[{"node_id":"a","epoch":1,"fate":"lost","last_sequence":0,"reason":"silent"}]}"#;
    Message::End(Box::new(decode(text.as_bytes()).expect("an END")))
}

fn result_of(messages: &[Message]) -> Summary {
    let mut told = Told::new();
    for message in messages {
        told.1 += 100;
        let now = told.now();
        told.0.message(message, now);
    }
    told.0.summary("t").expect("a result")
}

#[test]
fn what_is_read_before_its_plan_counts() {
    let in_order = result_of(&[plan(), trigger(), last_report(), end()]);
    assert_eq!((in_order.state, in_order.total.requests), (RunState::Completed, 10));
    assert_eq!(result_of(&[trigger(), last_report(), end(), plan()]), in_order);
    assert_eq!(result_of(&[last_report(), trigger(), plan(), end()]), in_order);
    let running = result_of(&[trigger(), plan()]);
    assert_eq!((running.state, running.started_at), (RunState::Running, Some(2_000.0)));
}

#[test]
fn who_starts_in_mid_run_may_read_the_trigger_before_the_plan() {
    let mut core = Core::starting();
    let now = Now { ns: 5_000_000_000, broker_ms: 5_000.0 };
    [trigger(), plan()].iter().for_each(|message| core.message(message, now));
    core.follow(10_000.0, now);
    assert_eq!(core.summary("t").expect("a test").started_at, Some(2_000.0));
}

#[test]
fn a_final_report_before_the_end_counts_whatever_the_end_says() {
    let whole = result_of(&[plan(), trigger(), last_report(), end()]);
    assert_eq!(whole.drivers[0].state, DriverRowState::Done);
    let lost = result_of(&[plan(), trigger(), end(), last_report()]);
    assert_eq!((lost.drivers[0].state, lost.total.requests), (DriverRowState::Lost, 0));
}

#[test]
fn reads_that_fail_now_and_then_delay_no_end_and_an_outage_does() {
    let ended_ms = |is_away: fn(u64) -> bool| {
        let mut told = Told::new();
        let now = told.now();
        [plan(), trigger()].iter().for_each(|message| told.0.message(message, now));
        let ends = |told: &mut Told| {
            told.1 += 100;
            let (now, away) = (told.now(), is_away(told.1).then(|| "away".to_owned()));
            told.0.tick(now, away).iter().any(|(_, command)| matches!(command, Command::End(_)))
        };
        while !ends(&mut told) {}
        told.1
    };
    // Its deadline is 9.1 s after 1 s at the latest; this process did not configure it and stands in.
    let usual_ms = ended_ms(|_| false);
    assert!(usual_ms < 16_000, "{usual_ms}");
    assert!(ended_ms(|ms| ms / 100 % 3 == 0) <= usual_ms + 200);
    let after_ms = ended_ms(|ms| (8_000..20_000).contains(&ms));
    assert!((30_000..35_000).contains(&after_ms), "{after_ms}");
}

#[test]
fn a_start_that_stands_in_the_log_is_read_before_a_run_fails() {
    let mut told = Told::new();
    let now = told.now();
    told.0.message(&plan(), now);
    let due = |told: &mut Told, is_away: bool| {
        told.1 += 100;
        let (now, away) = (told.now(), is_away.then(|| "away".to_owned()));
        told.0.tick(now, away)
    };
    assert!((0..200).all(|_| due(&mut told, true).is_empty()), "nobody was ready within 10 s");
    assert_eq!(due(&mut told, false), []);
    let now = told.now();
    told.0.message(&trigger(), now);
    assert_eq!(due(&mut told, false), []);
    assert_eq!(told.0.summary("t").expect("a test").started_at, Some(2_000.0));
}

fn judged_plan(conditions: &str) -> Message {
    let text = format!(
        r#"{{"test_id":"t","test_type":"TSUNAMI","test_message_delay":100,"duration_ms":5000,
        "timeout_ms":1000,"previous":"","drivers":[{{"node_id":"a","epoch":1}}],"fail_if":{conditions}}}"#
    );
    Message::Config(Box::new(decode_config(text.as_bytes()).expect("a plan")), Some(1_000))
}

/// The report of a whole second: 10 requests a second, of which so many have failed so far.
fn report_of(second: u64, errors: u64) -> Message {
    let (sent, elapsed_ms) = (10 * second, 1_000 * second);
    let text = format!(
        r#"{{"node_id":"a","test_id":"t","epoch":1,"sequence":{second},"final":false,"elapsed_ms":{elapsed_ms},
        "counts":{{"planned":{sent},"sent":{sent},"responses":{},"errors":{{"timeout":{errors}}}}}}}"#,
        sent - errors
    );
    let report = Report::read(&decode(text.as_bytes()).expect("a report")).expect("a valid report");
    Message::Report("t".to_owned(), Box::new(report), Some(2_000 + elapsed_ms as i64))
}

#[test]
fn plots_mark_where_drivers_were_lost_and_the_stop() {
    let text = r#"{"test_id":"t","trigger":"END","ended_at_ms":9000,"state":"aborted","started_at_ms":2000,
        "stopped":{"reason":"enough","at_ms":4500},
        "drivers":[{"node_id":"a","epoch":1,"fate":"lost","last_sequence":2,"reason":"silent"}]}"#;
    let end = Message::End(Box::new(decode(text.as_bytes()).expect("an END")));
    let mut told = Told(Core::replaying(), 1_000);
    for message in [plan(), trigger(), report_of(1, 0), report_of(2, 0), end] {
        let now = told.now();
        told.0.message(&message, now);
    }
    let finished = told.0.take_finished();
    assert_eq!(finished[0].events, [Mark::new(2.0, "a lost"), Mark::new(2.5, "STOP: enough")]);
    let mut whole = Told(Core::replaying(), 1_000);
    for message in [plan(), trigger(), last_report(), self::end()] {
        let now = whole.now();
        whole.0.message(&message, now);
    }
    assert_eq!(whole.0.take_finished()[0].events, [], "it had reported everything before the END");
}

#[test]
fn a_condition_with_abort_stops_the_test_and_the_result_says_so() {
    let mut told = Told::new();
    // Who did not configure the test stands in a little later.
    let stops = |told: &mut Told, message: &Message, ticks: u64| {
        told.1 += 500;
        let now = told.now();
        told.0.message(message, now);
        let mut found = Vec::new();
        for _ in 0..ticks {
            told.1 += 100;
            let now = told.now();
            found.extend(told.0.tick(now, None).into_iter().filter_map(|(_, command)| match command {
                Command::Stop(stop) => stop.reason,
                _ => None,
            }));
        }
        found
    };
    let plan = judged_plan(r#"["errors > 50% for 2s, abort", "status.5xx > 0", "achieved >= 100%"]"#);
    for quiet in [&plan, &trigger(), &report_of(1, 9), &report_of(2, 9), &report_of(3, 18)] {
        assert_eq!(stops(&mut told, quiet, 4), Vec::<String>::new());
    }
    assert_eq!(stops(&mut told, &report_of(4, 27), 35), ["errors > 50% was true for 2s"]);
    let now = told.now();
    let summary = told.0.summary("t").expect("a test");
    let shown: Vec<_> = summary.thresholds.iter().map(|one| (one.value, one.passed, one.since_s)).collect();
    assert_eq!(shown, [(Some(90.0), false, Some(2)), (Some(0.0), true, None), (Some(100.0), false, Some(0))]);
    let codes: Vec<&str> = summary.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes[..2], ["threshold", "threshold"]);
    told.0.message(&end(), now);
    assert_eq!(told.0.summary("t").expect("a result").thresholds, summary.thresholds, "judged again");
}

#[test]
fn what_is_kept_of_tests_that_are_not_known_is_bounded() {
    let mut told = Told::new();
    let now = told.now();
    for n in 0..2 * MAX_EARLY {
        told.0.message(&Message::Trigger(Trigger::start(&format!("t{n}"), 1.0), None), now);
    }
    assert_eq!(told.0.early.size().0, MAX_EARLY);
    // A small record with megabytes of histograms.
    let mut full = Histogram::new();
    (0..20_000).for_each(|n| full.record_us(n * (1 + n / 64)));
    let full = full.encode().expect("encodes");
    let names = (0..10).map(|n| format!(r#""n{n}":{{"counts":{{}},"histograms":{{"latency":"{full}"}}}}"#));
    let text = format!(
        r#"{{"node_id":"a","test_id":"x","epoch":1,"sequence":1,"final":true,"counts":{{}},"by_name":{{{}}}}}"#,
        names.collect::<Vec<_>>().join(",")
    );
    let report = Box::new(Report::read(&decode(text.as_bytes()).expect("a report")).expect("a valid report"));
    assert!(report.bytes() > 5 * text.len(), "{} bytes from {}", report.bytes(), text.len());
    for n in 0..2 * MAX_EARLY_BYTES / report.bytes() {
        told.0.message(&Message::Report(format!("x{n}"), report.clone(), None), now);
    }
    let (count, bytes) = told.0.early.size();
    assert!((MAX_EARLY_BYTES - 2 * report.bytes()..=MAX_EARLY_BYTES).contains(&bytes), "{count}: {bytes}");
    told.0.early.take(&format!("x{}", 2 * MAX_EARLY_BYTES / report.bytes() - 1));
    assert_eq!(told.0.early.size().0, count - 1, "the newest are kept");
}

/// A core with one driver, and how it proposes a plan with an id.
fn proposing() -> (Told, impl Fn(&mut Told, &str) -> Message) {
    let mut told = Told::new();
    told.register(1);
    told.beat(1, "idle");
    let propose = |told: &mut Told, id: &str| {
        let mut config = TestConfig::new(id, crate::message::TestType::Tsunami);
        (config.test_message_delay, config.message_count_per_driver) = (Some(100.0), Some(10));
        let now = told.now();
        match told.0.propose(config, now).expect("proposed") {
            (_, Command::Config(written)) => Message::Config(written, Some(told.1 as i64)),
            (_, other) => panic!("{other:?}"),
        }
    };
    (told, propose)
}

/// The reasons of the STOPs that are due once a message was read.
fn stops_after(told: &mut Told, message: &Message) -> Vec<String> {
    let now = told.now();
    told.0.message(message, now);
    let due = told.0.tick(now, None).into_iter();
    due.filter_map(|(_, command)| match command {
        Command::Stop(stop) => stop.reason,
        _ => None,
    })
    .collect()
}

#[test]
fn a_test_whose_caller_was_told_that_it_failed_is_stopped_if_it_turns_up() {
    let failed = ["its configuration was reported as failed"];
    let (mut told, propose) = proposing();
    let late = propose(&mut told, "late");
    assert!(told.0.is_proposed("late") && told.0.abandon("late"), "its caller has waited long enough");
    assert!(!told.0.is_proposed("late") && !told.0.abandon("late"), "once");
    propose(&mut told, "expired");
    told.1 += 20_000;
    let now = told.now();
    told.0.tick(now, None);
    assert_eq!(told.0.take_decided().len(), 1);
    assert_eq!(stops_after(&mut told, &late), failed, "also if another plan failed later");
    let (mut told, propose) = proposing();
    let expired = propose(&mut told, "expired");
    told.1 += 20_000;
    let now = told.now();
    told.0.tick(now, None);
    assert_eq!(stops_after(&mut told, &expired), failed);
    let (mut told, propose) = proposing();
    let good = propose(&mut told, "good");
    assert_eq!(stops_after(&mut told, &good), [""; 0]);
    assert!(!told.0.abandon("good"), "it is too late to give it up");
    assert_eq!(told.0.own_test().as_deref(), Some("good"));
}
