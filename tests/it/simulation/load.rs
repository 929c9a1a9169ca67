//! A driver's load against a modelled target: the real schedule, tally, collector and reports, without
//! sockets.

use super::random::Random;
use floodgate::check::Failed;
use floodgate::clock::NS_PER_MS;
use floodgate::driver::collector::Collector;
use floodgate::driver::cursor::{Cursor, Due};
use floodgate::driver::engine::tasks;
use floodgate::driver::report::{Author, DraftReport, Facts};
use floodgate::driver::reporting::Reporting;
use floodgate::driver::session::Assignment;
use floodgate::driver::worker::{Handover, INTERVAL_NS, Task};
use floodgate::message::NodeRef;
use floodgate::schedule::Schedule;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use floodgate::stats::tallies::Tallies;
use floodgate::stats::tally::Sample;
use floodgate::threads::StopFlag;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a load ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Schedule,
    Stopped,
}

/// One test on one driver, from the start of its load until its final report is published or given up.
pub struct Load {
    pub test_id: String,
    pub reporting: Reporting,
    /// What it had sent by the time of each draft, by the driver's own independent count: the key is the
    /// draft's running time.
    pub own_counts: BTreeMap<u64, u64>,
    /// Its own count of requests.
    pub sent: u64,
    /// When it last sent.
    pub last_send_ns: Option<u64>,
    pub is_over: bool,
    /// Hands out the tickets of both URLs of an A/B test.
    cursor: Cursor,
    /// What the collector knows of each URL.
    tasks: Vec<Arc<Task>>,
    collector: Collector,
    /// Those of each URL.
    tallies: Vec<Tallies>,
    /// The URL of the first ticket.
    first_url: u64,
    /// Requests in flight: when they end, to which URL they went, and which of its requests they are.
    in_flight: Vec<(u64, (usize, u32), Sample)>,
    first_send_ns: Option<u64>,
    last_end_ns: u64,
    handed: u64,
    stopped_ns: Option<u64>,
    random: Random,
    /// Broker time at 0 of the driver's clock, as far as the driver knows it.
    zero_ms: f64,
}

impl Load {
    pub fn new(
        identity: &NodeRef,
        assignment: &Assignment,
        start_ns: u64,
        zero_ms: f64,
        random: Random,
    ) -> Load {
        let share = Schedule::new(&assignment.plan).share(assignment.part, assignment.parts);
        let timeout_ns = assignment.plan.timeout().as_nanos() as u64;
        let tasks = tasks(assignment, start_ns, &StopFlag::default());
        let sent = assignment.plan.sent();
        let tallies = tasks.iter().map(|task| Tallies::new(task.cursor.requests()));
        let turns = sent.mix().turns(assignment.part, assignment.parts);
        let test_id = assignment.test_id.clone();
        let author = Author {
            identity: identity.clone(),
            test_id: test_id.clone(),
            target_on: None,
            unverified: false,
            proxied: false,
        };
        Load {
            test_id,
            reporting: Reporting::new(author),
            own_counts: BTreeMap::new(),
            sent: 0,
            last_send_ns: None,
            is_over: false,
            collector: Collector::new(sent.names(), (0..tasks.len()).collect()),
            tallies: tallies.collect(),
            tasks,
            first_url: assignment.part,
            cursor: Cursor::new(share, start_ns, timeout_ns).taking(turns),
            in_flight: Vec::new(),
            first_send_ns: None,
            last_end_ns: start_ns,
            handed: 0,
            stopped_ns: None,
            random,
            zero_ms,
        }
    }

    /// Ends the load at once.
    pub fn stop(&mut self, now_ns: u64) {
        self.stopped_ns.get_or_insert(now_ns);
    }

