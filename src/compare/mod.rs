//! Whether two runs, or two groups of runs, differ, and by how much.
//!
//! Single requests and seconds are never tested: within a run they depend on each other, and the difference
//! between equal runs is larger than the noise inside one, so such tests raise false alarms on about
//! half of all pairs of equal runs. Instead:
//!
//! - **One pair** (`sections`): each run in 10 contiguous sections, percentiles of merged histograms,
//!   Student's t on their logarithms.
//! - **Several runs a side**: one value of each run; from 4 a side the exact distribution of ranks (Mann and
//!   Whitney) and the median ratio (Hodges and Lehmann), as Go's benchstat does; below, Welch's t, which is
//!   weak.
//! - **Paired sections**, for two targets in one run: the same with differences of pairs, in which drift
//!   cancels.
//!
//! Then one rule (`judge`): a change is called only if its whole interval lies beyond the noise floor
//! (`floor`), and `same` only if the whole interval lies inside it. Intervals are wide enough for all
//! figures of a family together (Holm).
//!
//! Sources: Chu and Nakayama, ACM TOMACS 22 (2012); Asmussen and Glynn, Stochastic Simulation (2007);
//! Kalibera and Jones, Rigorous benchmarking in reasonable time, ISMM 2013; Mann and Whitney (1947); Hodges
//! and Lehmann (1963); Welch (1947); Holm (1979); <https://pkg.go.dev/golang.org/x/perf/cmd/benchstat>.

mod by_name;
mod comparable;
mod conditions;
mod document;
mod estimate;
mod figures;
mod floor;
mod judge;
pub mod page;
mod ranks;
mod run;
mod sections;
mod sentence;
mod student;
#[cfg(test)]
pub mod tests;

use crate::units::{sum, trim_number};
pub use conditions::Condition;
pub use document::{Change, Comparison, ErrorKind, Judged, Method, NamedComparison, RunName, SCHEMA, Word};
use estimate::Estimate;
pub use figures::{Family, Figure, Part};
use floor::Floor;
pub use floor::{FloorSource, MIN_MS, MIN_POINTS};
use judge::{ALPHA, Evidence, Tested};
use ranks::{Ranks, differences, median};
pub use run::Run;
pub use sections::Pairing;
use sections::{Sections, scaled, welch};
use std::collections::BTreeMap;

/// Most runs a side.
pub const MAX_RUNS: usize = 50;
/// Fewest runs a side for a test without assumptions: with 4 a side, the clearest result has a chance of
/// 2 in 70.
pub const EXACT_RUNS: usize = 4;
/// The default of [`Settings::noise`].
pub const NOISE: f64 = 0.05;
/// The same for two targets in one run, which see the same moments of the same hosts.
pub const PAIRED_NOISE: f64 = 0.02;
/// Most rows of errors by kind.
const MAX_KINDS: usize = 20;
/// Where the methods come from, in short.
const SOURCES: [&str; 5] = [
    "Chu and Nakayama, ACM TOMACS 22 (2012): sections and intervals of quantiles",
    "Kalibera and Jones, ISMM 2013: equal runs differ",
    "Hodges and Lehmann (1963), Mann and Whitney (1947): runs by their ranks",
    "Welch (1947): unequal variances",
    "Holm (1979): several figures together",
];

/// How to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The smallest relative change that is called, as a fraction.
    pub noise: f64,
    /// How a single pair of runs belongs together.
    pub pairing: Pairing,
    /// `--fail-if` conditions.
    pub conditions: Vec<Condition>,
}

