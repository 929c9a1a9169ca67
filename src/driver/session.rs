//! The session: what a driver makes of the messages that it reads. Pure: an event goes in, actions come out.
//!
//! idle → (plan understood) preparing → (prepared) ready → (trigger) running → (load ended) finishing →
//! (report taken) idle

use super::allowed::Allowed;
use crate::message::{DriverState, NodeRef, TestConfig, Trigger};
use crate::plan::{Defaults, Plan, limits};
use crate::units::clip;

/// Longest reason that is said in heartbeats, in characters.
const MAX_REASON_CHARS: usize = 500;

/// What one driver does in one test.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The test.
    pub test_id: String,
    /// Hash of the plan as it was understood.
    pub plan_hash: String,
    /// Which share, from 0.
    pub part: u64,
    /// Of how many shares.
    pub parts: u64,
    /// The plan, completed by the driver's own settings.
    pub plan: Plan,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A plan was read.
    Config(Box<TestConfig>),
    /// What [`Action::Prepare`] asked for is done, or cannot be done.
    Prepared(Result<(), String>),
    /// A trigger was read.
    Trigger(Trigger),
    /// What [`Action::Start`] asked for cannot be done, and why.
    NotStarted(String),
    /// A thread of the running test broke down, and why: the load ends, and what is known of it is reported.
    Broken(String),
    /// All workers have ended.
    LoadEnded,
    /// The final report will never be taken by the bus, and why. [`Event::Reported`] follows.
    ReportRefused(String),
    /// The final report was taken by the bus, or given up.
    Reported,
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Say this in heartbeats from now on, the first at once.
    Announce(Beat),
    /// Resolve names, open clients, look at the target; then tell by [`Event::Prepared`].
    Prepare(Box<Assignment>),
    /// Open the gate at this moment in broker time; at once where there is none.
    Start {
        /// ms since 1970.
        start_at_ms: Option<f64>,
    },
    /// End the load at once; what is in flight is aborted.
    Stop,
    /// Throw away what was prepared, or is being prepared: no [`Event::Prepared`] comes of that any more.
    Discard,
}

/// What heartbeats say besides names and clocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Beat {
    /// What the driver is doing.
    pub state: DriverState,
    /// The test that this is about.
    pub test_id: Option<String>,
    /// Hash of the plan as it was understood.
    pub plan_hash: Option<String>,
    /// Why it refused, or was told to end.
    pub reason: Option<String>,
    /// What to say once this has been said.
    pub next: Option<Box<Beat>>,
}

impl Beat {
    /// Waiting for a plan.
    pub fn idle() -> Beat {
        Beat { state: DriverState::Idle, test_id: None, plan_hash: None, reason: None, next: None }
    }

    fn of(state: DriverState, assignment: &Assignment) -> Beat {
        let (test_id, plan_hash) = (assignment.test_id.clone(), assignment.plan_hash.clone());
        Beat { state, test_id: Some(test_id), plan_hash: Some(plan_hash), reason: None, next: None }
    }

    fn refused(test_id: &str, reason: String) -> Beat {
        // Both can be foreign; a heartbeat must fit into a record.
        let test_id = Some(clip(test_id, limits::TEST_ID_CHARS));
        let reason = Some(clip(&reason, MAX_REASON_CHARS));
        Beat { state: DriverState::Refused, test_id, plan_hash: None, reason, next: None }
    }
}

#[derive(Debug, PartialEq)]
enum State {
    Idle,
    /// With the start that was read meanwhile: who knows nothing of getting ready writes it at once.
    Preparing(Box<Assignment>, Option<Trigger>),
    Ready(Box<Assignment>),
    Running(Box<Assignment>),
    Finishing(Box<Assignment>),
}

/// A driver's state machine.
#[derive(Debug)]
pub struct Session {
    identity: NodeRef,
    defaults: Defaults,
    allowed: Allowed,
    state: State,
    /// Why the running test's final report was not taken.
    report_refused: Option<String>,
    /// The next plan, read while the last test's final report was on its way, and its start if that came too.
    following: Option<(Box<TestConfig>, Option<Trigger>)>,
    /// Why the running test is not executed to its end.
    broken: Option<String>,
}

