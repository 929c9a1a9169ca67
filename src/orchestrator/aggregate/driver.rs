//! One driver: its newest states, and what it counted between them.

use super::PATIENCE_S;
use super::report::{NumberedReport, Reported, Snapshot, end_second};
use super::sequences::Sequences;
use super::series::{Part, Work};
use crate::message::{NodeRef, TargetCount};
use crate::stats::histogram::Packed;
use crate::stats::summary::Distribution;
use std::collections::VecDeque;
use std::sync::Arc;

/// More than any plausible time of a driver's workers, in µs; sums of all drivers stay in range.
const MAX_WORKER_US: f64 = 1e15;

/// The figures of one driver.
#[derive(Debug)]
pub struct DriverFigures {
    /// Which process.
    pub node: NodeRef,
    /// Start of its measurement, in broker time.
    pub origin_ms: Option<f64>,
    /// Its first measured send, in broker time.
    pub first_send_ms: Option<f64>,
    /// Service times, once its final report is in.
    pub service_ms: Option<Distribution>,
    /// Times of its TCP connects, once its final report is in.
    pub connect_ms: Option<Distribution>,
    /// Times of its TLS handshakes; likewise.
    pub tls_ms: Option<Distribution>,
    /// Its state at the newest closed second, as included in the fleet's figures.
    pub shown: Option<Arc<Snapshot>>,
    /// Requests that a floodgate-target counted, from its final report.
    pub(super) target: Option<TargetCount>,
    pub(super) sequences: Sequences,
    /// Whether its final report is in.
    pub(super) done: bool,
    /// Whether a second was closed without it, so that it is not waited for.
    pub(super) behind: bool,
    /// The last second that it reported; 0 if none.
    second: u64,
    /// Its state at the end of that second.
    state: Option<State>,
    /// The newer state, if its newest report is in the middle of a second.
    newer: Option<Newer>,
    /// Its states at the ends of seconds that are not closed yet.
    waiting: VecDeque<(u64, Arc<Snapshot>)>,
}

/// What the next state is compared with.
#[derive(Debug)]
struct State {
    snapshot: Arc<Snapshot>,
    latency: Packed,
    lag: Packed,
}

/// A state in the middle of a second, which counts if no other follows.
#[derive(Debug)]
struct Newer {
    snapshot: Arc<Snapshot>,
    latency: Reported,
    lag: Reported,
}

impl DriverFigures {
    pub(super) fn new(node: &NodeRef) -> DriverFigures {
        DriverFigures {
            node: node.clone(),
            origin_ms: None,
            first_send_ms: None,
            service_ms: None,
            connect_ms: None,
            tls_ms: None,
            shown: None,
            target: None,
            sequences: Sequences::default(),
            done: false,
            behind: false,
            second: 0,
            state: None,
            newer: None,
            waiting: VecDeque::new(),
        }
    }

    /// Whether its final report is in.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The last second that it reported; 0 if none.
    pub(super) fn second(&self) -> u64 {
        self.second
    }

    /// Whether its next reports are waited for.
    pub(super) fn is_awaited(&self) -> bool {
        !self.done && !self.behind
    }

    /// Whether seconds after `closed` cannot be closed yet because it did not report the next one.
    pub(super) fn owes(&self, closed: u64) -> bool {
        self.is_awaited() && self.second <= closed
    }

    /// Takes a report whose number is higher than all before; returns what it adds to its seconds, `None` if
    /// it is in the middle of one.
    pub(super) fn take(&mut self, report: &NumberedReport) -> Option<Part> {
        self.origin_ms = self.origin_ms.or(report.origin_ms);
        self.first_send_ms = self.first_send_ms.or(report.first_send_ms);
        let snapshot = Arc::clone(&report.snapshot);
        let ends = report.second().filter(|second| snapshot.is_final || self.is_better(*second, &snapshot));
        let Some(second) = ends else {
            self.keep(report);
            return None;
        };
        let lacks_lag = report.lag.is_absent() && snapshot.counts.sent > 0;
        let latency = report
            .latency
            .read()
            .or_else(|| self.before(report.lacks_latency(), |newer| &newer.latency, |state| &state.latency));
        let lag =
            report.lag.read().or_else(|| self.before(lacks_lag, |newer| &newer.lag, |state| &state.lag));
        Some(self.advance(second, true, snapshot, latency.unwrap_or_default(), lag.unwrap_or_default()))
    }

    /// Takes its last state, in case that is in the middle of a second: no other follows.
    pub(super) fn settle(&mut self) -> Option<Part> {
        let Newer { snapshot, latency, lag } = self.newer.take()?;
        let known = |reported: &Reported, kept: fn(&State) -> &Packed| match reported {
            Reported::Absent => Some(self.state.as_ref().map(kept).cloned().unwrap_or_default()),
            // A report with a malformed histogram counts as lost.
            other => other.read(),
        };
        let (latency, lag) = (known(&latency, |state| &state.latency)?, known(&lag, |state| &state.lag)?);
        Some(self.advance(end_second(snapshot.elapsed_ms), false, snapshot, latency, lag))
    }

