//! Decides how records are read, without sockets, clock or log: one Fetch at a time to each broker that leads
//! a partition we read. A Fetch still unanswered when a poll ends stays in flight; the next poll receives its
//! response.
//!
//! A poll is a loop over rounds. Each round asks what is missing (offsets of lost partitions, leaders), sends
//! a Fetch to every broker that has none in flight, and waits for responses. [`Reading::next`] returns what
//! to do, [`Reading::handle`] receives what happened; the shell, [`super::poll`], only moves bytes and time.

mod answers;
mod flight;
mod progress;
mod replaced;
mod steps;

use self::flight::{Flight, GRACE_NS};
pub use self::progress::Key;
use self::progress::Subscriptions;
pub use self::steps::{Event, FetchAnswer, Leaders, Step};
use super::context::Context;
use super::gaps::Gaps;
use super::responses::TopicId;
use super::retry::Retry;
use crate::bus::{BusError, Record, Topic};
use crate::clock::{NS_PER_MS, NS_PER_S};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Longest wait requested from each of several brokers, so that a short poll is not held up by a long one.
const LONGEST_WAIT_OF_SEVERAL_NS: u64 = 500 * NS_PER_MS;
/// Minimum time between two reports of a topic that cannot be read while others can.
const LEAST_TELL_NS: u64 = NS_PER_S;

/// Reads all subscribed partitions of one handle.
pub struct Reading {
    shared: Arc<Context>,
    subscriptions: Subscriptions,
    /// Which topics the positions belong to; empty for clusters without ids.
    ids: BTreeMap<Topic, TopicId>,
    flights: BTreeMap<i32, Flight>,
    /// Brokers that throttle, and until when.
    rests: BTreeMap<i32, u64>,
    /// Records held back while a fault was reported.
    ready: Vec<Record>,
    turn: usize,
    told_ns: u64,
    retry: Retry,
    gaps: Gaps,
    poll: Poll,
}

/// The poll in progress.
#[derive(Debug)]
struct Poll {
    began_ns: u64,
    deadline_ns: u64,
    phase: Phase,
    /// Steps to take before the phase continues; nothing is reported back.
    chores: VecDeque<Step>,
    arrived: Vec<Record>,
}

/// What the poll does.
#[derive(Debug)]
enum Phase {
    /// Begin a round.
    Begin,
    /// Find the offsets of lost partitions.
    Ranges(VecDeque<Key>),
    /// Find the leaders of all partitions.
    Leaders,
    /// In a backoff: read what can be read without any other request.
    Open,
    /// Send these requests to `brokers` brokers.
    Requests { queue: VecDeque<Request>, brokers: usize },
    /// Wait for responses.
    Wait,
    /// Receive from these brokers in turn.
    Receive { queue: VecDeque<i32>, is_alone: bool },
    /// End the round.
    End,
    /// The result.
    Over(Result<Vec<Record>, BusError>),
}

/// A Fetch that was not sent yet.
#[derive(Debug)]
struct Request {
    broker: i32,
    keys: Vec<Key>,
    is_connected: bool,
    max_wait_ns: u64,
}

impl Reading {
    /// Starts without subscriptions.
    pub fn new(shared: Arc<Context>) -> Self {
        let retry = Retry::new(shared.describe());
        Reading {
            shared,
            subscriptions: Subscriptions::default(),
            ids: BTreeMap::new(),
            flights: BTreeMap::new(),
            rests: BTreeMap::new(),
            ready: Vec::new(),
            turn: 0,
            told_ns: 0,
            retry,
            gaps: Gaps::default(),
            poll: Poll::new(0, 0, Phase::Over(Ok(Vec::new()))),
        }
    }

    /// Reads `topic` from these offsets, replacing its earlier position. Not during a poll.
    pub fn start(&mut self, topic: Topic, offsets: BTreeMap<i32, i64>) {
        self.subscriptions.start(topic, offsets);
        self.ids.remove(&topic);
        self.ready.retain(|record| record.topic != topic);
    }

    /// Begins a poll of `timeout_ns`.
    pub fn begin(&mut self, now_ns: u64, timeout_ns: u64) {
        self.poll = Poll::new(now_ns, timeout_ns, Phase::Begin);
        if !self.ready.is_empty() {
            self.poll.phase = Phase::Over(Ok(std::mem::take(&mut self.ready)));
        } else if self.subscriptions.is_empty() {
            self.poll.chores.push_back(Step::Sleep { until_ns: self.poll.deadline_ns });
            self.poll.phase = Phase::Over(Ok(Vec::new()));
        }
    }

    /// What to do next. Until an event answers a step, the same step is returned again.
    pub fn next(&mut self, now_ns: u64) -> Step {
        loop {
            if let Some(chore) = self.poll.chores.pop_front() {
                return chore;
            }
            if let Some(step) = self.advance(now_ns) {
                return step;
            }
        }
    }

