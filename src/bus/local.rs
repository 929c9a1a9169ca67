//! The in-process bus: bounded logs behind one lock, and a wake-up channel per handle.
//!
//! It behaves like a Kafka cluster whose topics have one partition and `LogAppendTime`. A topic keeps only
//! its newest records ([`LocalLimits`]), and even fewer once all its readers have read them, so that a long
//! test uses no more memory than a short one. A reader that falls behind continues at the oldest record, with
//! a warning in the log.

use super::{Appended, Bus, BusError, Connector, Position, Record, Start, Topic, check_size};
use crate::clock;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The only partition of each local topic.
const PARTITION: i32 = 0;
/// Maximum number of records per poll.
const MAX_POLL_RECORDS: usize = 1_000;

/// How much a local topic keeps; the oldest records are dropped first.
#[derive(Clone, Copy, Debug)]
pub struct LocalLimits {
    /// Maximum records in one topic, at least 1.
    pub records: usize,
    /// Maximum bytes of keys and values in one topic; the newest record is kept whatever its size.
    pub bytes: usize,
    /// Records that every reader has read are dropped at the next append while the topic exceeds this size.
    pub read_bytes: usize,
}

impl Default for LocalLimits {
    fn default() -> Self {
        LocalLimits { records: 20_000, bytes: 32 << 20, read_bytes: 128 << 10 }
    }
}

/// Opens handles on one in-process bus; clones share it.
#[derive(Clone, Debug, Default)]
pub struct LocalConnector {
    hub: Arc<Hub>,
}

impl LocalConnector {
    /// A new, empty bus with the default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new, empty bus that keeps at most `limits` in each topic.
    pub fn with_limits(limits: LocalLimits) -> Self {
        let limits = LocalLimits { records: limits.records.max(1), ..limits };
        LocalConnector { hub: Arc::new(Hub { limits, ..Hub::default() }) }
    }
}

impl Connector for LocalConnector {
    fn open(&self) -> Box<dyn Bus> {
        let (wake, woken) = bounded(1);
        let id = self.hub.next_reader.fetch_add(1, Ordering::Relaxed);
        Box::new(LocalBus { hub: Arc::clone(&self.hub), id, wake, woken, topics: BTreeSet::new(), first: 0 })
    }

    fn prepare(&self, _timeout: Duration) -> Result<(), BusError> {
        Ok(())
    }

    fn describe(&self) -> String {
        "in-process bus".to_string()
    }
}

#[derive(Debug, Default)]
struct Hub {
    limits: LocalLimits,
    next_reader: AtomicU64,
    logs: Mutex<BTreeMap<Topic, Log>>,
}

impl Hub {
    // Nothing can panic halfway through a change to the logs, so a poisoned lock still guards
    // consistent ones.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Topic, Log>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Reader {
    id: u64,
    /// The next offset it reads.
    next: i64,
    wake: Sender<()>,
}

#[derive(Debug, Default)]
struct Log {
    first_offset: i64,
    records: VecDeque<Record>,
    bytes: usize,
    readers: Vec<Reader>,
}

impl Log {
    fn end(&self) -> i64 {
        self.first_offset + self.records.len() as i64
    }

    /// The offset of the first record appended at `ms` or later, or the end.
    fn since(&self, ms: i64) -> i64 {
        // Append times never decrease with the offset.
        let older = self.records.partition_point(|record| record.append_ms < Some(ms));
        self.first_offset + older as i64
    }

    fn append(&mut self, record: Record, limits: LocalLimits) {
        self.bytes += weight(&record);
        self.records.push_back(record);
        while self.records.len() > 1 && self.is_beyond(limits) {
            if let Some(gone) = self.records.pop_front() {
                self.bytes -= weight(&gone);
                self.first_offset += 1;
            }
        }
        for reader in &self.readers {
            // A full channel means that a wake-up is already pending.
            let _ = reader.wake.try_send(());
        }
    }

