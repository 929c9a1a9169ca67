//! The heartbeat: a separate thread and bus handle, so that neither a slow target nor a slow report delays
//! it.
//!
//! Every heartbeat also measures broker time. The same thread periodically registers the driver again.

use super::beating::{Beating, Turn};
use super::clock_offset::SharedOffset;
use super::latest::{LatestReceiver, Taken};
use super::registering::{Again, Registering};
use super::session::Beat;
use crate::bus::{Bus, Topic};
use crate::clock;
use crate::message::{self, Heartbeat, NodeRef};
use std::time::Duration;

/// Timeout for one heartbeat; a newer one is more useful.
const ATTEMPT: Duration = Duration::from_secs(2);

/// Publishes heartbeats when [`Beating`] says so, until the sender of `beats` is dropped; then says goodbye.
pub fn run(
    mut bus: Box<dyn Bus>,
    identity: &NodeRef,
    offset: &SharedOffset,
    beats: &LatestReceiver<Beat>,
    mut registering: Registering,
    again: &Again,
) {
    let mut beating = Beating::new(identity.clone(), clock::now_ns());
    loop {
        let heartbeat = beating.message(clock::wall_ms(clock::now_ns()), offset.get());
        let sent = publish(bus.as_mut(), offset, &heartbeat);
        match (beating.outcome(sent.is_ok(), clock::now_ns()), &sent) {
            (Some(Turn::Away), Err(text)) => log::warn!("cannot publish heartbeats: {text}"),
            (Some(Turn::Back), _) => log::info!("can publish heartbeats again"),
            _ => {}
        }
        if again.take() {
            registering.hasten();
        }
        if sent.is_ok() {
            register_again(bus.as_mut(), &mut registering);
        }
        match beats.take(clock::until(beating.due_ns())) {
            Taken::Value(newer) => beating.announce(newer, clock::now_ns()),
            Taken::Nothing => {}
            Taken::Closed => break,
        }
    }
    let left = beating.goodbye(clock::wall_ms(clock::now_ns()), offset.get());
    if let Err(text) = publish(bus.as_mut(), offset, &left) {
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

fn publish(bus: &mut dyn Bus, offset: &SharedOffset, heartbeat: &Heartbeat) -> Result<(), String> {
    let bytes = message::encode(heartbeat);
    let appended = bus
        .publish(Topic::Heartbeat, &heartbeat.node_id, &bytes, ATTEMPT)
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
        let heart = std::thread::spawn(move || {
            run(bus, &identity, &SharedOffset::default(), &waiting, often(), &Again::default());
        });
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