    /// Shows its state at the end of `closed`, or the newest one before.
    pub(super) fn show(&mut self, closed: u64) {
        while self.waiting.front().is_some_and(|(second, _)| *second <= closed) {
            self.shown = self.waiting.pop_front().map(|(_, snapshot)| snapshot);
        }
    }

    /// Whether others are this far ahead: they close the second after its last one without it.
    pub(super) fn is_overdue(&self, newest: u64) -> bool {
        self.second + PATIENCE_S < newest
    }

    /// Whether this state is the first one, or the closest one, to represent the end of `second`.
    fn is_better(&self, second: u64, snapshot: &Snapshot) -> bool {
        let off_ms = |elapsed_ms: f64| (elapsed_ms - second as f64 * 1_000.0).abs();
        let kept = self.state.as_ref().map(|state| off_ms(state.snapshot.elapsed_ms));
        second > self.second
            || (second == self.second && kept.is_some_and(|kept| off_ms(snapshot.elapsed_ms) < kept))
    }

    fn keep(&mut self, report: &NumberedReport) {
        let NumberedReport { snapshot, mut latency, mut lag, .. } = report.clone();
        if let Some(before) = self.newer.take() {
            // The bus did not accept the full report.
            if latency.is_absent() && snapshot.counts.responses > 0 {
                latency = before.latency;
            }
            if lag.is_absent() {
                lag = before.lag;
            }
        }
        self.newer = Some(Newer { snapshot, latency, lag });
    }

    /// A histogram from the report before, if the bus did not accept the full report.
    fn before(
        &self,
        is_missing: bool,
        newer: fn(&Newer) -> &Reported,
        state: fn(&State) -> &Packed,
    ) -> Option<Packed> {
        if !is_missing {
            return None;
        }
        let newest = self.newer.as_ref().and_then(|kept| newer(kept).read());
        newest.or_else(|| self.state.as_ref().map(state).cloned())
    }

    fn advance(
        &mut self,
        second: u64,
        to_its_end: bool,
        mut snapshot: Arc<Snapshot>,
        latency: Packed,
        lag: Packed,
    ) -> Part {
        let at = second.max(self.second);
        let after = std::mem::replace(&mut self.second, at);
        let before = self.state.take();
        let count = |of: fn(&Snapshot) -> u64| {
            of(&snapshot).saturating_sub(before.as_ref().map_or(0, |state| of(&state.snapshot)))
        };
        let empty = Packed::default();
        let (old_latency, old_lag) = before.as_ref().map_or((&empty, &empty), |s| (&s.latency, &s.lag));
        let part = Part {
            after,
            at,
            to_its_end,
            requests: count(|s| s.counts.sent),
            responses: count(|s| s.counts.responses),
            errors: count(|s| s.counts.errors_total()),
            error_statuses: count(|s| s.counts.error_statuses()),
            failed_checks: count(|s| s.counts.failed_checks),
            queued: count(|s| s.counts.queued),
            status: statuses(&snapshot, before.as_ref().map(|state| &*state.snapshot)),
            work: Work { busy_us: count(|s| worked(s).busy_us), known_us: count(|s| worked(s).known_us) },
            latency: latency.since(old_latency),
            lag: lag.since(old_lag),
        };
        if snapshot.latency_ms.is_none() && !latency.is_empty()
            || snapshot.lag_ms.is_none() && !lag.is_empty()
        {
            let whole = Arc::make_mut(&mut snapshot);
            (whole.latency_ms, whole.lag_ms) = (latency.distribution(), lag.distribution());
        }
        if at == after {
            self.waiting.pop_back();
        }
        self.waiting.push_back((at, Arc::clone(&snapshot)));
        self.newer = None;
        self.state = Some(State { snapshot, latency, lag });
        part
    }
}

/// How its workers have spent their time so far.
fn worked(snapshot: &Snapshot) -> Work {
    let known = snapshot.generator.as_ref().and_then(|one| one.busy.map(|busy| (busy, one.worker_s)));
    let Some((busy, worker_s)) = known else { return Work::default() };
    // A conversion of a number out of range saturates.
    let us = |s: f64| (s.max(0.0) * 1e6).min(MAX_WORKER_US) as u64;
    Work { busy_us: us(worker_s * busy), known_us: us(worker_s) }
}

/// Responses by status since an earlier state.
fn statuses(snapshot: &Snapshot, before: Option<&Snapshot>) -> Vec<(u16, u64)> {
    let known =
        |code: &String| before.and_then(|before| before.counts.status.get(code)).copied().unwrap_or(0);
    let new = snapshot.counts.status.iter().map(|(code, n)| (code, n.saturating_sub(known(code))));
    new.filter(|(_, n)| *n > 0).filter_map(|(code, n)| Some((code.parse().ok()?, n))).collect()
}
