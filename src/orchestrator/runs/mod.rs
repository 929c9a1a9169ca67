//! The run: the life cycle of one test, from its configuration to its close. Sans-IO.
//!
//! Events only update the state; [`Run::tick`] evaluates it and returns what must be written to the bus. So a
//! whole batch of messages is applied before a decision, and a failure names every driver involved.

mod closing;
mod originals;
#[cfg(test)]
mod tests;

use super::fleet::Change;
use crate::clock::{NS_PER_MS, NS_PER_S};
use crate::message::{DriverState, Heartbeat, NodeRef, TestConfig, Trigger};
use crate::plan::Plan;
use crate::schedule::Schedule;
use crate::stats::states::RunState;
use closing::{Closing, patience_ns};
use originals::{Originals, READ_PLAN_NS};

/// How long the drivers have to get ready after the `test_config` was written.
pub const READY_WITHIN_NS: u64 = 10 * NS_PER_S;
/// How far in the future the start is when the trigger is written.
pub const START_AHEAD_NS: u64 = NS_PER_S;
/// How long a run waits beyond `timeout` after its planned end or its STOP.
pub const CLOSE_AFTER_NS: u64 = 5 * NS_PER_S;
/// How long a driver may report doing something else before it is given up.
const AWAY_WITHIN_NS: u64 = 10 * NS_PER_S;
/// Maximum length of a driver's reason, in characters.
const MAX_REASON_CHARS: usize = 1_000;

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
    /// Never started.
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

    /// Whether nothing more will happen.
    pub fn is_over(self) -> bool {
        self.state().is_over()
    }
}

/// One named driver of the run.
#[derive(Clone, Debug)]
pub struct Member {
    /// Which process.
    pub node: NodeRef,
    /// Whether it read the plan correctly and is ready.
    pub ready: bool,
    /// Why it refused the plan.
    pub refused: Option<String>,
    /// Whether its final report is in.
    pub done: bool,
    /// Why the bus did not accept its final report, as the driver reported it: it ended normally, and only
    /// its earlier reports are known.
    pub report_refused: Option<String>,
    /// What happened to it, and whether it is lost permanently.
    pub lost: Option<(String, bool)>,
    /// Why it cut its load short, as the driver reported it; its final report still counts.
    pub left: Option<String>,
    /// Its last reported state on this test; `None` if it reported another test or none.
    pub state: Option<DriverState>,
    /// When its newest report was read, on the process's monotonic clock.
    pub reported_ns: Option<u64>,
    /// Since when it has not been running this test.
    away_ns: Option<u64>,
}

impl Member {
    /// Whether its final report is still pending.
    fn is_at_work(&self) -> bool {
        !self.done && self.report_refused.is_none() && self.lost.is_none()
    }
}

/// What must be written to the bus.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The plan.
    Config(Box<TestConfig>),
    /// The one trigger that opens the gate.
    Start(Trigger),
    /// The trigger that closes it.
    Stop(Trigger),
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
    /// Its phase.
    pub phase: Phase,
    /// Drivers of the original protocol, which read the same plan; not waited for if there are other drivers.
    pub originals: Originals,
    /// Its drivers, in the order of their shares.
    pub members: Vec<Member>,
    /// When the gate opens, in broker time.
    pub started_at_ms: Option<f64>,
    /// Why it was stopped.
    pub stopped: Option<String>,
    /// Why it failed.
    pub failed: Vec<String>,
    /// Other problems.
    pub notes: Vec<String>,
    hash: String,
    ready_until_ns: Option<u64>,
    start_ns: Option<u64>,
    stopped_ns: Option<u64>,
    stop_written: bool,
    closing: Option<Closing>,
}

impl Run {
    /// Creates a run from a message that names its drivers, and its plan; the command writes the message.
    pub fn new(config: TestConfig, plan: Plan) -> (Run, Command) {
        let member = |node: &NodeRef| Member {
            node: node.clone(),
            ready: false,
            refused: None,
            done: false,
            report_refused: None,
            lost: None,
            left: None,
            state: None,
            reported_ns: None,
            away_ns: None,
        };
        let run = Run {
            phase: Phase::Ready,
            originals: Originals::default(),
            members: config.drivers.iter().map(member).collect(),
            started_at_ms: None,
            stopped: None,
            failed: Vec::new(),
            notes: Vec::new(),
            hash: config.plan_hash(),
            ready_until_ns: None,
            start_ns: None,
            stopped_ns: None,
            stop_written: false,
            closing: None,
            config: config.clone(),
            schedule: Schedule::new(&plan),
            plan,
        };
        (run, Command::Config(Box::new(config)))
    }

