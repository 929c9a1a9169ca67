//! Broker time: the offset between the broker's clock and ours, and its error bound.
//!
//! A record sent at `sent` and acknowledged at `acked` (both on our wall clock) was appended in between. The
//! broker reports only the whole millisecond of that moment, so its clock minus ours lies between
//! `append − acked` and `append + 1 − sent`. Each sample is one of these intervals. Where the newest samples
//! overlap, their intersection is narrower than the best of them (the idea of Marzullo's algorithm); the
//! estimate is its middle. When clocks have drifted apart and old samples contradict new ones, the new ones
//! count.

use std::collections::VecDeque;

/// Number of samples kept: a minute of heartbeats. Clocks drift by less than a few ms in that time.
const SAMPLES: usize = 64;

/// An offset and its error bound, in ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Offset {
    /// Broker time minus our wall clock.
    pub offset_ms: f64,
    /// The true offset differs from `offset_ms` by at most this.
    pub error_ms: f64,
}

/// Estimates the offset from the newest acknowledged records.
#[derive(Clone, Debug, Default)]
pub struct BrokerTime {
    samples: VecDeque<(f64, f64)>,
}

impl BrokerTime {
    /// Adds one acknowledged record: when it was sent and acknowledged on our wall clock, and the broker's
    /// append time, all in ms since 1970.
    pub fn add(&mut self, append_ms: i64, sent_wall_ms: f64, acked_wall_ms: f64) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        let append_ms = append_ms as f64;
        self.samples.push_back((append_ms - acked_wall_ms, append_ms + 1.0 - sent_wall_ms));
    }

    /// The best estimate; `None` before the first sample.
    pub fn offset(&self) -> Option<Offset> {
        let (mut low, mut high) = *self.samples.back()?;
        for (sample_low, sample_high) in self.samples.iter().rev().skip(1) {
            let (narrower_low, narrower_high) = (sample_low.max(low), sample_high.min(high));
            if narrower_low > narrower_high {
                break;
            }
            (low, high) = (narrower_low, narrower_high);
        }
        Some(Offset { offset_ms: (low + high) / 2.0, error_ms: (high - low) / 2.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_samples_the_offset_is_unknown() {
        assert_eq!(BrokerTime::default().offset(), None);
    }

    #[test]
    fn the_offset_follows_a_step_of_the_brokers_clock() {
        let mut time = BrokerTime::default();
        (0..70)
            .for_each(|i| time.add(1_000 + i * 10, (1_000 + i * 10) as f64, (1_000 + i * 10) as f64 + 1.0));
        time.add(7_000, 2_000.0, 2_001.0);
        let offset = time.offset().expect("has samples");
        assert!((offset.offset_ms - 5_000.0).abs() <= offset.error_ms, "{offset:?}");
    }

    proptest! {
        #[test]
        fn the_true_offset_is_within_the_error(
            true_ms in -100_000.0f64..100_000.0,
            trips in prop::collection::vec((0.0f64..1_000.0, 0.01f64..20.0, 0.0f64..1.0), 1..100),
        ) {
            let mut time = BrokerTime::default();
            let mut best = f64::MAX;
            for (pause_ms, trip_ms, at) in trips {
                let sent = 1_000_000.0 + pause_ms;
                let append = (sent + trip_ms * at + true_ms).floor();
                time.add(append as i64, sent, sent + trip_ms);
                best = best.min(trip_ms);
            }
            let offset = time.offset().expect("has samples");
            prop_assert!((offset.offset_ms - true_ms).abs() <= offset.error_ms + 1e-6, "{:?}", offset);
        }
    }
}
