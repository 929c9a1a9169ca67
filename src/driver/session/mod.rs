//! The session: the driver's state machine. Pure: an event goes in, actions come out.
//!
//! idle → (plan understood) preparing → (prepared) ready → (trigger) running → (load ended) finishing →
//! (report published) idle

use super::allowed::Allowed;
use super::void::Successors;
use crate::message::{DriverState, NodeRef, TestConfig, Trigger, Word};
use crate::plan::{Defaults, Plan, limits};
use crate::units::clip;

/// Maximum length of a reason in heartbeats, in characters.
const MAX_REASON_CHARS: usize = 500;

/// What one driver does in one test.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The test.
    pub test_id: String,
    /// Hash of the plan as understood.
    pub plan_hash: String,
    /// The driver's node id.
    pub node_id: String,
    /// The index of the share, from 0.
    pub part: u64,
    /// The number of shares.
    pub parts: u64,
    /// The plan, completed with the driver's own settings.
    pub plan: Plan,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A plan was read.
    Config(Box<TestConfig>),
    /// [`Action::Prepare`] has succeeded or failed.
    Prepared(Result<(), String>),
    /// A trigger was read.
    Trigger(Trigger),
    /// [`Action::Start`] has failed, and why.
    NotStarted(String),
    /// A thread of the running test crashed, and why: the load ends, and the counts so far are reported.
    Broken(String),
    /// The bus could not be read for too long to let the load go on; what happened.
    Fenced(String),
    /// All workers have ended.
    LoadEnded,
    /// The bus will never accept the final report, and why. [`Event::Reported`] follows.
    ReportRefused(String),
    /// The final report was published, or given up.
    Reported,
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Publish this in heartbeats from now on, starting at once.
    Announce(Beat),
    /// Resolve names, open clients, read the target's count; then return [`Event::Prepared`].
    Prepare(Box<Assignment>),
    /// Open the gate.
    Start {
        /// When, in broker time (ms since 1970); at once if absent.
        start_at_ms: Option<f64>,
    },
    /// End the load at once and abort requests in flight.
    Stop,
    /// Give up soon on reports that the bus does not accept: nobody waits for them any more.
    Hurry,
    /// Discard what was prepared, or is being prepared: no [`Event::Prepared`] follows.
    Discard,
}

/// The content of heartbeats, apart from names and clocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Beat {
    /// What the driver is doing.
    pub state: DriverState,
    /// The test that the state refers to.
    pub test_id: Option<String>,
    /// Hash of the plan as understood.
    pub plan_hash: Option<String>,
    /// Why it refused the plan or ended early.
    pub reason: Option<String>,
    /// What to publish after this has been published once.
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
        // Both may contain external text; a heartbeat must fit into a record.
        let test_id = Some(clip(test_id, limits::TEST_ID_CHARS));
        let reason = Some(clip(&reason, MAX_REASON_CHARS));
        Beat { state: DriverState::Refused, test_id, plan_hash: None, reason, next: None }
    }
}

#[derive(Debug, PartialEq)]
enum State {
    Idle,
    /// With a start that arrived during preparation: an original orchestrator sends it right after the plan.
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
    /// Why the running test's final report was not published.
    report_refused: Option<String>,
    /// The next plan, received while the last test's final report was being sent, and its start if received.
    following: Option<(Box<TestConfig>, Option<Trigger>)>,
    /// Why the running test ends early.
    broken: Option<String>,
    successors: Successors,
}

impl Session {
    /// An idle driver with its identity, the settings that complete a plan, and the hosts that it may load.
    pub fn new(identity: NodeRef, defaults: Defaults, allowed: Allowed) -> Session {
        Session {
            identity,
            defaults,
            allowed,
            state: State::Idle,
            report_refused: None,
            following: None,
            broken: None,
            successors: Successors::default(),
        }
    }

