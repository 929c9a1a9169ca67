//! Two single runs, by sections: the spread between the parts of a run says how sure its figures are.
//!
//! The estimate is the figure of the whole run, and its variance that of the sections around it: sectioning,
//! which is less biased than the mean of the sections (Asmussen and Glynn, Stochastic Simulation, 2007,
//! III.5a; Chu and Nakayama, Confidence intervals for quantiles when applying variance-reduction techniques,
//! ACM TOMACS 22, 2012; Nakayama, Confidence intervals for quantiles using sectioning, ACM TOMACS 24, 2014).
//! Sections rather than requests or seconds, because those depend on each other: a slow moment delays
//! everything that waits behind it.

use super::estimate::Estimate;
use super::figures::{Figure, Part, merged};
use super::run::Run;

/// How many sections a run has.
pub const SECTIONS: usize = 10;
/// How many if neighbours depend on each other, or if a tenth of the run has too few values.
pub const FEW_SECTIONS: usize = 5;
/// The correlation of neighbours above which fewer, longer sections are used.
const MAX_CORRELATION: f64 = 0.3;
/// The shortest run that is divided, in seconds.
pub const MIN_SECONDS: usize = 10;
/// Fewest values beyond a percentile in each section.
pub const MIN_BEYOND: f64 = 10.0;

/// How two runs belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// They ran at different times: their sections have nothing to do with each other.
    Separate,
    /// Section i of one and of the other saw the same: the same moment, or the same stage of a plan. What
    /// both have in common cancels in the differences of the pairs.
    Paired,
}

/// Both runs in sections of the same number.
pub struct Sections<'a> {
    a: &'a Run,
    b: &'a Run,
    pairing: Pairing,
    /// The shortest sections last.
    cuts: Vec<(Vec<Part>, Vec<Part>)>,
    halves: (Vec<Part>, Vec<Part>),
}

/// An estimate of a change, and what the runs themselves say about its noise.
pub struct Sectioned {
    /// The change from `a` to `b`.
    pub estimate: Estimate,
    /// How much the figure differs between the halves of a run, on the scale of the estimate.
    pub drift: f64,
    /// How many sections were used.
    pub sections: usize,
}

impl<'a> Sections<'a> {
    /// Divides both runs.
    ///
    /// # Errors
    /// Why they cannot be divided.
    pub fn new(a: &'a Run, b: &'a Run, pairing: Pairing) -> Result<Sections<'a>, String> {
        for run in [a, b] {
            if run.seconds.is_empty() {
                return Err(format!("{} has no latencies second by second", run.name));
            }
            let seconds = run.seconds.len();
            if seconds < MIN_SECONDS {
                return Err(format!("a run of {seconds} s is too short: {MIN_SECONDS} s are needed"));
            }
        }
        let tenths = (a.parts(SECTIONS).unwrap_or_default(), b.parts(SECTIONS).unwrap_or_default());
        // Fewer and longer ones of the same seconds.
        let joined = |count: usize| {
            let join = |parts: &[Part]| parts.chunks(SECTIONS / count).map(merged).collect::<Vec<Part>>();
            (join(&tenths.0), join(&tenths.1))
        };
        let halves = joined(2);
        let cuts = vec![joined(FEW_SECTIONS), tenths];
        Ok(Sections { a, b, pairing, cuts, halves })
    }

    /// The change of a figure.
    ///
    /// # Errors
    /// Why it cannot be estimated.
    pub fn change(&self, figure: Figure) -> Result<Sectioned, String> {
        if figure == Figure::Errors && !(self.a.knows_errors() && self.b.knows_errors()) {
            return Err("error statuses are not known second by second".to_owned());
        }
        let total = |run: &Run| {
            scaled(figure, run.value(figure)).ok_or_else(|| format!("{} has no such figure", run.name))
        };
        let (total_a, total_b) = (total(self.a)?, total(self.b)?);
        let mut why = String::new();
        let mut found = None;
        for (a, b) in self.cuts.iter().rev() {
            match (values(figure, a), values(figure, b)) {
                (Ok(a), Ok(b)) => {
                    let depends = self.depends(&a, &b);
                    found = Some((a, b));
                    if !depends {
                        break;
                    }
                }
                (Err(short), _) | (_, Err(short)) => why = short,
            }
        }
        let (a, b) = found.ok_or(why)?;
        let estimate = match self.pairing {
            Pairing::Separate => separate(total_a, total_b, &a, &b),
            Pairing::Paired => paired(total_b - total_a, &a, &b),
        };
        Ok(Sectioned { estimate, drift: self.drift(figure), sections: a.len() })
    }

    /// Whether neighbouring sections correlate.
    fn depends(&self, a: &[f64], b: &[f64]) -> bool {
        let is_high = |values: &[f64]| correlation(values) > MAX_CORRELATION;
        match self.pairing {
            Pairing::Separate => is_high(a) || is_high(b),
            Pairing::Paired => is_high(&subtract(a, b)),
        }
    }

    /// The difference between the halves of a run, the larger one of both; of paired runs, the difference
    /// between the changes of both halves.
    fn drift(&self, figure: Figure) -> f64 {
        let halves = |parts: &[Part]| -> Option<(f64, f64)> {
            let of = |at: usize| scaled(figure, parts.get(at)?.value(figure));
            Some((of(0)?, of(1)?))
        };
        match (halves(&self.halves.0), halves(&self.halves.1)) {
            (Some(a), Some(b)) => match self.pairing {
                Pairing::Separate => (a.0 - a.1).abs().max((b.0 - b.1).abs()),
                Pairing::Paired => ((b.0 - a.0) - (b.1 - a.1)).abs(),
            },
            // A half without a value is as different from the other as can be.
            _ => f64::INFINITY,
        }
    }
}

