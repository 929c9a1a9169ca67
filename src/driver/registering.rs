//! When a driver registers again: Kafka's retention removes old registrations, and an orchestrator that
//! starts later would know drivers only from their heartbeats, without their addresses.

use crate::clock::{self, NS_PER_S};
use crate::message::Register;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

/// Interval between registrations of one driver: random, so that a fleet that joined at the same time does
/// not register at the same time. 1,000 drivers write about four records per second.
const BETWEEN_NS: Range<u64> = 180 * NS_PER_S..300 * NS_PER_S;

/// A driver's registration and when it is next due.
#[derive(Debug)]
pub struct Registering {
    /// The message to publish.
    pub register: Register,
    between_ns: Range<u64>,
    due_ns: u64,
}

impl Registering {
    /// For a driver that has just registered.
    pub fn new(register: Register) -> Registering {
        Registering::every(register, BETWEEN_NS, clock::now_ns())
    }

    fn every(register: Register, between_ns: Range<u64>, now_ns: u64) -> Registering {
        let mut registering = Registering { register, between_ns, due_ns: 0 };
        registering.done(now_ns);
        registering
    }

    /// Whether the next registration is due.
    pub fn is_due(&self, now_ns: u64) -> bool {
        now_ns >= self.due_ns
    }

    /// The registration was published at `now_ns`.
    pub fn done(&mut self, now_ns: u64) {
        // The only source of randomness in std: each RandomState has its own keys.
        let chance = RandomState::new().hash_one(now_ns);
        let spread_ns = (self.between_ns.end - self.between_ns.start).max(1);
        self.due_ns = now_ns.saturating_add(self.between_ns.start).saturating_add(chance % spread_ns);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::message::decode;

    pub(crate) fn a_register() -> Register {
        decode(br#"{"node_id":"a","node_IP":"10.0.0.1","epoch":7}"#).unwrap()
    }

    /// A registration that is due every few milliseconds.
    pub(crate) fn often() -> Registering {
        Registering::every(a_register(), 1_000_000..5_000_000, clock::now_ns())
    }

    #[test]
    fn a_fleet_that_joined_at_the_same_time_does_not_register_at_the_same_time() {
        let mut drivers: Vec<_> =
            (0..1_000).map(|_| Registering::every(a_register(), BETWEEN_NS, 0)).collect();
        let mut most = 0;
        for second in 0..1_200 {
            let now_ns = second * NS_PER_S;
            let due: Vec<_> = drivers.iter_mut().filter(|driver| driver.is_due(now_ns)).collect();
            assert!(second >= 180 || due.is_empty(), "at {second} s");
            most = most.max(due.len());
            due.into_iter().for_each(|driver| driver.done(now_ns));
        }
        assert!(most <= 40, "{most} in one second");
        assert!(
            drivers.iter().all(|driver| !driver.is_due(1_199 * NS_PER_S)),
            "every driver has registered again"
        );
    }

    #[test]
    fn a_failed_registration_stays_due() {
        let registering = Registering::every(a_register(), 10..20, 0);
        assert!(!registering.is_due(9));
        assert!(registering.is_due(20) && registering.is_due(1_000));
    }
}
