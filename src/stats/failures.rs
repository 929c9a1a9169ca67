//! The first responses that failed a check, so that people see what came back.

use crate::check::{Failed, SAMPLE_BYTES, Seen};

/// Maximum number of responses that are kept for one request.
pub const MAX_FAILURES: usize = 10;
/// Maximum number of those that failed the same checks, so that others are seen, too.
pub const MAX_ALIKE: usize = 5;

/// A response that failed a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When it was complete, on the process's clock.
    pub ended_ns: u64,
    /// The checks that it failed.
    pub failed: Failed,
    /// Its status.
    pub status: u16,
    /// The first [`SAMPLE_BYTES`] of its body.
    pub body: Vec<u8>,
    /// Bytes of the whole body.
    pub body_bytes: u64,
}

/// The first failed responses to one request. Takes no memory while empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// In the order of their ends.
    kept: Vec<Failure>,
    /// What was kept since the beginning, also if it was taken out since.
    noted: Vec<Failed>,
}

impl Failures {
    /// Keeps a response if it is among the first ones.
    pub fn note(&mut self, ended_ns: u64, failed: Failed, seen: &Seen<'_>) {
        if has_room(self.noted.iter(), failed) {
            self.noted.push(failed);
            let body = seen.body[..seen.body.len().min(SAMPLE_BYTES)].to_vec();
            self.kept.push(Failure {
                ended_ns,
                failed,
                status: seen.status,
                body,
                body_bytes: seen.body_bytes,
            });
        }
    }

    /// Adds all of `other`, and keeps the first ones.
    pub fn merge(&mut self, other: &Failures) {
        if other.kept.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.kept);
        all.extend_from_slice(&other.kept);
        all.sort_by_key(|failure| failure.ended_ns);
        for failure in all {
            if has_room(self.kept.iter().map(|kept| &kept.failed), failure.failed) {
                self.kept.push(failure);
            }
        }
    }

    /// Returns those kept so far. Only as many are kept after that as if they were still here.
    #[must_use]
    pub fn take(&mut self) -> Failures {
        Failures { kept: std::mem::take(&mut self.kept), noted: Vec::new() }
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The kept ones, in the order of their ends.
    pub fn iter(&self) -> impl Iterator<Item = &Failure> {
        self.kept.iter()
    }
}

fn has_room<'f>(kept: impl Iterator<Item = &'f Failed>, failed: Failed) -> bool {
    let (mut all, mut alike) = (0, 0);
    for other in kept {
        all += 1;
        alike += usize::from(other.bits() == failed.bits());
    }
    all < MAX_FAILURES && alike < MAX_ALIKE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(check: usize) -> Failed {
        let mut failed = Failed::default();
        failed.add(check);
        failed
    }

    fn note(failures: &mut Failures, ended_ns: u64, check: usize) {
        let body = vec![b'x'; 2 * SAMPLE_BYTES];
        let seen = Seen { status: 500, head: b"", body: &body, body_bytes: 5_000 };
        failures.note(ended_ns, failed(check), &seen);
    }

    fn ends(failures: &Failures) -> Vec<(u64, u16)> {
        failures.iter().map(|failure| (failure.ended_ns, failure.failed.bits())).collect()
    }

    #[test]
    fn the_first_ones_are_kept_and_not_all_alike() {
        let mut failures = Failures::default();
        (0..20).for_each(|n| note(&mut failures, n, 0));
        let first = failures.take();
        assert_eq!(ends(&first), (0..5).map(|n| (n, 1)).collect::<Vec<_>>());
        assert!(first.iter().all(|one| (one.body.len(), one.body_bytes) == (SAMPLE_BYTES, 5_000)));
        (20..40).for_each(|n| note(&mut failures, n, n as usize % 2));
        (40..60).for_each(|n| note(&mut failures, n, 2));
        assert_eq!(ends(&failures.take()), [(21, 2), (23, 2), (25, 2), (27, 2), (29, 2)]);
        note(&mut failures, 60, 3);
        assert_eq!(ends(&failures), [], "ten were kept");
    }

    #[test]
    fn merged_ones_are_the_first_of_all() {
        let (mut one, mut other) = (Failures::default(), Failures::default());
        (0..4).for_each(|n| note(&mut one, 2 * n, 0));
        (0..4).for_each(|n| note(&mut other, 2 * n + 1, 0));
        (0..9).for_each(|n| note(&mut other, 10 + n, 1 + n as usize / 4));
        let mut both = one.clone();
        both.merge(&other);
        let expected = [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (10, 2), (11, 2), (12, 2), (13, 2), (14, 4)];
        assert_eq!(ends(&both), expected);
        let mut reversed = other.clone();
        reversed.merge(&one);
        assert_eq!(ends(&reversed), expected);
    }
}