impl Settings {
    /// For two targets in one run.
    pub fn paired() -> Settings {
        Settings { noise: PAIRED_NOISE, pairing: Pairing::Paired, conditions: Vec::new() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings { noise: NOISE, pairing: Pairing::Separate, conditions: Vec::new() }
    }
}

/// Compares the runs of B with those of A: one pair, or at least two a side.
///
/// # Errors
/// How many runs are needed.
pub fn compare(a: &[Run], b: &[Run], settings: &Settings) -> Result<Comparison, String> {
    check_counts(a.len(), b.len())?;
    let checked = match settings.pairing {
        Pairing::Separate => comparable::check(a, b),
        Pairing::Paired => comparable::check_one(a, b),
    };
    let design = Design::of(a, b, settings);
    let figures = judged(&design, a, b, settings, ALPHA, &checked.reasons);
    let requests = by_name::by_name(a, b, settings, &checked.reasons);
    let (outcome, sentence) = sentence::of(&figures, &checked.reasons);
    Ok(Comparison {
        schema: SCHEMA.into(),
        outcome,
        sentence,
        reasons: checked.reasons,
        notes: checked.notes,
        a: a.iter().map(named).collect(),
        b: b.iter().map(named).collect(),
        method: design.method(settings),
        errors: errors(a, b),
        advice: sentence::advice(outcome, &figures, a.len().max(b.len()), settings.pairing),
        conditions: settings.conditions.iter().map(|condition| condition.judge(&figures)).collect(),
        figures,
        requests,
    })
}

/// Every figure; nothing is called if there are `reasons` not to compare.
fn judged(
    design: &Design,
    a: &[Run],
    b: &[Run],
    settings: &Settings,
    alpha: f64,
    reasons: &[String],
) -> Vec<Change> {
    let evidence = Figure::ALL.into_iter().map(|figure| evidence(design, figure, a, b, settings)).collect();
    let mut figures = judge::judge(evidence, alpha);
    if !reasons.is_empty() {
        figures.iter_mut().for_each(|change| change.word = Word::NotComparable);
    }
    figures
}

/// Whether this many runs of each side can be compared.
///
/// # Errors
/// How many are needed.
pub fn check_counts(a: usize, b: usize) -> Result<(), String> {
    if a.max(b) > MAX_RUNS {
        return Err(format!("at most {MAX_RUNS} runs a side are compared"));
    }
    if a.min(b) < 1 || (a.min(b) == 1 && a.max(b) > 1) {
        return Err(format!(
            "{a} against {b} runs: compare one with one, or at least 2 a side (from {EXACT_RUNS} a side the \
             test is exact)"
        ));
    }
    Ok(())
}

/// By what the runs are compared.
enum Design<'a> {
    /// One pair, in sections.
    Sections(Sections<'a>),
    /// One pair that cannot be divided.
    Whole(String),
    /// Several runs a side, by ranks.
    Ranks,
    /// A few runs a side.
    Welch,
}

impl<'a> Design<'a> {
    fn of(a: &'a [Run], b: &'a [Run], settings: &Settings) -> Design<'a> {
        match (a, b) {
            ([a], [b]) => match Sections::new(a, b, settings.pairing) {
                Ok(sections) => Design::Sections(sections),
                Err(why) => Design::Whole(why),
            },
            _ if a.len().min(b.len()) >= EXACT_RUNS => Design::Ranks,
            _ => Design::Welch,
        }
    }

    fn method(&self, settings: &Settings) -> Method {
        let (name, text) = match (self, settings.pairing) {
            (Design::Sections(_), Pairing::Separate) => {
                ("sections", "Contiguous sections of one run against those of the other, Student's t")
            }
            (Design::Sections(_), Pairing::Paired) => {
                ("pairs", "Pairs of sections of the same moment, Student's t")
            }
            (Design::Whole(_), _) => ("none", "None: the runs cannot be divided into sections"),
            (Design::Ranks, _) => {
                ("ranks", "One value of each run, exact Mann-Whitney intervals, Hodges-Lehmann ratio")
            }
            (Design::Welch, _) => {
                ("welch", "One value of each run, Welch's t: weak, because it trusts in few runs")
            }
        };
        Method {
            name: name.into(),
            text: text.to_owned(),
            confidence: 100.0 * (1.0 - ALPHA),
            noise: settings.noise * 100.0,
            weak: matches!(self, Design::Welch),
            sources: SOURCES.map(Into::into).to_vec(),
        }
    }
}

fn evidence(design: &Design, figure: Figure, a: &[Run], b: &[Run], settings: &Settings) -> Evidence {
    let values = (middle(figure, a), middle(figure, b));
    if figure == Figure::Max {
        return Evidence { figure, values, tested: None, is_barred: false };
    }
    if let Some(why) = comparable::lags(figure, a, b) {
        return Evidence { figure, values, tested: Some(Err(why)), is_barred: true };
    }
    let tested = estimate(design, figure, a, b).map(|(estimate, drift, sections)| {
        let smaller = values.0.unwrap_or(0.0).min(values.1.unwrap_or(0.0));
        let lag = |runs: &[Run]| {
            let all: Vec<f64> = runs.iter().map(|run| floor::lag_ms(figure, &run.summary.total)).collect();
            median_of(all)
        };
        let floor = Floor::of(figure, smaller, settings.noise, lag(a).max(lag(b)), drift);
        Tested { estimate, floor, sections }
    });
    Evidence { figure, values, tested: Some(tested), is_barred: false }
}

