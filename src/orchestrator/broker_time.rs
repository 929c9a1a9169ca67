//! Broker time: by how much the broker's clock is ahead of this host's.
//!
//! Measured from records that the orchestrator writes anyway (a `test_config` always goes before its trigger), so no
//! record is written for the clock alone and none can be mistaken for a driver's.

use crate::bus::Appended;
use crate::clock::{NS_PER_S, wall_ms};

/// An estimate gives way to any newer one after this long, because clocks drift apart.
const STALE_AFTER_NS: u64 = 600 * NS_PER_S;

/// The estimate with the least round trip.
#[derive(Clone, Copy, Debug, Default)]
pub struct BrokerTime {
    best: Option<Estimate>,
}

#[derive(Clone, Copy, Debug)]
struct Estimate {
    offset_ms: f64,
    round_trip_ns: u64,
    at_ns: u64,
}

impl BrokerTime {
    /// Learns from one written record; without an append time there is nothing to learn.
    pub fn learn(&mut self, appended: &Appended) {
        let Some(append_ms) = appended.append_ms else { return };
        let round_trip_ns = appended.acked_ns.saturating_sub(appended.sent_ns);
        let middle_ns = appended.sent_ns + round_trip_ns / 2;
        // Append times are whole ms, cut off; half of one is the best guess of the rest.
        let offset_ms = append_ms as f64 + 0.5 - wall_ms(middle_ns);
        let stale = |best: &Estimate| appended.acked_ns.saturating_sub(best.at_ns) > STALE_AFTER_NS;
        if self.best.is_none_or(|best| round_trip_ns <= best.round_trip_ns || stale(&best)) {
            self.best = Some(Estimate { offset_ms, round_trip_ns, at_ns: appended.acked_ns });
        }
    }

    /// Broker time less this host's wall clock, in ms; none while unknown.
    pub fn offset_ms(&self) -> Option<f64> {
        self.best.map(|best| best.offset_ms)
    }

    /// A moment in broker time, in ms since 1970; by this host's wall clock while the offset is unknown.
    pub fn at_ms(&self, at_ns: u64) -> f64 {
        wall_ms(at_ns) + self.offset_ms().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::NS_PER_MS;

    fn appended(offset_ms: f64, sent_ns: u64, acked_ns: u64) -> Appended {
        let append_ms = Some((wall_ms((sent_ns + acked_ns) / 2) + offset_ms).floor() as i64);
        Appended { append_ms, sent_ns, acked_ns }
    }

    #[test]
    fn the_least_round_trip_counts_until_it_is_stale() {
        let mut time = BrokerTime::default();
        assert_eq!(time.offset_ms(), None);
        assert_eq!(time.at_ms(7 * NS_PER_S), wall_ms(7 * NS_PER_S));
        time.learn(&appended(5_000.0, 10 * NS_PER_MS, 14 * NS_PER_MS));
        assert!((time.offset_ms().unwrap() - 5_000.0).abs() <= 0.5);
        time.learn(&appended(5_003.0, 20 * NS_PER_MS, 30 * NS_PER_MS));
        assert!((time.offset_ms().unwrap() - 5_000.0).abs() <= 0.5, "a longer way says less");
        let later = STALE_AFTER_NS + NS_PER_S;
        time.learn(&appended(5_003.0, later, later + 10 * NS_PER_MS));
        assert!((time.offset_ms().unwrap() - 5_003.0).abs() <= 0.5);
    }

    #[test]
    fn without_append_times_the_offset_stays_unknown() {
        let mut time = BrokerTime::default();
        time.learn(&Appended { append_ms: None, sent_ns: 0, acked_ns: 1 });
        assert_eq!(time.offset_ms(), None);
    }
}
