use super::*;
use crate::check::Failed;
use crate::http::{Completion, Ticket};
use crate::message::{TestConfig, TestType};
use crate::plan::{Defaults, Plan};
use crate::stats::outcome::{ErrorKind, Outcome};
use crate::stats::tallies::Tallies;
use crate::stats::tally::Sample;
use crossbeam_channel::{bounded, unbounded};

/// A client with one slot that responds at once, until it panics or gets stuck.
struct Fake {
    held: Option<Completion>,
    sent: u64,
    panics_at: u64,
    /// An `abort` does not return before this channel is closed.
    stuck: Option<Receiver<()>>,
}

impl Fake {
    fn new(panics_at: u64, stuck: Option<Receiver<()>>) -> Fake {
        Fake { held: None, sent: 0, panics_at, stuck }
    }
}

impl Client for Fake {
    fn free_since_ns(&self) -> Option<u64> {
        self.held.is_none().then(clock::now_ns)
    }

    fn in_flight(&self) -> usize {
        usize::from(self.held.is_some())
    }

    fn send(&mut self, ticket: Ticket) -> u64 {
        self.sent += 1;
        assert!(self.sent < self.panics_at, "request {} is one too many", self.sent);
        let now_ns = clock::now_ns();
        let outcome = Outcome::Status(200);
        self.held = Some(Completion {
            ticket,
            sent_ns: now_ns,
            ended_ns: now_ns,
            outcome,
            resent: false,
            bytes: 1,
            failed: Failed::default(),
        });
        now_ns
    }

    fn poll<F: FnMut(Completion)>(&mut self, until_ns: u64, mut sink: F) {
        match self.held.take_if(|_| self.stuck.is_none()) {
            Some(completion) => sink(completion),
            None => clock::sleep_until(until_ns),
        }
    }

    fn abort<F: FnMut(Completion)>(&mut self, mut sink: F) {
        assert!(self.stuck.as_ref().is_none_or(|stuck| stuck.recv().is_err()));
        let outcome = Outcome::Error(ErrorKind::Aborted);
        self.held.take().into_iter().for_each(|held| sink(Completion { outcome, ..held }));
    }
}

/// An endless closed loop.
fn plan() -> Plan {
    plan_at(None)
}

fn plan_at(rate: Option<f64>) -> Plan {
    let mut config = TestConfig::new("t", TestType::Avalanche);
    config.target_url = Some("http://127.0.0.1/".to_owned());
    config.duration_ms = Some(600_000);
    config.target_throughput = rate;
    Plan::new(&config, &Defaults::default()).expect("a plan")
}

fn task() -> Arc<Task> {
    task_of(&plan())
}

fn task_of(plan: &Plan) -> Arc<Task> {
    let cursor = Cursor::new(Schedule::new(plan).share(0, 1), clock::now_ns(), clock::NS_PER_S);
    Arc::new(Task { cursor, stop: StopFlag::default() })
}

#[test]
fn a_worker_panic_ends_the_load_and_keeps_its_reason_and_the_counts_of_the_others() {
    let (task, (drafts, _kept), (events, happened)) =
        (task(), crossbeam_channel::bounded(MAX_DRAFTS), unbounded());
    let make = |panics_at: u64| move || Ok(Fake::new(panics_at, None));
    let ended = run_all(&[task], vec![(0, make(u64::MAX)), (0, make(300))], plan().sent(), &drafts, &events);
    ended.workers.into_iter().for_each(Thread::join);
    let Ok(Event::Broken(why)) = happened.try_recv() else { panic!("no event") };
    assert_eq!(why, "thread worker-1 panicked: request 300 is one too many");
    assert!(happened.try_recv().is_err(), "once");
    let counts = ended.draft.counts;
    assert!(counts.sent > 0 && counts.unaccounted() == 0, "{counts:?}");
}

#[test]
fn a_worker_that_cannot_start_ends_the_load_and_says_why() {
    let (task, (drafts, _kept), (events, happened)) =
        (task(), crossbeam_channel::bounded(MAX_DRAFTS), unbounded());
    let make = |works: bool| move || works.then(|| Fake::new(u64::MAX, None)).ok_or("no epoll".to_owned());
    let makes = vec![(0, make(true)), (0, make(false)), (0, make(false))];
    // The plan is endless: only a stop ends this.
    let ended = run_all(&[task], makes, plan().sent(), &drafts, &events);
    ended.workers.into_iter().for_each(Thread::join);
    let Ok(Event::Broken(why)) = happened.try_recv() else { panic!("no event") };
    assert!(why.starts_with("worker ") && why.ends_with(" cannot start: no epoll"), "{why}");
    assert!(happened.try_recv().is_err(), "once");
    assert_eq!(ended.draft.counts.unaccounted(), 0);
}

#[test]
fn a_load_without_any_worker_is_a_stopped_one() {
    let plan = plan_at(Some(1.0));
    let ((drafts, _kept), (events, _)) = (crossbeam_channel::bounded(MAX_DRAFTS), unbounded());
    type Make = fn() -> Result<Fake, String>;
    let tasks = [task_of(&plan)];
    let counts = run_all(&tasks, Vec::<(usize, Make)>::new(), plan.sent(), &drafts, &events).draft.counts;
    // Of 600 requests, all but the first are due after the stop.
    assert!(counts.planned <= 1 && counts.never_sent == counts.planned, "{counts:?}");
}

#[test]
fn after_a_panic_of_the_only_worker_the_rest_of_the_plan_was_not_due() {
    let plan = plan_at(Some(1_000.0));
    let task = task_of(&plan);
    let ((drafts, _kept), (events, _happened)) = (bounded(MAX_DRAFTS), unbounded());
    let make = || Ok(Fake::new(20, None));
    let ended = run_all(&[task], vec![(0, make)], plan.sent(), &drafts, &events);
    ended.workers.into_iter().for_each(Thread::join);
    let counts = ended.draft.counts;
    assert!(counts.planned < 300_000, "of 600,000: {counts:?}");
}

#[test]
fn a_worker_stuck_after_a_stop_does_not_delay_the_last_report() {
    let (task, (drafts, _kept), (events, _)) = (task(), crossbeam_channel::bounded(MAX_DRAFTS), unbounded());
    let (release, stuck) = bounded::<()>(0);
    task.stop.stop();
    let make = move || Ok(Fake::new(u64::MAX, Some(stuck)));
    let ended = run_all(&[task], vec![(0, make)], plan().sent(), &drafts, &events);
    // The worker is released only below, so waiting for it would hang.
    assert!(ended.draft.is_final);
    drop(release);
    ended.workers.into_iter().for_each(Thread::join);
}

#[test]
fn queued_hand_overs_are_in_the_last_report() {
    let (task, (out, handovers)) = (task(), bounded(4));
    for (sent, worker) in [(3u64, 0), (4, 1)] {
        let mut tallies = Tallies::new(1);
        let tally = tallies.of(0);
        (0..sent).for_each(|_| tally.record_sent(0, false));
        let sample = Sample {
            latency_ns: 1,
            service_ns: 1,
            outcome: Outcome::Status(200),
            resent: false,
            bytes: 1,
            failed: Failed::default(),
        };
        (0..sent).for_each(|_| tally.record_end(&sample));
        let nothing = Handover::nothing(worker);
        out.send(Handover { tallies, ended: false, ..nothing }).expect("room");
    }
    let draft = last_draft(&mut Collector::new(&[], vec![0; 2]), &handovers, &[task], None);
    assert_eq!((draft.counts.sent, draft.counts.responses, draft.counts.unaccounted()), (7, 7, 0));
}
