//! Distributions of times: HdrHistogram, 3 significant digits, 1 µs to 1 h, never resized while recording.

mod cumulative;
mod packed;
mod percentiles;
mod v2;

use super::distribution::Distribution;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
pub use cumulative::Cumulative;
use hdrhistogram::Histogram as Hdr;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer, V2Serializer};
pub use packed::Packed;
pub use v2::MAX_SAMPLES;

/// Longest recorded time, in µs (1 h); longer ones count as this.
pub const MAX_US: u64 = 3_600_000_000;
/// Longest encoded histogram that is accepted, in characters. A wide one needs about 10,000; one of our shape
/// never more than 290,000.
pub const MAX_ENCODED_CHARS: usize = 300_000;
/// Maximum samples in a sum of histograms: nothing is added beyond it, so that no sum of sums is out of
/// range.
const MAX_SUM: u64 = 1_000 * MAX_SAMPLES;
const SIGNIFICANT_DIGITS: u8 = 3;
/// How the deflated and the plain form begin in base64.
const COOKIES: [&str; 2] = ["HISTF", "HISTE"];

/// A distribution of times in microseconds. Histograms of many workers and drivers merge without loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram(Hdr<u64>);

impl Default for Histogram {
    fn default() -> Self {
        Histogram::new()
    }
}

impl Histogram {
    /// An empty histogram (about 190 KB).
    pub fn new() -> Histogram {
        // The crate accepts these constant bounds; a unit test builds one.
        Histogram(Hdr::new_with_bounds(1, MAX_US, SIGNIFICANT_DIGITS).expect("constant bounds are valid"))
    }

    /// Counts one time of 1 to [`MAX_US`] µs; times outside that range count at its ends.
    #[inline]
    pub fn record_us(&mut self, us: u64) {
        self.0.saturating_record(us.clamp(1, MAX_US));
    }

    /// Adds all of `other`, or nothing if the sum would have more samples than can be counted.
    pub fn merge(&mut self, other: &Histogram) {
        if self.count().saturating_add(other.count()) <= MAX_SUM {
            // Both have the same bounds, so nothing can be out of range.
            let _ = self.0.add(&other.0);
        }
    }

    /// What was recorded since `earlier`, an earlier state of this histogram; counts never go below zero.
    pub fn since(&self, earlier: &Histogram) -> Histogram {
        let mut difference = Histogram::new();
        for step in self.0.iter_recorded() {
            let value = step.value_iterated_to();
            let added = step.count_at_value().saturating_sub(earlier.0.count_at(value));
            // Recording a value zero times would still make it the minimum.
            if added > 0 {
                let _ = difference.0.record_n(value.min(MAX_US), added);
            }
        }
        difference
    }

    /// How many times were recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value at or below which `percentile` (0 to 100) of the samples lie, in ms; 0 if there are none.
    pub fn percentile_ms(&self, percentile: f64) -> f64 {
        ms(self.0.value_at_quantile(percentile / 100.0).min(self.0.max()))
    }

    /// The maximum in ms; 0 if there are no samples.
    pub fn max_ms(&self) -> f64 {
        ms(self.0.max())
    }

    /// All figures of a result; `None` if nothing was recorded.
    pub fn distribution(&self) -> Option<Distribution> {
        if self.is_empty() {
            return None;
        }
        Some(Distribution {
            min: ms(self.0.min()),
            mean: round_ms(self.0.mean() / 1_000.0),
            median: self.percentile_ms(50.0),
            mode: self.mode_ms(),
            p90: self.percentile_ms(90.0),
            p95: self.percentile_ms(95.0),
            p99: self.percentile_ms(99.0),
            p999: self.percentile_ms(99.9),
            max: self.max_ms(),
            stddev: round_ms(self.0.stdev() / 1_000.0),
        })
    }

    /// The midpoint of the fullest bucket; of several equally full ones, the lowest.
    fn mode_ms(&self) -> f64 {
        let mut fullest = (0, 0);
        for step in self.0.iter_recorded() {
            if step.count_at_value() > fullest.1 {
                fullest = (step.value_iterated_to(), step.count_at_value());
            }
        }
        let (low, high) = (self.0.lowest_equivalent(fullest.0), self.0.highest_equivalent(fullest.0));
        round_ms((low + high) as f64 / 2.0 / 1_000.0)
    }

    /// HdrHistogram V2 with deflate, in base64, which other implementations can read. Values are in µs.
    pub fn encode(&self) -> Result<String, String> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.0, &mut bytes)
            .map_err(|e| format!("the histogram cannot be encoded: {e}"))?;
        Ok(BASE64.encode(bytes))
    }

    /// Reads what [`Histogram::encode`] or another HdrHistogram implementation wrote.
    pub fn decode(text: &str) -> Result<Histogram, String> {
        let mut histogram = Histogram::new();
        unpack(text, |value, count| {
            // Every value within these bounds has a bucket.
            let _ = histogram.0.record_n(value, count);
        })?;
        Ok(histogram)
    }

    /// Adds all of `packed`, or nothing if the sum would have more samples than can be counted.
    pub fn add(&mut self, packed: &Packed) {
        if self.count().saturating_add(packed.count()) <= MAX_SUM {
            packed.values().for_each(|(value, count)| {
                // As above.
                let _ = self.0.record_n(value, count);
            });
        }
    }

    /// A value and the count of every nonempty bucket, in ascending order.
    fn values(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value()))
    }
}