    /// Adds these drivers of the original protocol, which may be the only ones.
    pub fn with_originals(mut self, names: Vec<String>) -> Run {
        self.originals = Originals::new(names);
        self
    }

    /// Whether only drivers of the original protocol execute it.
    pub fn is_original_only(&self) -> bool {
        self.members.is_empty()
    }

    /// Handles a message from a driver of the original protocol. Returns whether the run accepts its report:
    /// from the start until the latest time at which the run closes, even if it ended earlier.
    pub fn original(&mut self, name: &str, is_report: bool, now: Now) -> bool {
        // A fast driver may report before the trigger's writer has received its acknowledgement.
        let started = self.start_ns.is_some() && self.failed.is_empty();
        let takes = started && self.closing.is_none_or(|closing| now.ns <= closing.at_ns);
        if takes {
            self.originals.heard(name, is_report, now);
        }
        takes
    }

    /// Whole seconds since the gate opened; `None` before that.
    pub fn seconds(&self, now: Now) -> Option<u64> {
        self.start_ns.map(|start_ns| now.ns.saturating_sub(start_ns) / NS_PER_S)
    }

    /// When the measurement begins, after the warm-up, on the process's monotonic clock; `None` before the
    /// start.
    pub fn measures_from_ns(&self) -> Option<u64> {
        let warmup_ns = self.config.warmup_ms.unwrap_or(0).saturating_mul(NS_PER_MS);
        self.start_ns.map(|start_ns| start_ns.saturating_add(warmup_ns))
    }

    /// Notes that a driver's report was read.
    pub fn reported(&mut self, node: &NodeRef, now: Now) {
        if let Some(member) = self.member(&node.node_id, Some(node.epoch)) {
            member.reported_ns = Some(now.ns);
        }
    }

    /// How long the gate was open before the STOP, in ns; `None` without a STOP or a start.
    pub fn stopped_after_ns(&self) -> Option<u64> {
        self.stopped_ns.zip(self.start_ns).map(|(stop_ns, start_ns)| stop_ns.saturating_sub(start_ns))
    }

    /// Handles a driver's heartbeat.
    pub fn heartbeat(&mut self, message: &Heartbeat, now: Now) {
        let ours = message.test_id.as_deref() == Some(self.config.test_id.as_str());
        let (phase, hash) = (self.phase, self.hash.clone());
        let Some(member) = self.member(&message.node_id, message.epoch) else { return };
        member.state = message.state.filter(|_| ours);
        if let Some(DriverState::Finishing | DriverState::Left) = member.state {
            member.left = member.left.take().or(short(message.reason.as_deref()));
        }
        match member.state {
            Some(DriverState::Refused) => {
                let reason = short(message.reason.as_deref()).unwrap_or_else(|| "no reason given".to_owned());
                if phase != Phase::Ready && !member.done {
                    member.lost = Some((format!("it refused to start: {reason}"), true));
                }
                member.refused = Some(reason);
            }
            Some(DriverState::Ready) if phase == Phase::Ready => match message.plan_hash.as_deref() {
                Some(theirs) if theirs == hash => member.ready = true,
                theirs => {
                    let theirs = theirs.unwrap_or("no hash");
                    member.refused = Some(format!(
                        "it read a different plan ({theirs}, not {hash}); run the same version everywhere"
                    ));
                }
            },
            Some(DriverState::Running | DriverState::Finishing) => {
                member.away_ns = None;
                member.lost = member.lost.take().filter(|(_, permanently)| *permanently);
                return;
            }
            Some(DriverState::Idle) if message.reason.is_some() && !member.done => {
                member.report_refused = short(message.reason.as_deref());
                member.lost = None;
            }
            _ => {}
        }
        member.away_ns = member.away_ns.or(Some(now.ns));
    }

    /// Handles that a driver was lost or came back.
    pub fn change(&mut self, change: &Change) {
        let (node, lost) = match change {
            Change::Lost { node, what, permanently } => (node, Some((what.clone(), *permanently))),
            Change::Back(node) => (node, None),
        };
        if let Some(member) = self.member(&node.node_id, Some(node.epoch)) {
            // A driver whose final report is in may leave.
            member.lost = lost.filter(|_| !member.done && member.report_refused.is_none());
        }
    }

