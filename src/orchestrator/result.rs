//! The result of a run: its state, its plan and its figures, as one [`Summary`].

use super::aggregate::{Aggregate, Counted, DriverFigures};
use super::facts::facts;
use super::losses::{Loss, losses, planned_in};
use super::named;
use super::parts::{Part, parts};
use super::runs::Run;
use crate::message::{LatencyMs, NodeRef, TestConfig, secrets};
use crate::stats::causes::{ErrorSample, Samples};
use crate::stats::check_samples::{self, CheckSample};
use crate::stats::generator::Generator;
use crate::stats::histogram::round_ms;
use crate::stats::states::DriverRowState;
use crate::stats::summary::{
    Conservation, Distribution, DriverSummary, SCHEMA, SeriesPoint, Stats, Summary, ThresholdResult,
};
use crate::stats::verdict::{LostDriver, findings, verdict};
use crate::thresholds::{Judge, sentence};
use std::collections::BTreeSet;

/// The result; for a running test, up to its newest whole second. After the END, a pure function of the plan,
/// the reports before the END, and the END. `clock_unknown` names whose clocks are not known while it runs.
pub fn summary(run: &Run, figures: &Aggregate, judge: &Judge, clock_unknown: Vec<String>) -> Summary {
    let parts = parts(run);
    let losses = losses(run, figures, &parts);
    let conservation = conservation(run, figures, &losses);
    let generator = generator(figures);
    let total = total(run, figures).with(&generator);
    let error_samples = error_samples(figures);
    let mut facts = facts(run, figures, &total, &conservation);
    (facts.generator, facts.causes) = (generator, error_samples.clone());
    facts.clock_unknown = run.end.as_ref().map_or(clock_unknown, |end| end.clock_unknown.clone());
    // What a driver did not send because it was lost or stopped says nothing about the target.
    let unsent_by_lost: u64 = losses.iter().map(|loss| loss.never_sent).sum();
    facts.never_sent = facts.never_sent.saturating_sub(unsent_by_lost);
    facts.lost = losses.into_iter().map(lost_driver).collect();
    let plan = plan(&run.config);
    let requests = named::requests(figures, &plan, total.elapsed_s);
    let thresholds = judge.results(&total, &requests, &conservation);
    facts.conditions = conditions(&thresholds);
    let findings = findings(&facts);
    let earliest_ms = starts_ms(run, figures).into_iter().flatten().reduce(f64::min);
    let rows = parts.iter().zip(figures.drivers()).zip(starts_ms(run, figures));
    let rows = rows.map(|((part, driver), start_ms)| {
        let mut row = driver_row(part, driver);
        row.stats.start_skew_ms = start_ms.zip(earliest_ms).map(|(own, first)| round_ms(own - first));
        row
    });
    let originals = figures.originals().iter().map(|(name, latency)| original_row(name, latency));
    Summary {
        schema: SCHEMA.to_owned(),
        test_id: run.config.test_id.clone(),
        test_type: run.config.test_type.name().to_owned(),
        state: run.phase.state(),
        started_at: run.started_at_ms,
        total,
        drivers: rows.chain(originals).collect(),
        requests,
        plan,
        comparison: None,
        thresholds,
        conservation,
        notices: Vec::new(),
        verdict: verdict(&findings),
        findings,
        error_samples,
        check_samples: check_samples(figures),
        series: series(run, figures, &parts),
    }
}

/// The plan as people read it, without its place in the log and without secrets.
fn plan(config: &TestConfig) -> serde_json::Value {
    let mut config = TestConfig { previous: None, ..config.clone() };
    // They are long and for programs only.
    config.starts.iter_mut().for_each(|starts| starts.gaps.clear());
    // A plan contains only texts, numbers and lists of them.
    let mut plan = serde_json::to_value(&config).unwrap_or_default();
    secrets::hide(&mut plan);
    plan
}

/// First sends of all drivers in broker time minus their phases: equal if the fleet starts in sync.
fn starts_ms(run: &Run, figures: &Aggregate) -> Vec<Option<f64>> {
    let parts = figures.drivers().len() as u64;
    let phase_ms = |part: usize| run.schedule.view(part as u64, parts).phase_ns() as f64 / 1e6;
    let starts = figures.drivers().iter().enumerate();
    starts.map(|(part, driver)| driver.first_send_ms.map(|ms| ms - phase_ms(part))).collect()
}

fn total(run: &Run, figures: &Aggregate) -> Stats {
    let (latency, service, lag) = figures.histograms();
    let running = figures.drivers().iter().filter_map(|driver| {
        let shown = driver.shown.as_ref()?;
        driver.origin_ms.map(|origin_ms| (origin_ms, origin_ms + shown.elapsed_ms))
    });
    let elapsed_s = union_ms(running.collect()) / 1_000.0;
    let mut stats = Stats::new(figures.counts(), latency, service, lag, elapsed_s);
    (stats.connect_ms, stats.tls_ms) = figures.openings_ms();
    let starts: Vec<f64> = starts_ms(run, figures).into_iter().flatten().collect();
    let max = starts.iter().copied().reduce(f64::max);
    let min = starts.iter().copied().reduce(f64::min);
    stats.start_skew_ms = max.zip(min).map(|(max, min)| round_ms(max - min));
    stats
}

/// Length of the union of intervals, in ms.
fn union_ms(mut intervals: Vec<(f64, f64)>) -> f64 {
    intervals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut covered_to = f64::NEG_INFINITY;
    let mut sum = 0.0;
    for (from, to) in intervals {
        sum += (to - from.max(covered_to)).max(0.0);
        covered_to = covered_to.max(to);
    }
    sum
}

