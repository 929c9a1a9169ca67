//! The run: the life cycle of one test. Sans-IO.
//!
//! What a run is follows from the log alone: its plan, the first `YES`, the first `STOP` and the first END.
//! Heartbeats and the clock decide only what to write next ([`Run::tick`]). So several orchestrators can
//! follow the same test, and one that starts in mid-run continues it.

mod closing;
mod deciding;
mod ending;
mod member;
mod originals;
#[cfg(test)]
mod tests;

use super::fleet::Change;
use crate::clock::{NS_PER_MS, NS_PER_S};
use crate::message::{DriverState, End, EndState, Heartbeat, NodeRef, Stopped, TestConfig, Trigger, Word};
use crate::plan::Plan;
use crate::schedule::Schedule;
use crate::stats::states::RunState;
use closing::Closing;
use deciding::Pending;
pub use member::{Lost, Member};
use originals::Originals;

/// How long the drivers have to get ready after the `test_config` was written, in ms.
pub const READY_WITHIN_MS: f64 = 10_000.0;
/// How far in the future the start is when the trigger is written.
pub const START_AHEAD_NS: u64 = NS_PER_S;
/// How long a run waits beyond `timeout` after its planned end or its STOP, in ms.
pub const CLOSE_AFTER_MS: f64 = 5_000.0;
/// How long a silent driver is waited for after it was declared lost, if only such drivers are left: its
/// process may have been stopped, and its reports count until the END.
pub const GRACE_NS: u64 = 10 * NS_PER_S;

/// A point in time, on the process's monotonic clock and in broker time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Now {
    /// Nanoseconds on [`crate::clock::now_ns`].
    pub ns: u64,
    /// The same time in broker time, in ms since 1970.
    pub broker_ms: f64,
}

/// The phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Configured; its drivers are getting ready.
    Ready,
    /// The gate is open.
    Running,
    /// The load is over; waiting for the last reports.
    Finishing,
    /// Ended normally.
    Completed,
    /// Ended by STOP.
    Aborted,
    /// Never started, or ended because a driver was lost.
    Failed,
}

impl Phase {
    /// The state shown in results.
    pub fn state(self) -> RunState {
        match self {
            Phase::Ready => RunState::Ready,
            Phase::Running => RunState::Running,
            Phase::Finishing => RunState::Finishing,
            Phase::Completed => RunState::Completed,
            Phase::Aborted => RunState::Aborted,
            Phase::Failed => RunState::Failed,
        }
    }
}

/// What must be written to the bus.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The plan.
    Config(Box<TestConfig>),
    /// The trigger that opens the gate.
    Start(Trigger),
    /// The trigger that closes it.
    Stop(Trigger),
    /// The END, to `metrics`.
    End(Box<End>),
    /// A copy of the END to `trigger`, so that an orchestrator that starts later need not search for it.
    Index(Box<End>),
}

/// The life cycle of one test.
#[derive(Debug)]
pub struct Run {
    /// The plan as written, with its drivers.
    pub config: TestConfig,
    /// The checked plan.
    pub plan: Plan,
    /// The schedule that its drivers share.
    pub schedule: Schedule,
    /// When its plan was appended, in broker time.
    pub configured_ms: f64,
    /// Its phase.
    pub phase: Phase,
    /// Drivers of the original protocol, which read the same plan; not waited for if there are other drivers.
    pub originals: Originals,
    /// Its drivers, in the order of their shares.
    pub members: Vec<Member>,
    /// When the gate opens, in broker time.
    pub started_at_ms: Option<f64>,
    /// The STOP.
    pub stopped: Option<Stopped>,
    /// Why it failed.
    pub failed: Vec<String>,
    /// Other problems.
    pub notes: Vec<String>,
    /// Why a condition of the plan says that the test must stop.
    pub breached: Option<String>,
    /// The END.
    pub end: Option<Box<End>>,
    hash: String,
    closing: Option<Closing>,
    pending: Pending,
}

impl Run {
    /// A run whose plan was read at `now` and appended at `configured_ms` (broker time). `own` says whether
    /// this process wrote it, and so acts at once where others wait.
    pub fn new(config: TestConfig, plan: Plan, configured_ms: f64, own: bool, now: Now) -> Run {
        Run {
            phase: Phase::Ready,
            configured_ms,
            originals: Originals::default(),
            members: config.drivers.iter().map(Member::new).collect(),
            started_at_ms: None,
            stopped: None,
            failed: Vec::new(),
            notes: Vec::new(),
            breached: None,
            end: None,
            hash: config.plan_hash(),
            closing: None,
            pending: Pending::new(own, now),
            schedule: Schedule::new(&plan),
            config,
            plan,
        }
    }

    /// Adds these drivers of the original protocol, which may be the only ones.
    #[must_use]
    pub fn with_originals(mut self, names: Vec<String>) -> Run {
        self.originals = Originals::new(names);
        self
    }

