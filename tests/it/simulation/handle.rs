//! The simulated bus behind the traits of the real ones, for code that takes `&mut dyn Bus`. Its calls take
//! no time: the clock is moved by the simulation only.

use super::bus::{Role, SimulatedBus};
use floodgate::bus::{Appended, Bus, BusError, Connector, Position, Record, Start, Topic};
use floodgate::clock::{self, Clock, ManualClock};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A simulated bus and the clock of its world; clones share both.
#[derive(Clone, Debug)]
pub struct SharedBus {
    bus: Arc<Mutex<SimulatedBus>>,
    clock: ManualClock,
}

impl SharedBus {
    /// Takes the time from `clock`.
    pub fn new(bus: SimulatedBus, clock: ManualClock) -> Self {
        SharedBus { bus: Arc::new(Mutex::new(bus)), clock }
    }

    /// The bus itself, to inject faults and to read its logs.
    pub fn lock(&self) -> MutexGuard<'_, SimulatedBus> {
        self.bus.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new handle that can be cut off by its role.
    pub fn handle(&self) -> Handle {
        Handle { role: self.lock().open(), shared: self.clone() }
    }
}

/// One role's handle.
#[derive(Debug)]
pub struct Handle {
    /// Its number on the bus.
    pub role: Role,
    shared: SharedBus,
}

impl Bus for Handle {
    /// An acknowledgement that would arrive after `timeout` is lost. The time of the others is in the future.
    fn publish(
        &mut self,
        topic: Topic,
        key: &str,
        value: &[u8],
        timeout: Duration,
    ) -> Result<Appended, BusError> {
        let now_ns = self.shared.clock.now_ns();
        let outcome = self.shared.lock().publish(self.role, topic, key, value, now_ns);
        if outcome.at_ns - now_ns > clock::to_ns(timeout) {
            return Err(BusError::Unavailable("simulated bus: no acknowledgement in time".to_string()));
        }
        outcome.result
    }

    fn end(&mut self, topic: Topic, _timeout: Duration) -> Result<Position, BusError> {
        self.shared.lock().end(self.role, topic, self.shared.clock.now_ns())
    }

    fn subscribe(&mut self, topic: Topic, start: Start, _timeout: Duration) -> Result<(), BusError> {
        self.shared.lock().subscribe(self.role, topic, start, self.shared.clock.now_ns())
    }

    fn poll(&mut self, _timeout: Duration) -> Result<Vec<Record>, BusError> {
        self.shared.lock().poll(self.role, self.shared.clock.now_ns())
    }
}

impl Connector for SharedBus {
    fn open(&self) -> Box<dyn Bus> {
        Box::new(self.handle())
    }

    fn prepare(&self, _timeout: Duration) -> Result<(), BusError> {
        Ok(())
    }

    fn describe(&self) -> String {
        "simulated bus".to_string()
    }
}
