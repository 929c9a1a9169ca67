//! The reporter: numbers the drafts of one test and publishes them, retrying each until the bus has accepted
//! it.
//!
//! A report that is too large for the bus is reduced and retried: first with no histogram but that of
//! latency, then without any.

use super::clock_offset::SharedOffset;
use super::collector::Draft;
use super::outbox::Outbox;
use crate::bus::{Bus, BusError, Topic};
use crate::clock;
use crate::host::ports::waiting_share;
use crate::message::{self, Histograms, LatencyMs, Metrics, NodeRef, TargetCount};
use crate::stats::generator::{Generator, TargetOn};
use crate::stats::histogram::{Histogram, round_ms};
use crate::threads::StopFlag;
use crate::units::format_count;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Timeout of one attempt to publish; between attempts the reporter checks whether to end.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Pause after a failed attempt.
const PAUSE: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(100);
/// How long the reporter retries after the final draft.
const FINAL_PATIENCE: Duration = Duration::from_secs(60);
/// How long it retries during shutdown.
const LAST_PATIENCE: Duration = Duration::from_secs(6);

/// Drafts that may queue up while the reporter is busy: two are made per second, and an attempt takes up to 2
/// s.
pub const MAX_DRAFTS: usize = 16;

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

/// The outcome of an attempt.
enum Sent {
    /// Nothing to send.
    Nothing,
    Taken,
    /// The report must be retried.
    NotNow,
    /// The bus will never accept it, and why.
    Refused(String),
}

/// How much detail reports have. It never increases again, since reports only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    All,
    /// Only the latency histogram.
    Latency,
    /// No histograms and no error samples.
    Counts,
}

impl Detail {
    fn less(self) -> Option<Detail> {
        match self {
            Detail::All => Some(Detail::Latency),
            Detail::Latency => Some(Detail::Counts),
            Detail::Counts => None,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Detail::All => "with all figures",
            Detail::Latency => "with no histogram but that of latency",
            Detail::Counts => "without histograms",
        }
    }

    fn limit(self, report: &mut Metrics) {
        match self {
            Detail::All => {}
            Detail::Latency => {
                if let Some(histograms) = &mut report.histograms {
                    let latency = std::mem::take(&mut histograms.latency);
                    *histograms = Histograms { latency, ..Histograms::default() };
                }
            }
            Detail::Counts => {
                report.histograms = None;
                report.error_samples = Default::default();
            }
        }
    }
}

/// One test's reporter.
pub struct Reporter {
    /// The driver that reports.
    pub identity: NodeRef,
    /// The test it reports on.
    pub test_id: String,
    /// Converts times to broker time.
    pub offset: SharedOffset,
    /// Where the target runs, if on this host.
    pub target_on: Option<TargetOn>,
    /// Set when the process shuts down: the reporter then gives up sooner.
    pub hurry: StopFlag,
}

impl Reporter {
    /// Publishes everything from `drafts` until its sender is dropped and every report is published or given
    /// up. Returns why the final report was not published, if it was not.
    pub fn run(&self, bus: &mut dyn Bus, drafts: &Receiver<DraftReport>) -> Option<String> {
        let mut outbox = Outbox::default();
        let mut detail = Detail::All;
        let mut refused = None;
        let (mut closed_ns, mut hurried_ns) = (None, None);
        loop {
            match drafts.recv_timeout(if outbox.is_empty() { LOOK } else { Duration::ZERO }) {
                Ok(report) => {
                    self.offer(&mut outbox, report);
                    // Handle everything that arrived during an attempt before the next one.
                    drafts.try_iter().for_each(|report| self.offer(&mut outbox, report));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    closed_ns.get_or_insert_with(clock::now_ns);
                }
            }
            if closed_ns.is_some() && self.hurry.is_stopped() {
                outbox.keep_newest();
            }
            if let Some(since_ns) = closed_ns {
                let patience_is_over = clock::now_ns() > since_ns + clock::to_ns(FINAL_PATIENCE);
                if outbox.is_empty() || patience_is_over {
                    return if outbox.is_empty() { refused } else { Some(self.lost()) };
                }
            }
            let is_last = self.hurry.is_stopped() && closed_ns.is_some();
            let since_ns = if is_last { *hurried_ns.get_or_insert_with(clock::now_ns) } else { u64::MAX };
            match self.send_next(bus, &mut outbox, &mut detail) {
                Sent::Nothing => {}
                Sent::Taken => refused = None,
                Sent::Refused(reason) => refused = Some(reason),
                Sent::NotNow if clock::now_ns() > since_ns.saturating_add(clock::to_ns(LAST_PATIENCE)) => {
                    return Some(self.lost());
                }
                Sent::NotNow => {}
            }
        }
    }