    /// Notes that a driver's final report is in.
    pub fn final_report(&mut self, node: &NodeRef) {
        if let Some(member) = self.member(&node.node_id, Some(node.epoch)) {
            (member.done, member.lost, member.report_refused) = (true, None, None);
        }
    }

    /// Closes the gate early. Idempotent.
    pub fn stop(&mut self, reason: &str, now: Now) -> Option<Command> {
        if self.stopped.is_some() {
            return None;
        }
        self.stopped = Some(reason.to_owned());
        self.stopped_ns = Some(now.ns);
        if self.phase == Phase::Ready && self.start_ns.is_none() {
            self.phase = Phase::Aborted;
        } else {
            self.phase = Phase::Finishing;
            self.closing = Some(Closing::after_stop(&self.config, now.ns, self.closing));
        }
        self.release(reason)
    }

    /// Handles the result of writing a command; an error says why it could not be written.
    pub fn written(&mut self, command: &Command, result: Result<(), String>, now: Now) {
        match (command, result) {
            (Command::Config(_), Ok(())) => self.ready_until_ns = Some(now.ns + READY_WITHIN_NS),
            (Command::Start(_), Ok(())) => {
                let opens_ns = self.start_ns.unwrap_or(now.ns).max(now.ns);
                if self.phase == Phase::Ready {
                    self.phase = Phase::Running;
                    let parts = match self.members.len() {
                        0 => self.originals.names().len(),
                        members => members,
                    };
                    self.closing = Closing::after_start(&self.config, &self.schedule, parts as u64, opens_ns);
                }
                // No driver can be away before the gate is open.
                self.members.iter_mut().for_each(|member| member.away_ns = Some(opens_ns));
            }
            (Command::Stop(_), Ok(())) => {}
            (Command::Config(_), Err(why)) => self.fail(format!("the plan could not be written: {why}")),
            (Command::Start(_), Err(why)) => self.fail(format!("the trigger could not be written: {why}")),
            (Command::Stop(_), Err(why)) => {
                self.notes.push(format!("The STOP could not be written, so drivers may keep sending: {why}"));
            }
        }
    }

    /// Evaluates the state; returns what must be written.
    pub fn tick(&mut self, now: Now) -> Vec<Command> {
        match self.phase {
            Phase::Ready => self.tick_ready(now).into_iter().collect(),
            Phase::Running | Phase::Finishing => self.tick_running(now).into_iter().collect(),
            Phase::Completed | Phase::Aborted | Phase::Failed => Vec::new(),
        }
    }

    fn tick_ready(&mut self, now: Now) -> Option<Command> {
        let late = self.ready_until_ns.is_some_and(|until_ns| now.ns >= until_ns) && self.start_ns.is_none();
        let reasons: Vec<String> = self.members.iter().filter_map(|member| objection(member, late)).collect();
        if !self.failed.is_empty() || !reasons.is_empty() {
            self.failed.extend(reasons);
            self.phase = Phase::Failed;
            return self.release("the test failed before it started");
        }
        let agreed = self.ready_until_ns.is_some() && self.members.iter().all(|member| member.ready);
        if !agreed || self.start_ns.is_some() || !self.was_read_by_originals(now) {
            return None;
        }
        // Drivers of the original protocol start when they read the trigger.
        let ahead_ns = if self.is_original_only() { 0 } else { START_AHEAD_NS };
        let start_at_ms = now.broker_ms + (ahead_ns / NS_PER_MS) as f64;
        self.started_at_ms = Some(start_at_ms);
        self.start_ns = Some(now.ns + ahead_ns);
        Some(Command::Start(Trigger::start(&self.config.test_id, start_at_ms)))
    }

    /// Whether the drivers that cannot report ready have had time to read the plan.
    fn was_read_by_originals(&self, now: Now) -> bool {
        let written_ns = self.ready_until_ns.map_or(now.ns, |until_ns| until_ns - READY_WITHIN_NS);
        self.originals.is_empty() || now.ns >= written_ns + READ_PLAN_NS
    }