impl Session {
    /// An idle driver with its name, the settings that complete a plan, and the hosts that it may load.
    pub fn new(identity: NodeRef, defaults: Defaults, allowed: Allowed) -> Session {
        let state = State::Idle;
        Session { identity, defaults, allowed, state, report_refused: None, following: None, broken: None }
    }

    /// Takes one event.
    pub fn handle(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Config(config) => self.on_config(&config),
            Event::Prepared(result) => self.on_prepared(result),
            Event::Trigger(trigger) if trigger.is_stop() => self.on_stop(&trigger),
            Event::Trigger(trigger) => self.on_start(&trigger),
            Event::NotStarted(reason) => self.on_not_started(reason),
            Event::Broken(reason) => {
                self.broken = self.is_busy().then_some(reason);
                Vec::new()
            }
            Event::ReportRefused(reason) => {
                self.report_refused = Some(reason);
                Vec::new()
            }
            Event::LoadEnded => self.on_load_ended(),
            Event::Reported => self.on_reported(),
        }
    }

    fn on_config(&mut self, config: &TestConfig) -> Vec<Action> {
        let Some((part, parts)) = self.share_of(config) else { return Vec::new() };
        if let Some((current, beat)) = self.busy() {
            if current.test_id == config.test_id {
                // The record came twice, and does no harm.
                return Vec::new();
            }
            if matches!(self.state, State::Finishing(_)) {
                // The orchestrator has the final report already, or soon gives up; its next plan waits a moment.
                let start = self.following.take().filter(|(known, _)| known.test_id == config.test_id);
                self.following = Some((Box::new(config.clone()), start.and_then(|(_, start)| start)));
                return Vec::new();
            }
            let reason = format!("still running test {:?}; stop it first", current.test_id);
            // Said once: who conducts the running test would take a driver that speaks of another one for lost.
            let refused = Beat::refused(&config.test_id, reason);
            return vec![Action::Announce(Beat { next: Some(Box::new(beat)), ..refused })];
        }
        let mut actions = Vec::new();
        match &self.state {
            // The record came twice.
            State::Preparing(current, _)
                if current.test_id == config.test_id && current.plan_hash == config.plan_hash() =>
            {
                return actions;
            }
            State::Preparing(..) | State::Ready(_) => actions.push(Action::Discard),
            _ => {}
        }
        match self.understand(config, part, parts) {
            Ok(assignment) => {
                let assignment = Box::new(assignment);
                self.state = State::Preparing(assignment.clone(), None);
                actions.push(Action::Prepare(assignment));
            }
            Err(reason) => {
                self.state = State::Idle;
                actions.push(Action::Announce(Beat::refused(&config.test_id, reason)));
            }
        }
        actions
    }

    /// Which share of how many is ours; none where the plan does not name this life of this driver. A plan without
    /// any names (the original form) is for everyone who reads it.
    fn share_of(&self, config: &TestConfig) -> Option<(u64, u64)> {
        if config.drivers.is_empty() {
            return Some((0, 1));
        }
        let part = config.drivers.iter().position(|node| *node == self.identity)?;
        Some((part as u64, config.drivers.len() as u64))
    }

    fn understand(&self, config: &TestConfig, part: u64, parts: u64) -> Result<Assignment, String> {
        let plan = Plan::new(config, &self.defaults)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        self.allowed.check(plan.request().host(), plan.request().port())?;
        Ok(Assignment { test_id: config.test_id.clone(), plan_hash: config.plan_hash(), part, parts, plan })
    }

    fn on_prepared(&mut self, result: Result<(), String>) -> Vec<Action> {
        let State::Preparing(assignment, start) = std::mem::replace(&mut self.state, State::Idle) else {
            return Vec::new();
        };
        match result {
            Ok(()) => {
                let mut actions = vec![Action::Announce(Beat::of(DriverState::Ready, &assignment))];
                self.state = State::Ready(assignment);
                if let Some(trigger) = start {
                    actions.extend(self.on_start(&trigger));
                }
                actions
            }
            Err(reason) => vec![Action::Announce(Beat::refused(&assignment.test_id, reason))],
        }
    }

    fn on_start(&mut self, trigger: &Trigger) -> Vec<Action> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Ready(assignment) if assignment.test_id == trigger.test_id => {
                let beat = Beat::of(DriverState::Running, &assignment);
                self.state = State::Running(assignment);
                vec![Action::Start { start_at_ms: trigger.start_at_ms }, Action::Announce(beat)]
            }
            State::Preparing(assignment, None) if assignment.test_id == trigger.test_id => {
                self.state = State::Preparing(assignment, Some(trigger.clone()));
                Vec::new()
            }
            other => {
                self.state = other;
                let following =
                    self.following.as_mut().filter(|(config, _)| config.test_id == trigger.test_id);
                if let Some((_, start)) = following {
                    start.get_or_insert_with(|| trigger.clone());
                }
                Vec::new()
            }
        }
    }

    fn on_stop(&mut self, trigger: &Trigger) -> Vec<Action> {
        self.following.take_if(|(config, _)| config.test_id == trigger.test_id);
        match &self.state {
            State::Running(current) if current.test_id == trigger.test_id => vec![Action::Stop],
            State::Preparing(current, _) | State::Ready(current) if current.test_id == trigger.test_id => {
                self.state = State::Idle;
                vec![Action::Announce(Beat::idle()), Action::Discard]
            }
            _ => Vec::new(),
        }
    }

    fn on_not_started(&mut self, reason: String) -> Vec<Action> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Running(assignment) => {
                vec![Action::Announce(Beat::refused(&assignment.test_id, reason))]
            }
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    fn on_load_ended(&mut self) -> Vec<Action> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Running(assignment) => {
                let beat = Beat::of(DriverState::Finishing, &assignment);
                self.state = State::Finishing(assignment);
                vec![Action::Announce(Beat { reason: self.broken.clone(), ..beat })]
            }
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    fn on_reported(&mut self) -> Vec<Action> {
        let state = std::mem::replace(&mut self.state, State::Idle);
        let (refused, broken) = (self.report_refused.take(), self.broken.take());
        let mut beat = Beat::idle();
        if let State::Finishing(current) = state {
            if refused.is_some() {
                // Said until there is something else to say: nothing else tells of it.
                (beat.test_id, beat.reason) = (Some(current.test_id.clone()), refused);
            }
            if broken.is_some() {
                // Said once more: the beat that said it may have been replaced before it left.
                let next = Some(Box::new(beat));
                beat = Beat { reason: broken, next, ..Beat::of(DriverState::Finishing, &current) };
            }
        }
        let mut actions = vec![Action::Announce(beat)];
        if let Some((config, start)) = self.following.take() {
            actions.extend(self.on_config(&config));
            actions.extend(start.iter().flat_map(|trigger| self.on_start(trigger)));
        }
        actions
    }

    /// The test that is running or being reported, and what is said of it.
    fn busy(&self) -> Option<(&Assignment, Beat)> {
        match &self.state {
            State::Running(current) => Some((current, Beat::of(DriverState::Running, current))),
            State::Finishing(current) => Some((current, Beat::of(DriverState::Finishing, current))),
            _ => None,
        }
    }

    /// The process is told to end: what to say of the load that this cuts off; none where there is none.
    pub fn leave(&self) -> Option<Beat> {
        let State::Running(current) = &self.state else { return None };
        let reason = Some("it was told to end in mid-run".to_owned());
        Some(Beat { reason, ..Beat::of(DriverState::Finishing, current) })
    }

    /// Whether a load is running or being reported.
    pub fn is_busy(&self) -> bool {
        matches!(self.state, State::Running(_) | State::Finishing(_))
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
