//! Merges the workers' tallies into the driver's cumulative drafts, twice a second.
//!
//! Pure: hand-overs and times go in, drafts come out.

use super::cursor::Cursor;
use super::worker::{Handover, INTERVAL_NS};
use crate::stats::causes::ErrorSample;
use crate::stats::counts::Counts;
use crate::stats::generator::Generator;
use crate::stats::histogram::Histogram;
use crate::stats::outcome::ErrorKind;
use crate::stats::tally::Tally;

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
    /// How the workers spent their time.
    pub generator: Option<Generator>,
}

/// The driver's tally, and how far each worker has handed over.
pub struct Collector {
    tally: Tally,
    through: Vec<u64>,
    ended: Vec<bool>,
    drafted: u64,
    first_send_ns: Option<u64>,
    last_end_ns: u64,
}

impl Collector {
    /// A collector for `workers` workers.
    pub fn new(workers: usize) -> Collector {
        Collector {
            tally: Tally::new(),
            through: vec![0; workers],
            ended: vec![false; workers],
            drafted: 0,
            first_send_ns: None,
            last_end_ns: 0,
        }
    }

    /// Adds a worker's counts.
    pub fn add(&mut self, handover: &Handover) {
        self.tally.merge(&handover.tally);
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
    pub fn late_draft_ns(&self, cursor: &Cursor) -> u64 {
        cursor.origin_ns() + GRACE_NS + (self.drafted + 1) * INTERVAL_NS
    }

    /// The next draft, if one is due at `now_ns`.
    pub fn draft(&mut self, now_ns: u64, cursor: &Cursor) -> Option<Draft> {
        let begun = now_ns.saturating_sub(cursor.origin_ns()) / INTERVAL_NS;
        let waited = now_ns.saturating_sub(cursor.origin_ns() + GRACE_NS) / INTERVAL_NS;
        let running = self.through.iter().zip(&self.ended).filter(|(_, ended)| !**ended);
        let handed = running.map(|(through, _)| *through).min().unwrap_or(0);
        let through = handed.min(begun).max(waited);
        if through <= self.drafted || self.is_over() {
            return None;
        }
        self.drafted = through;
        let elapsed_ns = through * INTERVAL_NS;
        let planned = cursor.share().planned_before(elapsed_ns).unwrap_or(0).max(self.tally.sent);
        Some(Draft {
            is_final: false,
            origin_ns: cursor.origin_ns(),
            first_send_ns: self.first_send_ns,
            elapsed_ns,
            counts: self.tally.counts(planned, 0),
            latency: self.tally.latency.histogram(),
            service: None,
            lag: self.tally.lag.histogram(),
            connect: None,
            tls: None,
            causes: self.tally.causes.samples(),
            generator: self.tally.witness.generator(),
        })
    }

    /// The final draft. `stopped_ns` is when the test was stopped early, if it was. Requests without an end,
    /// of workers that are stuck in a client, count as aborted.
    pub fn final_draft(&mut self, cursor: &Cursor, stopped_ns: Option<u64>) -> Draft {
        let lost = self.tally.sent.saturating_sub(self.tally.ended());
        self.tally.add_errors(ErrorKind::Aborted, lost);
        let until_ns = stopped_ns.map_or(u64::MAX, |at| at.saturating_sub(cursor.origin_ns()));
        let planned = cursor.share().planned_before(until_ns).unwrap_or(0).max(self.tally.sent);
        let never_sent = planned - self.tally.sent;
        Draft {
            is_final: true,
            origin_ns: cursor.origin_ns(),
            first_send_ns: self.first_send_ns,
            elapsed_ns: self.last_end_ns.saturating_sub(cursor.origin_ns()),
            counts: self.tally.counts(planned, never_sent),
            latency: self.tally.latency.histogram(),
            service: Some(self.tally.service.histogram()),
            lag: self.tally.lag.histogram(),
            connect: self.tally.openings.connect.known(),
            tls: self.tally.openings.tls.known(),
            causes: self.tally.causes.samples(),
            generator: self.tally.witness.generator(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{NS_PER_MS as MS, NS_PER_S as S};
    use crate::message::{TestConfig, TestType};
    use crate::plan::{Defaults, Plan};
    use crate::schedule::Schedule;
    use crate::stats::outcome::Outcome;
    use crate::stats::tally::Sample;

    fn cursor() -> Cursor {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        config.target_url = Some("http://127.0.0.1/".to_owned());
        (config.target_throughput, config.duration_ms) = (Some(10.0), Some(10_000));
        let plan = Plan::new(&config, &Defaults::default()).expect("a valid plan");
        Cursor::new(Schedule::new(&plan).share(0, 1), S, S)
    }

    fn handover(worker: usize, through: u64, sent: u64, ended: u64, is_last: bool) -> Handover {
        let mut tally = Tally::new();
        (0..sent).for_each(|_| tally.record_sent(0, false));
        let sample =
            Sample { latency_ns: MS, service_ns: MS, outcome: Outcome::Status(200), bytes: 1, resent: false };
        (0..ended).for_each(|_| tally.record_end(&sample));
        let first_send_ns = Some(S + worker as u64);
        Handover { worker, through, tally, first_send_ns, last_end_ns: 2 * S, ended: is_last }
    }

    #[test]
    fn a_draft_waits_for_all_workers_but_not_indefinitely() {
        let (mut collector, cursor) = (Collector::new(2), cursor());
        collector.add(&handover(0, 1, 3, 3, false));
        assert_eq!(collector.draft(S + 510 * MS, &cursor), None);
        collector.add(&handover(1, 1, 2, 2, false));
        let draft = collector.draft(S + 520 * MS, &cursor).expect("both are in");
        assert_eq!((draft.elapsed_ns, draft.counts.sent, draft.first_send_ns), (S / 2, 5, Some(S)));
        assert_eq!(collector.draft(S + 530 * MS, &cursor), None, "once");
        collector.add(&handover(0, 2, 1, 1, false));
        assert_eq!(collector.draft(2 * S + 199 * MS, &cursor), None);
        let late = collector.draft(2 * S + 200 * MS, &cursor).expect("the grace is over");
        assert_eq!((late.elapsed_ns, late.counts.sent), (S, 6));
    }

    #[test]
    fn a_stopped_driver_reports_what_was_planned_until_then() {
        let (mut collector, cursor) = (Collector::new(1), cursor());
        collector.add(&handover(0, 4, 15, 13, true));
        assert!(collector.is_over());
        let draft = collector.final_draft(&cursor, Some(3 * S));
        assert_eq!((draft.counts.planned, draft.counts.sent, draft.counts.never_sent), (20, 15, 5));
        assert_eq!(draft.counts.errors.get("aborted"), Some(&2));
        assert_eq!((draft.elapsed_ns, draft.counts.unaccounted()), (S, 0));
    }

    #[test]
    fn a_driver_that_ran_to_the_end_reports_the_whole_plan() {
        let (mut collector, cursor) = (Collector::new(1), cursor());
        collector.add(&handover(0, 20, 100, 100, true));
        let draft = collector.final_draft(&cursor, None);
        assert_eq!((draft.counts.planned, draft.counts.never_sent), (100, 0));
        assert!(draft.is_final && draft.service.is_some() && draft.lag.count() == 100);
    }
}
