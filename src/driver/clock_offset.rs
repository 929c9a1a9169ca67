//! The driver's estimate of broker time, written by the heartbeat thread and read by the others.

use crate::broker_time::{BrokerTime, Offset};
use crate::bus::Appended;
use crate::clock;
use std::sync::{Arc, Mutex, PoisonError};

/// A shared estimate; never held while anything waits.
#[derive(Clone, Debug, Default)]
pub struct SharedOffset(Arc<Mutex<BrokerTime>>);

impl SharedOffset {
    /// Takes in what the bus said of a record; without an append time there is nothing to learn.
    pub fn learn(&self, appended: &Appended) {
        if let Some(append_ms) = appended.append_ms {
            let mut time = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            time.add(append_ms, clock::wall_ms(appended.sent_ns), clock::wall_ms(appended.acked_ns));
        }
    }

    /// The best estimate so far.
    pub fn get(&self) -> Option<Offset> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).offset()
    }
}