/// The value on the scale on which changes are differences: its logarithm, or itself for shares.
pub fn scaled(figure: Figure, value: Option<f64>) -> Option<f64> {
    match figure.is_ratio() {
        true => value.filter(|value| *value > 0.0).map(f64::ln),
        false => value,
    }
}

/// The values of all sections.
fn values(figure: Figure, parts: &[Part]) -> Result<Vec<f64>, String> {
    if let Some(tail) = figure.tail() {
        let fewest = parts.iter().map(|part| part.latency.count()).min().unwrap_or(0);
        let beyond = fewest as f64 * tail;
        // 0.01 of 1,000 is not exactly 10.
        if beyond < MIN_BEYOND - 1e-6 {
            let times = (MIN_BEYOND / beyond.max(1e-9)).ceil();
            let how =
                if times < 1_000.0 { format!(": {times} times as many requests") } else { String::new() };
            return Err(format!(
                "too few values beyond it in a section ({} of the {MIN_BEYOND} needed{how})",
                crate::units::trim_number((beyond * 10.0).floor() / 10.0)
            ));
        }
    }
    let value = |part: &Part| scaled(figure, part.value(figure));
    parts.iter().map(value).collect::<Option<Vec<f64>>>().ok_or_else(|| "a section has no value".to_owned())
}

/// The variance of values around the figure of the whole run.
fn variance(values: &[f64], center: f64) -> f64 {
    values.iter().map(|value| (value - center).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0).max(1.0)
}

/// Welch's interval, whose degrees of freedom follow from both variances (Biometrika 34, 1947).
fn separate(total_a: f64, total_b: f64, a: &[f64], b: &[f64]) -> Estimate {
    let of_mean = |values: &[f64], center: f64| variance(values, center) / values.len() as f64;
    welch(total_b - total_a, (of_mean(a, total_a), a.len()), (of_mean(b, total_b), b.len()))
}

/// From the variance of each mean, and the number of values behind it.
pub fn welch(center: f64, a: (f64, usize), b: (f64, usize)) -> Estimate {
    let sum = a.0 + b.0;
    let own = |(variance, count): (f64, usize)| variance * variance / (count as f64 - 1.0).max(1.0);
    let freedom = if sum > 0.0 { sum * sum / (own(a) + own(b)) } else { 1.0 };
    Estimate::Student { center, error: sum.sqrt(), freedom }
}

fn paired(center: f64, a: &[f64], b: &[f64]) -> Estimate {
    let changes = subtract(a, b);
    let count = changes.len() as f64;
    let error = (variance(&changes, center) / count).sqrt();
    Estimate::Student { center, error, freedom: count - 1.0 }
}

fn subtract(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| b - a).collect()
}

/// The correlation of neighbours; 0 if all values are equal.
fn correlation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let of = |(x, y): (&f64, &f64)| (x - mean) * (y - mean);
    let all: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let neighbours: f64 = values.iter().zip(values.iter().skip(1)).map(of).sum();
    if all > 0.0 { neighbours / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::histogram::{Histogram, Packed};

    #[test]
    fn neighbours_that_rise_together_correlate() {
        assert!(correlation(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]) > 0.5);
        assert!(correlation(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0]) < -0.5);
        assert_eq!(correlation(&[3.0, 3.0, 3.0]), 0.0);
    }

    #[test]
    fn what_both_have_in_common_cancels_in_pairs() {
        let a = [1.0, 5.0, 2.0, 8.0, 3.0];
        let b = a.map(|value| value + 0.5);
        let Estimate::Student { center, error, freedom } = paired(0.5, &a, &b) else { unreachable!() };
        assert_eq!((center, freedom), (0.5, 4.0));
        assert!(error < 1e-12);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / 5.0;
        let Estimate::Student { error, freedom, .. } = separate(mean(&a), mean(&b), &a, &b) else {
            unreachable!()
        };
        assert!(error > 1.0 && (freedom - 8.0).abs() < 1e-9, "{error} {freedom}");
    }

    /// Worked example: variances of the means 1 and 4 of 5 and 10 values.
    #[test]
    fn degrees_of_freedom_are_welchs() {
        let Estimate::Student { error, freedom, .. } = welch(0.0, (1.0, 5), (4.0, 10)) else {
            unreachable!()
        };
        assert!((error - 5f64.sqrt()).abs() < 1e-12);
        assert!((freedom - 25.0 / (1.0 / 4.0 + 16.0 / 9.0)).abs() < 1e-12);
    }

    #[test]
    fn a_percentile_needs_ten_values_beyond_it_in_each_section() {
        let part = |count| {
            let mut histogram = Histogram::new();
            (0..count).for_each(|_| histogram.record_us(5_000));
            merged(&[Part { latency: Packed::from(&histogram), ..Part::default() }])
        };
        let parts = |count| vec![part(5_000), part(count)];
        assert!(values(Figure::P99, &parts(1_000)).is_ok());
        let why = values(Figure::P99, &parts(999)).expect_err("too few");
        assert!(why.contains("9.9 of the 10 needed: 2 times as many"), "{why}");
        assert!(values(Figure::P999, &parts(1_000)).is_err());
        assert!(values(Figure::Mean, &parts(1)).is_ok(), "a mean has no tail");
    }
}
