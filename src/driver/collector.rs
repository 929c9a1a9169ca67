//! Merges the workers' tallies into the driver's cumulative drafts, twice a second.
//!
//! Pure: hand-overs and times go in, drafts come out.

use super::worker::{Handover, INTERVAL_NS, Task};
use crate::stats::causes::ErrorSample;
use crate::stats::check_samples::{CheckSample, Failing, samples};
use crate::stats::counts::Counts;
use crate::stats::generator::Generator;
use crate::stats::histogram::Histogram;
use crate::stats::outcome::ErrorKind;
use crate::stats::tally::Tally;
use crate::stats::times::Times;
use std::borrow::Cow;
use std::sync::Arc;

/// How long after the end of an interval a draft waits for missing hand-overs. A late worker is waiting for a
/// slow response, and its counts come with a later draft.
const GRACE_NS: u64 = 200_000_000;

/// A report without its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Whether this is the last draft.
    pub is_final: bool,
    /// Start of the measurement, on the process's clock.
    pub origin_ns: u64,
    /// First measured send, on the process's clock.
    pub first_send_ns: Option<u64>,
    /// The time since the origin that the draft covers.
    pub elapsed_ns: u64,
    /// Counts so far.
    pub counts: Counts,
    /// Latencies so far.
    pub latency: Histogram,
    /// Service times; only in the final draft.
    pub service: Option<Histogram>,
    /// Lag so far.
    pub lag: Histogram,
    /// Times of TCP connects; only in the final draft, if there is any.
    pub connect: Option<Histogram>,
    /// Times of TLS handshakes; likewise.
    pub tls: Option<Histogram>,
    /// Why requests failed.
    pub causes: Vec<ErrorSample>,
    /// The first responses that failed a check.
    pub check_samples: Vec<CheckSample>,
    /// How the workers spent their time.
    pub generator: Option<Generator>,
    /// The same by request name; empty if there is only one request.
    pub by_name: Vec<NamedDraft>,
}

/// The figures of one named request.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedDraft {
    /// Its name.
    pub name: String,
    /// Counts so far.
    pub counts: Counts,
    /// Latencies so far.
    pub latency: Histogram,
    /// Service times; only in the final draft.
    pub service: Option<Histogram>,
    /// Lag so far.
    pub lag: Histogram,
}

/// The driver's tallies, one for each request of the plan, and how far each worker has handed over.
pub struct Collector {
    tallies: Vec<Tally>,
    /// The names of the requests; empty if there is only one, without a name.
    names: Vec<String>,
    /// The names of each request's checks.
    checks: Vec<Vec<String>>,
    /// The first request of each worker's URL.
    firsts: Vec<usize>,
    through: Vec<u64>,
    ended: Vec<bool>,
    drafted: u64,
    first_send_ns: Option<u64>,
    last_end_ns: u64,
}

impl Collector {
    /// A collector for requests with these names, or for one without a name. `firsts` says for each worker
    /// which of them is its request 0.
    pub fn new(names: &[String], firsts: Vec<usize>) -> Collector {
        Collector {
            tallies: vec![Tally::new(); names.len().max(1)],
            names: names.to_vec(),
            checks: Vec::new(),
            through: vec![0; firsts.len()],
            ended: vec![false; firsts.len()],
            firsts,
            drafted: 0,
            first_send_ns: None,
            last_end_ns: 0,
        }
    }

    /// The same collector for requests with checks of these names.
    #[must_use]
    pub fn with_checks(self, checks: Vec<Vec<String>>) -> Collector {
        Collector { checks, ..self }
    }

    /// Adds a worker's counts.
    pub fn add(&mut self, handover: &Handover) {
        let first = self.firsts.get(handover.worker).copied().unwrap_or(0);
        for (request, counted) in handover.tallies.iter() {
            if let Some(tally) = self.tallies.get_mut(first + request) {
                tally.merge(counted);
            }
        }
        self.last_end_ns = self.last_end_ns.max(handover.last_end_ns);
        self.first_send_ns = match (self.first_send_ns, handover.first_send_ns) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if let Some(through) = self.through.get_mut(handover.worker) {
            *through = handover.through.max(*through);
            self.ended[handover.worker] |= handover.ended;
        }
    }

    /// Whether every worker has ended.
    pub fn is_over(&self) -> bool {
        self.ended.iter().all(|ended| *ended)
    }

    /// When the next draft is made even if hand-overs are missing.
    pub fn late_draft_ns(&self, tasks: &[Arc<Task>]) -> u64 {
        origin_ns(tasks) + GRACE_NS + (self.drafted + 1) * INTERVAL_NS
    }

