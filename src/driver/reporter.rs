//! The reporter: publishes one test's reports as [`Reporting`] decides.

use super::clock_offset::SharedOffset;
use super::report::{Author, DraftReport, Facts};
use super::reporting::{Failed, Hurry, Next, Reporting};
use crate::bus::{Bus, Topic};
use crate::clock;
use crate::host::ports::waiting_share;
use crate::message;
use crate::threads::StopFlag;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::path::PathBuf;
use std::time::Duration;

/// Timeout of one attempt to publish; between attempts the reporter checks whether to end.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Maximum interval between checks of the flags.
const LOOK_NS: u64 = 100 * clock::NS_PER_MS;

/// Drafts that may queue up while the reporter is busy: two are made per second, and an attempt takes up to 2
/// s.
pub const MAX_DRAFTS: usize = 16;

/// One test's reporter.
pub struct Reporter {
    /// Who reports on what.
    pub author: Author,
    /// Converts times to broker time.
    pub offset: SharedOffset,
    /// Set when the process shuts down: the reporter then gives up sooner.
    pub leave: StopFlag,
    /// Set when the next plan waits, or the test is closed; likewise.
    pub next_plan: StopFlag,
    /// Where the figures are also saved.
    pub data: Option<PathBuf>,
}

impl Reporter {
    /// Publishes everything from `drafts` until its sender is dropped and every report is published or given
    /// up. Returns why the final report was not published, if it was not.
    pub fn run(&self, bus: &mut dyn Bus, drafts: &Receiver<DraftReport>) -> Option<String> {
        let mut reporting = Reporting::new(self.author.clone());
        let mut wait = Duration::ZERO;
        loop {
            self.take_drafts(&mut reporting, drafts, wait);
            let flags = [(&self.next_plan, Hurry::NextPlan), (&self.leave, Hurry::Leaving)];
            let raised = flags.into_iter().filter(|(flag, _)| flag.is_stopped());
            raised.for_each(|(_, why)| reporting.hurry(why, clock::now_ns()));
            let now_ns = clock::now_ns();
            wait = match reporting.next(now_ns) {
                Next::Send(report) => {
                    let bytes = message::encode(report);
                    let sent = bus.publish(Topic::Metrics, &self.author.identity.node_id, &bytes, ATTEMPT);
                    let failed = reporting.outcome(sent.map(drop), clock::now_ns());
                    failed.into_iter().for_each(|failed| self.log(failed));
                    Duration::ZERO
                }
                Next::Wait { until_ns } => clock::until(until_ns.min(now_ns + LOOK_NS)),
                Next::Over(why) => {
                    self.log_end(why.as_deref());
                    return why;
                }
            };
        }
    }

    /// Waits up to `wait` for a draft, then takes all that have arrived.
    fn take_drafts(&self, reporting: &mut Reporting, drafts: &Receiver<DraftReport>, wait: Duration) {
        match drafts.recv_timeout(wait) {
            Ok(report) => {
                let all = std::iter::once(report).chain(drafts.try_iter());
                all.for_each(|report| reporting.offer(report, self.facts()));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                reporting.close(clock::now_ns());
                clock::sleep(wait);
            }
        }
    }

    fn facts(&self) -> Facts {
        let offset_ms = self.offset.get().map_or(0.0, |offset| offset.offset_ms);
        Facts {
            report_id: uuid::Uuid::new_v4().to_string(),
            zero_ms: clock::wall_ms(0) + offset_ms,
            ports_waiting: self.author.target_on.is_none().then(waiting_share).flatten(),
        }
    }

    fn log(&self, failed: Failed) {
        let test_id = &self.author.test_id;
        match failed {
            Failed::Later(text) => log::debug!("cannot publish a report yet: {text}"),
            Failed::Reduced(text, less) => {
                log::warn!("test {test_id:?}: {text}; reports go on {}", less.words());
            }
            Failed::Lost(text) => log::error!("a report of test {test_id:?} is lost: {text}"),
        }
    }

    fn log_end(&self, why: Option<&str>) {
        if let Some(why) = why {
            log::error!("the last report of test {:?} could not be published: {why}", self.author.test_id);
        }
    }
}
