//! The driver's estimate of broker time: the heartbeat thread updates it, the other threads read it.

use crate::broker_time::{BrokerTime, Offset};
use crate::bus::Appended;
use crate::clock;
use std::sync::{Arc, Mutex, PoisonError};

/// A shared estimate; its lock is never held during a blocking call.
#[derive(Clone, Debug, Default)]
pub struct SharedOffset(Arc<Mutex<BrokerTime>>);

impl SharedOffset {
    /// Updates the estimate from a published record; does nothing without an append time.
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
