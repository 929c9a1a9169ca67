//! The thread that reads the bus and moves the core on.

use super::{Handle, Shared, TICK};
use crate::bus::{BusError, Position, Record, Start, Topic};
use crate::clock;
use crate::orchestrator::core::Core;
use crate::orchestrator::inbox;

/// Between two lines about records that were not understood.
const COMPLAIN_EVERY_NS: u64 = 5 * clock::NS_PER_S;

/// Reads what was configured before this process began, and answers where that ends.
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
            // What is left below the end has expired.
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
    // What was read beyond the noted end is read again, which does no harm.
    Ok(end)
}

/// Reads until the orchestrator ends.
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
            log::warn!("the bus is away: {why}");
        } else if was_away && away.is_none() {
            log::info!("the bus is back");
        }
        was_away = away.is_some();
        take(shared, &records, &mut complaints);
        tick(shared, away);
        if was_away {
            // An error may come at once; without a pause this would be a busy loop.
            clock::sleep_until(began_ns + clock::to_ns(TICK));
        }
    }
}

fn take(shared: &Shared, records: &[Record], complaints: &mut Complaints) {
    // Decoding takes longest, so it is done before the lock.
    let read: Vec<_> = records.iter().filter_map(inbox::read).collect();
    let mut core = shared.core();
    for message in read {
        match message {
            Ok(message) => {
                let now = core.moment(clock::now_ns());
                core.message(&message, now);
            }
            Err(why) => complaints.note(&why),
        }
    }
}

fn tick(shared: &Shared, away: Option<String>) {
    let mut core = shared.core();
    let now = core.moment(clock::now_ns());
    let commands = core.tick(now, away);
    if let Some(test_id) = core.newest_id().filter(|_| !commands.is_empty()) {
        shared.enqueue(&mut core, &test_id, commands);
    }
}

/// A line now and then, whatever rubbish a topic holds.
#[derive(Default)]
struct Complaints {
    quiet_until_ns: u64,
    withheld: u64,
}

impl Complaints {
    fn note(&mut self, why: &str) {
        let now_ns = clock::now_ns();
        if now_ns < self.quiet_until_ns {
            self.withheld += 1;
            return;
        }
        match self.withheld {
            0 => log::warn!("{why}"),
            more => log::warn!("{why} (and {more} more like it)"),
        }
        (self.quiet_until_ns, self.withheld) = (now_ns + COMPLAIN_EVERY_NS, 0);
    }
}
