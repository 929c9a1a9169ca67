//! Exponential backoff: bounded and randomized, so that a fleet does not reconnect all at once.

use crate::clock::NS_PER_MS;
use std::hash::{BuildHasher, RandomState};

/// The first wait, before randomization.
const FIRST_NS: u64 = 50 * NS_PER_MS;
/// The longest wait, before randomization.
const LONGEST_NS: u64 = 1_000 * NS_PER_MS;

/// When the next attempt may be made.
#[derive(Debug)]
pub struct Backoff {
    failures: u32,
    not_before_ns: u64,
    random: u64,
}

impl Backoff {
    /// No failures yet; each instance randomizes its waits differently.
    pub fn new() -> Self {
        // The standard library's only source of randomness: each RandomState has its own keys.
        Self::seeded(RandomState::new().hash_one(0u8))
    }

    fn seeded(seed: u64) -> Self {
        Backoff { failures: 0, not_before_ns: 0, random: seed | 1 }
    }

    /// Records a failure at `now_ns` and sets the next wait: 50 ms doubling up to 1 s, times 0.5 to 1.5.
    pub fn failed(&mut self, now_ns: u64) {
        let wait_ns = (FIRST_NS << self.failures.min(10)).min(LONGEST_NS);
        self.failures = self.failures.saturating_add(1);
        // xorshift64: https://www.jstatsoft.org/article/view/v008i14
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let spread_ns = wait_ns / 2 + self.random % wait_ns;
        self.not_before_ns = now_ns.saturating_add(spread_ns);
    }

    /// Records a success: the next attempt may start immediately.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before_ns = 0;
    }

    /// The earliest time of the next attempt.
    pub fn not_before_ns(&self) -> u64 {
        self.not_before_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_double_and_stay_bounded(seed: u64, failures in 1u32..60) {
            let mut backoff = Backoff::seeded(seed);
            for n in 0..failures {
                backoff.failed(1_000);
                let wait_ns = backoff.not_before_ns() - 1_000;
                let plain_ns = (FIRST_NS << n.min(10)).min(LONGEST_NS);
                prop_assert!(wait_ns >= plain_ns / 2 && wait_ns < plain_ns / 2 + plain_ns);
            }
            backoff.succeeded();
            prop_assert_eq!(backoff.not_before_ns(), 0);
        }
    }

    #[test]
    fn two_clients_wait_differently() {
        let mut waits: Vec<u64> = (0..20)
            .map(|_| {
                let mut backoff = Backoff::new();
                backoff.failed(0);
                backoff.not_before_ns()
            })
            .collect();
        waits.sort_unstable();
        waits.dedup();
        assert!(waits.len() > 10);
    }
}
