//! What is exposed of the fleet and of a test.

use super::{KEPT, MAX_ENDED};
use crate::clock::to_ns;
use crate::orchestrator::aggregate::Aggregate;
use crate::orchestrator::dashboard::FleetRow;
use crate::orchestrator::runs::Run;
use crate::stats::counts::Counts;
use crate::stats::histogram::{Cumulative, Packed};
use crate::stats::outcome::ErrorKind;
use crate::stats::states::RunState;
use crate::stats::summary::ThresholdResult;
use std::collections::{BTreeMap, VecDeque};

/// Upper bounds of the histograms' buckets in µs: five a decade (the series R5 of ISO 3) from 100 µs, and
/// 60 s.
pub const BOUNDS_US: [u64; 30] = [
    100, 160, 250, 400, 630, 1_000, 1_600, 2_500, 4_000, 6_300, 10_000, 16_000, 25_000, 40_000, 63_000,
    100_000, 160_000, 250_000, 400_000, 630_000, 1_000_000, 1_600_000, 2_500_000, 4_000_000, 6_300_000,
    10_000_000, 16_000_000, 25_000_000, 40_000_000, 60_000_000,
];
/// The label of error kinds that are not ours, and of statuses without three digits: any program can write
/// reports, and no text of theirs becomes a label.
const OTHER: &str = "other";
/// A status that every driver has from the start.
const USUAL: &str = "200";

/// Everything that one scrape shows.
#[derive(Debug, Default)]
pub struct Scrape {
    /// The time in s since 1970.
    pub now_s: f64,
    /// Every registered node.
    pub fleet: Vec<FleetRow>,
    /// The tests without an END, and those that ended recently.
    pub tests: Vec<TestFigures>,
}

/// The figures of one test.
#[derive(Clone, Debug, Default)]
pub struct TestFigures {
    /// Its id.
    pub test_id: String,
    /// Its type.
    pub test_type: &'static str,
    /// Its state.
    pub state: RunState,
    /// Its start in s since 1970; 0 before it.
    pub start_s: f64,
    /// Its end in s since 1970; 0 before it.
    pub end_s: f64,
    /// Requests that the drivers' schedules planned so far.
    pub planned: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Sent requests that had to wait for a free slot.
    pub queued: u64,
    /// Requests that were given up before they were sent.
    pub never_sent: u64,
    /// Responses that failed a check.
    pub failed_checks: u64,
    /// Bytes of all responses.
    pub received_bytes: u64,
    /// Numbered reports that never arrived.
    pub reports_missing: u64,
    /// Each named request, in the order of the plan.
    pub requests: Vec<(String, NamedFigures)>,
    /// Each driver by name.
    pub drivers: BTreeMap<String, Driver>,
    /// Latencies.
    pub latency: Cumulative,
    /// Lag.
    pub lag: Cumulative,
    /// Whether each threshold holds.
    pub thresholds: BTreeMap<String, bool>,
}

/// The figures of one named request.
#[derive(Clone, Debug, Default)]
pub struct NamedFigures {
    /// Requests that were sent.
    pub sent: u64,
    /// Responses that failed a check.
    pub failed_checks: u64,
    /// How they ended.
    pub outcomes: Driver,
    /// Latencies.
    pub latency: Cumulative,
}

/// The figures of one driver of a test, or of one named request.
#[derive(Clone, Debug, Default)]
pub struct Driver {
    /// Responses by status.
    pub responses: BTreeMap<String, u64>,
    /// Failed requests by kind.
    pub errors: BTreeMap<&'static str, u64>,
    /// Share of the workers' time in which they had work to do; 0 until it is known.
    pub busy: f64,
}

