//! When a driver registers again: Kafka's retention removes old registrations, and an orchestrator that
//! starts later would know drivers only from their heartbeats, without their addresses.

use crate::clock::NS_PER_S;
use crate::message::Register;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Interval between registrations of one driver: random, so that a fleet that joined at the same time does
/// not register at the same time. 1,000 drivers write about four records per second.
const BETWEEN_NS: Range<u64> = 180 * NS_PER_S..300 * NS_PER_S;

/// A driver's registration and when it is next due. Pure.
#[derive(Debug)]
pub struct Registering {
    /// The message to publish.
    pub register: Register,
    between_ns: Range<u64>,
    due_ns: u64,
    chance: u64,
}

impl Registering {
    /// For a driver that has registered at `now_ns`. `chance` decides its intervals, see [`chance`].
    pub fn new(register: Register, chance: u64, now_ns: u64) -> Registering {
        Registering::every(register, BETWEEN_NS, chance, now_ns)
    }

    fn every(register: Register, between_ns: Range<u64>, chance: u64, now_ns: u64) -> Registering {
        let mut registering = Registering { register, between_ns, due_ns: 0, chance };
        registering.done(now_ns);
        registering
    }

    /// Whether the next registration is due. A failed one stays due.
    pub fn is_due(&self, now_ns: u64) -> bool {
        now_ns >= self.due_ns
    }

    /// The next registration is due now.
    pub fn hasten(&mut self) {
        self.due_ns = 0;
    }

    /// The registration was published at `now_ns`.
    pub fn done(&mut self, now_ns: u64) {
        // A linear congruential generator (Knuth's MMIX), whose high bits are good enough to spread a fleet.
        self.chance =
            self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let spread_ns = (self.between_ns.end - self.between_ns.start).max(1);
        let more_ns = (self.chance >> 16) % spread_ns;
        self.due_ns = now_ns.saturating_add(self.between_ns.start).saturating_add(more_ns);
    }
}

/// A random number: the only source of randomness in std, where each `RandomState` has its own keys.
pub fn chance() -> u64 {
    RandomState::new().hash_one(0)
}

/// Asks another thread to register this driver again. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Again(Arc<AtomicBool>);

impl Again {
    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was asked since the last call.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::clock;
    use crate::message::decode;

    pub(crate) fn a_register() -> Register {
        decode(br#"{"node_id":"a","node_IP":"10.0.0.1","epoch":7}"#).unwrap()
    }

    /// A registration that is due every few milliseconds.
    pub(crate) fn often() -> Registering {
        Registering::every(a_register(), 1_000_000..5_000_000, chance(), clock::now_ns())
    }

    #[test]
    fn a_fleet_that_joined_at_the_same_time_does_not_register_at_the_same_time() {
        let mut drivers: Vec<_> = (0..1_000).map(|_| Registering::new(a_register(), chance(), 0)).collect();
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
    fn a_failed_registration_stays_due_and_one_can_be_hastened() {
        let mut registering = Registering::every(a_register(), 10..20, 7, 0);
        assert!(!registering.is_due(9));
        assert!(registering.is_due(20) && registering.is_due(1_000));
        registering.done(1_000);
        assert!(!registering.is_due(1_009));
        registering.hasten();
        assert!(registering.is_due(1_001));
    }
}
