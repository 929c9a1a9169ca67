//! Times as a worker counts them: a list while there are few, a histogram once there are many.
//!
//! A driver may have thousands of workers that each complete a few requests between two handovers. In a list,
//! such times take 4 bytes each instead of the 190 KB of a histogram, and the cost of merging depends only on
//! their number. Both forms yield the same histogram.

use super::histogram::{Histogram, MAX_US};

/// Maximum number of listed times, 4 bytes each. Creating, filling, merging and freeing a histogram costs as
/// much as merging several thousand listed times.
pub const MOST_LISTED: usize = 2_048;
/// Initial capacity of the list.
const LEAST_ROOM: usize = 64;
const _: () = assert!(MAX_US <= u32::MAX as u64, "a listed time has 32 bits");

/// A distribution of times that is being counted. Recording allocates only while the list grows, at most a
/// few times, and never after it became a histogram.
#[derive(Clone, Debug)]
pub struct Times {
    /// In µs, in recording order; empty once there is a histogram.
    listed: Vec<u32>,
    histogram: Option<Histogram>,
}

impl Default for Times {
    fn default() -> Self {
        Times::new()
    }
}

impl Times {
    /// Empty, with capacity for a few times.
    pub fn new() -> Times {
        Times { listed: Vec::with_capacity(LEAST_ROOM), histogram: None }
    }

    /// Empty, with capacity for about as many times as this one holds.
    pub fn fresh(&self) -> Times {
        let count = self.count();
        if count > MOST_LISTED as u64 {
            return Times { listed: Vec::new(), histogram: Some(Histogram::new()) };
        }
        let room = (count as usize).next_power_of_two().max(LEAST_ROOM);
        Times { listed: Vec::with_capacity(room), histogram: None }
    }

    /// Counts one time in nanoseconds, rounded to the nearest µs, at least 1 µs and at most [`MAX_US`].
    #[inline]
    pub fn record_ns(&mut self, ns: u64) {
        self.record_us((ns.saturating_add(500) / 1_000).clamp(1, MAX_US) as u32);
    }

