//! The result of a run: its life, its plan and its figures, as one [`Summary`].

use super::aggregate::{Aggregate, Counted, DriverFigures};
use super::fleet::Fleet;
use super::losses::{Loss, losses};
use super::runs::{Member, Phase, Run};
use crate::message::{DriverState, LatencyMs};
use crate::stats::histogram::{Histogram, round_ms};
use crate::stats::summary::{Conservation, Distribution, DriverSummary, ORIGINAL, SCHEMA, Stats, Summary};
use crate::stats::verdict::{Facts, LATE_MS, LostDriver, Originals, verdict};
use crate::units::format_ms;

/// The result as it stands: of a running test, its newest whole second.
pub fn summary(run: &Run, figures: &Aggregate, fleet: &Fleet, offset_known: bool) -> Summary {
    let losses = losses(run, figures);
    let conservation = conservation(run, figures, &losses);
    let total = total(run, figures);
    let mut facts = facts(run, figures, fleet, &total, &conservation, offset_known);
    facts.lost = losses.into_iter().map(lost_driver).collect();
    let earliest_ms = starts_ms(run, figures).into_iter().flatten().reduce(f64::min);
    let rows = run.members.iter().zip(figures.drivers()).zip(starts_ms(run, figures));
    let rows = rows.map(|((member, driver), start_ms)| {
        let mut row = driver_row(run, member, driver);
        row.stats.start_skew_ms = start_ms.zip(earliest_ms).map(|(own, first)| round_ms(own - first));
        row
    });
    let originals = figures.originals().iter().map(|(name, latency)| original_row(name, latency));
    Summary {
        schema: SCHEMA.to_owned(),
        test_id: run.config.test_id.clone(),
        test_type: run.config.test_type.name().to_owned(),
        state: run.phase.name().to_owned(),
        // A plan holds only texts, numbers and lists of them.
        plan: serde_json::to_value(&run.config).unwrap_or_default(),
        started_at: run.started_at_ms,
        total,
        drivers: rows.chain(originals).collect(),
        thresholds: Vec::new(),
        conservation,
        notices: Vec::new(),
        verdict: verdict(&facts),
        series: figures.series(),
    }
}

/// First sends of all drivers in broker time, less their phases: equal where the fleet starts as one.
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
    let starts: Vec<f64> = starts_ms(run, figures).into_iter().flatten().collect();
    let greatest = starts.iter().copied().reduce(f64::max);
    let least = starts.iter().copied().reduce(f64::min);
    stats.start_skew_ms = greatest.zip(least).map(|(greatest, least)| round_ms(greatest - least));
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

fn driver_row(run: &Run, member: &Member, driver: &DriverFigures) -> DriverSummary {
    let empty = Histogram::new();
    let (service, lag) = driver.at_end.as_deref().map_or((&empty, &empty), |at_end| (&at_end.0, &at_end.1));
    let mut stats = match &driver.shown {
        Some(shown) => Stats::new(&shown.counts, &empty, service, lag, shown.elapsed_ms / 1_000.0),
        None => Stats::default(),
    };
    stats.latency_ms = driver.shown.as_ref().and_then(|shown| shown.latency_ms.clone());
    DriverSummary { node_id: member.node.node_id.clone(), state: state(run, member).to_owned(), stats }
}

fn state(run: &Run, member: &Member) -> &'static str {
    if member.refused.is_some() {
        "refused"
    } else if member.lost.is_some() || member.left.is_some() {
        "lost"
    } else if member.done {
        "done"
    } else if run.phase == Phase::Running && member.state != Some(DriverState::Finishing) {
        "running"
    } else if matches!(run.phase, Phase::Running | Phase::Finishing) {
        "finishing"
    } else if member.ready {
        "ready"
    } else {
        "waiting"
    }
}

/// What a driver of the original protocol says of itself: four figures, the others are unknown.
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
    DriverSummary { node_id: name.to_owned(), state: ORIGINAL.to_owned(), stats }
}

