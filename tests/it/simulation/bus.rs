//! The bus of the simulation: five logs in simulated time, with faults that follow from a seed.
//!
//! Every call says what time it is; times never decrease. Within a topic, every role sees the same records in
//! the same order, and no acknowledged record is lost; everything else may happen: publishes fail, or succeed
//! although they seem to fail, records become visible late and, between topics, in another order than they
//! were appended. What happens to a role depends only on the seed, its number and its own calls.

use super::faults::{Counts, Faults};
use super::random::Random;
use floodgate::bus::{Appended, BusError, MAX_RECORD_BYTES, Position, Record, Start, Topic};
use floodgate::clock::{NS_PER_MS, NS_PER_S};
use std::collections::BTreeMap;

/// The broker's wall clock at time 0, in ms since 1970.
pub const BEGAN_MS: i64 = 1_800_000_000_000;
/// The only partition of each topic.
const PARTITION: i32 = 0;
/// Maximum number of records per poll, as on the real buses.
const MOST_RECORDS: usize = 1_000;

/// One handle: a role's process opens one when it starts, so that a restarted role has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role(pub u64);

/// What a publish leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// When the caller learns of it.
    pub at_ns: u64,
    /// What it learns.
    pub result: Result<Appended, BusError>,
}

#[derive(Debug, Default)]
struct Log {
    /// All records ever appended; the index is the offset.
    records: Vec<Record>,
    /// When each of them was appended.
    appended_ns: Vec<u64>,
    /// The oldest offset that retention left.
    oldest: usize,
}

#[derive(Debug)]
struct Reader {
    random: Random,
    is_cut: bool,
    /// The next offset in each subscribed topic.
    next: BTreeMap<Topic, usize>,
    /// The append time of the youngest record seen in each topic.
    seen_ns: BTreeMap<Topic, u64>,
}

/// Five logs and the handles on them.
#[derive(Debug)]
pub struct SimulatedBus {
    seed: u64,
    faults: Faults,
    now_ns: u64,
    is_down: bool,
    logs: BTreeMap<Topic, Log>,
    readers: Vec<Reader>,
    /// Records that will be appended, by time and number.
    late: BTreeMap<(u64, u64), Record>,
    counts: Counts,
}