    #[inline]
    fn record_us(&mut self, us: u32) {
        match &mut self.histogram {
            Some(histogram) => histogram.record_us(us.into()),
            None if self.listed.len() < MOST_LISTED => self.listed.push(us),
            None => self.many().record_us(us.into()),
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Times) {
        match &other.histogram {
            Some(histogram) => self.many().merge(histogram),
            None => other.listed.iter().for_each(|us| self.record_us(*us)),
        }
    }

    /// How many times were recorded.
    pub fn count(&self) -> u64 {
        self.listed.len() as u64 + self.histogram.as_ref().map_or(0, Histogram::count)
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// All recorded times, for figures and messages.
    pub fn histogram(&self) -> Histogram {
        self.histogram.clone().unwrap_or_else(|| histogram_of(&self.listed))
    }

    /// The same; `None` if nothing was recorded.
    pub fn known(&self) -> Option<Histogram> {
        (!self.is_empty()).then(|| self.histogram())
    }

    /// The histogram; built from the list if there is none yet.
    #[cold]
    fn many(&mut self) -> &mut Histogram {
        let listed = &mut self.listed;
        self.histogram.get_or_insert_with(|| histogram_of(&std::mem::take(listed)))
    }
}

fn histogram_of(listed: &[u32]) -> Histogram {
    let mut histogram = Histogram::new();
    listed.iter().for_each(|us| histogram.record_us(u64::from(*us)));
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values_ns: &[u64]) -> Times {
        let mut times = Times::new();
        values_ns.iter().for_each(|ns| times.record_ns(*ns));
        times
    }

    /// A plain histogram of the same times.
    fn counted(values_ns: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values_ns.iter().for_each(|ns| histogram.record_us(((ns + 500) / 1_000).clamp(1, MAX_US)));
        histogram
    }

    /// `n` times from 1 µs to about a minute, each of them different.
    fn spread(n: usize) -> Vec<u64> {
        (1..=n as u64).map(|k| 1_000 + k * k * 997 % 60_000_000_000).collect()
    }

    fn is_listed(times: &Times) -> bool {
        times.histogram.is_none()
    }

    #[test]
    fn few_times_take_few_bytes() {
        let few = of(&spread(90));
        assert!(is_listed(&few) && few.listed.capacity() * size_of::<u32>() <= 512);
        let fresh = few.fresh();
        assert!(is_listed(&fresh) && fresh.is_empty());
        assert_eq!(fresh.listed.capacity(), 128, "the same number fits again without growing");
    }

    #[test]
    fn the_list_ends_at_its_limit_and_many_times_stay_a_histogram() {
        let most = of(&spread(MOST_LISTED));
        assert!(is_listed(&most) && is_listed(&most.fresh()));
        let mut many = most.clone();
        many.record_ns(5_000);
        assert!(!is_listed(&many) && many.listed.capacity() == 0);
        assert_eq!(many.count(), MOST_LISTED as u64 + 1);
        let mut fresh = many.fresh();
        assert!(!is_listed(&fresh) && fresh.is_empty());
        fresh.record_ns(5_000);
        assert!(is_listed(&fresh.fresh()), "a worker that became quiet is small again");
    }

    #[test]
    fn times_outside_the_range_count_at_its_ends_in_either_form() {
        for filling in [0, MOST_LISTED] {
            let mut values = vec![1_000; filling];
            let mut times = of(&values);
            for ns in [0, 499, 3_600_000_000_001, 4_000_000_000_000, u64::MAX] {
                times.record_ns(ns);
                values.push(ns.min(u64::MAX - 500));
            }
            assert_eq!(is_listed(&times), filling == 0);
            assert_eq!(times.histogram(), counted(&values));
            let figures = times.histogram().distribution().expect("not empty");
            assert_eq!(figures.min, 0.001);
            assert!((figures.max - 3_600_000.0).abs() / 3_600_000.0 < 0.001);
        }
    }

    #[test]
    fn merging_loses_nothing_on_either_side_of_the_limit() {
        let sizes = [0, 1, MOST_LISTED / 2, MOST_LISTED - 1, MOST_LISTED, MOST_LISTED + 1, 3 * MOST_LISTED];
        for (into, from) in sizes.iter().flat_map(|into| sizes.map(|from| (*into, from))) {
            let all = spread(into + from);
            let (mut merged, other) = (of(&all[..into]), of(&all[into..]));
            merged.merge(&other);
            assert_eq!(merged.count(), (into + from) as u64, "{into} and {from}");
            assert_eq!(merged.histogram(), counted(&all), "{into} and {from}");
            assert_eq!(is_listed(&merged), into + from <= MOST_LISTED, "{into} and {from}");
        }
    }

    fn part() -> impl Strategy<Value = Vec<u64>> {
        let most = MOST_LISTED;
        prop_oneof![0..40usize, most - 2..most + 3, 0..3 * most]
            .prop_flat_map(|n| prop::collection::vec(0u64..4_000_000_000_000, n))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn merged_parts_equal_the_whole_and_a_histogram_of_it(parts in prop::collection::vec(part(), 1..5)) {
            let whole = parts.concat();
            let mut merged = Times::new();
            parts.iter().for_each(|part| merged.merge(&of(part)));
            prop_assert_eq!(merged.histogram(), counted(&whole));
            prop_assert_eq!(of(&whole).histogram(), counted(&whole));
            prop_assert_eq!(merged.histogram().distribution(), counted(&whole).distribution());
            prop_assert_eq!(merged.count(), whole.len() as u64);
        }

        #[test]
        fn encoding_and_difference_are_the_same_in_either_form(first in part(), later in part()) {
            let mut all = of(&first);
            all.merge(&of(&later));
            let sent = all.histogram().encode().expect("encodes");
            let read = Histogram::decode(&sent).expect("decodes");
            let both = [first.clone(), later.clone()].concat();
            prop_assert_eq!(read.distribution(), counted(&both).distribution());
            let difference = read.since(&of(&first).histogram());
            prop_assert_eq!(difference.distribution(), counted(&later).distribution());
        }
    }
}
