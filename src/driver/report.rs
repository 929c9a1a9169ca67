//! A driver's figures as a report. Pure: times, host and ids are given.

use super::collector::{Draft, NamedDraft};
use crate::clock::{NS_PER_MS, NS_PER_S};
use crate::message::{Histograms, LatencyMs, Metrics, NamedFigures, NodeRef, TargetCount};
use crate::stats::generator::{Generator, TargetOn};
use crate::stats::histogram::{Histogram, round_ms};

/// Minimum share of local ports in TIME_WAIT that is reported.
const LEAST_WAITING: f64 = 0.1;

/// What the engine passes to the reporter.
#[derive(Clone, Debug)]
pub struct DraftReport {
    /// The figures.
    pub draft: Draft,
    /// What the target counted; only in the final report.
    pub target: Option<TargetCount>,
}

impl DraftReport {
    /// Whether it belongs into the series even if a newer one is waiting: at a whole second, or final.
    pub fn is_kept(&self) -> bool {
        self.draft.is_final || self.draft.elapsed_ns.is_multiple_of(NS_PER_S)
    }
}

/// Who reports on what.
#[derive(Clone, Debug)]
pub struct Author {
    /// The driver.
    pub identity: NodeRef,
    /// The test.
    pub test_id: String,
    /// Where the target runs, if on this host.
    pub target_on: Option<TargetOn>,
    /// Whether its certificate is not verified.
    pub unverified: bool,
    /// Whether it is reached through a proxy.
    pub proxied: bool,
}

/// What a report contains besides its figures.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The report's unique id.
    pub report_id: String,
    /// Broker time at 0 of the process's clock, in ms since 1970.
    pub zero_ms: f64,
    /// The share of local ports in TIME_WAIT; `None` if unknown.
    pub ports_waiting: Option<f64>,
}

fn encode(histogram: &Histogram) -> String {
    histogram.encode().unwrap_or_default()
}

fn named(draft: NamedDraft) -> (String, NamedFigures) {
    let histograms = Histograms {
        latency: encode(&draft.latency),
        service: draft.service.as_ref().map(encode),
        lag: Some(encode(&draft.lag)),
        ..Histograms::default()
    };
    (draft.name, NamedFigures { counts: draft.counts, histograms })
}

impl Author {
    /// The report, still without its number.
    pub fn metrics(&self, report: DraftReport, facts: Facts) -> Metrics {
        let DraftReport { draft, target } = report;
        let figures = draft.latency.distribution();
        let broker_ms = |at_ns: u64| round_ms(facts.zero_ms + at_ns as f64 / NS_PER_MS as f64);
        Metrics {
            node_id: self.identity.node_id.clone(),
            test_id: self.test_id.clone(),
            report_id: facts.report_id,
            metrics: LatencyMs {
                mean_latency: Some(figures.as_ref().map_or(0.0, |f| f.mean)),
                median_latency: Some(figures.as_ref().map_or(0.0, |f| f.median)),
                min_latency: Some(figures.as_ref().map_or(0.0, |f| f.min)),
                max_latency: Some(figures.as_ref().map_or(0.0, |f| f.max)),
            },
            epoch: Some(self.identity.epoch),
            sequence: None,
            is_final: draft.is_final,
            origin_ms: Some(broker_ms(draft.origin_ns)),
            first_send_ms: draft.first_send_ns.map(broker_ms),
            elapsed_ms: Some(draft.elapsed_ns as f64 / 1e6),
            histograms: Some(Histograms {
                latency: encode(&draft.latency),
                service: draft.service.as_ref().map(encode),
                lag: Some(encode(&draft.lag)),
                connect: draft.connect.as_ref().map(encode),
                tls: draft.tls.as_ref().map(encode),
            }),
            by_name: draft.by_name.into_iter().map(named).collect(),
            counts: Some(draft.counts),
            generator: self.generator(draft.generator, facts.ports_waiting),
            error_samples: draft.causes,
            check_samples: draft.check_samples,
            target_restarted: target == Some(TargetCount::Restarted),
            target_seen: target.and_then(TargetCount::seen),
        }
    }

    /// What is known about the generator: also a driver that observed nothing says how it reached the
    /// target.
    fn generator(&self, observed: Option<Generator>, ports_waiting: Option<f64>) -> Option<Generator> {
        let any = observed.or_else(|| (self.unverified || self.proxied).then(Generator::default))?;
        Some(self.with_host(any, ports_waiting))
    }

    /// Adds what is known about the host. Omits ports in TIME_WAIT if the target runs on the same host:
    /// they may belong to either side, and do no harm.
    fn with_host(&self, generator: Generator, ports_waiting: Option<f64>) -> Generator {
        let is_far = self.target_on.is_none();
        let waiting = ports_waiting.filter(|share| is_far && *share >= LEAST_WAITING);
        let Author { target_on, unverified, proxied, .. } = *self;
        Generator { target_on, unverified, proxied, ports_waiting: waiting.map(round_ms), ..generator }
    }
}

/// How much detail reports have. It never increases again, since reports only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Everything.
    All,
    /// Requests with names have counts only; the histograms of all together are complete.
    Totals,
    /// Only the latency histogram, and no samples of failed checks.
    Latency,
    /// No histograms and no samples.
    Counts,
}

impl Detail {
    /// The next lower level of reports, which may have figures by name.
    pub fn less(self, has_names: bool) -> Option<Detail> {
        match self {
            Detail::All if has_names => Some(Detail::Totals),
            Detail::All | Detail::Totals => Some(Detail::Latency),
            Detail::Latency => Some(Detail::Counts),
            Detail::Counts => None,
        }
    }

    /// For log lines.
    pub fn words(self) -> &'static str {
        match self {
            Detail::All => "with all figures",
            Detail::Totals => "without histograms by request name",
            Detail::Latency => "with no histogram but that of latency",
            Detail::Counts => "without histograms",
        }
    }

    /// Drops what is above this level.
    pub fn limit(self, report: &mut Metrics) {
        if self != Detail::All {
            report.by_name.values_mut().for_each(|named| named.histograms = Histograms::default());
        }
        match self {
            Detail::All | Detail::Totals => {}
            Detail::Latency => {
                if let Some(histograms) = &mut report.histograms {
                    let latency = std::mem::take(&mut histograms.latency);
                    *histograms = Histograms { latency, ..Histograms::default() };
                }
                report.check_samples = Vec::new();
            }
            Detail::Counts => {
                report.histograms = None;
                report.error_samples = Default::default();
                report.check_samples = Vec::new();
            }
        }
    }
}