    /// Queues a report; encodes its histograms at once, since they then take far less memory.
    fn offer(&self, outbox: &mut Outbox<Box<Metrics>>, report: DraftReport) {
        let whole_second = report.draft.is_final || report.draft.elapsed_ns.is_multiple_of(clock::NS_PER_S);
        outbox.offer(Box::new(self.metrics(report)), whole_second);
    }

    fn send_next(&self, bus: &mut dyn Bus, outbox: &mut Outbox<Box<Metrics>>, detail: &mut Detail) -> Sent {
        let number = |sequence, report: &mut Box<Metrics>| report.sequence = Some(sequence);
        let Some(report) = outbox.next(number) else { return Sent::Nothing };
        detail.limit(report);
        match bus.publish(Topic::Metrics, &self.identity.node_id, &message::encode(report.as_ref()), ATTEMPT)
        {
            Ok(_) => {
                outbox.done();
                Sent::Taken
            }
            Err(BusError::Unavailable(text)) => {
                log::debug!("cannot publish a report yet: {text}");
                clock::sleep(PAUSE);
                Sent::NotNow
            }
            Err(BusError::TooLarge { bytes, text }) => match detail.less() {
                Some(less) => {
                    log::warn!("test {:?}: {text}; reports go on {}", self.test_id, less.words());
                    *detail = less;
                    Sent::NotNow
                }
                None => {
                    log::error!("a report of test {:?} is lost: {text}", self.test_id);
                    outbox.done();
                    let bytes = format_count(bytes as u64);
                    Sent::Refused(format!("the broker refused {bytes} bytes; raise max.message.bytes"))
                }
            },
            Err(error) => {
                log::error!("a report of test {:?} is lost: {error}", self.test_id);
                outbox.done();
                Sent::Refused(error.to_string())
            }
        }
    }

    fn lost(&self) -> String {
        let test_id = &self.test_id;
        log::error!("the last report of test {test_id:?} could not be published: Kafka is unavailable");
        "Kafka was unavailable".to_owned()
    }

    /// Adds what is known about the host. Omits ports in TIME_WAIT if the target runs on the same host: they
    /// may belong to either side, and do no harm.
    fn with_host(&self, generator: Generator) -> Generator {
        let is_far = self.target_on.is_none();
        let waiting = is_far.then(waiting_share).flatten().filter(|share| *share >= LEAST_WAITING);
        Generator { target_on: self.target_on, ports_waiting: waiting.map(round_ms), ..generator }
    }

    /// The report to send, still without its number.
    fn metrics(&self, report: DraftReport) -> Metrics {
        let DraftReport { draft, target } = report;
        let figures = draft.latency.distribution();
        let offset_ms = self.offset.get().map_or(0.0, |offset| offset.offset_ms);
        let broker_ms = |at_ns: u64| round_ms(clock::wall_ms(at_ns) + offset_ms);
        let encode = |histogram: &Histogram| histogram.encode().unwrap_or_default();
        Metrics {
            node_id: self.identity.node_id.clone(),
            test_id: self.test_id.clone(),
            report_id: uuid::Uuid::new_v4().to_string(),
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
            counts: Some(draft.counts),
            generator: draft.generator.map(|generator| self.with_host(generator)),
            error_samples: draft.causes,
            target_restarted: target == Some(TargetCount::Restarted),
            target_seen: target.and_then(TargetCount::seen),
        }
    }
}