impl TestFigures {
    /// The figures up to the newest closed second. A threshold that was not judged yet has not failed.
    pub fn of(run: &Run, figures: &Aggregate, judged: &[ThresholdResult]) -> TestFigures {
        let (latency, _, lag) = figures.histograms();
        let counts = figures.counts();
        let seconds = |ms: Option<f64>| ms.unwrap_or(0.0) / 1_000.0;
        let unjudged = run.config.thresholds.iter().map(|expression| (expression.clone(), true));
        let judged = judged.iter().map(|result| (result.expression.clone(), result.passed));
        let mut drivers: BTreeMap<String, Driver> = BTreeMap::new();
        for driver in figures.drivers() {
            // A plan of another program may name a driver twice.
            let known = drivers.entry(driver.node.node_id.clone()).or_insert_with(Driver::ready);
            let Some(shown) = &driver.shown else { continue };
            known.add(&shown.counts);
            known.busy = shown.generator.as_ref().and_then(|generator| generator.busy).unwrap_or(0.0);
        }
        TestFigures {
            test_id: run.config.test_id.clone(),
            test_type: run.config.test_type.name(),
            state: run.phase.state(),
            start_s: seconds(run.started_at_ms),
            end_s: seconds(run.end.as_ref().map(|end| end.ended_at_ms)),
            planned: counts.planned,
            sent: counts.sent,
            queued: counts.queued,
            never_sent: counts.never_sent,
            failed_checks: counts.failed_checks,
            received_bytes: counts.bytes_received,
            reports_missing: figures.reports_missing(),
            requests: figures.by_name().iter().map(named).collect(),
            drivers,
            latency: latency.cumulative(&BOUNDS_US),
            lag: lag.cumulative(&BOUNDS_US),
            thresholds: unjudged.chain(judged).collect(),
        }
    }
}

fn named((name, figures): &(String, Aggregate)) -> (String, NamedFigures) {
    let counts = figures.counts();
    let mut outcomes = Driver::ready();
    outcomes.add(counts);
    let latency = figures.histograms().0.cumulative(&BOUNDS_US);
    (name.clone(), NamedFigures { sent: counts.sent, failed_checks: counts.failed_checks, outcomes, latency })
}

impl Driver {
    /// A driver that has sent nothing yet.
    pub fn ready() -> Driver {
        Driver {
            responses: [(USUAL.to_owned(), 0)].into(),
            errors: ErrorKind::ALL.iter().map(|kind| (kind.name(), 0)).collect(),
            busy: 0.0,
        }
    }

    fn add(&mut self, counts: &Counts) {
        counts.status.iter().for_each(|(code, n)| self.responded(code, *n));
        counts.errors.iter().for_each(|(kind, n)| self.failed(kind, *n));
    }

    fn responded(&mut self, code: &str, n: u64) {
        let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
        let sum = self.responses.entry(if is_code { code } else { OTHER }.to_owned()).or_default();
        *sum = sum.saturating_add(n);
    }

    fn failed(&mut self, kind: &str, n: u64) {
        let known = ErrorKind::ALL.iter().map(|kind| kind.name()).find(|name| *name == kind);
        let sum = self.errors.entry(known.unwrap_or(OTHER)).or_default();
        *sum = sum.saturating_add(n);
    }
}

/// The tests that ended, newest first, with their latencies.
#[derive(Debug, Default)]
pub struct Ended(VecDeque<(u64, TestFigures, Packed)>);

impl Ended {
    /// Adds a test that ended at `now_ns`.
    pub fn add(&mut self, test: TestFigures, latency: Packed, now_ns: u64) {
        self.0.push_front((now_ns, test, latency));
        self.0.truncate(MAX_ENDED);
    }

    /// Those that are still listed: the newest one until another is configured, and each for some time.
    pub fn listed(&self, now_ns: u64, is_newest: bool) -> impl Iterator<Item = &TestFigures> {
        let is_listed = move |at: usize, ended_ns: u64| {
            (at == 0 && is_newest) || now_ns.saturating_sub(ended_ns) < to_ns(KEPT)
        };
        let numbered = self.0.iter().enumerate();
        numbered.filter(move |(at, (ended_ns, ..))| is_listed(*at, *ended_ns)).map(|(_, (_, test, _))| test)
    }

    /// The latencies of a test.
    pub fn latency(&self, test_id: &str) -> Option<&Packed> {
        self.0.iter().find(|(_, test, _)| test.test_id == test_id).map(|(.., latency)| latency)
    }
}
