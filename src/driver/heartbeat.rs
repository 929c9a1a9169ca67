//! The heartbeat: a separate thread and bus handle, so that neither a slow target nor a slow report delays
//! it.
//!
//! Every heartbeat also measures broker time. The same thread periodically registers the driver again.

use super::clock_offset::SharedOffset;
use super::latest::{LatestReceiver, Taken};
use super::registering::Registering;
use super::session::Beat;
use crate::bus::{Bus, Topic};
use crate::clock;
use crate::message::{self, DriverState, Heartbeat, NodeRef};
use crate::stats::histogram::round_ms;
use std::time::Duration;

/// Interval between heartbeats.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// Interval while a test is about to start: each heartbeat improves the clock offset.
const INTERVAL_READY: Duration = Duration::from_millis(100);
/// How many heartbeats a new driver sends at the short interval, for the same reason.
const QUICK_BEATS: u32 = 10;
/// How many a ready driver sends: for longer than an orchestrator waits for the others, but not indefinitely.
const QUICK_BEATS_READY: u32 = 150;
/// Timeout for one heartbeat; a newer one is more useful.
const ATTEMPT: Duration = Duration::from_secs(2);

/// Publishes a heartbeat at every change and every second, until the sender of `beats` is dropped; then says
/// goodbye.
pub fn run(
    mut bus: Box<dyn Bus>,
    identity: &NodeRef,
    offset: &SharedOffset,
    beats: &LatestReceiver<Beat>,
    mut registering: Registering,
) {
    let mut beat = Beat::idle();
    let mut quick = QUICK_BEATS;
    let mut away = false;
    loop {
        let sent = publish(bus.as_mut(), identity, offset, &beat);
        if sent.is_err() != away {
            away = sent.is_err();
            match &sent {
                Ok(()) => log::info!("can publish heartbeats again"),
                Err(text) => log::warn!("cannot publish heartbeats: {text}"),
            }
        }
        if sent.is_ok() {
            beat = beat.next.take().map_or(beat, |next| *next);
            register_again(bus.as_mut(), &mut registering);
        }
        let wait = if quick > 0 { INTERVAL_READY } else { INTERVAL };
        quick = quick.saturating_sub(1);
        match beats.take(wait) {
            Taken::Value(newer) => {
                beat = newer;
                quick = if beat.state == DriverState::Ready { QUICK_BEATS_READY } else { 0 };
            }
            Taken::Nothing => {}
            Taken::Closed => break,
        }
    }
    // If a load was cut off, the goodbye repeats that.
    let last = match beat.state {
        DriverState::Finishing => beat,
        // An orderly shutdown announces `finishing` first.
        DriverState::Running => Beat { reason: Some("it crashed mid-run: see its log".to_owned()), ..beat },
        _ => Beat::idle(),
    };
    let left = Beat { state: DriverState::Left, ..last };
    if let Err(text) = publish(bus.as_mut(), identity, offset, &left) {
        log::warn!("cannot publish the goodbye: {text}");
    }
}

/// A failed registration is retried with the next heartbeat.
fn register_again(bus: &mut dyn Bus, registering: &mut Registering) {
    if registering.is_due(clock::now_ns()) {
        let register = &registering.register;
        match bus.publish(Topic::Register, &register.node_id, &message::encode(register), ATTEMPT) {
            Ok(_) => registering.done(clock::now_ns()),
            Err(error) => log::debug!("cannot register again: {error}"),
        }
    }
}

fn publish(bus: &mut dyn Bus, identity: &NodeRef, offset: &SharedOffset, beat: &Beat) -> Result<(), String> {
    let known = offset.get();
    let heartbeat = Heartbeat {
        node_id: identity.node_id.clone(),
        heartbeat: "YES".to_owned(),
        timestamp: round_ms(clock::wall_ms(clock::now_ns())),
        epoch: Some(identity.epoch),
        state: Some(beat.state),
        reason: beat.reason.clone(),
        test_id: beat.test_id.clone(),
        plan_hash: beat.plan_hash.clone(),
        clock_offset_ms: known.map(|offset| round_ms(offset.offset_ms)),
        clock_error_ms: known.map(|offset| round_ms(offset.error_ms)),
    };
    let bytes = message::encode(&heartbeat);
    let appended = bus
        .publish(Topic::Heartbeat, &identity.node_id, &bytes, ATTEMPT)
        .map_err(|error| error.to_string())?;
    offset.learn(&appended);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::local::LocalConnector;
    use crate::bus::{Connector, Start};
    use crate::driver::latest::latest;
    use crate::driver::registering::tests::{a_register, often};
    use crate::message::{Register, decode};

    #[test]
    fn a_driver_registers_again_between_its_heartbeats() {
        let connector = LocalConnector::new();
        let bus = connector.open();
        let (beats, waiting) = latest();
        let identity = NodeRef { node_id: "a".to_owned(), epoch: 7 };
        let heart =
            std::thread::spawn(move || run(bus, &identity, &SharedOffset::default(), &waiting, often()));
        let mut reader = connector.open();
        reader.subscribe(Topic::Register, Start::Beginning, ATTEMPT).unwrap();
        let mut seen = Vec::new();
        while seen.len() < 3 {
            seen.extend(reader.poll(Duration::from_secs(20)).unwrap());
        }
        drop(beats);
        heart.join().unwrap();
        assert!(seen.iter().all(|record| decode::<Register>(&record.value).ok() == Some(a_register())));
    }
}
