//! Collects the facts for the verdict from a run and its figures.

use super::aggregate::{Aggregate, Counted, DriverFigures};
use super::runs::Run;
use crate::message::Fate;
use crate::schedule::{Schedule, Share};
use crate::stats::generator::Generator;
use crate::stats::summary::{Conservation, Stats};
use crate::stats::verdict::{Facts, LATE_MS, Originals, PORTS_SHARE, is_starved, lags};

/// Facts from the figures; the caller adds losses, causes, clocks and the fleet's generator.
pub fn facts(run: &Run, figures: &Aggregate, total: &Stats, conservation: &Conservation) -> Facts {
    let finished = figures.is_finished();
    let waiting = |seconds: u64| format!("its reports are {seconds} s behind those of the others");
    let rates_rps = rates(run, figures, total);
    let is_lost = |name: &str| run.members.iter().any(|m| m.node.node_id == name && m.lost.is_some());
    let behind = figures.behind().into_iter().filter(|(name, _)| !is_lost(name));
    let behind = behind.map(|(name, seconds)| (name, waiting(seconds)));
    let starved = starved(figures);
    Facts {
        target: run.config.target_url.as_ref().map(|_| run.plan.request().authority()),
        failed: run.failed.clone(),
        stopped: run.stopped.as_ref().map(|stop| stop.reason.clone()),
        confirmed: confirmed(run),
        finished,
        is_closed: total.queued == 0 && !share(run, figures).is_open(),
        planned: conservation.planned,
        sent: conservation.sent,
        resent: conservation.resent,
        never_sent: conservation.never_sent,
        queued: total.queued,
        responses: total.responses,
        errors: total.errors.clone(),
        status: total.status.clone(),
        has_checks: run.plan.sent().list().iter().any(|request| request.checks().is_some()),
        failed_checks: total.failed_checks,
        truncated_checks: total.truncated_checks,
        checks: checks(figures),
        lag: total.lag_ms.clone(),
        due_in_pauses: rates_rps
            .map_or(0.0, |(planned_rps, _)| due_in_pauses(&max_lags_ms(figures), planned_rps)),
        latency_p99_ms: total.latency_ms.as_ref().map(|latency| latency.p99),
        service_p99_ms: total.service_ms.as_ref().map(|service| service.p99),
        rates_rps,
        behind: if finished { laggards(figures, &starved) } else { behind.collect() },
        starved,
        short_of_ports: short_of_ports(figures),
        original: figures.originals().keys().cloned().collect(),
        reports_missing: conservation.reports_missing,
        differences: if finished { conservation.differences() } else { Vec::new() },
        originals: Originals {
            alone: run.is_original_only(),
            silent: run.originals.silent(),
            active: run.originals.active(),
            target_beyond: conservation.target_beyond,
        },
        late: late(run, figures),
        notes: notes(run).chain(uncounted(figures)).collect(),
        ..Facts::default()
    }
}

/// How many responses failed each check: by request if the plan names several.
fn checks(figures: &Aggregate) -> Vec<(String, u64)> {
    if figures.by_name().is_empty() {
        return figures.counts().checks.clone().into_iter().collect();
    }
    let of = |(request, own): &(String, Aggregate)| {
        let checks = own.counts().checks.clone().into_iter();
        checks.map(|(check, n)| (format!("{request} {check}"), n)).collect::<Vec<_>>()
    };
    figures.by_name().iter().flat_map(of).collect()
}

/// How many drivers sent their final report after a STOP, of how many.
fn confirmed(run: &Run) -> Option<(usize, usize)> {
    let end = run.end.as_ref().filter(|end| end.stopped.is_some() && end.started_at_ms.is_some())?;
    let reported = end.drivers.iter().filter(|driver| matches!(driver.fate, Fate::Done | Fate::Left)).count();
    let unlisted = run.members.len().saturating_sub(end.drivers.len());
    Some((reported + unlisted, run.members.len()))
}

/// Problems that the run noted itself; after the END those that it lists.
fn notes(run: &Run) -> impl Iterator<Item = String> {
    run.end.as_ref().map_or(&run.notes, |end| &end.notes).iter().cloned()
}

/// The last driver's share of the plan as written.
fn share<'a>(run: &'a Run, figures: &Aggregate) -> Share<&'a Schedule> {
    let parts = figures.drivers().len().max(1) as u64;
    run.schedule.view(parts - 1, parts)
}

