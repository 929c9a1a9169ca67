//! What each event changes: progress, flights, faults.

use super::flight::Silence;
use super::progress::Key;
use super::steps::{Event, FetchAnswer, Leaders, Step};
use super::{Flight, Phase, Reading, Request};
use crate::bus::kafka::batches::{self, Part, Room};
use crate::bus::kafka::faults;
use crate::bus::kafka::responses::FetchedPartition;
use crate::bus::kafka::wire::Malformed;
use crate::bus::{BusError, Record};
use crate::clock::NS_PER_MS;
use std::collections::BTreeMap;

/// Pause after an early empty response, to avoid a busy loop on a broker that always answers immediately.
const EMPTY_PAUSE_NS: u64 = 10 * NS_PER_MS;

impl Reading {
    /// Takes note of what happened at `now_ns`.
    pub fn handle(&mut self, now_ns: u64, event: Event<'_>) {
        match event {
            Event::Range { key, id, range } => self.on_range(now_ns, key, id, range),
            Event::Leaders(Ok(leaders)) => self.on_leaders(now_ns, &leaders),
            Event::Leaders(Err(error)) => self.fault_all(now_ns, &error),
            Event::Connected => {
                if let Some(request) = self.request() {
                    request.is_connected = true;
                }
            }
            Event::Sent => self.on_sent(now_ns),
            Event::Answered { broker, answer } => self.on_answer(now_ns, broker, &answer),
            Event::Silent { broker, error } => self.on_silence(now_ns, broker, error),
            Event::Gone { broker } => drop(self.flights.remove(&broker)),
            Event::Failed { broker, error } => self.on_failure(now_ns, broker, error),
        }
    }

    /// The request that is being sent.
    fn request(&mut self) -> Option<&mut Request> {
        match &mut self.poll.phase {
            Phase::Requests { queue, .. } => queue.front_mut(),
            _ => None,
        }
    }

    fn take_request(&mut self) -> Option<Request> {
        match &mut self.poll.phase {
            Phase::Requests { queue, .. } => queue.pop_front(),
            _ => None,
        }
    }

    /// Groups the partitions by their leaders. In a backoff, those that are not listed are left out.
    fn on_leaders(&mut self, now_ns: u64, leaders: &Leaders) {
        self.begin_replaced(leaders);
        let is_open = matches!(self.poll.phase, Phase::Open);
        let keys = if is_open {
            self.subscriptions.healthy()
        } else {
            self.turn = self.turn.wrapping_add(1);
            self.subscriptions.in_turn(self.turn.wrapping_sub(1))
        };
        let mut wanted: BTreeMap<i32, Vec<Key>> = BTreeMap::new();
        for key in keys {
            match leaders.of.get(&key) {
                Some(leader) if *leader >= 0 => wanted.entry(*leader).or_default().push(key),
                _ if is_open => {}
                _ => self.has_no_leader(now_ns, key, leaders.faults.get(&key.0)),
            }
        }
        let brokers = wanted.len();
        let request = |(broker, keys)| Request { broker, keys, is_connected: false, max_wait_ns: 0 };
        self.poll.phase = Phase::Requests { queue: wanted.into_iter().map(request).collect(), brokers };
    }

    fn has_no_leader(&mut self, now_ns: u64, key: Key, why: Option<&BusError>) {
        let (name, partition) = (self.shared.settings.topic_name(key.0), key.1);
        let none = || {
            BusError::Unavailable(format!("partition {partition} of topic {name} currently has no leader"))
        };
        let error = why.cloned().unwrap_or_else(none);
        self.subscriptions.fault(&[key], &error);
        // Otherwise the same answer would be used again and again.
        self.failed(now_ns, error);
    }

    fn on_sent(&mut self, now_ns: u64) {
        let Some(Request { broker, keys, max_wait_ns, .. }) = self.take_request() else { return };
        let next = |key: &Key| self.subscriptions.get(*key).map_or(0, |progress| progress.next);
        let asked = keys.iter().map(|key| (*key, next(key))).collect();
        self.flights.insert(broker, Flight::new(asked, now_ns, max_wait_ns));
    }

    fn on_answer(&mut self, now_ns: u64, broker: i32, answer: &FetchAnswer<'_>) {
        let Some(flight) = self.flights.remove(&broker) else { return };
        if answer.rests_until_ns > now_ns {
            self.rests.insert(broker, answer.rests_until_ns);
        }
        let error = match &answer.read {
            Ok((0, fetched)) => return self.on_fetched(now_ns, &flight, answer, fetched),
            Ok((code, _)) => faults::topic(*code, "(all)", "read the records", None),
            Err(Malformed(why)) => {
                BusError::Unavailable(format!("a response of broker {broker} is malformed: {why}"))
            }
        };
        self.fault_broker(now_ns, broker, flight.asked.into_keys().collect(), error);
    }

