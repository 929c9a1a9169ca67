//! Moves bytes and time for [`super::reading`], which decides what is read from whom. It uses separate
//! connections, so that the handle's other requests never wait behind a Fetch.

use super::cluster::Cluster;
use super::context::Context;
use super::reading::{Event, FetchAnswer, Key, Leaders, Reading, Step};
use super::requests::{EARLIEST, FetchLimits, LATEST};
use super::versions::Api;
use super::{offsets, requests, responses};
use crate::bus::{BusError, Record, Topic};
use crate::clock::{self, NS_PER_MS, NS_PER_S};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Maximum bytes of records in one response; leaves room for a frame's header in
/// [`super::connection::KEEP_BYTES`].
const MAX_BYTES: i32 = 4 << 20;

/// Longest wait for connections before the first poll.
const CONNECT_NS: u64 = 5 * NS_PER_S;

/// Reads all subscribed partitions of one handle.
pub struct Fetcher {
    cluster: Cluster,
    reading: Reading,
}

impl Fetcher {
    /// Starts without subscriptions.
    pub fn new(shared: Arc<Context>) -> Self {
        Fetcher { cluster: Cluster::new(Arc::clone(&shared)), reading: Reading::new(shared) }
    }

    /// Reads `topic` from these offsets, replacing its earlier position.
    pub fn start(&mut self, topic: Topic, offsets: BTreeMap<i32, i64>) {
        // The offsets belong to the topic as it is now, not as this cluster may still know it.
        self.cluster.distrust();
        self.cluster.shared().warn_of_partitions(topic, offsets.len());
        self.reading.start(topic, offsets);
    }

    /// Opens the connections that the next poll needs, within its call's time. A failure shows there.
    pub fn connect(&mut self, topic: Topic, deadline_ns: u64) {
        let deadline_ns = deadline_ns.min(clock::now_ns().saturating_add(CONNECT_NS));
        let leaders = self.cluster.leaders(topic, deadline_ns).unwrap_or_default();
        for leader in leaders.into_values().collect::<BTreeSet<_>>() {
            let _ = self.cluster.connection(leader, deadline_ns);
        }
    }

    /// See [`crate::bus::Bus::poll`].
    pub fn poll(&mut self, timeout: Duration) -> Result<Vec<Record>, BusError> {
        self.reading.begin(clock::now_ns(), clock::to_ns(timeout));
        loop {
            match self.reading.next(clock::now_ns()) {
                Step::Done(result) => return result,
                step => self.take(step),
            }
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::FindRange { key, limit_ns } => {
                let range = self.range(key, limit_ns);
                let id = self.cluster.topic_id(key.0);
                self.tell(Event::Range { key, id, range });
            }
            Step::FindLeaders { topics, limit_ns } => {
                let leaders = self.leaders(&topics, limit_ns);
                self.tell(Event::Leaders(leaders));
            }
            Step::ListOpen(keys) => {
                let of = keys.into_iter().filter_map(|key| Some((key, self.open_leader(key)?))).collect();
                self.tell(Event::Leaders(Ok(Leaders { of, ..Leaders::default() })));
            }
            Step::Connect { broker, limit_ns } => {
                let connected = self.cluster.connection(broker, limit_ns).map(|_| ());
                self.tell_of(broker, connected, Event::Connected);
            }
            Step::Send { broker, wanted, max_wait_ns, limit_ns } => {
                let sent = self.send(broker, &wanted, max_wait_ns, limit_ns);
                self.tell_of(broker, sent, Event::Sent);
            }
            Step::Receive { broker, limit_ns } => self.receive(broker, limit_ns),
            Step::Sleep { until_ns } => clock::sleep_until(until_ns),
            Step::HangUp(broker) => self.cluster.hang_up(broker),
            Step::Distrust => self.cluster.distrust(),
            Step::Warn(line) => log::warn!("{line}"),
            Step::Done(_) => {}
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        self.reading.handle(clock::now_ns(), event);
    }

    fn tell_of(&mut self, broker: i32, result: Result<(), BusError>, done: Event<'_>) {
        self.tell(match result {
            Ok(()) => done,
            Err(error) => Event::Failed { broker, error },
        });
    }

    fn range(&mut self, key: Key, limit_ns: u64) -> Result<Option<(i64, i64)>, BusError> {
        let first = offsets::ask(&mut self.cluster, key.0, EARLIEST, limit_ns)?;
        let end = offsets::ask(&mut self.cluster, key.0, LATEST, limit_ns)?;
        Ok(first.get(&key.1).copied().zip(end.get(&key.1).copied()))
    }

    fn leaders(&mut self, topics: &[Topic], limit_ns: u64) -> Result<Leaders, BusError> {
        let mut all = Leaders::default();
        for (topic, led) in self.cluster.look_up(topics, limit_ns)? {
            match led {
                Ok(led) => {
                    all.of
                        .extend(led.leaders.iter().map(|(partition, leader)| ((topic, *partition), *leader)));
                    all.ids.extend(led.id.map(|id| (topic, id)));
                }
                Err(error) => drop(all.faults.insert(topic, error)),
            }
        }
        Ok(all)
    }

    fn open_leader(&mut self, key: Key) -> Option<i32> {
        let leader = self.cluster.known_leader(key.0, key.1)?;
        self.cluster.open_connection(leader).map(|_| leader)
    }

    fn send(
        &mut self,
        broker: i32,
        wanted: &[(Key, i64)],
        max_wait_ns: u64,
        limit_ns: u64,
    ) -> Result<(), BusError> {
        let limits = FetchLimits {
            max_wait_ms: i32::try_from(max_wait_ns / NS_PER_MS).unwrap_or(i32::MAX),
            max_bytes: MAX_BYTES,
            partition_max_bytes: MAX_BYTES,
        };
        let settings = self.cluster.settings();
        let named =
            |((topic, partition), offset): &(Key, i64)| (settings.topic_name(*topic), *partition, *offset);
        let wanted: Vec<(String, i32, i64)> = wanted.iter().map(named).collect();
        let connection = self.cluster.connection(broker, limit_ns)?;
        connection.send(Api::Fetch, |head| requests::fetch(head, &wanted, limits), limit_ns)
    }

    fn receive(&mut self, broker: i32, limit_ns: u64) {
        let Some(connection) = self.cluster.open_connection(broker) else {
            return self.tell(Event::Gone { broker });
        };
        let answer = match connection.receive(limit_ns) {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                let error = connection.silent();
                return self.tell(Event::Silent { broker, error });
            }
            Err(error) => return self.tell(Event::Failed { broker, error }),
        };
        let rests_until_ns = connection.rests_until_ns();
        let is_cut = answer.is_cut();
        let read = answer.body().and_then(|mut body| responses::fetch(&mut body, answer.version, is_cut));
        let took_ns = answer.received_ns.saturating_sub(answer.sent_ns);
        self.tell(Event::Answered { broker, answer: FetchAnswer { read, is_cut, took_ns, rests_until_ns } });
    }
}