    /// The next draft, if one is due at `now_ns`.
    pub fn draft(&mut self, now_ns: u64, tasks: &[Arc<Task>]) -> Option<Draft> {
        let origin_ns = origin_ns(tasks);
        let begun = now_ns.saturating_sub(origin_ns) / INTERVAL_NS;
        let waited = now_ns.saturating_sub(origin_ns + GRACE_NS) / INTERVAL_NS;
        let running = self.through.iter().zip(&self.ended).filter(|(_, ended)| !**ended);
        let handed = running.map(|(through, _)| *through).min().unwrap_or(0);
        let through = handed.min(begun).max(waited);
        if through <= self.drafted || self.is_over() {
            return None;
        }
        self.drafted = through;
        let elapsed_ns = through * INTERVAL_NS;
        let counts = |(tally, planned): (&Tally, u64)| tally.counts(planned.max(tally.sent), 0);
        let counts = self.tallies.iter().zip(planned(tasks, elapsed_ns)).map(counts).collect();
        Some(self.build(false, origin_ns, elapsed_ns, counts))
    }

    /// The final draft. `stopped_ns` is when the test was stopped early, if it was. Requests without an end,
    /// of workers that are stuck in a client, count as aborted.
    pub fn final_draft(&mut self, tasks: &[Arc<Task>], stopped_ns: Option<u64>) -> Draft {
        let origin_ns = origin_ns(tasks);
        let until_ns = stopped_ns.map_or(u64::MAX, |at| at.saturating_sub(origin_ns));
        let counts = |(tally, planned): (&mut Tally, u64)| {
            let lost = tally.sent.saturating_sub(tally.ended());
            tally.add_errors(ErrorKind::Aborted, lost);
            let planned = planned.max(tally.sent);
            tally.counts(planned, planned - tally.sent)
        };
        let counts = self.tallies.iter_mut().zip(planned(tasks, until_ns)).map(counts).collect();
        self.build(true, origin_ns, self.last_end_ns.saturating_sub(origin_ns), counts)
    }

    /// A draft with these counts of each request.
    fn build(&self, is_final: bool, origin_ns: u64, elapsed_ns: u64, mut counts: Vec<Counts>) -> Draft {
        for ((counts, tally), checks) in counts.iter_mut().zip(&self.tallies).zip(&self.checks) {
            counts.checks = tally.failed_by(checks);
        }
        let (tally, sum) = self.merged(&counts);
        let last = |times: &Times| is_final.then(|| times.histogram());
        let named = |((tally, counts), name): ((&Tally, Counts), &String)| NamedDraft {
            name: name.clone(),
            counts,
            latency: tally.latency.histogram(),
            service: last(&tally.service),
            lag: tally.lag.histogram(),
        };
        let by_name = self.tallies.iter().zip(counts).zip(&self.names).map(named);
        Draft {
            is_final,
            origin_ns,
            first_send_ns: self.first_send_ns,
            elapsed_ns,
            counts: sum,
            latency: tally.latency.histogram(),
            service: last(&tally.service),
            lag: tally.lag.histogram(),
            connect: tally.openings.connect.known().filter(|_| is_final),
            tls: tally.openings.tls.known().filter(|_| is_final),
            causes: tally.causes.samples(),
            check_samples: self.check_samples(origin_ns),
            generator: tally.witness.generator(),
            by_name: by_name.collect(),
        }
    }

    fn check_samples(&self, origin_ns: u64) -> Vec<CheckSample> {
        let all = self.tallies.iter().zip(&self.checks).enumerate();
        let failing = all.map(|(request, (tally, checks))| Failing {
            request: self.names.get(request).map(String::as_str),
            checks,
            failures: &tally.failures,
        });
        samples(&failing.collect::<Vec<_>>(), origin_ns)
    }

    /// All requests together.
    fn merged(&self, counts: &[Counts]) -> (Cow<'_, Tally>, Counts) {
        let mut sum = Counts::default();
        counts.iter().for_each(|one| sum.merge(one));
        let mut tallies = self.tallies.iter();
        let mut all = tallies.next().map_or_else(Cow::default, Cow::Borrowed);
        tallies.for_each(|tally| all.to_mut().merge(tally));
        (all, sum)
    }
}

/// The start of the measurement, which all URLs have in common.
fn origin_ns(tasks: &[Arc<Task>]) -> u64 {
    tasks.first().map_or(0, |task| task.cursor.origin_ns())
}