    fn on_fetched(
        &mut self,
        now_ns: u64,
        flight: &Flight,
        answer: &FetchAnswer<'_>,
        fetched: &[FetchedPartition<'_>],
    ) {
        let mut brought = false;
        let mut room = Room::of_an_answer();
        for part in fetched {
            let is_cut = answer.is_cut && !part.whole;
            brought |= self.take_part(now_ns, part, flight, is_cut, &mut room);
        }
        if self.subscriptions.are_well() {
            self.retry.succeeded();
        }
        if !brought && flight.is_early(answer.took_ns) {
            self.poll.chores.push_back(Step::Sleep { until_ns: now_ns.saturating_add(EMPTY_PAUSE_NS) });
        }
    }

    /// Processes one partition's part of a response. Returns whether it held anything new or a fault.
    fn take_part(
        &mut self,
        now_ns: u64,
        part: &FetchedPartition<'_>,
        flight: &Flight,
        is_cut: bool,
        room: &mut Room,
    ) -> bool {
        let Some(topic) = self.shared.topic_of(&part.topic) else { return false };
        let key = (topic, part.partition);
        // The subscription may have moved while the Fetch was in flight; then the data is no longer wanted.
        let Some(progress) = self.subscriptions.get_mut(key) else { return false };
        if flight.asked.get(&key) != Some(&progress.next) || progress.lost {
            return false;
        }
        if faults::is_out_of_range(part.error) {
            progress.lost = true;
            // It may be another topic by now: the topics are looked up again.
            self.poll.chores.push_back(Step::Distrust);
            return true;
        }
        if part.error != 0 {
            let error = faults::topic(part.error, &part.topic, "read the records", None);
            progress.fault = Some(error.clone());
            self.failed(now_ns, error);
            return true;
        }
        progress.read_ns = now_ns;
        progress.fault = None;
        let part_read =
            Part { bytes: part.batches, from: progress.next, cut: is_cut, aborted: &part.aborted };
        let found = batches::read(part_read, room);
        let moved = found.next > progress.next;
        progress.next = found.next;
        let lines = self.gaps.lines(&part.topic, part.partition, &found.passed_over, now_ns);
        self.poll.chores.extend(lines.into_iter().map(Step::Warn));
        self.poll.arrived.extend(found.records.into_iter().map(|record| record_of(key, record)));
        moved
    }

    fn on_silence(&mut self, now_ns: u64, broker: i32, error: BusError) {
        let Some(flight) = self.flights.get(&broker) else { return };
        match flight.silence(now_ns) {
            Silence::Expected => {}
            Silence::Fault => self.subscriptions.fault(flight.asked.keys(), &error),
            Silence::HangUp => {
                let keys = flight.asked.keys().copied().collect();
                self.fault_broker(now_ns, broker, keys, error);
            }
        }
    }

    fn on_failure(&mut self, now_ns: u64, broker: i32, error: BusError) {
        let keys = match self.take_request() {
            Some(request) => request.keys,
            None => {
                let asked = self.flights.get(&broker).map(|flight| &flight.asked);
                asked.into_iter().flat_map(BTreeMap::keys).copied().collect()
            }
        };
        self.fault_broker(now_ns, broker, keys, error);
    }

    fn fault_broker(&mut self, now_ns: u64, broker: i32, keys: Vec<Key>, error: BusError) {
        self.flights.remove(&broker);
        self.poll.chores.push_back(Step::HangUp(broker));
        self.subscriptions.fault(&keys, &error);
        self.failed(now_ns, error);
    }

    /// Ends the round's requests. Fetches in flight may still be answered; the other partitions cannot be
    /// read.
    pub(super) fn fault_all(&mut self, now_ns: u64, error: &BusError) {
        let mut keys = self.subscriptions.in_turn(0);
        keys.retain(|key| !self.flights.values().any(|flight| flight.asked.contains_key(key)));
        self.subscriptions.fault(&keys, error);
        self.failed(now_ns, error.clone());
        self.poll.phase = Phase::Wait;
    }

    fn failed(&mut self, now_ns: u64, error: BusError) {
        self.poll.chores.push_back(Step::Distrust);
        self.retry.failed(now_ns, error);
    }
}

fn record_of((topic, partition): Key, record: batches::Fetched) -> Record {
    let key = String::from_utf8_lossy(&record.key).into_owned();
    Record { topic, partition, offset: record.offset, key, value: record.value, append_ms: record.append_ms }
}