impl SimulatedBus {
    /// An empty bus.
    pub fn new(seed: u64, faults: Faults) -> Self {
        SimulatedBus {
            seed,
            faults,
            now_ns: 0,
            is_down: false,
            logs: Topic::ALL.into_iter().map(|topic| (topic, Log::default())).collect(),
            readers: Vec::new(),
            late: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// A new handle.
    pub fn open(&mut self) -> Role {
        let number = self.readers.len() as u64;
        let random = Random::of(self.seed, &[0xb5, number]);
        let (next, seen_ns) = (BTreeMap::new(), BTreeMap::new());
        self.readers.push(Reader { random, is_cut: false, next, seen_ns });
        Role(number)
    }

    /// Replaces the faults: `Faults::none()` lets a simulation come to its end.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// The broker's wall clock.
    pub fn broker_ms(at_ns: u64) -> i64 {
        BEGAN_MS + (at_ns / NS_PER_MS) as i64
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// All records ever appended to `topic`, also those that retention removed.
    pub fn records_of(&self, topic: Topic) -> &[Record] {
        &self.logs[&topic].records
    }

    /// Cuts a role off: all its calls fail.
    pub fn cut(&mut self, role: Role) {
        if !std::mem::replace(&mut self.reader(role).is_cut, true) {
            self.counts.cuts += 1;
        }
    }

    /// Ends [`SimulatedBus::cut`].
    pub fn heal(&mut self, role: Role) {
        self.reader(role).is_cut = false;
    }

    /// Makes the whole bus unreachable. Publishes that are still under way are appended when it is back.
    pub fn fail(&mut self) {
        if !std::mem::replace(&mut self.is_down, true) {
            self.counts.outages += 1;
        }
    }

    /// Ends [`SimulatedBus::fail`].
    pub fn recover(&mut self) {
        self.is_down = false;
    }

    /// Retention: removes all but the newest `keep` records of `topic`.
    pub fn trim(&mut self, topic: Topic, keep: usize) {
        let log = self.log(topic);
        let oldest = log.records.len().saturating_sub(keep).max(log.oldest);
        let gone = oldest - log.oldest;
        log.oldest = oldest;
        self.counts.trimmed += gone as u64;
    }

    /// Appends a record, or fails; see [`Faults`].
    pub fn publish(&mut self, role: Role, topic: Topic, key: &str, value: &[u8], now_ns: u64) -> Outcome {
        self.advance(now_ns);
        let faults = self.faults;
        let is_cut = self.is_cut(role);
        let random = &mut self.reader(role).random;
        let at_ns = now_ns + random.up_to(faults.ack_ms * NS_PER_MS);
        let fails = |why: &str| Outcome { at_ns, result: Err(unavailable(why)) };
        let bytes = key.len() + value.len();
        if bytes > MAX_RECORD_BYTES {
            let text = format!("a record of {bytes} bytes is too large");
            return Outcome { at_ns, result: Err(BusError::TooLarge { bytes, text }) };
        }
        // Always the same number of draws, so that one fault more does not change all that follows.
        let (refused, lost_ack) = (random.chance(faults.refused), random.chance(faults.lost_ack));
        let (late, late_ns) = (random.chance(faults.late), random.up_to(faults.late_ms * NS_PER_MS));
        if is_cut {
            self.counts.cut_publishes += 1;
            return fails("cut off");
        }
        if refused {
            self.counts.refused += 1;
            return fails("refused");
        }
        let (partition, key) = (PARTITION, key.to_string());
        let record = Record { topic, partition, offset: 0, key, value: value.to_vec(), append_ms: None };
        if late {
            let number = self.counts.late;
            self.counts.late += 1;
            self.late.insert((now_ns + 1 + late_ns, number), record);
            return fails("no acknowledgement");
        }
        self.append(record, now_ns);
        if lost_ack {
            self.counts.lost_acks += 1;
            return fails("the acknowledgement was lost");
        }
        self.counts.acknowledged += 1;
        let append_ms = Some(Self::broker_ms(now_ns));
        Outcome { at_ns, result: Ok(Appended { append_ms, sent_ns: now_ns, acked_ns: at_ns }) }
    }

    /// The position after the newest record of `topic`.
    pub fn end(&mut self, role: Role, topic: Topic, now_ns: u64) -> Result<Position, BusError> {
        self.ask(role, now_ns)?;
        Ok(Position(BTreeMap::from([(PARTITION, self.log(topic).records.len() as i64)])))
    }

    /// Reads `topic` from `start` on.
    pub fn subscribe(&mut self, role: Role, topic: Topic, start: Start, now_ns: u64) -> Result<(), BusError> {
        self.ask(role, now_ns)?;
        let log = self.log(topic);
        let next = match start {
            Start::Beginning => log.oldest,
            Start::End => log.records.len(),
            Start::At(Position(noted)) => noted.get(&PARTITION).map_or(log.oldest, |offset| *offset as usize),
            Start::Since(ms) => log.records.partition_point(|record| record.append_ms < Some(ms)),
        };
        let next = next.clamp(log.oldest, log.records.len());
        self.reader(role).next.insert(topic, next);
        Ok(())
    }

    /// The records that this role can see by now. Topics come in a random order.
    pub fn poll(&mut self, role: Role, now_ns: u64) -> Result<Vec<Record>, BusError> {
        self.ask(role, now_ns)?;
        let mut topics: Vec<Topic> = self.reader(role).next.keys().copied().collect();
        let turn = self.reader(role).random.up_to(topics.len().saturating_sub(1) as u64) as usize;
        topics.rotate_left(turn);
        let mut records = Vec::new();
        for topic in topics {
            while records.len() < MOST_RECORDS
                && let Some((offset, visible_ns)) = self.next_of(role, topic)
                && visible_ns <= now_ns
            {
                records.push(self.logs[&topic].records[offset].clone());
                self.see(role, topic, offset);
            }
        }
        Ok(records)
    }

    /// The next time at which this role may see something that it does not see now, as far as that is known.
    pub fn next_visible_ns(&self, role: Role) -> Option<u64> {
        let topics = self.readers[role.0 as usize].next.keys();
        let visible = topics.filter_map(|topic| self.next_of(role, *topic)).map(|(_, at_ns)| at_ns);
        let late = self.late.keys().map(|(at_ns, _)| *at_ns);
        visible.chain(late).min()
    }

    fn reader(&mut self, role: Role) -> &mut Reader {
        &mut self.readers[role.0 as usize]
    }

    fn log(&mut self, topic: Topic) -> &mut Log {
        self.logs.entry(topic).or_default()
    }

    fn is_cut(&mut self, role: Role) -> bool {
        self.is_down || self.reader(role).is_cut
    }

    /// What every question to the broker may lead to.
    fn ask(&mut self, role: Role, now_ns: u64) -> Result<(), BusError> {
        self.advance(now_ns);
        let failed_read = self.faults.failed_read;
        let fails = self.reader(role).random.chance(failed_read);
        if self.is_cut(role) {
            self.counts.cut_reads += 1;
            return Err(unavailable("cut off"));
        }
        if fails {
            self.counts.failed_reads += 1;
            return Err(unavailable("the read failed"));
        }
        Ok(())
    }

    /// Moves the time on and appends what is due.
    fn advance(&mut self, now_ns: u64) {
        assert!(now_ns >= self.now_ns, "time goes back from {} to {now_ns} ns", self.now_ns);
        // What is due in an outage waits for its end.
        let is_back_ns = self.now_ns;
        self.now_ns = now_ns;
        while !self.is_down
            && let Some(due) = self.late.first_entry()
            && due.key().0 <= now_ns
        {
            let at_ns = due.key().0.max(is_back_ns);
            let record = due.remove();
            self.append(record, at_ns);
        }
    }

    fn append(&mut self, record: Record, at_ns: u64) {
        self.counts.appended += 1;
        let log = self.log(record.topic);
        // Append times never decrease with the offset.
        let at_ns = log.appended_ns.last().map_or(at_ns, |last| at_ns.max(*last));
        let append_ms = Some(Self::broker_ms(at_ns));
        log.records.push(Record { offset: log.records.len() as i64, append_ms, ..record });
        log.appended_ns.push(at_ns);
    }

    /// The next record of a topic for this role, and when it becomes visible.
    fn next_of(&self, role: Role, topic: Topic) -> Option<(usize, u64)> {
        let log = &self.logs[&topic];
        let offset = (*self.readers[role.0 as usize].next.get(&topic)?).max(log.oldest);
        let appended_ns = *log.appended_ns.get(offset)?;
        let mut random = Random::of(self.seed, &[0xde, role.0, topic as u64, offset as u64]);
        Some((offset, appended_ns + self.faults.visible_after_ns(&mut random)))
    }

    fn see(&mut self, role: Role, topic: Topic, offset: usize) {
        let at_ns = self.logs[&topic].appended_ns[offset];
        let late_ns = self.now_ns - at_ns;
        let reader = self.reader(role);
        reader.next.insert(topic, offset + 1);
        reader.seen_ns.insert(topic, at_ns);
        let is_reordered = reader.seen_ns.values().any(|seen_ns| *seen_ns > at_ns);
        self.counts.reordered += u64::from(is_reordered);
        self.counts.over_a_second += u64::from(late_ns > NS_PER_S);
    }
}

fn unavailable(why: &str) -> BusError {
    BusError::Unavailable(format!("simulated bus: {why}"))
}