    /// Handles one event.
    pub fn handle(&mut self, event: Event) -> Vec<Action> {
        match event {
            // Before anything else, since plans for other drivers count, too.
            Event::Config(config) if self.successors.is_void(&config) => Vec::new(),
            Event::Config(config) => self.on_config(&config),
            Event::Prepared(result) => self.on_prepared(result),
            Event::Trigger(trigger) if trigger.is_stop() => self.on_stop(&trigger),
            Event::Trigger(trigger) => self.on_start(&trigger),
            Event::NotStarted(reason) => self.on_not_started(reason),
            Event::Broken(reason) => {
                self.broken = self.is_busy().then_some(reason);
                Vec::new()
            }
            Event::Fenced(reason) => self.on_fenced(reason),
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
                // A harmless duplicate of the record.
                return Vec::new();
            }
            if matches!(self.state, State::Finishing(_)) {
                // Its orchestrator does not wait for the final report any more, or could not send a plan; the
                // plan waits for it, but not long.
                let start = self.following.take().filter(|(known, _)| known.test_id == config.test_id);
                self.following = Some((Box::new(config.clone()), start.and_then(|(_, start)| start)));
                return vec![Action::Hurry];
            }
            let reason = format!("still running test {:?}; stop it first", current.test_id);
            // Published only once: the running test's orchestrator would consider a driver lost that reports
            // another test.
            let refused = Beat::refused(&config.test_id, reason);
            return vec![Action::Announce(Beat { next: Some(Box::new(beat)), ..refused })];
        }
        let mut actions = Vec::new();
        match &self.state {
            // A duplicate of the record.
            State::Preparing(current, _) | State::Ready(current)
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

    /// The index of our share and the number of shares; `None` if the plan does not name this epoch of this
    /// driver. A plan without names (the original form) is for every driver.
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
        plan.sent()
            .list()
            .iter()
            .try_for_each(|request| self.allowed.check(request.host(), request.port()))?;
        Ok(Assignment {
            test_id: config.test_id.clone(),
            plan_hash: config.plan_hash(),
            node_id: self.identity.node_id.clone(),
            part,
            parts,
            plan,
        })
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
        self.successors.stop(&trigger.test_id);
        self.following.take_if(|(config, _)| config.test_id == trigger.test_id);
        match &self.state {
            State::Running(current) if current.test_id == trigger.test_id => vec![Action::Stop],
            State::Preparing(current, _) | State::Ready(current) if current.test_id == trigger.test_id => {
                self.state = State::Idle;
                vec![Action::Announce(Beat::idle()), Action::Discard]
            }
            State::Finishing(current)
                if current.test_id == trigger.test_id && trigger.trigger == Word::End =>
            {
                // Later reports do not count.
                vec![Action::Hurry]
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

    fn on_fenced(&mut self, reason: String) -> Vec<Action> {
        if !self.is_loaded() {
            return Vec::new();
        }
        self.broken.get_or_insert(reason);
        vec![Action::Stop]
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
                // Repeated until the next state change: no other message carries it.
                (beat.test_id, beat.reason) = (Some(current.test_id.clone()), refused);
            }
            if broken.is_some() {
                // Repeated once: the beat with the reason may have been replaced before it was published.
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

    /// The test that is running or being reported, and its beat.
    fn busy(&self) -> Option<(&Assignment, Beat)> {
        match &self.state {
            State::Running(current) => Some((current, Beat::of(DriverState::Running, current))),
            State::Finishing(current) => Some((current, Beat::of(DriverState::Finishing, current))),
            _ => None,
        }
    }

    /// At shutdown: the beat about the load that is cut off; `None` if there is none.
    pub fn leave(&self) -> Option<Beat> {
        let State::Running(current) = &self.state else { return None };
        let reason = Some("it was shut down mid-run".to_owned());
        Some(Beat { reason, ..Beat::of(DriverState::Finishing, current) })
    }

    /// Whether a load is running, or waits for its start.
    pub fn is_loaded(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// Whether a load is running or being reported.
    pub fn is_busy(&self) -> bool {
        matches!(self.state, State::Running(_) | State::Finishing(_))
    }
}

#[cfg(test)]
mod tests;
