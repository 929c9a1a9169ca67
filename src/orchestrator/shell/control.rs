//! The handle that controls the orchestrator, used by the HTTP API and by `floodgate run` in the same
//! process.

use super::{Job, Shared};
use crate::bus::Topic;
use crate::clock;
use crate::message::{Register, TestConfig, check_node_id, encode};
use crate::orchestrator::body::{read_json, read_plan};
use crate::orchestrator::dashboard::Dashboard;
use crate::orchestrator::prometheus;
use crate::orchestrator::saving::Saving;
use crate::orchestrator::{ApiError, Configured};
use crate::stats::histogram::{Histogram, Packed};
use crate::stats::summary::Summary;
use crate::store::{Outcome, Store};
use crossbeam_channel::bounded;
use std::sync::Arc;
use std::time::Duration;

/// How long a caller waits until its plan stands in the log. The writer retries for 10 s, but may write
/// something else first.
const PLAN_WITHIN: Duration = Duration::from_secs(12);
/// How long a caller waits for an answer that has been decided on.
const DECIDED_WITHIN: Duration = Duration::from_secs(1);
/// How long a new plan waits for the END of a test that was stopped before it started.
const STOPPED_WITHIN: Duration = Duration::from_secs(3);
/// Interval at which that is checked.
const LOOK: Duration = Duration::from_millis(20);
/// How long a caller waits until its record is written.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The smallest body of `POST /register`.
const REGISTER: &str = r#"{"node_id": "m1", "node_IP": "10.0.0.7"}"#;
/// Maximum length of a STOP's reason, in characters.
const MAX_REASON_CHARS: usize = 1_000;

/// Configures, stops and reads tests. Clones share one orchestrator and may outlive it; then they find no
/// driver.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

impl Control {
    pub(super) fn new(shared: Arc<Shared>) -> Control {
        Control { shared }
    }

    /// Configures a test, which starts as soon as all live drivers are ready. Returns once the plan stands in
    /// the log.
    ///
    /// # Errors
    /// 400 for an invalid plan; 409 if a test is running, also if another orchestrator configured it at the
    /// same moment, the id was already used or no driver is alive; 413 if the plan is too large; 503 if Kafka
    /// is unavailable.
    pub fn configure(&self, config: TestConfig) -> Result<Configured, ApiError> {
        self.check_threads()?;
        self.await_stopped();
        let (answer, answered) = bounded(1);
        let id = {
            let mut core = self.shared.core();
            let now = core.moment(clock::now_ns());
            let (test_id, command) = core.propose(config, now)?;
            self.shared.waiting().push((test_id.clone(), answer));
            self.shared.enqueue(&mut core, &test_id, command);
            test_id
        };
        let late = || ApiError::new(503, "Kafka did not accept the plan in time: see GET /dashboard");
        let answer = answered.recv_timeout(PLAN_WITHIN).unwrap_or_else(|_| {
            let is_abandoned = self.shared.core().abandon(&id);
            if is_abandoned {
                return Err(late());
            }
            answered.recv_timeout(DECIDED_WITHIN).unwrap_or_else(|_| Err(late()))
        });
        self.shared.waiting().retain(|(waiting, _)| *waiting != id);
        answer
    }

    /// Waits for the END of a test that was stopped before it started.
    fn await_stopped(&self) {
        let deadline_ns = clock::deadline(STOPPED_WITHIN);
        let ends_unstarted = || self.shared.core().ends_unstarted();
        while ends_unstarted() && clock::now_ns() < deadline_ns {
            clock::sleep(LOOK);
        }
    }

    /// Like [`Control::configure`], from the JSON of a `test_config`, or of `plan` with the keys of a plan
    /// file. Every field must be known.
    ///
    /// # Errors
    /// As [`Control::configure`]; 400 names the field.
    pub fn configure_json(&self, body: &[u8]) -> Result<Configured, ApiError> {
        self.configure_body(body, "application/json")
    }

    /// Like [`Control::configure_json`], or from a plan file if the content type is one of TOML.
    ///
    /// # Errors
    /// As [`Control::configure_json`].
    pub fn configure_body(&self, body: &[u8], content_type: &str) -> Result<Configured, ApiError> {
        self.configure(read_plan(body, content_type)?)
    }