    /// Whether only drivers of the original protocol execute it.
    pub fn is_original_only(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether this process wrote its plan.
    pub fn is_own(&self) -> bool {
        self.pending.own
    }

    /// Handles a message from a driver of the original protocol. Returns whether the run accepts its report:
    /// until its END. A fast driver may report before the trigger has been read.
    pub fn original(&mut self, name: &str, is_report: bool, now: Now) -> bool {
        let takes = self.end.is_none() && (self.started_at_ms.is_some() || is_report);
        if takes {
            self.originals.heard(name, is_report, now.broker_ms);
        }
        takes
    }

    /// When the measurement begins, after the warm-up, in broker time; `None` before the start.
    pub fn measures_from_ms(&self) -> Option<f64> {
        let warmup_ms = self.config.warmup_ms.unwrap_or(0) as f64;
        self.started_at_ms.map(|start_ms| start_ms + warmup_ms)
    }

    /// How long the gate was open before the STOP, in ns; `None` without a STOP or a start.
    pub fn stopped_after_ns(&self) -> Option<u64> {
        let (stop, start_ms) = self.stopped.as_ref().zip(self.started_at_ms)?;
        Some(((stop.at_ms - start_ms).max(0.0) * NS_PER_MS as f64) as u64)
    }

    /// Notes that a driver's report with this number was read.
    pub fn reported(&mut self, node: &NodeRef, sequence: u64, now: Now) {
        if let Some(member) = self.member(&node.node_id, Some(node.epoch)) {
            member.reported_ns = Some(now.ns);
            member.last_sequence = member.last_sequence.max(sequence);
        }
    }

    /// Notes that a driver's final report is in, with the number of requests that it had planned.
    pub fn final_report(&mut self, node: &NodeRef, planned: u64) {
        if let Some(member) = self.member(&node.node_id, Some(node.epoch)) {
            (member.done, member.lost, member.report_refused) = (true, None, None);
            member.planned = planned;
        }
    }

    /// Handles a driver's heartbeat.
    pub fn heartbeat(&mut self, message: &Heartbeat, now: Now) {
        let ours = message.test_id.as_deref() == Some(self.config.test_id.as_str());
        let (phase, hash) = (self.phase, self.hash.clone());
        if let Some(member) = self.member(&message.node_id, message.epoch) {
            member.heartbeat(message, ours, phase, &hash, now);
        }
    }

    /// Handles that a driver was lost or came back.
    pub fn change(&mut self, change: &Change, now: Now) {
        let (node, lost) = match change {
            Change::Lost { node, what, permanently } => {
                (node, Some(Lost { what: what.clone(), permanently: *permanently, since_ns: now.ns }))
            }
            Change::Back(node) => (node, None),
        };
        if let Some(member) = self.member(&node.node_id, Some(node.epoch)) {
            // A driver whose final report is in may leave.
            member.lost = lost.filter(|_| !member.done && member.report_refused.is_none());
        }
    }

    /// Handles a trigger of this test that was appended at `append_ms` (broker time). The first `YES` and the
    /// first `STOP` count, and none after the END.
    pub fn trigger(&mut self, trigger: &Trigger, append_ms: f64, now: Now) {
        if self.end.is_some() {
            return;
        }
        match trigger.trigger {
            Word::Yes if self.started_at_ms.is_none() && self.stopped.is_none() => {
                self.open(trigger.start_at_ms.unwrap_or(append_ms), now);
            }
            Word::Stop if self.stopped.is_none() => {
                let reason = trigger.reason.clone().unwrap_or_else(|| "STOP".to_owned());
                self.stopped = Some(Stopped { reason, at_ms: append_ms });
                self.closing = Some(Closing::after_stop(&self.config, append_ms, self.closing));
                self.phase = Phase::Finishing;
            }
            _ => {}
        }
    }

    fn open(&mut self, start_ms: f64, now: Now) {
        self.started_at_ms = Some(start_ms);
        self.phase = Phase::Running;
        let parts = match self.members.len() {
            0 => self.originals.names().len(),
            members => members,
        };
        self.closing = Closing::after_start(&self.config, &self.schedule, parts as u64, start_ms);
        // No driver can be away before the gate is open.
        let ahead_ns = ((start_ms - now.broker_ms).max(0.0) * NS_PER_MS as f64) as u64;
        let opens_ns = now.ns.saturating_add(ahead_ns);
        self.members.iter_mut().for_each(|member| member.away_ns = Some(opens_ns));
    }

    /// Closes the run for good: nothing that is read later changes its result.
    pub fn end(&mut self, end: End) {
        if self.end.is_some() {
            return;
        }
        self.phase = match end.state {
            EndState::Completed => Phase::Completed,
            EndState::Aborted => Phase::Aborted,
            EndState::Failed => Phase::Failed,
        };
        self.started_at_ms = end.started_at_ms;
        self.stopped.clone_from(&end.stopped);
        self.failed.clone_from(&end.failed);
        self.originals = Originals::from_end(&end.originals);
        self.end = Some(Box::new(end));
    }

    fn member(&mut self, node_id: &str, epoch: Option<u64>) -> Option<&mut Member> {
        // Members are sorted by name, like a plan's drivers.
        let index = self.members.binary_search_by(|m| m.node.node_id.as_str().cmp(node_id)).ok()?;
        self.members.get_mut(index).filter(|member| Some(member.node.epoch) == epoch)
    }

    /// Whether every driver that is not lost has sent everything. If all are lost at once, the brokers do not
    /// accept their heartbeats, and they may still be sending.
    fn have_all_sent(&self) -> bool {
        let mut heard = self.members.iter().filter(|member| member.lost.is_none()).peekable();
        let is_over = |member: &Member| !member.is_at_work() || member.state == Some(DriverState::Finishing);
        heard.peek().is_some() && heard.all(is_over)
    }
}
