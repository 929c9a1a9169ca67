//! One worker's (or driver's) counts and times. Recording formats nothing and allocates as little as
//! [`Times`].

use super::causes::Causes;
use super::counts::Counts;
use super::failures::Failures;
use super::generator::Witness;
use super::openings::Openings;
use super::outcome::{ErrorKind, Outcome};
use super::times::Times;
use crate::check::{Failed, limits};
use std::collections::BTreeMap;

/// One measured request, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// From the planned start to the last byte.
    pub latency_ns: u64,
    /// From the actual send to the last byte.
    pub service_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Bytes of the response.
    pub bytes: u64,
    /// Whether it was resent.
    pub resent: bool,
    /// The checks that a complete response failed.
    pub failed: Failed,
}

const STATUSES: usize = 1_000;

/// Mergeable counts and times: about 10 KB while there are few times, 600 KB once there are many.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Requests whose sending began.
    pub sent: u64,
    /// Sent requests whose planned start passed while every slot was busy.
    pub queued: u64,
    /// Sent requests that were resent and have ended.
    pub resent: u64,
    /// Requests of the warm-up.
    pub warmup_sent: u64,
    /// Warm-up requests without a complete response.
    pub warmup_errors: u64,
    /// Bytes of all responses.
    pub bytes_received: u64,
    errors: [u64; ErrorKind::ALL.len()],
    status: Box<[u64; STATUSES]>,
    /// Complete responses that failed a check.
    failed: u64,
    /// Those that failed one because only the first bytes of their body were kept.
    truncated: u64,
    /// By check.
    checks: [u64; limits::CHECKS],
    /// The first responses that failed a check.
    pub failures: Failures,
    /// Planned start to last byte, of complete responses.
    pub latency: Times,
    /// Send to last byte, of complete responses.
    pub service: Times,
    /// Send minus the later of planned start and free slot, for every sent request.
    pub lag: Times,
    /// How long connections took to open.
    pub openings: Openings,
    /// Why requests failed.
    pub causes: Causes,
    /// How the time was spent.
    pub witness: Witness,
}

impl Default for Tally {
    fn default() -> Self {
        Tally::new()
    }
}

impl Tally {
    /// An empty tally with capacity for a few times.
    pub fn new() -> Tally {
        Tally::with(Times::new(), Times::new(), Times::new(), Openings::default())
    }

    /// An empty tally with capacity for about as many times as this one holds.
    pub fn fresh(&self) -> Tally {
        Tally::with(self.latency.fresh(), self.service.fresh(), self.lag.fresh(), self.openings.fresh())
    }

    fn with(latency: Times, service: Times, lag: Times, openings: Openings) -> Tally {
        Tally {
            sent: 0,
            queued: 0,
            resent: 0,
            warmup_sent: 0,
            warmup_errors: 0,
            bytes_received: 0,
            errors: [0; ErrorKind::ALL.len()],
            status: Box::new([0; STATUSES]),
            failed: 0,
            truncated: 0,
            checks: [0; limits::CHECKS],
            failures: Failures::default(),
            latency,
            service,
            lag,
            openings,
            causes: Causes::default(),
            witness: Witness::default(),
        }
    }

    /// Counts a request when it is sent.
    #[inline]
    pub fn record_sent(&mut self, lag_ns: u64, queued: bool) {
        self.sent += 1;
        self.queued += u64::from(queued);
        self.lag.record_ns(lag_ns);
    }

    /// Counts the end of a request.
    #[inline]
    pub fn record_end(&mut self, sample: &Sample) {
        self.bytes_received += sample.bytes;
        self.resent += u64::from(sample.resent);
        match sample.outcome {
            Outcome::Status(code) => {
                self.status[usize::from(code).min(STATUSES - 1)] += 1;
                self.latency.record_ns(sample.latency_ns);
                self.service.record_ns(sample.service_ns);
                if !sample.failed.is_none() {
                    self.record_failed(sample.failed);
                }
            }
            Outcome::Error(kind) => self.errors[kind as usize] += 1,
        }
    }

    fn record_failed(&mut self, failed: Failed) {
        self.failed += 1;
        self.truncated += u64::from(failed.is_truncated);
        failed.checks().for_each(|check| self.checks[check] += 1);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Tally) {
        self.sent += other.sent;
        self.queued += other.queued;
        self.resent += other.resent;
        self.warmup_sent += other.warmup_sent;
        self.warmup_errors += other.warmup_errors;
        self.bytes_received += other.bytes_received;
        self.errors.iter_mut().zip(other.errors).for_each(|(mine, theirs)| *mine += theirs);
        self.status.iter_mut().zip(other.status.iter()).for_each(|(mine, theirs)| *mine += theirs);
        self.failed += other.failed;
        self.truncated += other.truncated;
        self.checks.iter_mut().zip(other.checks).for_each(|(mine, theirs)| *mine += theirs);
        self.failures.merge(&other.failures);
        self.latency.merge(&other.latency);
        self.service.merge(&other.service);
        self.lag.merge(&other.lag);
        self.openings.merge(&other.openings);
        self.causes.merge(&other.causes);
        self.witness.merge(&other.witness);
    }

