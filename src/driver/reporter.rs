//! The reporter: numbers the drafts of one test and publishes them, each until the bus has taken it.
//!
//! A number is given at the first attempt, and that report is retried unchanged. Newer drafts that come meanwhile
//! replace each other without a number, because a report is cumulative: the newest says all.
//!
//! A report that the bus refuses because of its size is sent with less in it: first without the histograms of service
//! time and lag, then without any.

use super::clock_offset::SharedOffset;
use super::collector::Draft;
use super::slot::{SlotReceiver, Taken};
use crate::bus::{Bus, BusError, Topic};
use crate::clock;
use crate::http::StopFlag;
use crate::message::{self, Histograms, LatencyMs, Metrics, NodeRef, TargetCount};
use crate::stats::histogram::{Histogram, round_ms};
use crate::units::format_count;
use std::time::Duration;

/// One attempt to publish, after which the flag that ends the reporter is looked at.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Shortest time between two attempts that failed.
const PAUSE: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(100);
/// After its final draft a reporter keeps trying this long.
const FINAL_PATIENCE: Duration = Duration::from_secs(60);
/// The same once the process ends.
const LAST_PATIENCE: Duration = Duration::from_secs(6);

/// What the engine hands over.
#[derive(Clone, Debug)]
pub struct Report {
    /// The figures.
    pub draft: Draft,
    /// What the target counted; in the final one.
    pub target: Option<TargetCount>,
}

/// The reports of one test that wait to be taken: drafts `T` that become reports `R`.
#[derive(Debug)]
pub struct Outbox<T, R> {
    numbered: u64,
    sending: Option<R>,
    waiting: Option<T>,
}

impl<T, R> Default for Outbox<T, R> {
    fn default() -> Self {
        Outbox { numbered: 0, sending: None, waiting: None }
    }
}

impl<T, R> Outbox<T, R> {
    /// Adds a draft, in place of one that has no number yet.
    pub fn offer(&mut self, draft: T) {
        self.waiting = Some(draft);
    }

    /// The report to send now: the one that was sent in vain, or else the newest draft under the next number.
    pub fn next(&mut self, number: impl FnOnce(u64, T) -> R) -> Option<&mut R> {
        if self.sending.is_none() {
            let draft = self.waiting.take()?;
            self.numbered += 1;
            self.sending = Some(number(self.numbered, draft));
        }
        self.sending.as_mut()
    }

    /// The report was taken, or can never be.
    pub fn done(&mut self) {
        self.sending = None;
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.sending.is_none() && self.waiting.is_none()
    }
}

/// What became of an attempt.
enum Sent {
    /// Nothing waited.
    Nothing,
    Taken,
    /// It waits for the next attempt.
    NotNow,
    /// The bus will never take it, and why.
    Refused(String),
}

/// How much a report holds. It only ever falls: reports grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    All,
    /// No histogram but that of the latency.
    Latency,
    /// No histogram and no samples of errors.
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
            Detail::Latency => "without the histograms of service time and lag",
            Detail::Counts => "without histograms",
        }
    }

    fn limit(self, report: &mut Metrics) {
        match self {
            Detail::All => {}
            Detail::Latency => {
                if let Some(histograms) = &mut report.histograms {
                    (histograms.service, histograms.lag) = (None, None);
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
    /// Who reports.
    pub identity: NodeRef,
    /// On which test.
    pub test_id: String,
    /// For times in broker time.
    pub offset: SharedOffset,
    /// Set when the process ends: then a reporter has little patience left.
    pub hurry: StopFlag,
}

impl Reporter {
    /// Publishes what comes through `drafts` until its writing end is gone and everything is taken (or given up).
    /// Returns why the final report was not taken, if it was not.
    pub fn run(&self, bus: &mut dyn Bus, drafts: &SlotReceiver<Report>) -> Option<String> {
        let mut outbox = Outbox::default();
        let mut detail = Detail::All;
        let mut refused = None;
        let (mut closed_ns, mut hurried_ns) = (None, None);
        loop {
            match drafts.take(if outbox.is_empty() { LOOK } else { Duration::ZERO }) {
                Taken::Value(report) => outbox.offer(report),
                Taken::Nothing => {}
                Taken::Closed => {
                    closed_ns.get_or_insert_with(clock::now_ns);
                }
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

    fn send_next(
        &self,
        bus: &mut dyn Bus,
        outbox: &mut Outbox<Report, Box<Metrics>>,
        detail: &mut Detail,
    ) -> Sent {
        let Some(report) = outbox.next(|sequence, report| Box::new(self.metrics(sequence, report))) else {
            return Sent::Nothing;
        };
        detail.limit(report);
        match bus.publish(Topic::Metrics, &self.identity.node_id, &message::encode(report.as_ref()), ATTEMPT)
        {
            Ok(_) => {
                outbox.done();
                Sent::Taken
            }
            Err(BusError::Unavailable(text)) => {
                log::debug!("a report waits: {text}");
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

    fn metrics(&self, sequence: u64, report: Report) -> Metrics {
        let Report { draft, target } = report;
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
            sequence: Some(sequence),
            is_final: draft.is_final,
            origin_ms: Some(broker_ms(draft.origin_ns)),
            first_send_ms: draft.first_send_ns.map(broker_ms),
            elapsed_ms: Some(draft.elapsed_ns as f64 / 1e6),
            histograms: Some(Histograms {
                latency: encode(&draft.latency),
                service: draft.service.as_ref().map(encode),
                lag: Some(encode(&draft.lag)),
            }),
            counts: Some(draft.counts),
            generator: draft.generator,
            error_samples: draft.causes,
            target_restarted: target == Some(TargetCount::Restarted),
            target_seen: target.and_then(TargetCount::seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_given_once_and_newer_drafts_replace_each_other() {
        let mut outbox: Outbox<u8, [u8; 2]> = Outbox::default();
        let encode = |sequence: u64, draft: u8| [sequence as u8, draft];
        assert_eq!(outbox.next(encode), None);
        outbox.offer(10);
        assert_eq!(outbox.next(encode), Some(&mut [1, 10]));
        outbox.offer(11);
        outbox.offer(12);
        assert_eq!(outbox.next(encode), Some(&mut [1, 10]), "retried unchanged");
        outbox.done();
        assert_eq!(outbox.next(encode), Some(&mut [2, 12]), "11 was replaced and has no number");
        outbox.done();
        assert!(outbox.is_empty());
    }
}