    /// Sends what is due, ends what has ended, and makes drafts. Returns true once, when the load has ended.
    pub fn step(&mut self, now_ns: u64) -> bool {
        if self.is_over {
            return false;
        }
        self.finish_requests(now_ns);
        let end = match self.stopped_ns {
            Some(_) => Some(End::Stopped),
            None => self.send(now_ns),
        };
        self.finish_requests(now_ns);
        let through = now_ns.saturating_sub(self.cursor.origin_ns()) / INTERVAL_NS;
        if through > self.handed {
            self.handed = through;
            self.hand_over(false);
        }
        if let Some(draft) = self.collector.draft(now_ns, &self.tasks) {
            self.offer(DraftReport { draft, target: None });
        }
        let ended = match end {
            Some(End::Stopped) => true,
            Some(End::Schedule) => self.in_flight.is_empty() || self.cursor.is_hard_end(now_ns),
            None => false,
        };
        if ended {
            self.end(now_ns);
        }
        ended
    }

    fn send(&mut self, now_ns: u64) -> Option<End> {
        if self.cursor.gives_up(now_ns) {
            return Some(End::Schedule);
        }
        loop {
            let Some(next_ns) = self.cursor.share().start_ns(self.sent) else { return Some(End::Schedule) };
            if self.cursor.origin_ns() + next_ns > now_ns {
                return None;
            }
            let due = self.cursor.claim(now_ns, now_ns).expect("a ticket that is due");
            self.record(&due, now_ns);
        }
    }

    fn record(&mut self, due: &Due, now_ns: u64) {
        let (planned_ns, request) = (due.planned_ns, due.request);
        let url = ((self.first_url + self.sent) % self.tallies.len() as u64) as usize;
        self.tallies[url].of(request).record_sent(now_ns - planned_ns, false);
        self.sent += 1;
        self.last_send_ns = Some(now_ns);
        self.first_send_ns.get_or_insert(now_ns);
        let service_ns = if self.random.chance(5) {
            self.random.up_to(1_500) * NS_PER_MS
        } else {
            (1 + self.random.up_to(30)) * NS_PER_MS
        };
        let outcome = match self.random.up_to(99) {
            0 => Outcome::Error(ErrorKind::Timeout),
            1 | 2 => Outcome::Status(503),
            _ => Outcome::Status(200),
        };
        let latency_ns = now_ns - planned_ns + service_ns;
        let sample =
            Sample { latency_ns, service_ns, outcome, bytes: 100, resent: false, failed: Failed::default() };
        self.in_flight.push((now_ns + service_ns, (url, request), sample));
    }

    fn finish_requests(&mut self, now_ns: u64) {
        let (ended, open) =
            std::mem::take(&mut self.in_flight).into_iter().partition(|(at, ..)| *at <= now_ns);
        self.in_flight = open;
        let ended: Vec<(u64, (usize, u32), Sample)> = ended;
        for (at_ns, (url, request), sample) in ended {
            self.tallies[url].of(request).record_end(&sample);
            self.last_end_ns = self.last_end_ns.max(at_ns);
        }
    }

    fn hand_over(&mut self, ended: bool) {
        let (first_send_ns, last_end_ns) = (self.first_send_ns, self.last_end_ns);
        let through = self.handed;
        for (worker, counted) in self.tallies.iter_mut().enumerate() {
            let fresh = counted.fresh();
            let tallies = std::mem::replace(counted, fresh);
            self.collector.add(&Handover { worker, through, tallies, first_send_ns, last_end_ns, ended });
        }
    }

    fn end(&mut self, now_ns: u64) {
        self.is_over = true;
        self.hand_over(true);
        let draft = self.collector.final_draft(&self.tasks, self.stopped_ns);
        self.offer(DraftReport { draft, target: None });
        self.reporting.close(now_ns);
    }

    fn offer(&mut self, report: DraftReport) {
        // A final report may cover the same time as the one before it.
        let key = report.draft.elapsed_ns * 2 + u64::from(report.draft.is_final);
        self.own_counts.insert(key, self.sent);
        let report_id = self.random.next().to_string();
        self.reporting.offer(report, Facts { report_id, zero_ms: self.zero_ms, ports_waiting: None });
    }
}
