use super::*;
use crate::message::decode;

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

/// The topics are read independently: a `YES` can be read before its plan.
#[test]
fn a_trigger_that_is_read_before_its_plan_counts() {
    let text = r#"{"test_id":"t","test_type":"TSUNAMI","test_message_delay":100,"message_count_per_driver":10,
        "previous":"","drivers":[{"node_id":"a","epoch":1}]}"#;
    let plan = Message::Config(Box::new(decode(text.as_bytes()).expect("a plan")), Some(1_000));
    let yes = Message::Trigger(Trigger::start("t", 2_000.0), Some(1_500));
    let mut told = Told::new();
    let now = told.now();
    [&yes, &plan].iter().for_each(|message| told.0.message(message, now));
    let summary = told.0.summary("t").expect("known");
    assert_eq!((summary.state.as_str(), summary.started_at), ("running", Some(2_000.0)));
    for n in 0..2 * MAX_EARLY_TRIGGERS {
        let yes = Trigger::start(&format!("t{n}"), 1.0);
        told.0.message(&Message::Trigger(yes, None), now);
    }
    assert_eq!(told.0.early_triggers.len(), MAX_EARLY_TRIGGERS);
}
