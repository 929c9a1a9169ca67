use super::*;
use crate::check::Failed;
use crate::clock::{CpuTimes, ManualClock, NS_PER_MS as MS, NS_PER_S as S};
use crate::http::Ticket;
use crate::message::{TestConfig, TestType};
use crate::plan::{Defaults, Plan};
use crate::schedule::Schedule;
use crate::stats::openings::Openings;
use crate::stats::outcome::ErrorKind;
use crate::stats::tally::Tally;
use std::collections::VecDeque;

/// When a request sent at this time ends, and how.
type Target = fn(sent_ns: u64) -> (u64, Outcome);

/// A client with a manual clock, whose target is a function.
struct FakeClient {
    clock: ManualClock,
    target: Target,
    free_since: VecDeque<u64>,
    in_flight: Vec<(u64, Completion)>,
    sends: std::rc::Rc<std::cell::RefCell<Vec<u64>>>,
}

impl Client for FakeClient {
    fn free_since_ns(&self) -> Option<u64> {
        self.free_since.front().copied()
    }

    fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    fn send(&mut self, ticket: Ticket) -> u64 {
        self.free_since.pop_front().expect("a free slot");
        let sent_ns = self.clock.now_ns();
        let (ended_ns, outcome) = (self.target)(sent_ns);
        self.sends.borrow_mut().push(sent_ns);
        let failed = Failed::default();
        let completion = Completion { ticket, sent_ns, ended_ns, outcome, bytes: 100, resent: false, failed };
        self.in_flight.push((ended_ns, completion));
        sent_ns
    }

    fn poll<F: FnMut(Completion)>(&mut self, until_ns: u64, mut sink: F) {
        let next_ns = self.in_flight.iter().map(|(ends_ns, _)| *ends_ns).min().unwrap_or(u64::MAX);
        self.clock.advance_to_ns(until_ns.min(next_ns));
        let now_ns = self.clock.now_ns();
        self.in_flight.sort_by_key(|(ends_ns, _)| *ends_ns);
        while self.in_flight.first().is_some_and(|(ends_ns, _)| *ends_ns <= now_ns) {
            sink(self.in_flight.remove(0).1);
            self.free_since.push_back(now_ns);
        }
    }

    fn take_openings(&mut self) -> Openings {
        let mut openings = Openings::default();
        openings.connect.record_ns(MS);
        openings
    }

    fn abort<F: FnMut(Completion)>(&mut self, mut sink: F) {
        let ended_ns = self.clock.now_ns();
        for (_, completion) in self.in_flight.drain(..) {
            sink(Completion { ended_ns, outcome: Outcome::Error(ErrorKind::Aborted), ..completion });
        }
    }
}

struct Run {
    tally: Tally,
    sends: Vec<u64>,
    handovers: Vec<u64>,
    last_end_ns: u64,
}

fn run_with(
    slots: usize,
    target: Target,
    stop_at_ns: Option<u64>,
    change: impl FnOnce(&mut TestConfig),
) -> Run {
    let mut config = TestConfig::new("t", TestType::Avalanche);
    (config.target_url, config.timeout_ms) = (Some("http://127.0.0.1/".to_owned()), Some(2_000));
    change(&mut config);
    let plan = Plan::new(&config, &Defaults::default()).expect("a valid plan");
    let clock = ManualClock::default();
    let cursor = Cursor::new(Schedule::new(&plan).share(0, 1), 0, 2 * S);
    let task = Task { cursor, stop: StopFlag::default() };
    let sends = std::rc::Rc::default();
    let client = FakeClient {
        clock: clock.clone(),
        target,
        free_since: vec![0; slots].into(),
        in_flight: Vec::new(),
        sends: std::rc::Rc::clone(&sends),
    };
    let (out, handovers) = crossbeam_channel::unbounded();
    let clock = StoppingClock { clock, stop: task.stop.clone(), stop_at_ns: stop_at_ns.unwrap_or(u64::MAX) };
    run(0, client, &clock, &task, &out);
    let (mut tally, mut through, mut last_end_ns) = (Tally::new(), Vec::new(), 0);
    for handover in handovers.try_iter() {
        handover.tallies.iter().for_each(|(_, part)| tally.merge(part));
        through.push(handover.through);
        last_end_ns = handover.last_end_ns;
    }
    Run { tally, sends: sends.take(), handovers: through, last_end_ns }
}

