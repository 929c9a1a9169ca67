//! One Fetch in flight: how long to wait for its response.

use super::progress::Key;
use crate::clock::{NS_PER_MS, NS_PER_S};
use std::collections::BTreeMap;

/// How long after its maximum wait a broker may take to answer before the poll ends without it.
pub const GRACE_NS: u64 = 500 * NS_PER_MS;
/// How long after that the connection is still kept, so that a broker that hung can resume where it stopped.
const PATIENCE_NS: u64 = 5 * NS_PER_S;
/// How long each connection is polled in turn if there are several.
const TURN_NS: u64 = 10 * NS_PER_MS;

/// What a broker's silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It may still wait for records.
    Expected,
    /// It is late: its partitions have a fault, but the response is still accepted.
    Fault,
    /// It is so late that the connection is dropped.
    HangUp,
}

/// A Fetch in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// The partitions and the offsets from which they are read.
    pub asked: BTreeMap<Key, i64>,
    answer_by_ns: u64,
    max_wait_ns: u64,
}

impl Flight {
    /// Sent at `now_ns`; the broker waits up to `max_wait_ns` for records.
    pub fn new(asked: BTreeMap<Key, i64>, now_ns: u64, max_wait_ns: u64) -> Self {
        let answer_by_ns = now_ns.saturating_add(max_wait_ns).saturating_add(GRACE_NS);
        Flight { asked, answer_by_ns, max_wait_ns }
    }

    /// When a poll that ends at `deadline_ns` stops waiting for it.
    pub fn awaited_until_ns(&self, deadline_ns: u64) -> u64 {
        self.answer_by_ns.min(deadline_ns.saturating_add(GRACE_NS))
    }

    /// How long to wait on its connection at a time.
    pub fn receive_until_ns(&self, now_ns: u64, deadline_ns: u64, is_alone: bool) -> u64 {
        if !is_alone {
            return now_ns + TURN_NS;
        }
        if now_ns < self.answer_by_ns {
            return self.awaited_until_ns(deadline_ns.max(now_ns));
        }
        deadline_ns
    }

    /// What it means that there is no response at `now_ns`.
    pub fn silence(&self, now_ns: u64) -> Silence {
        if now_ns < self.answer_by_ns {
            return Silence::Expected;
        }
        if now_ns < self.answer_by_ns.saturating_add(PATIENCE_NS) { Silence::Fault } else { Silence::HangUp }
    }

    /// Whether a response after `took_ns` came much earlier than requested.
    pub fn is_early(&self, took_ns: u64) -> bool {
        took_ns < self.max_wait_ns / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT_NS: u64 = 10 * NS_PER_S;
    const WAIT_NS: u64 = NS_PER_S;
    const ANSWER_BY_NS: u64 = SENT_NS + WAIT_NS + GRACE_NS;

    fn flight() -> Flight {
        Flight::new(BTreeMap::new(), SENT_NS, WAIT_NS)
    }

    #[test]
    fn silence_is_expected_then_a_fault_then_a_reason_to_hang_up() {
        let flight = flight();
        assert_eq!(flight.silence(ANSWER_BY_NS - 1), Silence::Expected);
        assert_eq!(flight.silence(ANSWER_BY_NS), Silence::Fault);
        assert_eq!(flight.silence(ANSWER_BY_NS + PATIENCE_NS - 1), Silence::Fault);
        assert_eq!(flight.silence(ANSWER_BY_NS + PATIENCE_NS), Silence::HangUp);
        let patient = Flight::new(BTreeMap::new(), SENT_NS, u64::MAX);
        assert_eq!(patient.silence(u64::MAX - 1), Silence::Expected);
    }

    #[test]
    fn one_of_several_is_polled_briefly_and_the_only_one_as_long_as_it_is_awaited() {
        let flight = flight();
        let (early_ns, deadline_ns) = (SENT_NS + 1, SENT_NS + WAIT_NS);
        assert_eq!(flight.receive_until_ns(early_ns, deadline_ns, false), early_ns + TURN_NS);
        assert_eq!(flight.receive_until_ns(early_ns, deadline_ns, true), ANSWER_BY_NS);
        // The Fetch of an earlier poll with a long timeout, in a short poll:
        let short_ns = early_ns + NS_PER_MS;
        assert_eq!(flight.receive_until_ns(early_ns, short_ns, true), short_ns + GRACE_NS);
        // A poll without a timeout still waits a little, since its Fetch was just sent.
        assert_eq!(flight.receive_until_ns(early_ns, 0, true), early_ns + GRACE_NS);
        // A late broker no longer delays the poll.
        assert_eq!(flight.receive_until_ns(ANSWER_BY_NS, ANSWER_BY_NS + 7, true), ANSWER_BY_NS + 7);
    }

    #[test]
    fn an_early_response_came_before_half_of_the_wait() {
        assert!(flight().is_early(WAIT_NS / 2 - 1) && !flight().is_early(WAIT_NS / 2));
        assert!(!Flight::new(BTreeMap::new(), SENT_NS, 0).is_early(0));
    }
}
