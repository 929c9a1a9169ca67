//! Client quotas: a broker whose quota is used up answers at once, says how long it will not read our next
//! request, and stops reading (KIP-219). Waiting for that time keeps its silence from looking like a fault.

use super::Connection;
use crate::bus::BusError;
use crate::bus::kafka::conversation::Answer;
use crate::clock::{self, NS_PER_MS};

impl Connection {
    /// Takes note of the wait that the broker asks for.
    pub(super) fn note_throttle(&mut self, answer: &Answer) {
        let ms = answer.throttle_ms();
        if ms <= 0 {
            return;
        }
        self.rests_until_ns = answer.received_ns.saturating_add(ms as u64 * NS_PER_MS);
        if self.access.told.is_news(ms) {
            log::warn!("{}: reports may be late; an administrator can raise the quota", self.throttling(ms));
        }
    }

    fn throttling(&self, ms: i32) -> String {
        let seconds = f64::from(ms) / 1e3;
        format!(
            "Kafka broker {} throttles this client for {seconds} s, since the quota of its user or of client id \
             {:?} is used up",
            self.address, self.access.client_id
        )
    }

    /// When the broker reads requests again; in the past if it does not throttle.
    pub fn rests_until_ns(&self) -> u64 {
        self.rests_until_ns
    }

    /// Whether nothing is wrong but that the broker does not read requests at the moment.
    pub fn is_resting(&self) -> bool {
        !self.is_busy() && clock::now_ns() < self.rests_until_ns
    }

    /// Waits until the broker reads requests again.
    pub(super) fn rest(&self, deadline_ns: u64) -> Result<(), BusError> {
        let now_ns = clock::now_ns();
        if now_ns >= self.rests_until_ns {
            return Ok(());
        }
        clock::sleep_until(self.rests_until_ns.min(deadline_ns));
        if self.rests_until_ns <= deadline_ns {
            return Ok(());
        }
        let left_ms = self.rests_until_ns.saturating_sub(clock::now_ns()).div_ceil(NS_PER_MS);
        Err(BusError::Unavailable(self.throttling(i32::try_from(left_ms).unwrap_or(i32::MAX))))
    }
}
