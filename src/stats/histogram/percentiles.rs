//! A distribution as text, as Java's HdrHistogram prints it (`outputPercentileDistribution`).

use super::Histogram;
use std::fmt::Write as _;

/// Steps per half of the remaining distance to 100 %, Java's default.
const TICKS: f64 = 5.0;
/// Sub-buckets of a histogram with 3 digits: the next power of two from 2 × 1,000.
const SUB_BUCKETS: u32 = 2_048;

impl Histogram {
    /// The percentiles as Java's `outputPercentileDistribution` prints them, in ms.
    pub fn percentile_text(&self) -> String {
        let mut out = format!(
            "{:>12} {:>14} {:>10} {:>14}\n\n",
            "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
        );
        for Step { us, percent, count } in self.steps() {
            let (ms, share) = (us as f64 / 1_000.0, percent / 100.0);
            let _ = write!(out, "{:>12} {} {count:10}", decimal(ms, 3), decimal(share, 12));
            if percent < 100.0 {
                let _ = write!(out, " {:>14}", decimal(1.0 / (1.0 - share), 2));
            }
            out.push('\n');
        }
        let [mean, deviation] = [self.0.mean(), self.0.stdev()].map(|us| decimal(us / 1_000.0, 3));
        let _ = writeln!(out, "#[Mean    = {mean:>12}, StdDeviation   = {deviation:>12}]");
        let (max, count) = (decimal(self.0.max() as f64 / 1_000.0, 3), self.count());
        let _ = writeln!(out, "#[Max     = {max:>12}, Total count    = {count:12}]");
        let _ = writeln!(out, "#[Buckets = {:12}, SubBuckets     = {SUB_BUCKETS:12}]", self.0.buckets());
        out
    }

    /// Java's percentile iterator: each bucket that reaches the next level, and the last one at 100 %.
    fn steps(&self) -> Vec<Step> {
        let (all, mut count, mut level) = (self.count(), 0u64, 0.0f64);
        let mut steps = Vec::new();
        for bucket in self.0.iter_recorded() {
            count += bucket.count_at_value();
            let us = self.0.highest_equivalent(bucket.value_iterated_to());
            while level <= 100.0 * count as f64 / all as f64 {
                steps.push(Step { us, percent: level, count });
                let next = next_level(level);
                // Just below 100, a step can be too small to change the level.
                if count == all || next <= level {
                    break;
                }
                level = next;
            }
            if count == all && steps.last().is_none_or(|last| last.percent < 100.0) {
                steps.push(Step { us, percent: 100.0, count });
            }
        }
        steps
    }
}

struct Step {
    us: u64,
    percent: f64,
    count: u64,
}

/// The steps become half as large with each half of the distance to 100 %.
fn next_level(percent: f64) -> f64 {
    let halves = ((100.0 / (100.0 - percent)).ln() / 2f64.ln()).trunc() + 1.0;
    percent + 100.0 / (TICKS * 2f64.powf(halves))
}

/// A number as Java prints it: the shortest decimal form that is read as this number, rounded half up.
fn decimal(value: f64, digits: usize) -> String {
    let text = value.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let kept = fraction.get(..digits).unwrap_or(fraction);
    let rounds_up = fraction.as_bytes().get(digits).is_some_and(|digit| *digit >= b'5');
    let Ok(scaled) = format!("{whole}{kept:0<digits$}").parse::<u128>() else { return text };
    let scaled = format!("{:0>width$}", scaled + u128::from(rounds_up), width = digits + 1);
    let (whole, fraction) = scaled.split_at(scaled.len() - digits);
    format!("{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::super::SIGNIFICANT_DIGITS;
    use super::*;

    fn text(values_us: impl IntoIterator<Item = u64>) -> String {
        let mut histogram = Histogram::new();
        values_us.into_iter().for_each(|us| histogram.record_us(us));
        histogram.percentile_text()
    }

    #[test]
    fn the_text_is_that_of_other_implementations() {
        assert_eq!(SIGNIFICANT_DIGITS, 3, "the formats and the sub-buckets depend on it");
        let expected = include_str!("golden/latency.hgrm");
        let found = text((1..=1_000).map(|n| n * n));
        assert_eq!(found, expected, "{found}");
    }

    #[test]
    fn numbers_are_rounded_as_in_java() {
        let cases = [
            (99.97802734375 / 100.0, 12, "0.999780273438"),
            (0.0, 3, "0.000"),
            (1.0, 12, "1.000000000000"),
            (9.9996, 3, "10.000"),
            (0.0005, 3, "0.001"),
            (1.5e-9, 3, "0.000"),
            (3_600_000.0, 3, "3600000.000"),
        ];
        for (value, digits, expected) in cases {
            assert_eq!(decimal(value, digits), expected);
        }
    }

    #[test]
    fn levels_too_close_to_be_told_apart_end() {
        let mut histogram = Histogram::new();
        for (us, count) in [(1_000, 3_000_000_000_000_000), (1_500, 1), (2_000, 1)] {
            histogram.0.record_n(us, count).expect("a value in range");
        }
        assert!(histogram.steps().len() < 300, "{}", histogram.steps().len());
        assert!(histogram.percentile_text().contains("       2.000 1.000000000000 3000000000000002\n"));
    }

    #[test]
    fn an_empty_and_a_single_value_have_a_text_too() {
        let empty = text([]);
        assert_eq!(empty.lines().count(), 5, "{empty}");
        assert!(empty.contains("Total count    =            0]"), "{empty}");
        let single = text([1_500]);
        assert_eq!(single.lines().count(), 7, "{single}");
        assert!(single.contains("       1.500 1.000000000000          1\n"), "{single}");
    }
}
