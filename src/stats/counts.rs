//! Exact counts of a driver or of the fleet, as they stand in reports and results.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was planned, sent and answered. All counts add up over drivers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Requests that the schedule wanted sent so far.
    pub planned: u64,
    /// Requests whose sending began.
    pub sent: u64,
    /// Requests that were planned and given up before they were sent; known at the end.
    pub never_sent: u64,
    /// Sent requests whose planned start passed while every slot was busy.
    pub queued: u64,
    /// Sent requests that were sent once more, on a new connection, because the first attempt cannot have reached the
    /// server's program: its connection had been closed before. So a server's own count is `sent`, less the errors that
    /// did not reach it; `sent + resent` is what left the client.
    #[serde(skip_serializing_if = "is_zero")]
    pub resent: u64,
    /// Complete responses, whatever their status.
    pub responses: u64,
    /// Requests without a complete response, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Responses by status code.
    pub status: BTreeMap<String, u64>,
    /// Bytes of all responses.
    pub bytes_received: u64,
    /// Requests of the warm-up; they are in no other count.
    pub warmup_sent: u64,
    /// Of them, those without a complete response.
    #[serde(skip_serializing_if = "is_zero")]
    pub warmup_errors: u64,
}

/// For fields that are left out where they are 0.
pub fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Counts {
    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Counts) {
        self.planned += other.planned;
        self.sent += other.sent;
        self.never_sent += other.never_sent;
        self.queued += other.queued;
        self.resent += other.resent;
        self.responses += other.responses;
        self.bytes_received += other.bytes_received;
        self.warmup_sent += other.warmup_sent;
        self.warmup_errors += other.warmup_errors;
        add_all(&mut self.errors, &other.errors);
        add_all(&mut self.status, &other.status);
    }

    /// All errors together.
    pub fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Requests that are neither answered nor failed: in flight, or lost with their driver.
    pub fn unaccounted(&self) -> u64 {
        self.sent.saturating_sub(self.responses + self.errors_total())
    }
}

fn add_all(into: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (key, count) in from {
        *into.entry(key.clone()).or_default() += count;
    }
}
