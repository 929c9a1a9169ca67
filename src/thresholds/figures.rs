//! The value of a metric: of one second, of all seconds so far, and of a whole result.

use super::{Amount, Figure, Metric, Times};
use crate::check::Status;
use crate::stats::distribution::Distribution;
use crate::stats::histogram::{Histogram, Packed};
use crate::stats::summary::{Conservation, Stats};
use crate::units::sum;

/// What the whole fleet did in one second.
#[derive(Clone, Debug)]
pub struct SecondFigures<'a> {
    /// 1 for the first second.
    pub second: u64,
    /// Requests by the plan; `None` if it sets no pace.
    pub planned: Option<u64>,
    /// Requests sent.
    pub requests: u64,
    /// Complete responses.
    pub responses: u64,
    /// Failed requests.
    pub errors: u64,
    /// Responses that failed a check.
    pub failed_checks: u64,
    /// Responses by status.
    pub status: &'a [(u16, u64)],
    /// Latencies.
    pub latency: &'a Packed,
    /// Lag.
    pub lag: &'a Packed,
}

impl SecondFigures<'_> {
    /// The value of a metric in this second; `None` if nothing was measured.
    pub(super) fn value(&self, metric: Metric) -> Option<f64> {
        let counts = Counts {
            requests: self.requests,
            responses: self.responses,
            errors: self.errors,
            failed_checks: self.failed_checks,
            planned: self.planned,
        };
        match metric {
            Metric::Time(Times::Latency, which) => self.latency.distribution().map(|d| figure(&d, which)),
            Metric::Time(Times::Lag, which) => self.lag.distribution().map(|d| figure(&d, which)),
            Metric::Status(which, amount) => counts.share(of_status(self.status, which), amount),
            Metric::Throughput => Some(self.responses as f64),
            other => counts.value(other),
        }
    }
}

/// Sums over seconds.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    counts: Counts,
    seconds: u64,
    status: Vec<(u16, u64)>,
    latency: Histogram,
    lag: Histogram,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    requests: u64,
    responses: u64,
    errors: u64,
    failed_checks: u64,
    planned: Option<u64>,
}

impl Sums {
    pub fn add(&mut self, second: &SecondFigures) {
        let counts = &mut self.counts;
        for (sum, n) in [
            (&mut counts.requests, second.requests),
            (&mut counts.responses, second.responses),
            (&mut counts.errors, second.errors),
            (&mut counts.failed_checks, second.failed_checks),
        ] {
            *sum = sum.saturating_add(n);
        }
        if let Some(planned) = second.planned {
            counts.planned = Some(counts.planned.unwrap_or(0).saturating_add(planned));
        }
        for (code, n) in second.status {
            match self.status.iter_mut().find(|(known, _)| known == code) {
                Some((_, sum)) => *sum = sum.saturating_add(*n),
                None => self.status.push((*code, *n)),
            }
        }
        self.seconds += 1;
        self.latency.add(second.latency);
        self.lag.add(second.lag);
    }

    /// Requests by the plan; `None` if it sets no pace.
    pub fn planned(&self) -> Option<u64> {
        self.counts.planned
    }

    /// The value of a metric over all seconds so far.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Time(Times::Latency, which) => self.latency.distribution().map(|d| figure(&d, which)),
            Metric::Time(Times::Lag, which) => self.lag.distribution().map(|d| figure(&d, which)),
            Metric::Status(which, amount) => self.counts.share(of_status(&self.status, which), amount),
            Metric::Throughput => Some(self.counts.responses as f64 / self.seconds.max(1) as f64),
            other => self.counts.value(other),
        }
    }
}

impl Counts {
    fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Errors(Amount::Count) => Some(self.errors as f64),
            Metric::Errors(Amount::Percent) => percent(self.errors, self.requests),
            Metric::FailedChecks(amount) => self.share(self.failed_checks, amount),
            Metric::Achieved => percent(self.requests, self.planned?),
            _ => None,
        }
    }

    fn share(&self, n: u64, amount: Amount) -> Option<f64> {
        match amount {
            Amount::Count => Some(n as f64),
            Amount::Percent => percent(n, self.responses),
        }
    }
}

/// The value of a metric in a result; `None` if nothing was measured. `planned` is what the plan has for the
/// seconds of the result.
pub fn of_result(
    metric: Metric,
    total: &Stats,
    conservation: &Conservation,
    planned: Option<u64>,
) -> Option<f64> {
    let status = || {
        let known = total.status.iter().filter_map(|(code, n)| Some((code.parse().ok()?, *n)));
        known.collect::<Vec<(u16, u64)>>()
    };
    let counts = Counts {
        requests: total.requests,
        responses: total.responses,
        errors: total.errors_total(),
        failed_checks: total.failed_checks,
        planned,
    };
    let times = |times: Times| match times {
        Times::Latency => total.latency_ms.as_ref(),
        Times::Service => total.service_ms.as_ref(),
        Times::Lag => total.lag_ms.as_ref(),
    };
    match metric {
        Metric::Time(which, one) => times(which).map(|distribution| figure(distribution, one)),
        Metric::Status(which, amount) => counts.share(of_status(&status(), which), amount),
        Metric::Throughput => Some(total.throughput_rps),
        Metric::NeverSent(Amount::Count) => Some(conservation.never_sent as f64),
        Metric::NeverSent(Amount::Percent) => percent(conservation.never_sent, conservation.planned),
        other => counts.value(other),
    }
}

fn of_status(status: &[(u16, u64)], which: Status) -> u64 {
    sum(status.iter().filter(|(code, _)| which.allows(*code)).map(|(_, n)| *n))
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64 * 100.0)
}

fn figure(of: &Distribution, which: Figure) -> f64 {
    match which {
        Figure::Min => of.min,
        Figure::Mean => of.mean,
        Figure::P50 => of.median,
        Figure::P90 => of.p90,
        Figure::P95 => of.p95,
        Figure::P99 => of.p99,
        Figure::P999 => of.p999,
        Figure::Max => of.max,
    }
}
