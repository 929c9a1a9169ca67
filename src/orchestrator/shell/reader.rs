//! The thread that reads the bus and advances the core.

use super::{Handle, Shared, TICK};
use crate::bus::{BusError, Position, Record, Start, Topic};
use crate::clock;
use crate::complaints::Complaints;
use crate::orchestrator::core::Core;
use crate::orchestrator::inbox::{self, Message};
use crate::orchestrator::saving::Before;
use std::sync::MutexGuard;
use std::time::Duration;

/// Subscribes to every topic, and reads those that say which tests there were. Returns where the records from
/// before the start end in `metrics`.
pub fn join(
    bus: &mut Handle,
    core: &mut Core,
    before: &mut Before,
    history: Duration,
    deadline_ns: u64,
) -> Result<Position, BusError> {
    let left = || clock::until(deadline_ns).max(TICK);
    bus.subscribe(Topic::Heartbeat, Start::End, left())?;
    for topic in [Topic::TestConfig, Topic::Trigger, Topic::Register] {
        learn(bus, core, before, topic, deadline_ns)?;
    }
    let now = core.moment(clock::now_ns());
    let end = bus.end(Topic::Metrics, left())?;
    let start = match core.follow(history.as_secs_f64() * 1_000.0, now) {
        Some(from_ms) => Start::Since(from_ms),
        None => {
            core.caught_up(now);
            Start::At(end.clone())
        }
    };
    bus.subscribe(Topic::Metrics, start, left())?;
    Ok(end)
}

/// Reads a topic from its beginning to where it ends now.
fn learn(
    bus: &mut Handle,
    core: &mut Core,
    before: &mut Before,
    topic: Topic,
    deadline_ns: u64,
) -> Result<(), BusError> {
    let left = || clock::until(deadline_ns).max(TICK);
    let end = bus.end(topic, left())?;
    bus.subscribe(topic, Start::Beginning, left())?;
    let mut read = Reached::new(end);
    while !read.is_there() {
        let began_ns = clock::now_ns();
        let records = match bus.poll(left().min(10 * TICK)) {
            Ok(records) => records,
            Err(error) if !error.is_transient() || began_ns >= deadline_ns => return Err(error),
            Err(_) => {
                // An error may return immediately.
                clock::sleep_until(began_ns + clock::to_ns(TICK));
                continue;
            }
        };
        // Nothing more: the remaining records below the end have expired.
        let expired = records.is_empty();
        for record in &records {
            read.note(record);
            if let Ok(message) = inbox::read(record) {
                let now = core.moment(clock::now_ns());
                core.message(&message, now);
                before.keep(&message, record);
            }
        }
        if expired {
            break;
        }
    }
    Ok(())
}

/// How far a topic has been read.
pub struct Reached {
    end: Position,
    read: Position,
}

impl Reached {
    /// Nothing has been read of what stands below `end`.
    pub fn new(end: Position) -> Reached {
        Reached { end, read: Position::default() }
    }

    /// Notes a record of the topic.
    pub fn note(&mut self, record: &Record) {
        self.read.0.insert(record.partition, record.offset + 1);
    }

    /// Whether everything below the end has been read.
    pub fn is_there(&self) -> bool {
        let read = |partition: &i32| self.read.0.get(partition).copied().unwrap_or(0);
        self.end.0.iter().all(|(partition, end)| read(partition) >= *end)
    }
}

/// Reads until the orchestrator shuts down.
pub fn run(shared: &Shared, mut bus: Handle, end: Position) {
    let mut complaints = Complaints::default();
    let mut was_away = false;
    let mut backlog = shared.core().is_catching_up().then(|| Reached::new(end));
    while !shared.is_stopping() {
        let began_ns = clock::now_ns();
        let polled = bus.poll(TICK);
        let (records, away) = match polled {
            Ok(records) => (records, None),
            Err(e) => (Vec::new(), Some(e.to_string())),
        };
        if let Some(why) = away.as_deref().filter(|_| !was_away) {
            log::warn!("Kafka is unavailable: {why}");
        } else if was_away && away.is_none() {
            log::info!("Kafka is available again");
        }
        was_away = away.is_some();
        take(shared, &records, &mut complaints);
        catch_up(shared, &mut backlog, &records, was_away);
        tick(shared, away);
        if was_away {
            // An error may return immediately; without a pause this would be a busy loop.
            clock::sleep_until(began_ns + clock::to_ns(TICK));
        }
    }
}

