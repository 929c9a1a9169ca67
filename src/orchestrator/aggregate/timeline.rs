//! How whole seconds of the fleet are closed, one after the other.

use super::{
    Aggregate, DriverFigures, MARK_TOLERANCE_MS, MAX_POINTS, PATIENCE_S, Snapshot, end_second, histogram_of,
};
use crate::message::NodeRef;
use crate::stats::counts::Counts;
use crate::stats::histogram::Histogram;
use crate::stats::summary::SeriesPoint;
use std::sync::Arc;

impl DriverFigures {
    /// Keeps a state that stands for a whole second; answers whether that second was closed without it.
    pub(super) fn note(&mut self, snapshot: &Arc<Snapshot>, closed_second: u64) -> bool {
        let second = match snapshot.is_final {
            // The end of the last request closes all seconds that were begun.
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

    /// Whether this second is still worth waiting for: it did not come yet, or others came before it.
    fn owes(&self, second: u64) -> bool {
        let waiting = !self.done && self.lost_after.is_none();
        let overtaken = self.sequences.missing() > 0 && !self.marks.contains_key(&second);
        waiting && (self.newest_second() < second || overtaken)
    }

    /// Takes the newest state up to `second` into what is shown, and gives the difference to what was shown.
    fn advance(&mut self, second: u64) -> Option<(u64, Counts, Histogram)> {
        let later = self.marks.split_off(&(second + 1));
        let passed = std::mem::replace(&mut self.marks, later);
        // Of several the newest holds the others.
        let (at, snapshot) = passed.into_iter().max_by_key(|(_, snapshot)| snapshot.sequence)?;
        let counts = match &self.shown {
            Some(shown) => difference(&snapshot.counts, &shown.counts),
            None => snapshot.counts.clone(),
        };
        let histogram = match &self.shown {
            Some(shown) => histogram_of(&snapshot).since(&histogram_of(shown)),
            None => histogram_of(&snapshot),
        };
        self.shown = Some(snapshot);
        self.shown_second = at;
        Some((at, counts, histogram))
    }
}

impl Aggregate {
    /// Closes every second that nobody who is expected still owes, or for which the others have waited enough.
    pub(super) fn close_seconds(&mut self) {
        loop {
            let next = self.closed_second + 1;
            let newest = self.newest_second();
            let owing = |driver: &DriverFigures| driver.owes(next) && newest < next + PATIENCE_S;
            if newest < next || self.drivers.iter().any(owing) {
                return;
            }
            self.close_next();
        }
    }

    /// Closes one second with what is there.
    pub(super) fn close_next(&mut self) {
        let second = self.closed_second + 1;
        let mut point = SeriesPoint { second, complete: true, ..SeriesPoint::default() };
        let mut latency = Histogram::new();
        for driver in &mut self.drivers {
            let expected = driver.is_expected(second);
            let before = driver.shown_second;
            match driver.advance(second) {
                Some((at, counts, histogram)) => {
                    // A difference over several seconds belongs to none of them alone.
                    point.complete &= at == second && before + 1 == second;
                    add(&mut point, &counts);
                    self.counts.merge(&counts);
                    latency.merge(&histogram);
                }
                None => point.complete &= !expected,
            }
        }
        self.latency.merge(&latency);
        if !latency.is_empty() {
            point.p50_ms = Some(latency.percentile_ms(50.0));
            point.p99_ms = Some(latency.percentile_ms(99.0));
            point.max_ms = Some(latency.max_ms());
        }
        self.points.push_back(point);
        if self.points.len() > MAX_POINTS {
            self.points.pop_front();
        }
        self.closed_second = second;
    }

    /// Adds what came after its second was closed: to the totals, and to the counts of that second.
    pub(super) fn fold_late(&mut self, node: &NodeRef) {
        let closed = self.closed_second;
        let Some(driver) = self.drivers.iter_mut().find(|driver| driver.node == *node) else { return };
        let Some((at, counts, histogram)) = driver.advance(closed) else { return };
        self.counts.merge(&counts);
        self.latency.merge(&histogram);
        let first = self.points.front().map_or(1, |point| point.second);
        if let Some(point) = at.checked_sub(first).and_then(|index| self.points.get_mut(index as usize)) {
            point.complete = false;
            add(point, &counts);
        }
    }
}

fn add(point: &mut SeriesPoint, counts: &Counts) {
    point.requests = point.requests.saturating_add(counts.sent);
    point.responses = point.responses.saturating_add(counts.responses);
    point.errors = point.errors.saturating_add(counts.errors_total());
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