    /// Ends the running test, or the given one: drivers stop at once, and the run ends `aborted` once their
    /// last reports are in. Idempotent.
    ///
    /// # Errors
    /// 404 if no such test is running.
    pub fn stop(&self, test_id: Option<&str>, reason: &str) -> Result<Configured, ApiError> {
        let reason: String = reason.chars().take(MAX_REASON_CHARS).collect();
        let mut core = self.shared.core();
        let now = core.moment(clock::now_ns());
        let (configured, command) = core.stop(test_id, &reason, now)?;
        if let Some(command) = command {
            self.shared.enqueue(&mut core, &configured.test_id, command);
        }
        Ok(configured)
    }

    /// Writes a `register` record from its JSON, like a driver does. Returns whether the node was already
    /// alive.
    ///
    /// # Errors
    /// 400 for an invalid body; 409 if a live driver has this name and would keep it; 503 if Kafka is
    /// unavailable.
    pub fn register_json(&self, body: &[u8]) -> Result<bool, ApiError> {
        let register: Register = read_json(body, REGISTER)?;
        let id = &register.node_id;
        check_node_id(id).map_err(|why| ApiError::new(400, format!("node_id: {why}")))?;
        if register.node_ip.trim().is_empty() {
            return Err(ApiError::new(400, format!("node_IP: the address is missing; example: {REGISTER}")));
        }
        let known = {
            let core = self.shared.core();
            core.check_bus()?;
            core.check_register(&register)?
        };
        let (answer, answered) = bounded(1);
        let job = Job::Record(Topic::Register, register.node_id.clone(), encode(&register), answer);
        let away =
            |why: &str| ApiError::new(503, format!("the registration was not written, try again: {why}"));
        self.shared.jobs.try_send(job).map_err(|_| away("too many records are waiting to be written"))?;
        match answered.recv_timeout(ANSWER_WITHIN) {
            Ok(Ok(_)) => Ok(known),
            Ok(Err(why)) => Err(away(&format!("topic register: {why}"))),
            Err(_) => Err(away("Kafka did not acknowledge it in time")),
        }
    }

    /// The current result of a test, up to its newest whole second while it runs; `None` if the test is
    /// unknown.
    pub fn summary(&self, test_id: &str) -> Option<Summary> {
        self.shared.core().summary(test_id)
    }

    /// The fleet, the newest test, and a summary of the finished ones.
    pub fn dashboard(&self) -> Dashboard {
        self.shared.core().dashboard(clock::now_ns())
    }

    /// The same, with the latencies of each second of the newest test if it has more than `most` seconds.
    pub fn dashboard_and_intervals(&self, most: usize) -> (Dashboard, Vec<(u64, Packed)>) {
        let core = self.shared.core();
        let dashboard = core.dashboard(clock::now_ns());
        let is_long = dashboard.test.as_ref().is_some_and(|test| test.series.len() > most);
        (dashboard, if is_long { core.intervals() } else { Vec::new() })
    }

    /// The text of `GET /metrics`, rendered outside the lock.
    pub(in crate::orchestrator) fn metrics(&self) -> String {
        let scrape = self.shared.core().scrape(clock::now_ns());
        prometheus::render(&scrape)
    }

    /// The latencies of all responses of a test; `None` if the test is unknown or too old.
    pub fn latency(&self, test_id: &str) -> Option<Histogram> {
        self.shared.core().latency(test_id)
    }

    /// What became of a finished test in the store; `None` while it is being saved, and without a store.
    pub fn saved(&self, test_id: &str) -> Option<Outcome> {
        self.shared.saving.as_ref().and_then(|saving| saving.outcome(test_id))
    }

    /// The store, if there is one.
    pub(in crate::orchestrator) fn store(&self) -> Option<&Store> {
        self.shared.saving.as_deref().map(Saving::store)
    }

    /// How many drivers a test would name now.
    pub fn fleet_alive(&self) -> usize {
        self.shared.core().alive()
    }

    /// 503 while the bus cannot be read, and permanently once a thread has failed.
    pub fn health(&self) -> Result<(), ApiError> {
        self.check_threads()?;
        self.shared.core().check_bus()
    }

    /// Why the orchestrator cannot continue; `None` while it works.
    pub fn failure(&self) -> Option<&str> {
        self.shared.failure.get()
    }

    fn check_threads(&self) -> Result<(), ApiError> {
        match self.failure() {
            None => Ok(()),
            Some(why) => Err(ApiError::new(503, format!("the orchestrator must be restarted: {why}"))),
        }
    }
}