    fn advance(&mut self, now_ns: u64) -> Option<Step> {
        let limit_ns = self.poll.deadline_ns.max(now_ns).saturating_add(GRACE_NS);
        match &mut self.poll.phase {
            Phase::Begin => {
                self.rests.retain(|_, until_ns| *until_ns > now_ns);
                self.poll.phase = self.first_phase(now_ns);
            }
            Phase::Ranges(queue) => match queue.front() {
                Some(key) => return Some(Step::FindRange { key: *key, limit_ns }),
                None => self.poll.phase = Phase::Leaders,
            },
            Phase::Leaders => {
                return Some(Step::FindLeaders { topics: self.subscriptions.topics(), limit_ns });
            }
            Phase::Open => return Some(Step::ListOpen(self.subscriptions.healthy())),
            Phase::Requests { queue, brokers } => {
                let brokers = *brokers;
                match queue.front_mut() {
                    None => self.poll.phase = Phase::Wait,
                    Some(next) if self.flights.contains_key(&next.broker) => drop(queue.pop_front()),
                    Some(next) if self.rests.contains_key(&next.broker) => drop(queue.pop_front()),
                    Some(next) if !next.is_connected => {
                        return Some(Step::Connect { broker: next.broker, limit_ns });
                    }
                    Some(_) => return self.send(now_ns, limit_ns, brokers),
                }
            }
            Phase::Wait => return self.wait(now_ns),
            Phase::Receive { queue, is_alone } => {
                let is_alone = *is_alone;
                match queue.pop_front() {
                    None => self.poll.phase = Phase::End,
                    Some(broker) => {
                        let flight = self.flights.get(&broker)?;
                        let limit_ns = flight.receive_until_ns(now_ns, self.poll.deadline_ns, is_alone);
                        return Some(Step::Receive { broker, limit_ns });
                    }
                }
            }
            Phase::End => self.poll.phase = self.end_round(now_ns),
            Phase::Over(result) => {
                return Some(Step::Done(std::mem::replace(result, Ok(Vec::new()))));
            }
        }
        None
    }

    fn first_phase(&self, now_ns: u64) -> Phase {
        if now_ns >= self.poll.deadline_ns && !self.subscriptions.has_unread(self.poll.began_ns) {
            Phase::Wait
        } else if now_ns < self.retry.not_before_ns() {
            Phase::Open
        } else {
            Phase::Ranges(self.subscriptions.lost().into())
        }
    }

    fn send(&mut self, now_ns: u64, limit_ns: u64, brokers: usize) -> Option<Step> {
        let Phase::Requests { queue, .. } = &mut self.poll.phase else { return None };
        let request = queue.front_mut()?;
        let longest_ns = if brokers > 1 { LONGEST_WAIT_OF_SEVERAL_NS } else { u64::MAX };
        // Computed after connecting, so that the wait ends with the poll.
        let max_wait_ns = self.poll.deadline_ns.saturating_sub(now_ns).min(longest_ns);
        request.max_wait_ns = max_wait_ns;
        let next = |key: &Key| self.subscriptions.get(*key).map_or(0, |progress| progress.next);
        let wanted = request.keys.iter().map(|key| (*key, next(key))).collect();
        Some(Step::Send { broker: request.broker, wanted, max_wait_ns, limit_ns })
    }

    fn wait(&mut self, now_ns: u64) -> Option<Step> {
        let queue: VecDeque<i32> = self.flights.keys().copied().collect();
        if queue.is_empty() {
            self.poll.phase = Phase::End;
            let rest_ns = self.rests.values().copied().min().unwrap_or(0);
            let due_ns =
                Some(self.retry.not_before_ns()).filter(|due_ns| *due_ns > now_ns).unwrap_or(rest_ns);
            return Some(Step::Sleep { until_ns: self.poll.deadline_ns.min(due_ns.max(now_ns + NS_PER_MS)) });
        }
        let is_alone = queue.len() == 1;
        self.poll.phase = Phase::Receive { queue, is_alone };
        None
    }

    fn end_round(&mut self, now_ns: u64) -> Phase {
        if !self.poll.arrived.is_empty() {
            return Phase::Over(self.deliver(now_ns));
        }
        if now_ns < self.poll.deadline_ns || self.is_awaited(now_ns) {
            return Phase::Begin;
        }
        Phase::Over(self.empty(now_ns))
    }

    /// Whether a pending Fetch may still be answered in time, unless its partitions have failed.
    fn is_awaited(&self, now_ns: u64) -> bool {
        let Poll { began_ns, deadline_ns, .. } = self.poll;
        self.flights.values().any(|flight| {
            now_ns < flight.awaited_until_ns(deadline_ns)
                && self.subscriptions.is_any_unread(flight.asked.keys(), began_ns)
        })
    }

    /// Returns the records, but from time to time first reports a topic that cannot be read.
    fn deliver(&mut self, now_ns: u64) -> Result<Vec<Record>, BusError> {
        let records = std::mem::take(&mut self.poll.arrived);
        let long_ns = (self.poll.deadline_ns - self.poll.began_ns).max(LEAST_TELL_NS);
        match self.subscriptions.long_fault(now_ns, long_ns) {
            Some(fault) if now_ns.saturating_sub(self.told_ns) >= long_ns => {
                self.told_ns = now_ns;
                self.ready = records;
                Err(fault.clone())
            }
            _ => Ok(records),
        }
    }

    /// No records arrived: returns an error if any partition was not read.
    fn empty(&mut self, now_ns: u64) -> Result<Vec<Record>, BusError> {
        let Some((topic, fault)) = self.subscriptions.first_not_read(self.poll.began_ns) else {
            return Ok(Vec::new());
        };
        self.told_ns = now_ns;
        Err(fault.unwrap_or_else(|| {
            let name = self.shared.settings.topic_name(topic);
            let who = self.shared.describe();
            if self.rests.values().any(|until_ns| *until_ns > now_ns) {
                return BusError::Unavailable(format!("{who} throttles this client: its quota is used up"));
            }
            BusError::Unavailable(format!("{who} does not answer in time for topic {name}: is it hung?"))
        }))
    }
}

impl Poll {
    fn new(now_ns: u64, timeout_ns: u64, phase: Phase) -> Self {
        Poll {
            began_ns: now_ns,
            deadline_ns: now_ns.saturating_add(timeout_ns),
            phase,
            chores: VecDeque::new(),
            arrived: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
