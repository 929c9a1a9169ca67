//! The hot loop: claim, wait, send, record. One loop for both clients, both test types and every stop rule.
//!
//! Nothing in it locks, allocates, formats or logs per request. A worker owns its tally and hands it over
//! every [`INTERVAL_NS`]; the next one has the same capacity, so that it seldom grows.

use super::coalescing::Coalescing;
use super::cursor::{Cursor, Due};
use super::watch::Watch;
use crate::clock::Clock;
use crate::http::{Client, Completion};
use crate::stats::outcome::Outcome;
use crate::stats::tallies::Tallies;
use crate::stats::tally::Sample;
use crate::threads::StopFlag;
use crossbeam_channel::Sender;
use std::time::Duration;

/// Interval between hand-overs of a worker's tally, and so between a driver's reports.
pub const INTERVAL_NS: u64 = 500_000_000;
/// Maximum interval between checks of the stop flag.
const LOOK_NS: u64 = 100_000_000;
/// Initial and maximum pause of a closed loop after a request that never reached a server, so that a refused
/// connection does not cause a busy loop.
const PAUSE_NS: std::ops::RangeInclusive<u64> = 1_000_000..=100_000_000;
/// Maximum wait for room in the channel at the last hand-over.
const LAST_HANDOVER_WAIT: Duration = Duration::from_secs(5);

/// What a worker counted since its last hand-over.
#[derive(Debug)]
pub struct Handover {
    /// Which worker.
    pub worker: usize,
    /// Everything up to this many intervals after the origin is included.
    pub through: u64,
    /// What was counted, by request.
    pub tallies: Tallies,
    /// Its first measured send, if any yet.
    pub first_send_ns: Option<u64>,
    /// The end of its last measured request so far.
    pub last_end_ns: u64,
    /// Whether this worker has ended.
    pub ended: bool,
}

impl Handover {
    /// The hand-over of a worker that never ran.
    pub fn nothing(worker: usize) -> Handover {
        let tallies = Tallies::new(1);
        Handover { worker, through: 0, tallies, first_send_ns: None, last_end_ns: 0, ended: true }
    }
}

/// What all workers of a driver share.
#[derive(Debug)]
pub struct Task {
    /// Where tickets come from.
    pub cursor: Cursor,
    /// Set to stop the test early.
    pub stop: StopFlag,
}

/// Executes tickets until there are no more, or until it is stopped; then hands over for the last time.
pub fn run<C: Client, K: Clock>(
    worker: usize,
    mut client: C,
    clock: &K,
    task: &Task,
    handovers: &Sender<Handover>,
) {
    let mut recorder = Recorder::new(worker, &task.cursor);
    let mut hand = Hand { held: None, over: false };
    let mut coalescing = Coalescing::new(clock.now_ns());
    let mut completed = 0;
    loop {
        let now_ns = clock.now_ns();
        if task.stop.is_stopped() || task.cursor.is_hard_end(now_ns) {
            client.abort(|completion| recorder.record(&completion));
            break;
        }
        if now_ns >= recorder.next_handover_ns(&task.cursor) {
            let sent = recorder.tallies.sent();
            recorder.watch.look_if_worthwhile(now_ns, sent, || clock.cpu_times());
            recorder.collect(&mut client);
            recorder.hand_over(now_ns, &task.cursor, handovers);
        }
        let wake_ns = hand.send_due(now_ns, &mut client, &task.cursor, &mut recorder);
        if recorder.first_send_ns.is_some() {
            recorder.watch.begin(now_ns, || clock.cpu_times());
        }
        if hand.over {
            recorder.watch.end(now_ns, || clock.cpu_times());
            if client.in_flight() == 0 {
                break;
            }
            client.retire();
        }
        let until_ns = wake_ns.min(recorder.next_handover_ns(&task.cursor)).min(now_ns + LOOK_NS);
        if !task.cursor.is_open() {
            let rest_ns = coalescing.rest_ns(now_ns, completed, client.in_flight());
            recorder.watch.rested(clock.rest(rest_ns));
        }
        completed = 0;
        client.poll(until_ns, |completion| {
            completed += 1;
            recorder.record(&completion);
        });
    }
    let now_ns = clock.now_ns();
    recorder.watch.end(now_ns, || clock.cpu_times());
    recorder.collect(&mut client);
    recorder.hand_over_last(now_ns, &task.cursor, handovers);
}

/// The ticket that is waiting for its planned start.
struct Hand {
    held: Option<Due>,
    over: bool,
}