/// Sets the stop flag at a given time.
#[derive(Clone)]
struct StoppingClock {
    clock: ManualClock,
    stop: StopFlag,
    stop_at_ns: u64,
}

impl Clock for StoppingClock {
    fn now_ns(&self) -> u64 {
        let now_ns = self.clock.now_ns();
        if now_ns >= self.stop_at_ns {
            self.stop.stop();
        }
        now_ns
    }

    fn rest(&self, ns: u64) -> u64 {
        self.clock.rest(ns)
    }

    /// Runs for a quarter of the time and waits for a CPU for another quarter.
    fn cpu_times(&self) -> Option<CpuTimes> {
        let quarter_ns = 1 + self.clock.now_ns() / 4;
        Some(CpuTimes { on_cpu_ns: quarter_ns, waited_ns: quarter_ns })
    }
}

fn ok_after_ms(ms: u64, sent_ns: u64) -> (u64, Outcome) {
    (sent_ns + ms * MS, Outcome::Status(200))
}

#[test]
fn tsunami_keeps_its_gap_regardless_of_latency() {
    let run = run_with(
        16,
        |sent| ok_after_ms(30, sent),
        None,
        |c| {
            c.test_type = TestType::Tsunami;
            (c.test_message_delay, c.message_count_per_driver) = (Some(20.0), Some(100));
        },
    );
    assert_eq!(run.sends, (0..100).map(|k| k * 20 * MS).collect::<Vec<_>>());
    assert_eq!(run.last_end_ns, (99 * 20 + 30) * MS);
    assert_eq!((run.tally.queued, run.tally.responses()), (0, 100));
    assert_eq!(run.tally.lag.histogram().max_ms(), 0.001, "the resolution of a histogram");
}

#[test]
fn a_stalled_target_shows_as_queued_and_never_as_lag() {
    // No response between 5 s and 6 s; otherwise after 1 ms.
    let stall: Target = |sent| {
        let ends = sent + MS;
        (if (5 * S..6 * S).contains(&ends) { 6 * S } else { ends }, Outcome::Status(200))
    };
    let run = run_with(50, stall, None, |c| {
        (c.target_throughput, c.duration_ms) = (Some(1_000.0), Some(20_000));
    });
    assert_eq!((run.tally.sent, run.tally.responses()), (20_000, 20_000));
    let latency = run.tally.latency.histogram().distribution().expect("has responses");
    assert!((latency.max - 1_000.0).abs() < 20.0, "max {}", latency.max);
    assert!((latency.p99 - 800.0).abs() < 30.0, "p99 {}", latency.p99);
    assert!((900..1_100).contains(&run.tally.queued), "queued {}", run.tally.queued);
    assert!(run.tally.lag.histogram().max_ms() < 0.01, "lag {}", run.tally.lag.histogram().max_ms());
    assert!(
        run.tally.service.histogram().percentile_ms(99.0) < 5.0,
        "the service time hides what the latency shows"
    );
}

#[test]
fn a_closed_loop_sends_its_count_and_keeps_its_slots_busy() {
    let run = run_with(4, |sent| ok_after_ms(10, sent), None, |c| c.message_count_per_driver = Some(10));
    assert_eq!(run.sends, [0, 0, 0, 0, 10 * MS, 10 * MS, 10 * MS, 10 * MS, 20 * MS, 20 * MS]);
    assert_eq!(run.tally.responses(), 10);
}

