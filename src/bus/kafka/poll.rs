//! Reads records by long polls: one Fetch at a time to each broker that leads a partition we read. It uses
//! separate connections, so that the handle's other requests never wait behind a Fetch. A Fetch still
//! unanswered when a poll ends stays in flight; the next poll receives its response.

use super::batches::{self, Part, Room};
use super::cluster::Cluster;
use super::connection::Answer;
use super::context::Context;
use super::gaps::Gaps;
use super::requests::{EARLIEST, FetchLimits, LATEST};
use super::responses::FetchedPartition;
use super::versions::Api;
use super::wire::Malformed;
use super::{faults, offsets, requests, responses};
use crate::bus::{BusError, Record, Topic};
use crate::clock::{self, NS_PER_MS, NS_PER_S};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Maximum bytes of records in one response; leaves room for a frame's header in
/// [`super::connection::KEEP_BYTES`].
const MAX_BYTES: i32 = 4 << 20;
/// How long after its maximum wait a broker may take to answer before the poll ends without it.
const GRACE_NS: u64 = 500 * NS_PER_MS;
/// How long after that the connection is still kept, so that a broker that hung can resume where it stopped.
const PATIENCE_NS: u64 = 5 * NS_PER_S;
/// How long each connection is polled in turn if there are several.
const TURN_NS: u64 = 10 * NS_PER_MS;
/// Longest wait requested from each of several brokers, so that a short poll is not held up by a long one.
const LONGEST_WAIT_OF_SEVERAL_NS: u64 = 500 * NS_PER_MS;
/// Pause after an early empty response.
const EMPTY_PAUSE_NS: u64 = 10 * NS_PER_MS;
/// Minimum time between two reports of a topic that cannot be read while others can.
const LEAST_TELL_NS: u64 = NS_PER_S;

type Key = (Topic, i32);

/// The read position and state of one partition.
#[derive(Debug, Default)]
struct Cursor {
    next: i64,
    read_ns: u64,
    fault: Option<BusError>,
    /// The broker no longer has `next`.
    lost: bool,
}

/// A Fetch in flight.
#[derive(Debug)]
struct Flight {
    asked: BTreeMap<Key, i64>,
    answer_by_ns: u64,
    max_wait_ns: u64,
}

/// Reads all subscribed partitions of one handle.
pub struct Fetcher {
    cluster: Cluster,
    cursors: BTreeMap<Key, Cursor>,
    flights: BTreeMap<i32, Flight>,
    ready: Vec<Record>,
    turn: usize,
    told_ns: u64,
    gaps: Gaps,
}

impl Fetcher {
    /// Starts without subscriptions.
    pub fn new(shared: Arc<Context>) -> Self {
        Fetcher {
            cluster: Cluster::new(shared),
            cursors: BTreeMap::new(),
            flights: BTreeMap::new(),
            ready: Vec::new(),
            turn: 0,
            told_ns: 0,
            gaps: Gaps::default(),
        }
    }

    /// Reads `topic` from these offsets, replacing its earlier position.
    pub fn start(&mut self, topic: Topic, offsets: BTreeMap<i32, i64>) {
        self.cursors.retain(|(known, _), _| *known != topic);
        self.ready.retain(|record| record.topic != topic);
        for (partition, next) in offsets {
            self.cursors.insert((topic, partition), Cursor { next, ..Cursor::default() });
        }
    }

    /// See [`crate::bus::Bus::poll`].
    pub fn poll(&mut self, timeout: Duration) -> Result<Vec<Record>, BusError> {
        if !self.ready.is_empty() {
            return Ok(std::mem::take(&mut self.ready));
        }
        let began_ns = clock::now_ns();
        let deadline_ns = clock::deadline(timeout);
        if self.cursors.is_empty() {
            clock::sleep_until(deadline_ns);
            return Ok(Vec::new());
        }
        loop {
            self.launch(began_ns, deadline_ns);
            let records = self.collect(deadline_ns);
            if !records.is_empty() {
                return self.deliver(records, timeout);
            }
            if self.is_over(began_ns, deadline_ns) {
                return self.empty(began_ns);
            }
        }
    }

    /// Returns the records, but from time to time first reports a topic that cannot be read.
    fn deliver(&mut self, records: Vec<Record>, timeout: Duration) -> Result<Vec<Record>, BusError> {
        let now_ns = clock::now_ns();
        let long_ns = clock::to_ns(timeout).max(LEAST_TELL_NS);
        let fault = self.cursors.values().find_map(|cursor| {
            cursor.fault.clone().filter(|_| now_ns.saturating_sub(cursor.read_ns) >= long_ns)
        });
        match fault {
            Some(fault) if now_ns.saturating_sub(self.told_ns) >= long_ns => {
                self.told_ns = now_ns;
                self.ready = records;
                Err(fault)
            }
            _ => Ok(records),
        }
    }

