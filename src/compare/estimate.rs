//! An estimated difference, with an interval at any level. Ratios are differences of logarithms.

use super::ranks::{Ranks, median};
use super::student;

/// A difference `b - a`, and how sure it is.
pub enum Estimate {
    /// A mean with its standard error.
    Student {
        /// The difference.
        center: f64,
        /// Its standard error.
        error: f64,
        /// Degrees of freedom.
        freedom: f64,
    },
    /// The differences of all pairs of runs, ascending, and the distribution that belongs to them.
    Ranked {
        /// The differences.
        differences: Vec<f64>,
        /// The distribution of ranks.
        ranks: Ranks,
    },
}

impl Estimate {
    /// The difference.
    pub fn center(&self) -> f64 {
        match self {
            Estimate::Student { center, .. } => *center,
            Estimate::Ranked { differences, .. } => median(differences),
        }
    }

    /// The interval of confidence `1 - alpha`. With too few runs for that, from the smallest to the largest
    /// difference.
    pub fn interval(&self, alpha: f64) -> (f64, f64) {
        match self {
            Estimate::Student { center, error, freedom } => {
                let half = if *error > 0.0 { error * student::quantile(alpha / 2.0, *freedom) } else { 0.0 };
                (center - half, center + half)
            }
            Estimate::Ranked { differences, ranks } => {
                let out = ranks.left_out(alpha).unwrap_or(0);
                let last = differences.len().saturating_sub(1);
                let at = |index: usize| differences.get(index).copied().unwrap_or(0.0);
                (at(out.min(last)), at(last.saturating_sub(out)))
            }
        }
    }

    /// The largest confidence that an interval can have.
    pub fn most_confidence(&self) -> f64 {
        match self {
            Estimate::Student { .. } => 1.0,
            Estimate::Ranked { ranks, .. } => ranks.most_confidence(),
        }
    }

    /// Two-sided probability of a difference as large as this one if the true one were `floor` in the same
    /// direction: the level at which the interval begins to lie beyond `floor`. 1 if the difference is not
    /// larger than `floor`.
    pub fn chance(&self, floor: f64) -> f64 {
        match self {
            Estimate::Student { center, error, freedom } => match center.abs() - floor {
                beyond if beyond <= 0.0 => 1.0,
                _ if *error <= 0.0 => 0.0,
                beyond => 2.0 * student::above(beyond / error, *freedom),
            },
            Estimate::Ranked { differences, ranks } => {
                let within = |difference: &&f64| **difference <= floor;
                let within_negative = |difference: &&f64| -**difference <= floor;
                let count = match median(differences) > 0.0 {
                    true => differences.iter().filter(within).count(),
                    false => differences.iter().filter(within_negative).count(),
                };
                (2.0 * ranks.at_most(count)).min(1.0)
            }
        }
    }
}

/// Holm's levels (Scandinavian Journal of Statistics 6, 1979) for figures with these probabilities: that of
/// the smallest is `alpha / n`, that of the next one `alpha / (n - 1)`, and so on to the first one that is
/// not significant. It and all others share the level at which the method stops. So a difference is called
/// exactly if its interval at its level lies beyond its floor, and the chance that any difference of the
/// family is called wrongly is at most `alpha`, however the figures depend on each other.
pub fn holm(chances: &[f64], alpha: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*a].total_cmp(&chances[*b]));
    let mut levels = vec![alpha; chances.len()];
    let mut stopped_at = None;
    for (done, index) in order.into_iter().enumerate() {
        let level = stopped_at.unwrap_or(alpha / (chances.len() - done) as f64);
        levels[index] = level;
        if chances[index] > level {
            stopped_at = Some(level);
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::super::ranks::differences;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn holms_levels_rise_until_the_first_one_that_is_not_significant() {
        let levels = |chances: &[f64]| holm(chances, 0.06);
        assert_eq!(levels(&[0.001, 0.5, 0.002]), [0.02, 0.06, 0.03]);
        assert_eq!(levels(&[0.5, 0.025, 0.6]), [0.02, 0.02, 0.02], "stopped at once");
        assert_eq!(levels(&[0.04, 0.001, 0.04]), [0.03, 0.02, 0.03], "the second stops it");
        assert_eq!(levels(&[]), [0.0; 0]);
    }

    #[test]
    fn the_interval_of_few_runs_is_the_range_of_all_differences() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [11.0, 12.0, 13.0, 14.0]);
        let estimate = Estimate::Ranked { differences: differences(&a, &b), ranks: Ranks::new(4, 4) };
        assert_eq!((estimate.center(), estimate.interval(0.05)), (10.0, (7.0, 13.0)));
        assert_eq!(estimate.interval(0.01), (7.0, 13.0));
        assert!((estimate.chance(0.0) - 2.0 / 70.0).abs() < 1e-12);
        assert!((estimate.chance(7.0) - 4.0 / 70.0).abs() < 1e-12, "one pair is not beyond 7");
        assert_eq!(estimate.chance(20.0), 1.0);
    }

    #[test]
    fn without_any_spread_the_interval_is_a_point() {
        let estimate = Estimate::Student { center: 0.1, error: 0.0, freedom: 9.0 };
        assert_eq!(estimate.interval(0.05), (0.1, 0.1));
        assert_eq!((estimate.chance(0.05), estimate.chance(0.1)), (0.0, 1.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_chance_below_the_level_means_that_the_interval_lies_beyond_the_floor(
            center in -1.0f64..1.0, error in 0.001f64..0.5, freedom in 2.0f64..40.0, floor in 0.0f64..0.5,
            alpha in 0.001f64..0.2,
            values in prop::collection::vec(-1.0f64..1.0, 9),
        ) {
            let student = Estimate::Student { center, error, freedom };
            let ranked = Estimate::Ranked {
                differences: differences(&values[..4], &values[4..]),
                ranks: Ranks::new(4, 5),
            };
            for estimate in [student, ranked] {
                let level = alpha.max(1.0 - estimate.most_confidence());
                let (low, high) = estimate.interval(level);
                let is_beyond = low > floor || high < -floor;
                let chance = estimate.chance(floor);
                prop_assume!((chance / level - 1.0).abs() > 1e-6);
                prop_assert_eq!(is_beyond, chance < level, "{} {} {} {}", low, high, chance, level);
            }
        }
    }
}
