//! Exact counts of a driver or of the fleet, as they appear in reports and results.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether a status, as it stands in counts, means that the server did not do what was asked: 4xx or 5xx.
pub fn is_error_status(code: &str) -> bool {
    code >= "400"
}

/// What was planned, sent and answered. All counts can be summed over drivers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Requests that the schedule planned so far.
    pub planned: u64,
    /// Requests whose sending began.
    pub sent: u64,
    /// Planned requests that were given up before they were sent; known at the end.
    pub never_sent: u64,
    /// Sent requests whose planned start passed while every slot was busy.
    pub queued: u64,
    /// Sent requests that were resent on a new connection, because the first attempt cannot have reached the
    /// server's program: its connection was already closed. So a server's own count is `sent` minus the
    /// errors that did not reach it; `sent + resent` is what left the client.
    #[serde(skip_serializing_if = "is_zero")]
    pub resent: u64,
    /// Complete responses, whatever their status.
    pub responses: u64,
    /// Requests without a complete response, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Responses by status code.
    pub status: BTreeMap<String, u64>,
    /// Responses that failed a check of their request; they are responses and no errors.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed_checks: u64,
    /// Those of them that failed a check because only the first bytes of their body were kept.
    #[serde(skip_serializing_if = "is_zero")]
    pub truncated_checks: u64,
    /// Failed responses by check: its name, such as `status`, and how many failed it. A response may fail
    /// several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, u64>,
    /// Bytes of all responses.
    pub bytes_received: u64,
    /// Requests of the warm-up; no other count includes them.
    pub warmup_sent: u64,
    /// Warm-up requests without a complete response.
    #[serde(skip_serializing_if = "is_zero")]
    pub warmup_errors: u64,
}

/// For fields that are omitted if 0.
pub fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Maximum sum of counts: sums of a dozen such sums stay in range, whatever numbers the bus delivers.
const MAX_SUM: u64 = 1_000_000_000_000_000_000;
/// Maximum number of error kinds, of status codes, and of checks in a sum; further names count as [`OTHER`].
const MAX_KEYS: usize = 2_000;
/// The name for counts beyond [`MAX_KEYS`].
const OTHER: &str = "other";

impl Counts {
    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Counts) {
        add(&mut self.planned, other.planned);
        add(&mut self.sent, other.sent);
        add(&mut self.never_sent, other.never_sent);
        add(&mut self.queued, other.queued);
        add(&mut self.resent, other.resent);
        add(&mut self.responses, other.responses);
        add(&mut self.bytes_received, other.bytes_received);
        add(&mut self.warmup_sent, other.warmup_sent);
        add(&mut self.warmup_errors, other.warmup_errors);
        add(&mut self.failed_checks, other.failed_checks);
        add(&mut self.truncated_checks, other.truncated_checks);
        add_all(&mut self.checks, &other.checks);
        add_all(&mut self.errors, &other.errors);
        add_all(&mut self.status, &other.status);
    }

    /// All errors together.
    pub fn errors_total(&self) -> u64 {
        self.errors.values().fold(0, |mut sum, count| {
            add(&mut sum, *count);
            sum
        })
    }

    /// Complete responses with a status of 400 or more.
    pub fn error_statuses(&self) -> u64 {
        let codes = self.status.iter().filter(|(code, _)| is_error_status(code));
        codes.fold(0, |mut sum, (_, count)| {
            add(&mut sum, *count);
            sum
        })
    }

    /// Requests that neither completed nor failed: in flight, or lost with their driver.
    pub fn unaccounted(&self) -> u64 {
        self.sent.saturating_sub(self.responses.saturating_add(self.errors_total()))
    }
}

fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count).min(MAX_SUM);
}

fn add_all(into: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (key, count) in from {
        let has_room = into.len() < MAX_KEYS || into.contains_key(key);
        add(into.entry(if has_room { key.clone() } else { OTHER.to_owned() }).or_default(), *count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_unknown_clients_neither_overflow_nor_exhaust_memory() {
        let errors = BTreeMap::from([("timeout".to_owned(), u64::MAX), ("closed".to_owned(), u64::MAX)]);
        let most = Counts { sent: u64::MAX, responses: u64::MAX, errors, ..Counts::default() };
        let mut sum = most.clone();
        sum.merge(&most);
        assert_eq!((sum.sent, sum.errors["timeout"], sum.errors_total()), (MAX_SUM, MAX_SUM, MAX_SUM));
        assert_eq!((most.unaccounted(), sum.unaccounted()), (0, 0));
        for name in 0..3 * MAX_KEYS {
            let errors = BTreeMap::from([(format!("kind-{name}"), 1)]);
            sum.merge(&Counts { errors, ..Counts::default() });
        }
        assert_eq!(sum.errors.len(), MAX_KEYS + 1);
        assert_eq!(sum.errors[OTHER], 2 * MAX_KEYS as u64 + 2);
    }
}
