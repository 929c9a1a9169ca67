//! A histogram in a few kilobytes instead of 190: what is kept of drivers and of seconds.

use super::{Distribution, Histogram, MAX_US, ms, round_ms, unpack};

/// Bits of a value that its bucket keeps, beyond the first one: 1,024 buckets for each doubling.
const HALF_BITS: u32 = 10;
/// Values below this have a bucket each.
const EXACT: u64 = 2 << HALF_BITS;

/// The nonempty buckets of a [`Histogram`] in ascending order, two or three bytes each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packed {
    /// For each bucket, the distance of its index from the one before, and its count, both as varints.
    bytes: Box<[u8]>,
    count: u64,
}

impl Packed {
    /// Reads what [`Histogram::encode`] or another HdrHistogram implementation wrote.
    ///
    /// # Errors
    /// A description of what is wrong with the text.
    pub fn decode(text: &str) -> Result<Packed, String> {
        let mut packing = Packing::new(text.len());
        unpack(text, |value, count| packing.push(index_of(value), count))?;
        Ok(packing.done())
    }

    /// How many times were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A value and the count of every nonempty bucket.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> {
        self.buckets().map(|(index, count)| (lowest(index), count))
    }

    /// What was recorded since `earlier`, an earlier state of this histogram; counts never go below zero.
    pub fn since(&self, earlier: &Packed) -> Packed {
        if earlier.is_empty() {
            return self.clone();
        }
        let (mut packing, mut before) = (Packing::new(self.bytes.len()), earlier.buckets().peekable());
        for (index, count) in self.buckets() {
            while before.next_if(|(earlier, _)| *earlier < index).is_some() {}
            let known = before.next_if(|(earlier, _)| *earlier == index).map_or(0, |(_, count)| count);
            packing.push(index, count.saturating_sub(known));
        }
        packing.done()
    }

    /// Both together.
    #[must_use]
    pub fn and(&self, other: &Packed) -> Packed {
        if self.is_empty() || other.is_empty() {
            return if other.is_empty() { self.clone() } else { other.clone() };
        }
        let mut packing = Packing::new(self.bytes.len() + other.bytes.len());
        let mut others = other.buckets().peekable();
        for (index, count) in self.buckets() {
            while let Some((other, count)) = others.next_if(|(other, _)| *other < index) {
                packing.push(other, count);
            }
            packing.push(index, count);
        }
        others.for_each(|(index, count)| packing.push(index, count));
        packing.done()
    }

    /// The same as a histogram.
    pub fn histogram(&self) -> Histogram {
        let mut histogram = Histogram::new();
        histogram.add(self);
        histogram
    }

    /// The value at or below which each of these percentiles (0 to 100, ascending) lies, in ms.
    pub fn percentiles_ms<const N: usize>(&self, percentiles: [f64; N]) -> [f64; N] {
        let ranks = percentiles.map(|p| ((p / 100.0 * self.count as f64).ceil() as u64).max(1));
        let (mut values, mut found, mut passed) = ([0.0; N], 0, 0u64);
        for (index, count) in self.buckets() {
            passed = passed.saturating_add(count);
            while found < N && passed >= ranks[found] {
                values[found] = ms(highest(index));
                found += 1;
            }
        }
        values
    }

    /// All figures of a result, the same as those of the [`Histogram`]; `None` if nothing was recorded.
    pub fn distribution(&self) -> Option<Distribution> {
        // A bucket takes two bytes or more.
        let mut buckets = Vec::with_capacity(self.bytes.len() / 2);
        buckets.extend(self.buckets());
        let (min, max) = (buckets.first()?.0, buckets.last()?.0);
        let all = self.count as f64;
        let mean_us =
            buckets.iter().fold(0.0, |sum, (index, n)| sum + middle(*index) as f64 * *n as f64 / all);
        let deviations = buckets.iter().fold(0.0, |sum, (index, n)| {
            let deviation = middle(*index) as f64 - mean_us;
            sum + deviation * deviation * *n as f64
        });
        let fullest = buckets.iter().fold((0, 0), |best, one| if one.1 > best.1 { *one } else { best }).0;
        let [median, p90, p95, p99, p999] = self.percentiles_ms([50.0, 90.0, 95.0, 99.0, 99.9]);
        Some(Distribution {
            min: ms(lowest(min)),
            mean: round_ms(mean_us / 1_000.0),
            median,
            mode: round_ms((lowest(fullest) + highest(fullest)) as f64 / 2.0 / 1_000.0),
            p90,
            p95,
            p99,
            p999,
            max: ms(highest(max)),
            stddev: round_ms((deviations / all).sqrt() / 1_000.0),
        })
    }

    /// Index and count of every nonempty bucket.
    fn buckets(&self) -> Buckets<'_> {
        Buckets { rest: &self.bytes, index: 0 }
    }
}

impl From<&Histogram> for Packed {
    fn from(histogram: &Histogram) -> Packed {
        let mut packing = Packing::new(0);
        histogram.values().for_each(|(value, count)| packing.push(index_of(value.min(MAX_US)), count));
        packing.done()
    }
}