/// Refuses a text that obviously is no encoded histogram, at a fraction of the cost of reading it.
///
/// # Errors
/// As [`Histogram::decode`], which may still refuse a text that passes.
pub fn check(text: &str) -> Result<(), String> {
    let is_digit = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let digits = text.trim_end_matches('=');
    if text.len() > MAX_ENCODED_CHARS {
        Err(format!("histogram of {} characters: at most {MAX_ENCODED_CHARS} are read", text.len()))
    } else if !text.len().is_multiple_of(4)
        || text.len() - digits.len() > 2
        || !digits.as_bytes().iter().all(is_digit)
    {
        Err("histogram is not base64".to_owned())
    } else if !COOKIES.iter().any(|cookie| text.starts_with(cookie)) {
        Err("histogram is not in HdrHistogram V2 deflate form".to_owned())
    } else {
        Ok(())
    }
}

/// Calls `each` with a value from 1 to [`MAX_US`] and the count of every nonempty bucket, in ascending order.
fn unpack(text: &str, mut each: impl FnMut(u64, u64)) -> Result<(), String> {
    if text.len() > MAX_ENCODED_CHARS {
        return Err(format!("histogram of {} characters: at most {MAX_ENCODED_CHARS} are read", text.len()));
    }
    let bytes = BASE64.decode(text).map_err(|e| format!("histogram is not base64: {e}"))?;
    v2::read(&bytes, |value, count| each(value.clamp(1, MAX_US), count))
        .map_err(|e| format!("histogram is not in HdrHistogram V2 deflate form: {e}"))
}

/// Access for fuzzing to the format below base64.
#[doc(hidden)]
pub mod fuzzing {
    use super::*;

    /// Reads bytes, plain or deflated.
    pub fn read(bytes: &[u8]) {
        // The bucket may be that of value 0: other implementations count zeros.
        let _ = v2::read(bytes, |_, count| assert!(count > 0));
    }

    /// Valid bytes, plain and deflated.
    pub fn seeds() -> Vec<Vec<u8>> {
        let mut histogram = Histogram::new();
        (1..200).for_each(|n| histogram.record_us(n * n));
        let (mut plain, mut deflated) = (Vec::new(), Vec::new());
        // Writing to memory cannot fail.
        let _ = V2Serializer::new().serialize(&histogram.0, &mut plain);
        let _ = V2DeflateSerializer::new().serialize(&histogram.0, &mut deflated);
        vec![plain, deflated]
    }
}

fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

/// Rounds to a whole microsecond, so that results show no digits that were not measured.
pub fn round_ms(ms: f64) -> f64 {
    (ms * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values_us: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values_us.iter().for_each(|us| histogram.record_us(*us));
        histogram
    }

    #[test]
    fn figures_of_a_known_set() {
        let figures = of(&[100, 100, 200, 300, 1_000]).distribution().expect("not empty");
        assert_eq!((figures.min, figures.median, figures.mode, figures.max), (0.1, 0.2, 0.1, 1.0));
        assert_eq!(figures.mean, 0.34);
        assert!(Histogram::new().distribution().is_none());
    }

    #[test]
    fn times_outside_the_range_count_at_its_ends() {
        let mut histogram = Histogram::new();
        histogram.record_us(0);
        histogram.record_us(u64::MAX);
        assert_eq!(histogram.count(), 2);
        let figures = histogram.distribution().expect("not empty");
        assert_eq!(figures.min, 0.001);
        assert!((figures.max - 3_600_000.0).abs() / 3_600_000.0 < 0.001);
    }

    #[test]
    fn malformed_text_is_refused_with_an_error() {
        for text in ["", "%%%", "AAAA", &"A".repeat(MAX_ENCODED_CHARS + 4)] {
            let error = Histogram::decode(text).expect_err("malformed");
            assert!(error.contains("histogram"), "{error}");
        }
    }

    #[test]
    fn sums_are_limited_so_that_no_sum_of_sums_is_out_of_range() {
        let mut one = Histogram::new();
        one.0.record_n(5, MAX_SAMPLES).expect("in range");
        let mut sum = Histogram::new();
        (0..1_010).for_each(|_| sum.merge(&one));
        assert_eq!(sum.count(), MAX_SUM);
        assert_eq!(sum.percentile_ms(99.0), 0.005);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn merged_parts_equal_the_whole(
            parts in prop::collection::vec(prop::collection::vec(1u64..10_000_000, 0..50), 1..5),
        ) {
            let whole = of(&parts.concat());
            let mut merged = Histogram::new();
            parts.iter().for_each(|part| merged.merge(&of(part)));
            prop_assert_eq!(whole.distribution(), merged.distribution());
            prop_assert_eq!(&whole, &merged);
        }

        #[test]
        fn encoding_loses_nothing(values in prop::collection::vec(1u64..MAX_US, 0..200)) {
            let histogram = of(&values);
            let read = Histogram::decode(&histogram.encode().expect("encodes")).expect("decodes");
            prop_assert_eq!(histogram.distribution(), read.distribution());
        }

        #[test]
        fn the_difference_is_what_came_later(
            first in prop::collection::vec(1u64..10_000_000, 0..50),
            later in prop::collection::vec(1u64..10_000_000, 0..50),
        ) {
            let mut all = of(&first);
            all.merge(&of(&later));
            prop_assert_eq!(all.since(&of(&first)).distribution(), of(&later).distribution());
        }
    }
}