    /// No records arrived: returns an error if any partition was not read.
    fn empty(&mut self, began_ns: u64) -> Result<Vec<Record>, BusError> {
        let unread = self.cursors.iter().find(|(_, cursor)| cursor.read_ns < began_ns);
        let Some(((topic, _), cursor)) = unread else { return Ok(Vec::new()) };
        self.told_ns = clock::now_ns();
        Err(cursor.fault.clone().unwrap_or_else(|| {
            let name = self.cluster.settings().topic_name(*topic);
            let who = self.cluster.shared().describe();
            BusError::Unavailable(format!("{who} does not answer in time for topic {name}: is it hung?"))
        }))
    }

    fn is_over(&self, began_ns: u64, deadline_ns: u64) -> bool {
        let now_ns = clock::now_ns();
        if now_ns < deadline_ns {
            return false;
        }
        // A pending Fetch may still be answered in time, unless its partition has failed.
        let awaited = self.flights.values().any(|flight| {
            let limit_ns = flight.answer_by_ns.min(deadline_ns.saturating_add(GRACE_NS));
            now_ns < limit_ns && flight.asked.keys().any(|key| self.is_unread(key, began_ns))
        });
        !awaited
    }

    fn is_unread(&self, key: &Key, since_ns: u64) -> bool {
        self.cursors.get(key).is_some_and(|cursor| cursor.read_ns < since_ns && cursor.fault.is_none())
    }

    /// Sends a Fetch to every broker that leads a partition we read and has none in flight.
    fn launch(&mut self, began_ns: u64, deadline_ns: u64) {
        let now_ns = clock::now_ns();
        let unread = self.cursors.values().any(|cursor| cursor.read_ns < began_ns && cursor.fault.is_none());
        if now_ns >= deadline_ns && !unread {
            return;
        }
        let limit_ns = deadline_ns.max(now_ns).saturating_add(GRACE_NS);
        let wanted = if now_ns < self.cluster.next_attempt_ns() {
            self.still_well()
        } else {
            match self.find_lost(limit_ns).and_then(|()| self.wanted(limit_ns)) {
                Ok(wanted) => wanted,
                Err(error) => return self.fault_all(&error),
            }
        };
        let brokers = wanted.len();
        for (broker, keys) in wanted {
            if self.flights.contains_key(&broker) {
                continue;
            }
            if let Err(error) = self.fetch(broker, &keys, brokers, deadline_ns) {
                self.fault_broker(broker, &keys, error);
            }
        }
    }

    /// Moves cursors whose offset the broker no longer has to the nearest existing one.
    fn find_lost(&mut self, limit_ns: u64) -> Result<(), BusError> {
        let lost: Vec<Key> =
            self.cursors.iter().filter(|(_, cursor)| cursor.lost).map(|(key, _)| *key).collect();
        for (topic, partition) in lost {
            let first = offsets::ask(&mut self.cluster, topic, EARLIEST, limit_ns)?;
            let end = offsets::ask(&mut self.cluster, topic, LATEST, limit_ns)?;
            let (Some(&first), Some(&end)) = (first.get(&partition), end.get(&partition)) else { continue };
            if let Some(cursor) = self.cursors.get_mut(&(topic, partition)) {
                let nearest = cursor.next.clamp(first, end.max(first));
                let name = self.cluster.settings().topic_name(topic);
                log::warn!(
                    "topic {name}, partition {partition}: offset {} does not exist (the broker has {first} \
                     to {end}); continuing at {nearest}",
                    cursor.next
                );
                cursor.next = nearest;
                cursor.lost = false;
            }
        }
        Ok(())
    }

    /// What to read during a backoff: partitions without a fault, over open connections.
    fn still_well(&mut self) -> BTreeMap<i32, Vec<Key>> {
        let mut wanted: BTreeMap<i32, Vec<Key>> = BTreeMap::new();
        for (key, _) in self.cursors.iter().filter(|(_, cursor)| cursor.fault.is_none() && !cursor.lost) {
            let leader = self.cluster.known_leader(key.0, key.1);
            if let Some(leader) = leader.filter(|leader| self.cluster.open_connection(*leader).is_some()) {
                wanted.entry(leader).or_default().push(*key);
            }
        }
        wanted
    }