    /// Whether nothing at all was counted.
    pub fn is_empty(&self) -> bool {
        self.sent == 0 && self.warmup_sent == 0 && self.ended() == 0
    }

    /// Complete responses.
    pub fn responses(&self) -> u64 {
        self.status.iter().sum()
    }

    /// Requests that ended, successfully or not.
    pub fn ended(&self) -> u64 {
        self.responses() + self.errors.iter().sum::<u64>()
    }

    /// Counts `n` requests whose end was not observed as failed with `kind`.
    pub fn add_errors(&mut self, kind: ErrorKind, n: u64) {
        self.errors[kind as usize] += n;
    }

    /// Responses that failed each check, by the names of the checks; those that none failed are omitted.
    pub fn failed_by(&self, names: &[String]) -> BTreeMap<String, u64> {
        let named = names.iter().zip(self.checks).filter(|(_, n)| *n > 0);
        named.map(|(name, n)| (name.clone(), n)).collect()
    }

    /// The counts as reports contain them; the caller supplies `planned` and `never_sent`, and what knows the
    /// names of checks.
    pub fn counts(&self, planned: u64, never_sent: u64) -> Counts {
        let errors = ErrorKind::ALL.iter().map(|kind| (kind.name().to_owned(), self.errors[*kind as usize]));
        let status = self.status.iter().enumerate().map(|(code, n)| (code.to_string(), *n));
        Counts {
            planned,
            sent: self.sent,
            never_sent,
            queued: self.queued,
            resent: self.resent,
            responses: self.responses(),
            errors: errors.filter(|(_, n)| *n > 0).collect(),
            status: status.filter(|(_, n)| *n > 0).collect(),
            failed_checks: self.failed,
            truncated_checks: self.truncated,
            checks: BTreeMap::new(),
            bytes_received: self.bytes_received,
            warmup_sent: self.warmup_sent,
            warmup_errors: self.warmup_errors,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::times::MOST_LISTED;
    use super::*;
    use proptest::prelude::*;

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            (100u16..600).prop_map(Outcome::Status),
            (0usize..ErrorKind::ALL.len()).prop_map(|i| Outcome::Error(ErrorKind::ALL[i])),
        ]
    }

    fn of(samples: &[(u64, u64, Outcome)]) -> Tally {
        let mut tally = Tally::new();
        for (latency_ns, bytes, outcome) in samples.iter().copied() {
            tally.record_sent(latency_ns / 10, latency_ns % 2 == 0);
            let resent = bytes % 3 == 0;
            tally.record_end(&Sample {
                latency_ns,
                service_ns: latency_ns / 2,
                outcome,
                bytes,
                resent,
                failed: Failed::default(),
            });
        }
        tally
    }

    fn sample() -> impl Strategy<Value = (u64, u64, Outcome)> {
        (1_000u64..60_000_000_000, 0u64..10_000, outcome())
    }

    /// Sample counts on both sides of the point where a tally's lists become histograms.
    fn driver() -> impl Strategy<Value = Vec<(u64, u64, Outcome)>> {
        prop_oneof![4 => 0..40usize, 1 => MOST_LISTED - 2..MOST_LISTED + 3, 1 => 0..3 * MOST_LISTED]
            .prop_flat_map(|n| prop::collection::vec(sample(), n))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn fleet_figures_equal_those_of_one_tally_over_all_samples(
            drivers in prop::collection::vec(driver(), 1..6)
        ) {
            let whole = of(&drivers.concat());
            let mut fleet = Tally::new();
            let mut sums = Counts::default();
            for driver in &drivers {
                fleet.merge(&of(driver));
                sums.merge(&of(driver).counts(driver.len() as u64, 0));
            }
            for (one, other) in
                [(&whole.latency, &fleet.latency), (&whole.service, &fleet.service), (&whole.lag, &fleet.lag)]
            {
                prop_assert_eq!(one.histogram(), other.histogram());
                prop_assert_eq!(one.histogram().distribution(), other.histogram().distribution());
            }
            prop_assert_eq!(fleet.counts(whole.sent, 0), sums);
            prop_assert_eq!(whole.counts(whole.sent, 0), fleet.counts(whole.sent, 0));
            prop_assert_eq!(whole.ended(), whole.sent);
        }
    }

    #[test]
    fn a_fresh_tally_is_empty_whatever_came_before() {
        for n in [1, MOST_LISTED + 1] {
            let end = (5_000, 3, Outcome::Status(200));
            let mut tally = of(&vec![end; n]);
            tally.record_end(&Sample {
                latency_ns: 7_000,
                service_ns: 7_000,
                outcome: Outcome::Error(ErrorKind::Closed),
                bytes: 0,
                resent: true,
                failed: Failed::default(),
            });
            assert!(!tally.is_empty());
            let fresh = tally.fresh();
            assert!(fresh.is_empty());
            assert_eq!(fresh.counts(0, 0), Counts::default());
            assert!(fresh.lag.is_empty() && fresh.latency.is_empty() && fresh.service.is_empty());
        }
    }
}