/// What must be said about the conditions, and whether each one was true.
fn conditions(results: &[ThresholdResult]) -> Vec<(String, bool)> {
    results.iter().filter_map(|result| Some((sentence(result)?, !result.passed))).collect()
}

fn series(run: &Run, figures: &Aggregate, members: &[Part]) -> Vec<SeriesPoint> {
    let planned_in = planned_in(run, figures, members);
    let lost = run.members.iter().filter(|member| member.lost.is_some());
    let lost: BTreeSet<&NodeRef> = lost.map(|member| &member.node).collect();
    let points = figures.series(|node| lost.contains(node)).into_iter();
    points.map(|point| SeriesPoint { planned: planned_in(point.second), ..point }).collect()
}

fn driver_row(part: &Part, driver: &DriverFigures) -> DriverSummary {
    let stats = match &driver.shown {
        Some(shown) => Stats {
            latency_ms: shown.latency_ms.clone(),
            service_ms: driver.service_ms.clone(),
            lag_ms: shown.lag_ms.clone(),
            connect_ms: driver.connect_ms.clone(),
            tls_ms: driver.tls_ms.clone(),
            ..Stats::counted(&shown.counts, shown.elapsed_ms / 1_000.0)
        }
        .with(&shown.generator.unwrap_or_default()),
        None => Stats::default(),
    };
    DriverSummary { node_id: part.node_id.clone(), state: part.state, stats }
}

/// The row of a driver of the original protocol, which reports four figures; the others are unknown.
fn original_row(name: &str, latency: &LatencyMs) -> DriverSummary {
    let unknown = f64::NAN;
    let known = Distribution {
        min: latency.min_latency.unwrap_or(unknown),
        mean: latency.mean_latency.unwrap_or(unknown),
        median: latency.median_latency.unwrap_or(unknown),
        mode: unknown,
        p90: unknown,
        p95: unknown,
        p99: unknown,
        p999: unknown,
        max: latency.max_latency.unwrap_or(unknown),
        stddev: unknown,
    };
    let stats = Stats { latency_ms: Some(known), ..Stats::default() };
    DriverSummary { node_id: name.to_owned(), state: DriverRowState::Original, stats }
}

fn lost_driver(loss: Loss) -> LostDriver {
    LostDriver {
        name: loss.node_id,
        what: loss.what,
        is_unreported: loss.lacks_report,
        after_s: loss.covered_s,
        not_sent: loss.unreported.map(|unreported| unreported + loss.never_sent),
    }
}

fn conservation(run: &Run, figures: &Aggregate, losses: &[Loss]) -> Conservation {
    let counts = figures.counts();
    let target_seen = match figures.target_counted() {
        Counted::Requests(n) => Some(n),
        Counted::Nothing | Counted::Unknown(_) => None,
    };
    let beyond_fleet = target_seen.unwrap_or(0).saturating_sub(counts.sent + counts.warmup_sent);
    let beyond: u64 = losses.iter().map(|loss| loss.beyond_report).sum();
    Conservation {
        planned: counts.planned + beyond,
        sent: counts.sent,
        resent: counts.resent,
        never_sent: counts.never_sent,
        lost: losses.iter().filter_map(|loss| loss.unreported).sum(),
        lost_unknown: losses.iter().any(|loss| loss.unreported.is_none()),
        lost_in_flight: losses.iter().map(|loss| loss.in_flight).sum(),
        responses: counts.responses,
        errors: counts.errors_total(),
        warmup_sent: counts.warmup_sent,
        warmup_errors: counts.warmup_errors,
        target_seen,
        target_beyond: if run.originals.active().is_empty() { 0 } else { beyond_fleet },
        reports_missing: figures.reports_missing(),
    }
}

/// How the workers of all drivers spent their time.
fn generator(figures: &Aggregate) -> Generator {
    let known = figures.drivers().iter().filter_map(|driver| driver.shown.as_ref()?.generator.as_ref());
    Generator::of_fleet(known)
}

/// Why requests failed on all drivers.
fn error_samples(figures: &Aggregate) -> Vec<ErrorSample> {
    let mut samples = Samples::default();
    for driver in figures.drivers() {
        let causes = driver.shown.iter().flat_map(|shown| &shown.causes);
        causes.for_each(|one| samples.add(&one.kind, &one.cause, one.count, Some(&driver.node.node_id)));
    }
    samples.sorted()
}

/// The first responses of all drivers that failed a check.
fn check_samples(figures: &Aggregate) -> Vec<CheckSample> {
    let names: Vec<&str> = figures.by_name().iter().map(|(name, _)| name.as_str()).collect();
    let samples = figures.drivers().iter().flat_map(|driver| {
        let shown = driver.shown.iter().flat_map(|shown| &shown.check_samples);
        shown.map(|sample| (driver.node.node_id.as_str(), sample))
    });
    check_samples::merged(samples, &names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_union_counts_no_moment_twice() {
        assert_eq!(union_ms(vec![]), 0.0);
        assert_eq!(union_ms(vec![(0.0, 10.0)]), 10.0);
        assert_eq!(union_ms(vec![(5.0, 15.0), (0.0, 10.0)]), 15.0);
        assert_eq!(union_ms(vec![(0.0, 10.0), (2.0, 3.0), (20.0, 25.0)]), 15.0);
    }
}
