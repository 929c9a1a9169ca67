//! The thread that reads the bus and advances the core.

use super::{Handle, Shared, TICK};
use crate::bus::{BusError, Position, Record, Start, Topic};
use crate::clock;
use crate::complaints::Complaints;
use crate::orchestrator::core::Core;
use crate::orchestrator::inbox;

/// Reads the tests configured before this process started, and returns the end position.
pub fn learn_ids(mut bus: Handle, core: &mut Core, deadline_ns: u64) -> Result<Position, BusError> {
    let left = || clock::until(deadline_ns).max(TICK);
    let end = bus.end(Topic::TestConfig, left())?;
    if end.0.values().all(|offset| *offset == 0) {
        return Ok(end);
    }
    bus.subscribe(Topic::TestConfig, Start::Beginning, left())?;
    let mut read = Position::default();
    let behind = |read: &Position| end.0.iter().any(|(p, end)| read.0.get(p).copied().unwrap_or(0) < *end);
    while behind(&read) {
        let records = bus.poll(left().min(10 * TICK))?;
        if records.is_empty() {
            // The remaining records below the end have expired.
            break;
        }
        let now = core.moment(clock::now_ns());
        for record in &records {
            read.0.insert(record.partition, record.offset + 1);
            if let Some(Ok(message)) = inbox::read(record) {
                core.message(&message, now);
            }
        }
    }
    // Records beyond that end are read again, which is harmless.
    Ok(end)
}

/// Reads until the orchestrator shuts down.
pub fn run(shared: &Shared, mut bus: Handle) {
    let mut complaints = Complaints::default();
    let mut was_away = false;
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
        tick(shared, away);
        if was_away {
            // An error may return immediately; without a pause this would be a busy loop.
            clock::sleep_until(began_ns + clock::to_ns(TICK));
        }
    }
}

fn take(shared: &Shared, records: &[Record], complaints: &mut Complaints) {
    for record in records {
        // Decoding takes longest, so it is done before taking the lock, and one record at a time, since a
        // report takes a thousand times the memory of its record until it is merged.
        match inbox::read(record) {
            Some(Ok(message)) => {
                let mut core = shared.core();
                let now = core.moment(clock::now_ns());
                core.message(&message, now);
            }
            Some(Err(why)) => complaints.warn(record.topic.name(), &why),
            None => {}
        }
    }
}

fn tick(shared: &Shared, away: Option<String>) {
    let mut core = shared.core();
    let now = core.moment(clock::now_ns());
    let commands = core.tick(now, away);
    let lines = core.take_lines();
    if let Some(test_id) = core.newest_id().filter(|_| !commands.is_empty()) {
        shared.enqueue(&mut core, &test_id, commands);
    }
    drop(core);
    lines.iter().for_each(|(level, text)| log::log!(*level, "{text}"));
}