impl Hand {
    /// Sends all requests that are due while slots are free; returns when the next one is due (`u64::MAX`:
    /// not before a request completes).
    fn send_due<C: Client>(
        &mut self,
        mut now_ns: u64,
        client: &mut C,
        cursor: &Cursor,
        recorder: &mut Recorder,
    ) -> u64 {
        if now_ns < cursor.start_ns() {
            return cursor.start_ns();
        }
        if cursor.gives_up(now_ns) {
            (self.held, self.over) = (None, true);
        }
        while !self.over {
            let Some(slot_ns) = client.free_since_ns() else { return u64::MAX };
            if now_ns < recorder.pause_until_ns {
                return recorder.pause_until_ns;
            }
            let free_ns = slot_ns.max(recorder.pause_until_ns);
            let Some(due) = self.held.take().or_else(|| cursor.claim(now_ns, free_ns)) else {
                self.over = true;
                break;
            };
            if due.planned_ns > now_ns {
                self.held = Some(due);
                return due.planned_ns;
            }
            let ready_ns = due.planned_ns.max(free_ns);
            // One clock reading per send: the send time of this request is also the current time for the next
            // one.
            now_ns = client.send(due.ticket(ready_ns));
            recorder.record_sent(now_ns, ready_ns, &due);
        }
        u64::MAX
    }
}

/// A worker's counts, and the state that decides when to hand over.
struct Recorder {
    worker: usize,
    open: bool,
    tallies: Tallies,
    watch: Watch,
    handed_through: u64,
    first_send_ns: Option<u64>,
    last_end_ns: u64,
    pause_until_ns: u64,
    pause_ns: u64,
}

impl Recorder {
    fn new(worker: usize, cursor: &Cursor) -> Recorder {
        Recorder {
            worker,
            open: cursor.is_open(),
            tallies: Tallies::new(cursor.requests()),
            watch: Watch::default(),
            handed_through: 0,
            first_send_ns: None,
            last_end_ns: 0,
            pause_until_ns: 0,
            pause_ns: 0,
        }
    }

    #[inline(always)]
    fn record_sent(&mut self, now_ns: u64, ready_ns: u64, due: &Due) {
        let tally = self.tallies.of(due.request);
        if due.warmup {
            tally.warmup_sent += 1;
            return;
        }
        self.first_send_ns.get_or_insert(now_ns);
        tally.record_sent(now_ns.saturating_sub(ready_ns), self.open && ready_ns > due.planned_ns);
    }

    #[inline(always)]
    fn record(&mut self, completion: &Completion) {
        match completion.outcome {
            Outcome::Error(kind) if kind.is_before_send() && !self.open => self.pause(completion.ended_ns),
            _ => self.pause_ns = 0,
        }
        let tally = self.tallies.of(completion.ticket.request);
        if completion.ticket.warmup {
            tally.warmup_errors += u64::from(matches!(completion.outcome, Outcome::Error(_)));
            return;
        }
        self.last_end_ns = self.last_end_ns.max(completion.ended_ns);
        tally.record_end(&Sample {
            latency_ns: completion.ended_ns.saturating_sub(completion.ticket.planned_ns),
            service_ns: completion.ended_ns.saturating_sub(completion.sent_ns),
            outcome: completion.outcome,
            bytes: completion.bytes,
            resent: completion.resent,
            failed: completion.failed,
        });
    }

    fn pause(&mut self, now_ns: u64) {
        self.pause_ns = (self.pause_ns * 2).clamp(*PAUSE_NS.start(), *PAUSE_NS.end());
        self.pause_until_ns = now_ns + self.pause_ns;
    }

    /// Adds what the client counted by itself, for all requests together.
    fn collect(&mut self, client: &mut impl Client) {
        let tally = self.tallies.of(0);
        tally.causes.merge(&client.take_causes());
        tally.openings.merge(&client.take_openings());
        for request in 0..self.tallies.requests() {
            let failures = client.take_failures(request);
            if !failures.is_empty() {
                self.tallies.of(request).failures.merge(&failures);
            }
        }
    }

    fn next_handover_ns(&self, cursor: &Cursor) -> u64 {
        cursor.origin_ns() + (self.handed_through + 1) * INTERVAL_NS
    }

    fn hand_over(&mut self, now_ns: u64, cursor: &Cursor, handovers: &Sender<Handover>) {
        self.handed_through = (now_ns - cursor.origin_ns()) / INTERVAL_NS;
        let handover = self.take(false);
        // If the channel is full, the collector is late: these counts are handed over next time.
        if let Err(refused) = handovers.try_send(handover) {
            self.tallies = refused.into_inner().tallies;
        }
    }

    fn hand_over_last(&mut self, now_ns: u64, cursor: &Cursor, handovers: &Sender<Handover>) {
        self.handed_through = now_ns.saturating_sub(cursor.origin_ns()) / INTERVAL_NS;
        // The collector normally outlives its workers; if it is gone, nothing can be reported.
        let _ = handovers.send_timeout(self.take(true), LAST_HANDOVER_WAIT);
    }

    fn take(&mut self, ended: bool) -> Handover {
        self.tallies.of(0).witness.merge(&self.watch.take());
        let fresh = self.tallies.fresh();
        Handover {
            worker: self.worker,
            through: self.handed_through,
            tallies: std::mem::replace(&mut self.tallies, fresh),
            first_send_ns: self.first_send_ns,
            last_end_ns: self.last_end_ns,
            ended,
        }
    }
}

#[cfg(test)]
mod tests;