fn lost_driver(loss: Loss) -> LostDriver {
    LostDriver { name: loss.node_id, what: loss.what, after_s: loss.covered_s, not_sent: loss.unreported }
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

fn facts(
    run: &Run,
    figures: &Aggregate,
    fleet: &Fleet,
    total: &Stats,
    conservation: &Conservation,
    offset_known: bool,
) -> Facts {
    let finished = figures.is_finished();
    let waiting = |seconds: u64| format!("its reports are {seconds} s behind those of others");
    let rates_rps = rates(run, figures, total);
    let behind = figures.behind().into_iter().map(|(name, seconds)| (name, waiting(seconds)));
    let mut facts = Facts {
        failed: run.failed.clone(),
        stopped: run.stopped.clone(),
        finished,
        planned: conservation.planned,
        sent: conservation.sent,
        never_sent: conservation.never_sent,
        queued: total.queued,
        responses: total.responses,
        errors: total.errors.clone(),
        status: total.status.clone(),
        lag_p99_ms: total.lag_ms.as_ref().map(|lag| lag.p99),
        lag_max_ms: total.lag_ms.as_ref().map(|lag| lag.max),
        due_in_pauses: rates_rps
            .map_or(0.0, |(planned_rps, _)| due_in_pauses(&greatest_lags_ms(figures), planned_rps)),
        latency_p99_ms: total.latency_ms.as_ref().map(|latency| latency.p99),
        rates_rps,
        lost: Vec::new(),
        behind: if finished { Vec::new() } else { behind.collect() },
        original: figures.originals().keys().cloned().collect(),
        originals: Originals {
            alone: run.is_original_only(),
            silent: run.originals.silent(),
            active: run.originals.active(),
            target_beyond: conservation.target_beyond,
        },
        reports_missing: conservation.reports_missing,
        differences: if finished { conservation.differences() } else { Vec::new() },
        clock_unknown: clock_unknown(run, fleet, offset_known),
        late: late(run, figures),
        notes: run.notes.iter().cloned().chain(uncounted(figures)).collect(),
    };
    if facts.generator_lags() {
        facts.behind.extend(laggards(figures));
    }
    facts
}

/// Of each driver; 0 where its final report is missing.
fn greatest_lags_ms(figures: &Aggregate) -> Vec<f64> {
    let lag_ms = |driver: &DriverFigures| driver.at_end.as_ref().map_or(0.0, |at_end| at_end.1.max_ms());
    figures.drivers().iter().map(lag_ms).collect()
}

/// Requests of a fleet's rate that were planned for as long as drivers may have been paused themselves: for each driver
/// its share of the rate during its greatest lag.
fn due_in_pauses(lags_ms: &[f64], planned_rps: f64) -> f64 {
    let mean_s = lags_ms.iter().sum::<f64>() / 1_000.0 / lags_ms.len().max(1) as f64;
    mean_s * planned_rps
}

/// Whose own delay is too great to be overlooked, once the final reports are in; of several drivers, those that are
/// worth a look.
fn laggards(figures: &Aggregate) -> Vec<(String, String)> {
    let lagging = figures.drivers().iter().filter_map(|driver| {
        let lag_ms = driver.at_end.as_ref()?.1.distribution()?.p99;
        let latency_ms = driver.shown.as_ref()?.latency_ms.as_ref().map(|latency| latency.p99);
        let own = Facts { lag_p99_ms: Some(lag_ms), latency_p99_ms: latency_ms, ..Facts::default() };
        let how = format!(
            "1 % of its requests were sent more than {} after they could have been",
            format_ms(lag_ms)
        );
        own.generator_lags().then(|| (driver.node.node_id.clone(), how))
    });
    if figures.drivers().len() > 1 { lagging.collect() } else { Vec::new() }
}

/// Requests/s of an open loop, planned and sent. The last send is at the latest one response before the last response
/// ended; so the waiting for that one is not held against the rate.
fn rates(run: &Run, figures: &Aggregate, total: &Stats) -> Option<(f64, f64)> {
    let parts = figures.drivers().len().max(1) as u64;
    let planned_s = run.schedule.view(parts - 1, parts);
    let planned_s = planned_s.planned_end_ns().filter(|_| planned_s.is_open())? as f64 / 1e9;
    let longest_ms = total.service_ms.as_ref().map_or(0.0, |service| service.max);
    let failed_ms = if total.errors_total() > 0 { run.plan.timeout().as_secs_f64() * 1_000.0 } else { 0.0 };
    let elapsed_s = figures.drivers().iter().filter_map(|d| d.shown.as_ref()).map(|s| s.elapsed_ms / 1_000.0);
    let sending_s = elapsed_s.reduce(f64::max)? - longest_ms.max(failed_ms) / 1_000.0;
    let counts = figures.counts();
    (planned_s > 0.0)
        .then(|| (counts.planned as f64 / planned_s, counts.sent as f64 / sending_s.max(planned_s)))
}

/// Why there is no count of a target that counts, once all figures are in.
fn uncounted(figures: &Aggregate) -> Option<String> {
    match figures.target_counted() {
        Counted::Unknown(why) if figures.is_finished() => {
            Some(format!("What the target counted is unknown: {why}."))
        }
        _ => None,
    }
}

fn clock_unknown(run: &Run, fleet: &Fleet, offset_known: bool) -> Vec<String> {
    if run.started_at_ms.is_none() {
        return Vec::new();
    }
    let unknown = run.members.iter().filter(|member| {
        let node = fleet.get(&member.node.node_id).filter(|node| node.epoch == Some(member.node.epoch));
        let heartbeat = node.and_then(|node| node.heartbeat.as_ref());
        heartbeat.is_some_and(|heartbeat| heartbeat.clock_offset_ms.is_none())
    });
    let own = (!offset_known).then(|| "the orchestrator".to_owned());
    own.into_iter().chain(unknown.map(|member| member.node.node_id.clone())).collect()
}

fn late(run: &Run, figures: &Aggregate) -> Vec<(String, f64)> {
    let warmup_ms = run.config.warmup_ms.unwrap_or(0) as f64;
    let late = figures.drivers().iter().filter_map(|driver| {
        let late_ms = driver.origin_ms? - warmup_ms - run.started_at_ms?;
        (late_ms > LATE_MS).then(|| (driver.node.node_id.clone(), late_ms))
    });
    late.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_pause_a_drivers_share_of_the_rate_is_due() {
        assert_eq!(due_in_pauses(&[6.0], 10_000.0), 60.0);
        assert_eq!(due_in_pauses(&[6.0, 0.0], 10_000.0), 30.0);
        assert_eq!(due_in_pauses(&[], 10_000.0), 0.0);
    }

    #[test]
    fn the_union_counts_no_moment_twice() {
        assert_eq!(union_ms(vec![]), 0.0);
        assert_eq!(union_ms(vec![(0.0, 10.0)]), 10.0);
        assert_eq!(union_ms(vec![(5.0, 15.0), (0.0, 10.0)]), 15.0);
        assert_eq!(union_ms(vec![(0.0, 10.0), (2.0, 3.0), (20.0, 25.0)]), 15.0);
    }
}