/// The index of the bucket of a value.
fn index_of(value: u64) -> u64 {
    if value < EXACT {
        return value;
    }
    let shift = value.ilog2() - HALF_BITS;
    (u64::from(shift) << HALF_BITS) + (value >> shift)
}

/// The lowest value of a bucket, and the logarithm of how many values it has.
fn bounds(index: u64) -> (u64, u32) {
    if index < EXACT {
        return (index, 0);
    }
    let shift = (index >> HALF_BITS) as u32 - 1;
    ((index - (u64::from(shift) << HALF_BITS)) << shift, shift)
}

fn lowest(index: u64) -> u64 {
    bounds(index).0
}

fn highest(index: u64) -> u64 {
    let (lowest, shift) = bounds(index);
    lowest + (1 << shift) - 1
}

fn middle(index: u64) -> u64 {
    let (lowest, shift) = bounds(index);
    lowest + ((1u64 << shift) >> 1)
}

/// Reads the buckets of a [`Packed`].
struct Buckets<'a> {
    rest: &'a [u8],
    index: u64,
}

impl Buckets<'_> {
    #[inline]
    fn varint(&mut self) -> Option<u64> {
        if let [byte @ ..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Some(u64::from(*byte));
        }
        let (mut number, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
            shift = (shift + 7).min(63);
        }
    }
}

impl Iterator for Buckets<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        self.index += self.varint()?;
        Some((self.index, self.varint()?))
    }
}

/// Writes a [`Packed`]; buckets come in ascending order and may be repeated.
#[derive(Default)]
struct Packing {
    bytes: Vec<u8>,
    /// Index of the last bucket in `bytes`.
    written: u64,
    /// The bucket that may still be repeated.
    last: (u64, u64),
    count: u64,
}

impl Packing {
    /// With room for so many bytes.
    fn new(bytes: usize) -> Packing {
        Packing { bytes: Vec::with_capacity(bytes), ..Packing::default() }
    }

    fn push(&mut self, index: u64, count: u64) {
        self.count = self.count.saturating_add(count);
        if index > self.last.0 {
            self.flush();
            self.last = (index, 0);
        }
        self.last.1 = self.last.1.saturating_add(count);
    }

    fn flush(&mut self) {
        let (index, count) = self.last;
        if count > 0 {
            self.varint(index - self.written);
            self.varint(count);
            self.written = index;
        }
    }

    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn done(mut self) -> Packed {
        self.flush();
        Packed { bytes: self.bytes.into_boxed_slice(), count: self.count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::histogram::MAX_SAMPLES;
    use proptest::prelude::*;

    fn of(values_us: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values_us.iter().for_each(|us| histogram.record_us(*us));
        histogram
    }

    fn packed(values_us: &[u64]) -> Packed {
        Packed::from(&of(values_us))
    }

    fn times() -> impl Strategy<Value = Vec<u64>> {
        let anywhere = prop_oneof![1u64..5_000, 1u64..10_000_000, 1u64..=MAX_US, Just(MAX_US)];
        prop::collection::vec(anywhere, 0..200)
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let end = index_of(MAX_US);
        for index in 1..=end {
            assert_eq!((index_of(lowest(index)), index_of(highest(index))), (index, index));
            assert_eq!(highest(index - 1) + 1, lowest(index));
        }
        assert!(end < 24_000, "{end}");
    }

    #[test]
    fn the_largest_counts_stay_in_range() {
        let mut one = Packing::default();
        (1..5).for_each(|index| one.push(index, MAX_SAMPLES));
        let one = one.done();
        let mut sum = one.clone();
        (0..5_000).for_each(|_| sum = sum.and(&one));
        assert_eq!(sum.count(), u64::MAX);
        assert_eq!(sum.distribution().map(|figures| figures.max), Some(0.004));
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in ["", "%%%", "AAAA"] {
            assert!(Packed::decode(text).is_err_and(|e| e.contains("histogram")), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn figures_are_those_of_the_histogram(values in times()) {
            let (whole, packed) = (of(&values), packed(&values));
            prop_assert_eq!(packed.distribution(), whole.distribution());
            prop_assert_eq!(packed.histogram().distribution(), whole.distribution());
            prop_assert_eq!(&Packed::decode(&whole.encode().expect("encodes")).expect("reads"), &packed);
            prop_assert_eq!(packed.count(), whole.count());
            let percentiles = [0.1, 12.5, 50.0, 99.99, 100.0];
            prop_assert_eq!(packed.percentiles_ms(percentiles), percentiles.map(|p| whole.percentile_ms(p)));
        }

        #[test]
        fn sums_and_differences_are_those_of_histograms(first in times(), later in times()) {
            let all = packed(&[first.clone(), later.clone()].concat());
            prop_assert_eq!(&packed(&first).and(&packed(&later)), &all);
            prop_assert_eq!(&all.since(&packed(&first)), &packed(&later));
            let reset = packed(&later).since(&packed(&first));
            prop_assert_eq!(reset, Packed::from(&of(&later).since(&of(&first))));
        }
    }
}