#[test]
fn a_closed_loop_with_a_duration_plans_nothing_after_it() {
    let run = run_with(2, |sent| ok_after_ms(300, sent), None, |c| c.duration_ms = Some(1_000));
    assert_eq!(run.sends.len(), 8);
    assert_eq!((run.tally.responses(), run.last_end_ns), (8, 1_200 * MS));
}

#[test]
fn a_target_that_never_responds_cannot_make_the_run_endless() {
    let timeout: Target = |sent| (sent + 2 * S, Outcome::Error(ErrorKind::Timeout));
    let run = run_with(10, timeout, None, |c| {
        (c.target_throughput, c.duration_ms) = (Some(100.0), Some(3_000));
    });
    // Ten slots, free every 2 s, until one timeout after the end at 3 s.
    assert_eq!(run.tally.sent, 30);
    assert_eq!(run.tally.ended(), 30);
    assert!(run.last_end_ns <= 7 * S, "{}", run.last_end_ns);
}

#[test]
fn a_stop_counts_what_is_in_flight_as_aborted() {
    let run = run_with(5, |sent| ok_after_ms(400, sent), Some(S), |c| c.duration_ms = Some(60_000));
    assert_eq!((run.tally.sent, run.tally.responses()), (15, 10));
    assert_eq!(run.tally.counts(15, 0).errors.get("aborted"), Some(&5));
    assert!(run.last_end_ns <= S + LOOK_NS);
}

#[test]
fn warm_up_is_excluded_from_all_other_figures() {
    let run = run_with(
        8,
        |sent| ok_after_ms(1, sent),
        None,
        |c| {
            (c.target_throughput, c.duration_ms, c.warmup_ms) = (Some(100.0), Some(1_000), Some(500));
        },
    );
    assert_eq!((run.tally.warmup_sent, run.tally.sent, run.tally.responses()), (50, 100, 100));
    assert_eq!(run.sends.first(), Some(&0));
    let closed = run_with(
        1,
        |sent| ok_after_ms(100, sent),
        None,
        |c| {
            (c.message_count_per_driver, c.warmup_ms) = (Some(3), Some(500));
        },
    );
    assert_eq!((closed.tally.warmup_sent, closed.tally.sent), (5, 3));
}

#[test]
fn warm_up_requests_aborted_by_a_stop_count_only_as_warm_up() {
    let run = run_with(5, |sent| ok_after_ms(400, sent), Some(S), |c| c.warmup_ms = Some(60_000));
    assert_eq!((run.tally.warmup_sent, run.tally.warmup_errors), (15, 5));
    assert_eq!((run.tally.sent, run.tally.ended()), (0, 0));
}

#[test]
fn a_refused_connection_does_not_cause_a_busy_loop() {
    let refused: Target = |sent| (sent + MS / 10, Outcome::Error(ErrorKind::Connect));
    let run = run_with(16, refused, None, |c| c.duration_ms = Some(10_000));
    assert!((50..5_000).contains(&run.tally.sent), "{} attempts", run.tally.sent);
    assert!(run.tally.lag.histogram().percentile_ms(99.0) < 1.0, "a pause is not generator lag");
    let counted = run_with(16, refused, None, |c| c.message_count_per_driver = Some(10));
    assert_eq!(counted.tally.counts(10, 0).errors.get("connect"), Some(&10));
}

#[test]
fn tallies_are_handed_over_twice_a_second() {
    let run = run_with(
        4,
        |sent| ok_after_ms(1, sent),
        None,
        |c| {
            (c.target_throughput, c.duration_ms) = (Some(100.0), Some(3_000));
        },
    );
    assert_eq!(run.handovers, [1, 2, 3, 4, 5, 5]);
    assert_eq!(run.tally.openings.connect.count(), 6, "one of each hand-over");
}