/// The estimate, the drift inside the runs, and the number of sections.
fn estimate(
    design: &Design,
    figure: Figure,
    a: &[Run],
    b: &[Run],
) -> Result<(Estimate, f64, Option<usize>), String> {
    let all = |runs: &[Run]| -> Option<Vec<f64>> {
        runs.iter().map(|run| scaled(figure, run.value(figure))).collect()
    };
    let known = || all(a).zip(all(b)).ok_or_else(|| "a run has no such figure".to_owned());
    match design {
        Design::Whole(why) => Err(why.clone()),
        Design::Sections(sections) => {
            let found = sections.change(figure)?;
            Ok((found.estimate, found.drift, Some(found.sections)))
        }
        Design::Ranks => {
            let (a, b) = known()?;
            let ranks = Ranks::new(a.len(), b.len());
            Ok((Estimate::Ranked { differences: differences(&a, &b), ranks }, 0.0, None))
        }
        Design::Welch => {
            let (a, b) = known()?;
            let (mean_a, of_a) = mean(&a);
            let (mean_b, of_b) = mean(&b);
            Ok((welch(mean_b - mean_a, (of_a, a.len()), (of_b, b.len())), 0.0, None))
        }
    }
}

/// The mean of some values, and the variance of that mean.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, squares / (count - 1.0).max(1.0) / count)
}

/// The median of the runs; `None` if one of them has no such figure.
fn middle(figure: Figure, runs: &[Run]) -> Option<f64> {
    runs.iter().map(|run| run.value(figure)).collect::<Option<Vec<f64>>>().map(median_of)
}

fn median_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    median(&values)
}

fn named(run: &Run) -> RunName {
    RunName {
        name: run.name.clone(),
        test_id: run.summary.test_id.clone(),
        started_at: run.summary.started_at,
        elapsed_s: run.summary.total.elapsed_s,
        requests: run.summary.total.requests,
    }
}

/// Failed requests by kind and error statuses, of all runs of a side together.
fn errors(a: &[Run], b: &[Run]) -> Vec<ErrorKind> {
    let mut kinds: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (runs, is_a) in [(a, true), (b, false)] {
        for total in runs.iter().map(|run| &run.summary.total) {
            let statuses =
                total.status.iter().filter(|(code, _)| crate::stats::counts::is_error_status(code));
            let statuses = statuses.map(|(code, count)| (format!("status {code}"), count));
            for (kind, count) in total.errors.iter().map(|(kind, n)| (kind.clone(), n)).chain(statuses) {
                let both = kinds.entry(kind).or_default();
                let side = if is_a { &mut both.0 } else { &mut both.1 };
                *side = side.saturating_add(*count);
            }
        }
    }
    kinds.retain(|_, (of_a, of_b)| *of_a > 0 || *of_b > 0);
    let requests = |runs: &[Run]| sum(runs.iter().map(|run| run.summary.total.requests)).max(1) as f64;
    let percent = |count: u64, runs| (100_000.0 * count as f64 / requests(runs)).round() / 1_000.0;
    let row = |(kind, (of_a, of_b))| ErrorKind {
        kind,
        a: of_a,
        b: of_b,
        a_percent: percent(of_a, a),
        b_percent: percent(of_b, b),
    };
    let mut rows: Vec<ErrorKind> = kinds.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.a.max(row.b)));
    rows.truncate(MAX_KINDS);
    rows
}

/// `+10.1 %` or `-0.5 points`.
pub fn format_change(value: f64, unit: &str) -> String {
    let digits = if value.abs() >= 100.0 { value.round() } else { (value * 10.0).round() / 10.0 };
    // A change that rounds to nothing has no sign.
    let sign = if digits > 0.0 { "+" } else { "" };
    format!("{sign}{} {unit}", trim_number(if digits == 0.0 { 0.0 } else { digits }))
}