/// How often each request is planned in this time after the origin; in a closed loop, 0: it is planned when
/// it is sent.
fn planned(tasks: &[Arc<Task>], elapsed_ns: u64) -> Vec<u64> {
    tasks.iter().flat_map(|task| task.cursor.planned_before(elapsed_ns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Failed;
    use crate::clock::{NS_PER_MS as MS, NS_PER_S as S};
    use crate::driver::cursor::Cursor;
    use crate::message::{TestConfig, TestType};
    use crate::plan::{Defaults, Plan};
    use crate::schedule::Schedule;
    use crate::stats::outcome::Outcome;
    use crate::stats::tallies::Tallies;
    use crate::stats::tally::Sample;
    use crate::threads::StopFlag;

    fn tasks() -> Vec<Arc<Task>> {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        config.target_url = Some("http://127.0.0.1/".to_owned());
        (config.target_throughput, config.duration_ms) = (Some(10.0), Some(10_000));
        let plan = Plan::new(&config, &Defaults::default()).expect("a valid plan");
        let cursor = Cursor::new(Schedule::new(&plan).share(0, 1), S, S);
        vec![Arc::new(Task { cursor, stop: StopFlag::default() })]
    }

    fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
        names.map(str::to_owned).to_vec()
    }

    fn handover(worker: usize, through: u64, sent: u64, ended: u64, is_last: bool) -> Handover {
        let mut tallies = Tallies::new(1);
        let tally = tallies.of(0);
        (0..sent).for_each(|_| tally.record_sent(0, false));
        let failed = Failed::default();
        let sample = Sample {
            latency_ns: MS,
            service_ns: MS,
            outcome: Outcome::Status(200),
            bytes: 1,
            resent: false,
            failed,
        };
        (0..ended).for_each(|_| tally.record_end(&sample));
        let first_send_ns = Some(S + worker as u64);
        Handover { worker, through, tallies, first_send_ns, last_end_ns: 2 * S, ended: is_last }
    }

    #[test]
    fn a_draft_waits_for_all_workers_but_not_indefinitely() {
        let (mut collector, tasks) = (Collector::new(&[], vec![0; 2]), tasks());
        collector.add(&handover(0, 1, 3, 3, false));
        assert_eq!(collector.draft(S + 510 * MS, &tasks), None);
        collector.add(&handover(1, 1, 2, 2, false));
        let draft = collector.draft(S + 520 * MS, &tasks).expect("both are in");
        assert_eq!((draft.elapsed_ns, draft.counts.sent, draft.first_send_ns), (S / 2, 5, Some(S)));
        assert_eq!(collector.draft(S + 530 * MS, &tasks), None, "once");
        collector.add(&handover(0, 2, 1, 1, false));
        assert_eq!(collector.draft(2 * S + 199 * MS, &tasks), None);
        let late = collector.draft(2 * S + 200 * MS, &tasks).expect("the grace is over");
        assert_eq!((late.elapsed_ns, late.counts.sent), (S, 6));
    }

    #[test]
    fn a_stopped_driver_reports_what_was_planned_until_then() {
        let (mut collector, tasks) = (Collector::new(&[], vec![0]), tasks());
        collector.add(&handover(0, 4, 15, 13, true));
        assert!(collector.is_over());
        let draft = collector.final_draft(&tasks, Some(3 * S));
        assert_eq!((draft.counts.planned, draft.counts.sent, draft.counts.never_sent), (20, 15, 5));
        assert_eq!(draft.counts.errors.get("aborted"), Some(&2));
        assert_eq!((draft.elapsed_ns, draft.counts.unaccounted()), (S, 0));
    }

    #[test]
    fn a_driver_that_ran_to_the_end_reports_the_whole_plan() {
        let (mut collector, tasks) = (Collector::new(&[], vec![0]), tasks());
        collector.add(&handover(0, 20, 100, 100, true));
        let draft = collector.final_draft(&tasks, None);
        assert_eq!((draft.counts.planned, draft.counts.never_sent), (100, 0));
        assert!(draft.is_final && draft.service.is_some() && draft.lag.count() == 100);
    }

    #[test]
    fn each_request_has_its_own_figures_and_the_total_is_their_sum() {
        let task = tasks().pop().expect("one");
        let half = |which| {
            let cursor = Cursor::new(task.cursor.share().half(which), S, S);
            Arc::new(Task { cursor, stop: StopFlag::default() })
        };
        let (mut collector, halves) = (Collector::new(&names(["a", "b"]), vec![0, 1, 1]), [half(0), half(1)]);
        for (worker, sent, ended) in [(0, 7, 7), (1, 2, 1), (2, 1, 1)] {
            collector.add(&handover(worker, 2, sent, ended, false));
        }
        let draft = collector.draft(2 * S + 1, &halves).expect("all are in");
        let sent: Vec<_> = draft.by_name.iter().map(|named| (&*named.name, named.counts.sent)).collect();
        assert_eq!((sent, draft.counts.sent), (vec![("a", 7), ("b", 3)], 10));
        let planned: Vec<_> = draft.by_name.iter().map(|named| named.counts.planned).collect();
        // Five each by the schedule, but seven were sent.
        assert_eq!((planned, draft.counts.planned), (vec![7, 5], 12));
        let responses = draft.by_name.iter().map(|named| named.latency.count()).collect::<Vec<_>>();
        assert_eq!((responses, draft.latency.count()), (vec![7, 2], 9));
        let last = collector.final_draft(&halves, Some(4 * S));
        assert_eq!((last.counts.planned, last.counts.never_sent), (30, 20));
        assert_eq!(last.by_name[1].counts.errors.get("aborted"), Some(&1));
        assert!(last.by_name.iter().all(|named| named.service.is_some()) && last.counts.unaccounted() == 0);
    }
}
