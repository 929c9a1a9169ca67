//! Closes whole seconds of the fleet one after another, and corrects them when a report arrives late.

use super::series::Part;
use super::{Aggregate, DriverFigures, MARK_TOLERANCE_MS, PATIENCE_S, Snapshot, end_second, kept};
use crate::message::NodeRef;
use crate::stats::counts::Counts;
use std::sync::Arc;

impl DriverFigures {
    /// Keeps a state that represents a whole second; returns whether that second was closed without it.
    pub(super) fn note(&mut self, snapshot: &Arc<Snapshot>, closed_second: u64) -> bool {
        let second = match snapshot.is_final {
            // The end of the last request completes all seconds that have begun.
            true => end_second(snapshot.elapsed_ms).max(self.newest_second()),
            false => {
                let nearest = (snapshot.elapsed_ms / 1_000.0).round();
                let off_ms = (snapshot.elapsed_ms - nearest * 1_000.0).abs();
                if nearest < 1.0 || off_ms > MARK_TOLERANCE_MS {
                    return false;
                }
                nearest as u64
            }
        };
        let off_ms = |s: &Snapshot| (s.elapsed_ms - second as f64 * 1_000.0).abs();
        let better = self.marks.get(&second).is_none_or(|kept| {
            let (new_ms, kept_ms) = (off_ms(snapshot), off_ms(kept));
            snapshot.is_final || new_ms < kept_ms || (new_ms == kept_ms && snapshot.sequence > kept.sequence)
        });
        if better && self.shown.as_ref().is_none_or(|shown| shown.sequence < snapshot.sequence) {
            self.marks.insert(second, Arc::clone(snapshot));
        }
        second <= closed_second
    }

    /// Whether this second is still worth waiting for: it has not arrived yet, or later ones arrived before
    /// it.
    fn owes(&self, second: u64) -> bool {
        let waiting = !self.done && self.lost_after.is_none();
        let overtaken = self.sequences.missing() > 0 && !self.marks.contains_key(&second);
        waiting && (self.newest_second() < second || overtaken)
    }

    /// The next second that it reported, if it did not report this one.
    fn skips_to(&self, second: u64) -> Option<u64> {
        let next = self.marks.range(second..).next().map(|(next, _)| *next);
        next.filter(|next| *next > second)
    }

    /// Shows the newest state up to `second`, and returns the difference from what was shown before.
    fn advance(&mut self, second: u64) -> Option<Part> {
        let later = self.marks.split_off(&(second + 1));
        let passed = std::mem::replace(&mut self.marks, later);
        // The newest of several includes the others.
        let (at, snapshot) = passed.into_iter().max_by_key(|(_, snapshot)| snapshot.sequence)?;
        let (counts, latency, lag) = match &self.shown {
            Some(shown) => (
                difference(&snapshot.counts, &shown.counts),
                kept(&snapshot.latency).since(&kept(&shown.latency)),
                kept(&snapshot.lag).since(&kept(&shown.lag)),
            ),
            None => (snapshot.counts.clone(), kept(&snapshot.latency), kept(&snapshot.lag)),
        };
        let off_ms = (snapshot.elapsed_ms - at as f64 * 1_000.0).abs();
        let to_its_end = snapshot.is_final || off_ms <= MARK_TOLERANCE_MS;
        self.shown = Some(snapshot);
        let after = std::mem::replace(&mut self.shown_second, at);
        Some(Part { after, at, to_its_end, counts, latency, lag })
    }
}

impl Aggregate {
    /// Closes every second that no expected driver still owes, or for which the others have waited long
    /// enough.
    pub(super) fn close_seconds(&mut self) {
        loop {
            let next = self.closed_second + 1;
            let newest = self.newest_second();
            let owing = |driver: &DriverFigures| driver.owes(next) && newest < next + PATIENCE_S;
            if newest < next || self.drivers.iter().any(owing) {
                return;
            }
            // Seconds reported together are shown together: otherwise they would look empty until the last
            // one.
            let to = self.drivers.iter().filter_map(|driver| driver.skips_to(next)).max().unwrap_or(next);
            while self.closed_second < to {
                self.close_next();
            }
        }
    }

    /// Closes one second with the reports received so far.
    pub(super) fn close_next(&mut self) {
        let second = self.closed_second + 1;
        let (mut missing, mut parts) = (Vec::new(), Vec::new());
        for (index, driver) in self.drivers.iter_mut().enumerate() {
            if driver.is_expected(second) {
                missing.push(index);
            }
            parts.extend(driver.advance(second).map(|part| (index, part)));
        }
        self.series.open(second, missing);
        parts.iter().for_each(|(index, part)| self.take(*index, part));
        self.series.settle();
        self.closed_second = second;
    }

    /// Adds a report that arrived after its second was closed.
    pub(super) fn fold_late(&mut self, node: &NodeRef) {
        let closed = self.closed_second;
        let Some(index) = self.drivers.iter().position(|driver| driver.node == *node) else { return };
        if let Some(part) = self.drivers[index].advance(closed) {
            self.take(index, &part);
            self.series.settle();
        }
    }

    fn take(&mut self, driver: usize, part: &Part) {
        self.counts.merge(&part.counts);
        self.latency.merge(&part.latency);
        self.lag.merge(&part.lag);
        self.series.add(driver, part);
    }
}

/// What was counted since `earlier`.
fn difference(later: &Counts, earlier: &Counts) -> Counts {
    let less = |a: &std::collections::BTreeMap<String, u64>, b: &std::collections::BTreeMap<String, u64>| {
        let rest = a.iter().map(|(key, n)| (key.clone(), n.saturating_sub(b.get(key).copied().unwrap_or(0))));
        rest.filter(|(_, n)| *n > 0).collect()
    };
    Counts {
        planned: later.planned.saturating_sub(earlier.planned),
        sent: later.sent.saturating_sub(earlier.sent),
        never_sent: later.never_sent.saturating_sub(earlier.never_sent),
        queued: later.queued.saturating_sub(earlier.queued),
        resent: later.resent.saturating_sub(earlier.resent),
        responses: later.responses.saturating_sub(earlier.responses),
        errors: less(&later.errors, &earlier.errors),
        status: less(&later.status, &earlier.status),
        bytes_received: later.bytes_received.saturating_sub(earlier.bytes_received),
        warmup_sent: later.warmup_sent.saturating_sub(earlier.warmup_sent),
        warmup_errors: later.warmup_errors.saturating_sub(earlier.warmup_errors),
    }
}