    /// The partitions to read, by broker.
    fn wanted(&mut self, limit_ns: u64) -> Result<BTreeMap<i32, Vec<Key>>, BusError> {
        let mut wanted: BTreeMap<i32, Vec<Key>> = BTreeMap::new();
        let mut keys: Vec<Key> = self.cursors.keys().copied().collect();
        // The broker serves partitions in request order; rotating the first one avoids starvation.
        let first = self.turn % keys.len().max(1);
        keys.rotate_left(first);
        self.turn = self.turn.wrapping_add(1);
        for (topic, partition) in keys {
            let leader = self.cluster.leaders(topic, limit_ns)?.get(&partition).copied().unwrap_or(-1);
            if leader >= 0 {
                wanted.entry(leader).or_default().push((topic, partition));
            } else {
                let name = self.cluster.settings().topic_name(topic);
                let text = format!("partition {partition} of topic {name} currently has no leader");
                self.fault(&[(topic, partition)], &BusError::Unavailable(text));
            }
        }
        Ok(wanted)
    }

    fn fetch(&mut self, broker: i32, keys: &[Key], brokers: usize, deadline_ns: u64) -> Result<(), BusError> {
        let now_ns = clock::now_ns();
        let limit_ns = deadline_ns.max(now_ns).saturating_add(GRACE_NS);
        self.cluster.connection(broker, limit_ns)?;
        let longest_ns = if brokers > 1 { LONGEST_WAIT_OF_SEVERAL_NS } else { u64::MAX };
        // Computed after connecting, so that the wait ends with the poll.
        let max_wait_ns = clock::to_ns(clock::until(deadline_ns)).min(longest_ns);
        let limits = FetchLimits {
            max_wait_ms: i32::try_from(max_wait_ns / NS_PER_MS).unwrap_or(i32::MAX),
            max_bytes: MAX_BYTES,
            partition_max_bytes: MAX_BYTES,
        };
        let next = |key: &Key| self.cursors.get(key).map_or(0, |cursor| cursor.next);
        let asked: BTreeMap<Key, i64> = keys.iter().map(|key| (*key, next(key))).collect();
        let settings = self.cluster.shared().settings.clone();
        let wanted: Vec<(String, i32, i64)> =
            keys.iter().map(|key| (settings.topic_name(key.0), key.1, asked[key])).collect();
        let connection = self.cluster.connection(broker, limit_ns)?;
        connection.send(Api::Fetch, |head| requests::fetch(head, &wanted, limits), limit_ns)?;
        let answer_by_ns = clock::now_ns().saturating_add(max_wait_ns).saturating_add(GRACE_NS);
        self.flights.insert(broker, Flight { asked, answer_by_ns, max_wait_ns });
        Ok(())
    }

    /// Waits for responses and processes those received.
    fn collect(&mut self, deadline_ns: u64) -> Vec<Record> {
        let brokers: Vec<i32> = self.flights.keys().copied().collect();
        let now_ns = clock::now_ns();
        if brokers.is_empty() {
            clock::sleep_until(deadline_ns.min(self.cluster.next_attempt_ns().max(now_ns + NS_PER_MS)));
            return Vec::new();
        }
        let mut records = Vec::new();
        for broker in &brokers {
            let Some(answer_by_ns) = self.flights.get(broker).map(|flight| flight.answer_by_ns) else {
                continue;
            };
            let limit_ns = match (brokers.len(), now_ns < answer_by_ns) {
                (1, true) => answer_by_ns.min(deadline_ns.max(now_ns).saturating_add(GRACE_NS)),
                (1, false) => deadline_ns,
                _ => clock::now_ns() + TURN_NS,
            };
            self.receive(*broker, limit_ns, &mut records);
        }
        records
    }

    fn receive(&mut self, broker: i32, limit_ns: u64, records: &mut Vec<Record>) {
        let Some(connection) = self.cluster.open_connection(broker) else {
            self.flights.remove(&broker);
            return;
        };
        match connection.receive(limit_ns) {
            Ok(Some(answer)) => {
                let Some(flight) = self.flights.remove(&broker) else { return };
                self.take(broker, &flight, &answer, records);
            }
            Ok(None) => {
                let silent = connection.silent();
                let now_ns = clock::now_ns();
                let Some(flight) = self.flights.get(&broker).filter(|flight| now_ns >= flight.answer_by_ns)
                else {
                    return;
                };
                let keys: Vec<Key> = flight.asked.keys().copied().collect();
                if now_ns >= flight.answer_by_ns.saturating_add(PATIENCE_NS) {
                    self.fault_broker(broker, &keys, silent);
                } else {
                    self.fault(&keys, &silent);
                }
            }
            Err(error) => {
                let asked = self.flights.get(&broker).map(|flight| &flight.asked);
                let keys: Vec<Key> = asked.into_iter().flat_map(BTreeMap::keys).copied().collect();
                self.fault_broker(broker, &keys, error);
            }
        }
    }

