//! What was logged about brokers that throttle.

use std::sync::atomic::{AtomicI32, Ordering};

/// A wait is logged again if it is this many times as long as the last one logged.
const MUCH_LONGER: i32 = 10;

/// What was logged about waits.
#[derive(Debug, Default)]
pub struct Told(AtomicI32);

impl Told {
    /// Whether a wait of `ms` is to be logged: the first one, and much longer ones.
    pub fn is_news(&self, ms: i32) -> bool {
        let told_ms = self.0.load(Ordering::Relaxed);
        let is_news = ms > told_ms.saturating_mul(MUCH_LONGER);
        if is_news {
            self.0.store(ms, Ordering::Relaxed);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wait_and_much_longer_ones_are_logged() {
        let told = Told::default();
        let waits = [0, 7, 7, 70, 71, 700, 711, i32::MAX, i32::MAX];
        assert_eq!(
            waits.map(|ms| told.is_news(ms)),
            [false, true, false, false, true, false, true, true, false]
        );
    }
}
