//! The exact distribution of Mann and Whitney's statistic (Annals of Mathematical Statistics 18, 1947), and
//! the interval of a shift that follows from it (Hodges and Lehmann, Annals of Mathematical Statistics 34,
//! 1963). No distribution of the values is assumed.

/// For samples of two sizes, how probable each number of pairs is in which the value of the first sample is
/// the larger one, if both come from one distribution.
pub struct Ranks {
    /// `below[u]`: the probability of at most `u` such pairs.
    below: Vec<f64>,
}

impl Ranks {
    /// The distribution for samples of `a` and `b` values. The number of orders with u such pairs is the
    /// number of those that end with a value of one sample plus that with one of the other: the recursion of
    /// Mann and Whitney, in probabilities, so that no number is too large.
    pub fn new(a: usize, b: usize) -> Ranks {
        let pairs = a * b;
        // rows[j]: the distribution for i and j values.
        let mut rows = vec![vec![0.0; pairs + 1]; b + 1];
        rows.iter_mut().for_each(|row| row[0] = 1.0);
        for i in 1..=a {
            for j in 1..=b {
                let last_of_a = i as f64 / (i + j) as f64;
                for u in (0..=pairs).rev() {
                    let of_a = if u >= j { rows[j][u - j] } else { 0.0 };
                    rows[j][u] = last_of_a * of_a + (1.0 - last_of_a) * rows[j - 1][u];
                }
            }
        }
        let mut sum = 0.0;
        let below = rows[b].iter().map(|one| {
            sum += one;
            sum
        });
        Ranks { below: below.collect() }
    }

    /// The probability of at most `u` pairs.
    pub fn at_most(&self, u: usize) -> f64 {
        self.below.get(u).copied().unwrap_or(1.0)
    }

    /// How many of the smallest and of the largest differences of all pairs an interval of confidence
    /// `1 - alpha` leaves out; `None` if even the interval from the smallest to the largest is less sure.
    pub fn left_out(&self, alpha: f64) -> Option<usize> {
        let fits = |u: &usize| 2.0 * self.at_most(*u) <= alpha * (1.0 + 1e-9);
        (0..self.below.len()).take_while(fits).last()
    }

    /// The largest confidence of any interval.
    pub fn most_confidence(&self) -> f64 {
        1.0 - 2.0 * self.at_most(0)
    }
}

/// The differences of all pairs, `b` minus `a`, in ascending order. Their median is Hodges and Lehmann's
/// estimate of the shift.
pub fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut all: Vec<f64> = b.iter().flat_map(|b| a.iter().map(move |a| b - a)).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The median of values in ascending order; 0 if there are none.
pub fn median(sorted: &[f64]) -> f64 {
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { (at(half.saturating_sub(1)) + at(half)) / 2.0 } else { at(half) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All orders of `a` and `b` values, counted one by one.
    fn counted(a: usize, b: usize) -> Vec<f64> {
        let mut counts = vec![0.0; a * b + 1];
        let mut all = 0.0;
        for order in 0u32..1 << (a + b) {
            if order.count_ones() as usize != a {
                continue;
            }
            let (mut passed, mut pairs) = (0, 0);
            for place in 0..a + b {
                if order & (1 << place) == 0 { passed += 1 } else { pairs += passed }
            }
            counts[pairs] += 1.0;
            all += 1.0;
        }
        counts.iter().map(|count| count / all).collect()
    }

    #[test]
    fn the_distribution_is_that_of_all_orders() {
        for (a, b) in [(1, 1), (1, 4), (2, 3), (4, 4), (5, 4), (6, 5)] {
            let (ranks, counted) = (Ranks::new(a, b), counted(a, b));
            let mut sum = 0.0;
            for (u, one) in counted.iter().enumerate() {
                sum += one;
                assert!((ranks.at_most(u) - sum).abs() < 1e-12, "{a} {b} {u}");
            }
        }
    }

    /// Table I of Mann and Whitney, and the critical values of later tables: two-sided 5 %.
    #[test]
    fn critical_values_are_those_of_the_tables() {
        assert!((Ranks::new(4, 4).at_most(0) - 1.0 / 70.0).abs() < 1e-12);
        for (a, b, expected) in
            [(4, 4, Some(0)), (5, 5, Some(2)), (8, 8, Some(13)), (10, 7, Some(14)), (20, 20, Some(127))]
        {
            assert_eq!(Ranks::new(a, b).left_out(0.05), expected, "{a} {b}");
        }
        assert_eq!(Ranks::new(3, 3).left_out(0.05), None);
        assert_eq!(Ranks::new(4, 4).left_out(0.01), None);
        assert!((Ranks::new(4, 4).most_confidence() - 68.0 / 70.0).abs() < 1e-12);
        assert_eq!(Ranks::new(5, 5).left_out(0.01), Some(0));
        let large = Ranks::new(50, 50);
        assert!((large.at_most(1_249) + large.at_most(1_250) - 1.0).abs() < 1e-9, "it is symmetric");
    }

    #[test]
    fn the_estimate_is_the_median_of_all_differences() {
        let all = differences(&[1.0, 2.0], &[11.0, 14.0]);
        assert_eq!(all, [9.0, 10.0, 12.0, 13.0]);
        assert_eq!((median(&all), median(&[1.0, 5.0, 6.0]), median(&[])), (11.0, 5.0, 0.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn both_orders_of_the_samples_are_the_same(a in 1usize..9, b in 1usize..9) {
            let (one, other) = (Ranks::new(a, b), Ranks::new(b, a));
            for u in 0..=a * b {
                prop_assert!((one.at_most(u) - other.at_most(u)).abs() < 1e-12);
            }
            prop_assert!((one.at_most(a * b) - 1.0).abs() < 1e-12);
        }
    }
}