    /// Whether the topic must drop its oldest record.
    fn is_beyond(&self, limits: LocalLimits) -> bool {
        let unread_offset = self.readers.iter().map(|reader| reader.next).min();
        let is_read = unread_offset.is_some_and(|offset| offset > self.first_offset);
        let most_bytes = if is_read { limits.bytes.min(limits.read_bytes) } else { limits.bytes };
        self.records.len() > limits.records || self.bytes > most_bytes
    }

    /// Copies the unread records of reader `id` into `into`, up to the poll limit.
    fn read(&mut self, topic: Topic, id: u64, into: &mut Vec<Record>) {
        let end = self.end();
        let Some(reader) = self.readers.iter_mut().find(|reader| reader.id == id) else { return };
        let at = reader.next.clamp(self.first_offset, end);
        if at != reader.next {
            let (name, next) = (topic.name(), reader.next);
            log::warn!("topic {name}: offset {next} is no longer available; continuing at {at}");
        }
        let skip = (at - self.first_offset) as usize;
        let room = MAX_POLL_RECORDS.saturating_sub(into.len());
        let before = into.len();
        into.extend(self.records.iter().skip(skip).take(room).cloned());
        reader.next = at + (into.len() - before) as i64;
    }
}

fn weight(record: &Record) -> usize {
    record.key.len() + record.value.len()
}

struct LocalBus {
    hub: Arc<Hub>,
    id: u64,
    wake: Sender<()>,
    woken: Receiver<()>,
    topics: BTreeSet<Topic>,
    /// Which subscribed topic the next poll reads first, so that a busy one cannot starve the others.
    first: usize,
}

impl LocalBus {
    fn read_all(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        let mut logs = self.hub.lock();
        let count = self.topics.len();
        let first = self.first;
        self.first = if count == 0 { 0 } else { (first + 1) % count };
        for topic in self.topics.iter().cycle().skip(first).take(count) {
            if let Some(log) = logs.get_mut(topic) {
                log.read(*topic, self.id, &mut records);
            }
        }
        records
    }
}

impl Bus for LocalBus {
    fn publish(
        &mut self,
        topic: Topic,
        key: &str,
        value: &[u8],
        _timeout: Duration,
    ) -> Result<Appended, BusError> {
        check_size(topic, key, value)?;
        let sent_ns = clock::now_ns();
        let mut logs = self.hub.lock();
        let log = logs.entry(topic).or_default();
        // Read under the lock, so that append times never decrease with the offset.
        let append_ms = Some(clock::wall_ms(clock::now_ns()) as i64);
        let offset = log.end();
        let key = key.to_string();
        let record = Record { topic, partition: PARTITION, offset, key, value: value.to_vec(), append_ms };
        log.append(record, self.hub.limits);
        drop(logs);
        Ok(Appended { append_ms, sent_ns, acked_ns: clock::now_ns() })
    }

    fn end(&mut self, topic: Topic, _timeout: Duration) -> Result<Position, BusError> {
        let end = self.hub.lock().get(&topic).map_or(0, Log::end);
        Ok(Position(BTreeMap::from([(PARTITION, end)])))
    }

    fn subscribe(&mut self, topic: Topic, start: Start, _timeout: Duration) -> Result<(), BusError> {
        let mut logs = self.hub.lock();
        let log = logs.entry(topic).or_default();
        let next = match start {
            Start::Beginning => log.first_offset,
            Start::End => log.end(),
            Start::At(position) => position.0.get(&PARTITION).copied().unwrap_or(log.first_offset),
            Start::Since(ms) => log.since(ms),
        };
        log.readers.retain(|reader| reader.id != self.id);
        log.readers.push(Reader { id: self.id, next, wake: self.wake.clone() });
        self.topics.insert(topic);
        Ok(())
    }

    fn poll(&mut self, timeout: Duration) -> Result<Vec<Record>, BusError> {
        let deadline_ns = clock::deadline(timeout);
        loop {
            let records = self.read_all();
            if !records.is_empty() || self.woken.recv_timeout(clock::until(deadline_ns)).is_err() {
                return Ok(records);
            }
        }
    }
}