/// The maximum lag of each driver; 0 if unknown.
fn max_lags_ms(figures: &Aggregate) -> Vec<f64> {
    let lag_ms = |driver: &DriverFigures| Some(driver.shown.as_ref()?.lag_ms.as_ref()?.max);
    figures.drivers().iter().map(|driver| lag_ms(driver).unwrap_or(0.0)).collect()
}

/// Requests planned while drivers may have been paused themselves: each driver's share of the fleet's rate
/// during its maximum lag.
fn due_in_pauses(lags_ms: &[f64], planned_rps: f64) -> f64 {
    let mean_s = lags_ms.iter().sum::<f64>() / 1_000.0 / lags_ms.len().max(1) as f64;
    mean_s * planned_rps
}

/// Drivers that had too little CPU, if there are several drivers.
fn starved(figures: &Aggregate) -> Vec<(String, Generator)> {
    let starved = figures.drivers().iter().filter_map(|driver| {
        let generator = driver.shown.as_ref()?.generator.filter(is_starved)?;
        Some((driver.node.node_id.clone(), generator))
    });
    if figures.drivers().len() > 1 { starved.collect() } else { Vec::new() }
}

/// Drivers whose hosts have too many sockets in TIME_WAIT.
fn short_of_ports(figures: &Aggregate) -> Vec<(String, f64)> {
    let short = figures.drivers().iter().filter_map(|driver| {
        let share = driver.shown.as_ref()?.generator?.ports_waiting.filter(|share| *share >= PORTS_SHARE)?;
        Some((driver.node.node_id.clone(), share))
    });
    short.collect()
}

/// Drivers whose own delay is too large to ignore, if there are several drivers and no other known cause.
fn laggards(figures: &Aggregate, starved: &[(String, Generator)]) -> Vec<(String, String)> {
    let lagging = figures.drivers().iter().filter_map(|driver| {
        let shown = driver.shown.as_ref()?;
        let latency_ms = shown.latency_ms.as_ref().map(|latency| latency.p99);
        let how = lags(shown.lag_ms.as_ref()?, latency_ms, shown.counts.sent)?;
        Some((driver.node.node_id.clone(), format!("{how} late")))
    });
    let lagging = lagging.filter(|(name, _)| starved.iter().all(|(starved, _)| starved != name));
    if figures.drivers().len() > 1 { lagging.collect() } else { Vec::new() }
}

/// Planned and sent rate of an open loop, in requests/s. The last send precedes the end of the last response
/// by one response time, so waiting for that response does not count against the rate.
fn rates(run: &Run, figures: &Aggregate, total: &Stats) -> Option<(f64, f64)> {
    let share = share(run, figures);
    let planned_s = share.planned_end_ns().filter(|_| share.is_open())? as f64 / 1e9;
    let longest_ms = total.service_ms.as_ref().map_or(0.0, |service| service.max);
    let timeout_ms = run.plan.timeout().as_secs_f64() * 1_000.0;
    let failed_ms = if total.errors_total() > 0 { timeout_ms } else { 0.0 };
    let elapsed_s = figures.drivers().iter().filter_map(|d| d.shown.as_ref()).map(|s| s.elapsed_ms / 1_000.0);
    let sending_s = elapsed_s.reduce(f64::max)? - longest_ms.max(failed_ms) / 1_000.0;
    let counts = figures.counts();
    (planned_s > 0.0)
        .then(|| (counts.planned as f64 / planned_s, counts.sent as f64 / sending_s.max(planned_s)))
}

/// Why a counting target's count is unknown, once all figures are in.
fn uncounted(figures: &Aggregate) -> Option<String> {
    match figures.target_counted() {
        Counted::Unknown(why) if figures.is_finished() => {
            Some(format!("The target's request count is unknown: {why}."))
        }
        _ => None,
    }
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
    fn a_drivers_share_of_the_rate_is_due_during_its_pause() {
        assert_eq!(due_in_pauses(&[6.0], 10_000.0), 60.0);
        assert_eq!(due_in_pauses(&[6.0, 0.0], 10_000.0), 30.0);
        assert_eq!(due_in_pauses(&[], 10_000.0), 0.0);
    }
}