/// Serves requests one at a time, each in 10 µs.
fn one_after_the_other(sent_ns: u64) -> (u64, Outcome) {
    thread_local!(static FREE_NS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
    let ended_ns = FREE_NS.get().max(sent_ns) + 10_000;
    FREE_NS.set(ended_ns);
    (ended_ns, Outcome::Status(200))
}

#[test]
fn a_closed_loop_wakes_for_several_responses_at_a_time_and_the_target_stays_busy() {
    let run = run_with(32, one_after_the_other, None, |c| c.duration_ms = Some(2_000));
    let wakes: std::collections::BTreeSet<u64> = run.sends.iter().copied().collect();
    assert!(run.tally.sent >= 199_900, "not all that the target can serve: {}", run.tally.sent);
    assert!(wakes.len() < run.sends.len() / 3, "{} wakes for {} requests", wakes.len(), run.sends.len());
}

#[test]
fn rests_and_cpu_times_are_handed_over() {
    let run = run_with(32, one_after_the_other, None, |c| c.duration_ms = Some(2_000));
    let witness = run.tally.witness;
    assert!((2 * S - 10 * MS..=2 * S).contains(&witness.observed_ns), "{witness:?}");
    let generator = witness.generator().expect("observed");
    assert!(generator.busy.is_some_and(|busy| (busy - 0.5).abs() < 0.001), "{generator:?}");
    assert!(generator.cpu_wait.is_some_and(|wait| (wait - 0.25).abs() < 0.001), "{generator:?}");
    // The target serves one request every 10 µs: outside of trials the loop rests for 50 µs at a time.
    assert!(generator.rest.is_some_and(|rest| (0.5..1.0).contains(&rest)), "{generator:?}");
}

#[test]
fn the_wait_for_the_last_responses_is_not_observed() {
    let run = run_with(
        16,
        |sent| ok_after_ms(1_500, sent),
        None,
        |c| {
            (c.target_throughput, c.duration_ms) = (Some(10.0), Some(1_000));
        },
    );
    assert_eq!((run.last_end_ns, run.tally.witness.observed_ns), (2_400 * MS, 900 * MS));
    assert_eq!(run.tally.witness.rested_ns, 0, "an open loop never rests");
}

#[test]
fn an_open_loop_never_rests() {
    let run = run_with(32, one_after_the_other, None, |c| {
        (c.duration_ms, c.target_throughput) = (Some(1_000), Some(50_000.0));
    });
    assert_eq!(run.sends, (0..50_000).map(|k| k * 20_000).collect::<Vec<_>>());
}

#[test]
fn counts_that_a_late_collector_has_no_room_for_come_with_the_next_hand_over() {
    let mut config = TestConfig::new("t", TestType::Avalanche);
    (config.target_url, config.duration_ms) = (Some("http://127.0.0.1/".to_owned()), Some(10_000));
    let plan = Plan::new(&config, &Defaults::default()).expect("a valid plan");
    let cursor = Cursor::new(Schedule::new(&plan).share(0, 1), 0, S);
    let (out, handovers) = crossbeam_channel::bounded(1);
    let mut recorder = Recorder::new(0, &cursor);
    let due = Due { planned_ns: 0, number: 0, request: 0, warmup: false };
    let mut sends = 0;
    for interval in 1..=3 {
        // Few times at first, then more than are listed.
        for _ in 0..interval * 1_500 {
            sends += 1;
            recorder.record_sent(sends * MS, 0, &due);
        }
        recorder.hand_over(interval * INTERVAL_NS, &cursor, &out);
    }
    let first = handovers.try_recv().expect("there was room for one");
    assert_eq!((first.through, first.tallies.sent()), (1, 1_500));
    recorder.hand_over(4 * INTERVAL_NS, &cursor, &out);
    let rest = handovers.try_recv().expect("there is room again");
    let lags: u64 = rest.tallies.iter().map(|(_, tally)| tally.lag.count()).sum();
    assert_eq!((rest.through, rest.tallies.sent(), lags), (4, 7_500, 7_500));
    assert!(recorder.tallies.of(0).is_empty());
}