impl Drop for LocalBus {
    fn drop(&mut self) {
        for log in self.hub.lock().values_mut() {
            log.readers.retain(|reader| reader.id != self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    fn values(records: &[Record]) -> Vec<u8> {
        records.iter().map(|record| record.value[0]).collect()
    }

    #[test]
    fn keeps_only_the_newest_records() {
        let connector =
            LocalConnector::with_limits(LocalLimits { records: 3, bytes: 1_000, read_bytes: 1_000 });
        let mut bus = connector.open();
        bus.subscribe(Topic::Metrics, Start::Beginning, SOON).unwrap();
        for n in 0..5u8 {
            bus.publish(Topic::Metrics, "", &[n], SOON).unwrap();
        }
        let records = bus.poll(SOON).unwrap();
        assert_eq!(values(&records), [2, 3, 4]);
        assert_eq!(records[0].offset, 2);
    }

    #[test]
    fn stays_within_its_bytes_but_always_keeps_the_newest() {
        let connector = LocalConnector::with_limits(LocalLimits { records: 100, bytes: 10, read_bytes: 10 });
        let mut bus = connector.open();
        bus.subscribe(Topic::Metrics, Start::Beginning, SOON).unwrap();
        for n in 0..4u8 {
            bus.publish(Topic::Metrics, "k", &[n; 4], SOON).unwrap();
        }
        assert_eq!(values(&bus.poll(SOON).unwrap()), [2, 3]);
        bus.publish(Topic::Metrics, "k", &[9; 50], SOON).unwrap();
        bus.subscribe(Topic::Metrics, Start::Beginning, SOON).unwrap();
        assert_eq!(values(&bus.poll(SOON).unwrap()), [9]);
    }

    #[test]
    fn keeps_fewer_records_once_every_reader_has_read_them() {
        let connector =
            LocalConnector::with_limits(LocalLimits { records: 100, bytes: 1_000, read_bytes: 20 });
        let (mut quick, mut slow) = (connector.open(), connector.open());
        for bus in [&mut quick, &mut slow] {
            bus.subscribe(Topic::Metrics, Start::End, SOON).unwrap();
        }
        let kept = || connector.hub.lock()[&Topic::Metrics].records.len();
        for n in 0..10u8 {
            quick.publish(Topic::Metrics, "", &[n; 10], SOON).unwrap();
            quick.poll(SOON).unwrap();
        }
        assert_eq!(kept(), 10, "the slow reader has not read them");
        assert_eq!(values(&slow.poll(SOON).unwrap()), (0..10).collect::<Vec<_>>());
        quick.publish(Topic::Metrics, "", &[10; 10], SOON).unwrap();
        assert_eq!(kept(), 2, "read by both, within read_bytes; the newest is among them");
        drop(slow);
        assert_eq!(values(&quick.poll(SOON).unwrap()), [10]);
    }

    #[test]
    fn a_busy_topic_does_not_starve_another() {
        let connector = LocalConnector::new();
        let mut bus = connector.open();
        bus.subscribe(Topic::TestConfig, Start::Beginning, SOON).unwrap();
        bus.subscribe(Topic::Heartbeat, Start::Beginning, SOON).unwrap();
        for _ in 0..3 * MAX_POLL_RECORDS {
            bus.publish(Topic::TestConfig, "", b"c", SOON).unwrap();
        }
        bus.publish(Topic::Heartbeat, "", b"h", SOON).unwrap();
        let polled: Vec<_> = (0..2).flat_map(|_| bus.poll(SOON).unwrap()).collect();
        assert!(polled.iter().any(|record| record.topic == Topic::Heartbeat));
    }

    #[test]
    fn a_dropped_handle_is_unregistered() {
        let connector = LocalConnector::new();
        let mut bus = connector.open();
        bus.subscribe(Topic::Trigger, Start::End, SOON).unwrap();
        bus.subscribe(Topic::Trigger, Start::Beginning, SOON).unwrap();
        assert_eq!(connector.hub.lock()[&Topic::Trigger].readers.len(), 1);
        drop(bus);
        assert_eq!(connector.hub.lock()[&Topic::Trigger].readers.len(), 0);
    }
}