    /// A run with only drivers of the original protocol ends by the clock, or once they are quiet.
    fn tick_originals(&mut self, now: Now) {
        let opened_ns = self.start_ns.unwrap_or(now.ns);
        let end_ns = self.closing.map(|closing| closing.planned_end_ns.unwrap_or(now.ns));
        if end_ns.is_some_and(|end_ns| now.ns >= end_ns) {
            self.phase = Phase::Finishing;
        }
        let overdue = self.closing.is_some_and(|closing| now.ns >= closing.at_ns);
        let quiet = self.originals.are_quiet(now, opened_ns, end_ns, patience_ns(&self.config));
        // They ignore STOP, so there is nothing to wait for.
        if self.stopped.is_some() || overdue || quiet {
            self.phase = if self.stopped.is_some() { Phase::Aborted } else { Phase::Completed };
        }
    }

    fn tick_running(&mut self, now: Now) -> Option<Command> {
        if self.is_original_only() {
            self.tick_originals(now);
            return None;
        }
        for member in self.members.iter_mut().filter(|m| m.is_at_work()) {
            if member.away_ns.is_some_and(|since_ns| now.ns > since_ns + AWAY_WITHIN_NS) {
                member.lost =
                    Some(("it is not running this test and sent no final report".to_owned(), false));
            }
        }
        let at_work = |m: &&Member| m.is_at_work();
        let busy = |m: &&Member| matches!(m.state, Some(DriverState::Running | DriverState::Finishing));
        let open = self.members.iter().filter(at_work).count();
        let overdue = self.closing.filter(|closing| now.ns >= closing.at_ns);
        let extended =
            overdue.is_some_and(|c| !c.hard) && self.members.iter().filter(at_work).any(|m| busy(&m));
        if open == 0 || (overdue.is_some() && !extended) {
            return self.close();
        }
        let finishing = |m: &Member| m.state == Some(DriverState::Finishing);
        let sent_all = self.members.iter().filter(at_work).all(finishing);
        let past_end = self.closing.is_some_and(|c| c.planned_end_ns.is_some_and(|end_ns| now.ns >= end_ns));
        if sent_all || past_end {
            self.phase = Phase::Finishing;
        }
        None
    }

    /// Ends the run with the reports received; drivers that did not finish are lost and told to stop.
    fn close(&mut self) -> Option<Command> {
        let after = if self.stopped.is_some() { "the STOP" } else { "the planned end" };
        let mut left_over = false;
        for member in self.members.iter_mut().filter(|m| m.is_at_work()) {
            left_over = true;
            let seconds = CLOSE_AFTER_NS / NS_PER_S;
            member.lost =
                Some((format!("it did not finish within timeout + {seconds} s after {after}"), false));
        }
        self.phase = if self.stopped.is_some() { Phase::Aborted } else { Phase::Completed };
        if left_over { self.release("the run was closed without this driver") } else { None }
    }

    fn fail(&mut self, why: String) {
        if !self.phase.is_over() {
            self.failed.push(why);
            // Even if a STOP made it `finishing`: a gate that never opened is a failure.
            self.phase = Phase::Ready;
        }
    }

    /// A STOP for drivers that may still wait for or execute the plan; written at most once.
    fn release(&mut self, reason: &str) -> Option<Command> {
        if std::mem::replace(&mut self.stop_written, true) {
            return None;
        }
        Some(Command::Stop(Trigger::stop(&self.config.test_id, reason)))
    }

    fn member(&mut self, node_id: &str, epoch: Option<u64>) -> Option<&mut Member> {
        // Members are sorted by name, like a plan's drivers.
        let index = self.members.binary_search_by(|m| m.node.node_id.as_str().cmp(node_id)).ok()?;
        self.members.get_mut(index).filter(|member| Some(member.node.epoch) == epoch)
    }
}

/// A driver's reason, truncated.
fn short(reason: Option<&str>) -> Option<String> {
    reason.map(|reason| reason.chars().take(MAX_REASON_CHARS).collect())
}

/// Why this driver prevents the gate from opening.
fn objection(member: &Member, late: bool) -> Option<String> {
    let name = &member.node.node_id;
    if let Some(why) = &member.refused {
        return Some(format!("driver {name} refused the plan: {why}"));
    }
    if let Some((what, _)) = &member.lost {
        return Some(format!("driver {name} was lost before the start: {what}"));
    }
    let within = READY_WITHIN_NS / NS_PER_S;
    (late && !member.ready).then(|| format!("driver {name} was not ready within {within} s"))
}