/// Tells the core once the records from before the start have been read.
fn catch_up(shared: &Shared, backlog: &mut Option<Reached>, records: &[Record], is_away: bool) {
    let Some(reached) = backlog else { return };
    records.iter().filter(|record| record.topic == Topic::Metrics).for_each(|record| reached.note(record));
    if reached.is_there() || (records.is_empty() && !is_away) {
        *backlog = None;
        let mut core = shared.core();
        let now = core.moment(clock::now_ns());
        core.caught_up(now);
    }
}

fn take(shared: &Shared, records: &[Record], complaints: &mut Complaints) {
    // Plans and triggers precede the reports on them, but the topics are read independently.
    for topic in [Topic::TestConfig, Topic::Trigger, Topic::Register, Topic::Heartbeat, Topic::Metrics] {
        for record in records.iter().filter(|record| record.topic == topic) {
            // Decoding takes longest, so it is done before taking the lock, and one record at a time, since a
            // report takes a thousand times the memory of its record until it is merged.
            match inbox::read(record) {
                Ok(message) => {
                    let mut core = shared.core();
                    let now = core.moment(clock::now_ns());
                    let is_wanted = message.test_id().is_some_and(|id| core.follows(id));
                    core.message(&message, now);
                    save(shared, core, &message, record, is_wanted);
                }
                Err(why) => complaints.warn(record.topic.name(), &why),
            }
        }
    }
}

/// Records what belongs to a test that is followed, then saves the tests that it ended.
fn save(
    shared: &Shared,
    mut core: MutexGuard<'_, Core>,
    message: &Message,
    record: &Record,
    was_wanted: bool,
) {
    let Some(saving) = &shared.saving else { return };
    let wanted = message.test_id().filter(|id| was_wanted || core.follows(id));
    let finished = core.take_finished();
    drop(core);
    if let Some(id) = wanted {
        saving.record(id, record);
    }
    finished.into_iter().for_each(|finished| saving.save(finished));
}

fn tick(shared: &Shared, away: Option<String>) {
    let mut core = shared.core();
    let now = core.moment(clock::now_ns());
    let commands = core.tick(now, away);
    let lines = core.take_lines();
    for (test_id, command) in commands {
        shared.enqueue(&mut core, &test_id, command);
    }
    let decided = core.take_decided();
    let finished = core.take_finished();
    drop(core);
    if let Some(saving) = &shared.saving {
        finished.into_iter().for_each(|finished| saving.save(finished));
    }
    shared.answer(decided);
    lines.iter().for_each(|(level, text)| log::log!(*level, "{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::local::LocalConnector;
    use crate::bus::{Appended, Bus, Connector};

    /// A bus of which the first reads fail.
    struct Flaky {
        bus: Handle,
        errors: Vec<BusError>,
    }

    impl Bus for Flaky {
        fn publish(&mut self, t: Topic, key: &str, value: &[u8], w: Duration) -> Result<Appended, BusError> {
            self.bus.publish(t, key, value, w)
        }

        fn end(&mut self, topic: Topic, timeout: Duration) -> Result<Position, BusError> {
            self.bus.end(topic, timeout)
        }

        fn subscribe(&mut self, topic: Topic, start: Start, timeout: Duration) -> Result<(), BusError> {
            self.bus.subscribe(topic, start, timeout)
        }

        fn poll(&mut self, timeout: Duration) -> Result<Vec<Record>, BusError> {
            self.errors.pop().map_or_else(|| self.bus.poll(timeout), Err)
        }
    }

    fn joined(errors: Vec<BusError>) -> Result<bool, BusError> {
        let connector = LocalConnector::new();
        let mut writer = connector.open();
        let used = br#"{"test_id":"known","test_type":"AVALANCHE"}"#;
        writer.publish(Topic::TestConfig, "known", used, TICK).expect("published");
        let mut bus: Handle = Box::new(Flaky { bus: connector.open(), errors });
        let (mut core, mut before) = (Core::starting(), Before::new(None));
        let deadline_ns = clock::deadline(Duration::from_secs(60));
        join(&mut bus, &mut core, &mut before, Duration::ZERO, deadline_ns)?;
        Ok(!core.follows("known"))
    }

    #[test]
    fn reads_that_fail_for_a_moment_do_not_end_the_start() {
        let away = || BusError::Unavailable("away".to_owned());
        assert_eq!(joined(vec![away(), away()]), Ok(true), "and what stood in the log is known");
        let denied = BusError::Denied("no".to_owned());
        assert_eq!(joined(vec![denied.clone(), away()]), Err(denied));
    }
}
