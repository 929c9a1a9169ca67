//! Counts of values up to given bounds, as monitoring systems keep them.

use super::Histogram;

/// Counts up to bounds, with the sum of all values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cumulative {
    /// Each bound in µs and how many values are at or below it. A bucket of the histogram counts if its
    /// lowest value does, so values up to 0.1 % above a bound may be counted, and none below it is missing.
    pub up_to: Vec<(u64, u64)>,
    /// The sum of all values in µs, each taken as the middle of its bucket.
    pub sum_us: f64,
    /// The number of all values.
    pub count: u64,
}

impl Histogram {
    /// How many values are at or below each of these bounds in µs, which are in ascending order.
    pub fn cumulative(&self, bounds_us: &[u64]) -> Cumulative {
        let mut found =
            Cumulative { up_to: bounds_us.iter().map(|us| (*us, 0)).collect(), ..Cumulative::default() };
        let mut sum_us = 0u128;
        for (value, count) in self.values() {
            let lowest = self.0.lowest_equivalent(value);
            let first = found.up_to.partition_point(|(bound, _)| *bound < lowest);
            found.up_to[first..].iter_mut().for_each(|(_, n)| *n += count);
            sum_us += u128::from(self.0.median_equivalent(value)) * u128::from(count);
            found.count += count;
        }
        found.sum_us = sum_us as f64;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bound_counts_itself() {
        let mut histogram = Histogram::new();
        [5, 10, 10, 11, 2_500, 2_501, 2_503].iter().for_each(|us| histogram.record_us(*us));
        let found = histogram.cumulative(&[1, 10, 2_499, 2_500]);
        // 2,501 is in the bucket of 2,500.
        assert_eq!(found.up_to, [(1, 0), (10, 3), (2_499, 4), (2_500, 6)]);
        assert_eq!(found.count, 7);
        assert_eq!(Histogram::new().cumulative(&[1]).up_to, [(1, 0)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn counts_are_exact_up_to_a_tenth_of_a_percent(
            values in prop::collection::vec(1u64..100_000_000, 1..100),
            bound in 1u64..100_000_000,
        ) {
            let mut histogram = Histogram::new();
            values.iter().for_each(|us| histogram.record_us(*us));
            let found = histogram.cumulative(&[bound]);
            let at_most = |us: u64| values.iter().filter(|value| **value <= us).count() as u64;
            let n = found.up_to[0].1;
            prop_assert!(at_most(bound) <= n && n <= at_most(bound + bound / 1_000 + 1));
            let sum = values.iter().sum::<u64>() as f64;
            prop_assert!((found.sum_us - sum).abs() <= sum / 1_000.0 + values.len() as f64);
        }
    }
}