    fn take(&mut self, broker: i32, flight: &Flight, answer: &Answer, records: &mut Vec<Record>) {
        let read =
            answer.body().and_then(|mut body| responses::fetch(&mut body, answer.version, answer.is_cut()));
        let fetched = match read {
            Ok((0, fetched)) => Ok(fetched),
            Ok((code, _)) => Err(faults::topic(code, "(all)", "read the records", None)),
            Err(Malformed(why)) => {
                Err(BusError::Unavailable(format!("a response of broker {broker} is malformed: {why}")))
            }
        };
        match fetched {
            Ok(fetched) => {
                let mut brought = false;
                let mut room = Room::of_an_answer();
                for part in &fetched {
                    let cut = answer.is_cut() && !part.whole;
                    brought |= self.take_part(part, flight, cut, &mut room, records);
                }
                if self.cursors.values().all(|cursor| cursor.fault.is_none()) {
                    self.cluster.succeeded();
                }
                pause_if_early(flight, answer, brought);
            }
            Err(error) => {
                let keys: Vec<Key> = flight.asked.keys().copied().collect();
                self.fault_broker(broker, &keys, error);
            }
        }
    }

    /// Processes one partition's part of a response. Returns whether it held anything new or a fault.
    fn take_part(
        &mut self,
        part: &FetchedPartition<'_>,
        flight: &Flight,
        cut: bool,
        room: &mut Room,
        records: &mut Vec<Record>,
    ) -> bool {
        let Some(topic) = self.cluster.shared().topic_of(&part.topic) else { return false };
        let key = (topic, part.partition);
        // The subscription may have moved while the Fetch was in flight; then the data is no longer wanted.
        let Some(cursor) = self.cursors.get_mut(&key) else { return false };
        if flight.asked.get(&key) != Some(&cursor.next) || cursor.lost {
            return false;
        }
        if faults::is_out_of_range(part.error) {
            cursor.lost = true;
            return true;
        }
        if part.error != 0 {
            let error = faults::topic(part.error, &part.topic, "read the records", None);
            cursor.fault = Some(error.clone());
            self.cluster.failed(error);
            return true;
        }
        cursor.read_ns = clock::now_ns();
        cursor.fault = None;
        let part_read = Part { bytes: part.batches, from: cursor.next, cut, aborted: &part.aborted };
        let found = batches::read(part_read, room);
        let moved = found.next > cursor.next;
        cursor.next = found.next;
        for line in self.gaps.lines(&part.topic, part.partition, &found.passed_over, cursor.read_ns) {
            log::warn!("{line}");
        }
        records.extend(found.records.into_iter().map(|record| record_of(key, record)));
        moved
    }

    fn fault(&mut self, keys: &[Key], error: &BusError) {
        for key in keys {
            if let Some(cursor) = self.cursors.get_mut(key) {
                cursor.fault = Some(error.clone());
            }
        }
    }

    fn fault_broker(&mut self, broker: i32, keys: &[Key], error: BusError) {
        self.flights.remove(&broker);
        self.cluster.hang_up(broker);
        self.fault(keys, &error);
        self.cluster.failed(error);
    }

    fn fault_all(&mut self, error: &BusError) {
        // Fetches in flight may still be answered; the other partitions cannot be read.
        let flying: Vec<Key> =
            self.flights.values().flat_map(|flight| flight.asked.keys().copied()).collect();
        let keys: Vec<Key> = self.cursors.keys().filter(|key| !flying.contains(key)).copied().collect();
        self.fault(&keys, error);
        self.cluster.failed(error.clone());
    }
}

/// Avoids a busy loop on a broker that answers immediately without records.
fn pause_if_early(flight: &Flight, answer: &Answer, brought: bool) {
    let took_ns = answer.received_ns.saturating_sub(answer.sent_ns);
    if !brought && took_ns < flight.max_wait_ns / 2 {
        clock::sleep(Duration::from_nanos(EMPTY_PAUSE_NS));
    }
}

fn record_of((topic, partition): Key, record: batches::Fetched) -> Record {
    let key = String::from_utf8_lossy(&record.key).into_owned();
    Record { topic, partition, offset: record.offset, key, value: record.value, append_ms: record.append_ms }
}
