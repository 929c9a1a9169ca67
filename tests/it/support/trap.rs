//! The in-process bus with fault injection: a test can make one kind of call panic or fail.

use floodgate::bus::local::LocalConnector;
use floodgate::bus::{Appended, Bus, BusError, Connector, Position, Record, Start, Topic};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A call on a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A poll by a handle that reads this topic.
    Poll(Topic),
    /// A publish to this topic.
    Publish(Topic),
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Panics,
    Fails,
}

#[derive(Clone, Default)]
pub struct Trap {
    pub inner: LocalConnector,
    set: Arc<Mutex<Option<(Call, Fault)>>>,
}

impl Trap {
    /// From now on, this call has this fault.
    pub fn set(&self, call: Call, fault: Fault) {
        *self.set.lock().expect("not poisoned") = Some((call, fault));
    }

    /// From now on, every call works.
    pub fn clear(&self) {
        *self.set.lock().expect("not poisoned") = None;
    }

    fn meet(&self, call: Call) -> Result<(), BusError> {
        let fault = self.set.lock().expect("not poisoned").filter(|(set, _)| *set == call);
        match fault {
            None => Ok(()),
            Some((_, Fault::Panics)) => panic!("{call:?} met a trap"),
            Some((_, Fault::Fails)) => Err(BusError::Unavailable("a trap".to_owned())),
        }
    }
}

impl Connector for Trap {
    fn open(&self) -> Box<dyn Bus> {
        Box::new(Handle { trap: self.clone(), bus: self.inner.open(), topics: Vec::new() })
    }

    fn prepare(&self, timeout: Duration) -> Result<(), BusError> {
        self.inner.prepare(timeout)
    }

    fn describe(&self) -> String {
        "a bus with traps".to_owned()
    }
}

struct Handle {
    trap: Trap,
    bus: Box<dyn Bus>,
    topics: Vec<Topic>,
}

impl Bus for Handle {
    fn publish(
        &mut self,
        topic: Topic,
        key: &str,
        value: &[u8],
        timeout: Duration,
    ) -> Result<Appended, BusError> {
        self.trap.meet(Call::Publish(topic))?;
        self.bus.publish(topic, key, value, timeout)
    }

    fn end(&mut self, topic: Topic, timeout: Duration) -> Result<Position, BusError> {
        self.bus.end(topic, timeout)
    }

    fn subscribe(&mut self, topic: Topic, start: Start, timeout: Duration) -> Result<(), BusError> {
        self.topics.push(topic);
        self.bus.subscribe(topic, start, timeout)
    }

    fn poll(&mut self, timeout: Duration) -> Result<Vec<Record>, BusError> {
        self.topics.iter().try_for_each(|topic| self.trap.meet(Call::Poll(*topic)))?;
        self.bus.poll(timeout)
    }
}
