//! The orchestrator without its threads: fleet, newest run and its figures, used ids, history. Sans-IO.

use super::aggregate::{Aggregate, Report};
use super::dashboard::{Dashboard, FleetRow, HistoryRow, MAX_HISTORY};
use super::fleet::{Change, Fleet, Presence};
use super::ids::UsedIds;
use super::inbox::Message;
use super::journal::{Before, Journal};
use super::published::{count, published};
use super::result::summary;
use super::runs::{Command, Now, Phase, Run};
use super::waiting::{Away, notices};
use super::{ApiError, Configured};
use crate::broker_time::BrokerTime;
use crate::bus::{Appended, MAX_RECORD_BYTES};
use crate::clock::wall_ms;
use crate::message::{LatencyMs, Register, TestConfig, encode};
use crate::plan::{Plan, check_split, limits};
use crate::stats::summary::Summary;
use std::collections::VecDeque;

/// Maximum number of finished tests whose full result is kept.
const MAX_RESULTS: usize = 10;
/// A registration appended longer ago than this does not make its node alive, in ms.
const FRESH_MS: f64 = 5_000.0;
/// How much longer than the gate has been open a driver may claim to have been running, in s.
const RUNNING_SLACK_S: u64 = 60;

/// The orchestrator's state.
#[derive(Debug, Default)]
pub struct Core {
    fleet: Fleet,
    time: BrokerTime,
    ids: UsedIds,
    newest: Option<Test>,
    results: VecDeque<Summary>,
    history: VecDeque<HistoryRow>,
    bus_away: Option<Away>,
    ticked_ns: u64,
    journal: Journal,
}

#[derive(Debug)]
struct Test {
    run: Run,
    figures: Aggregate,
    recorded: bool,
    /// The last logged phase.
    logged: Option<Phase>,
}

impl Core {
    /// A moment on the monotonic clock, and in broker time.
    pub fn moment(&self, ns: u64) -> Now {
        Now { ns, broker_ms: wall_ms(ns) + self.time.offset().map_or(0.0, |offset| offset.offset_ms) }
    }

    /// Handles a message that was read.
    pub fn message(&mut self, message: &Message, now: Now) {
        match message {
            Message::Register(register, append_ms) => {
                let fresh = append_ms.is_none_or(|ms| now.broker_ms - (ms as f64) < FRESH_MS);
                let before = self.before(&register.node_id);
                let changes = self.fleet.register(register, fresh, now.ns);
                self.apply(&changes);
                self.log_node(&register.node_id, before);
            }
            Message::Heartbeat(heartbeat) => {
                let before = self.before(&heartbeat.node_id);
                let changes = self.fleet.heartbeat(heartbeat, now.ns);
                self.apply(&changes);
                self.log_node(&heartbeat.node_id, before);
                if let Some(node) = self.fleet.get(&heartbeat.node_id) {
                    self.journal.older(node, heartbeat);
                }
                if let Some(test) = &mut self.newest {
                    test.run.heartbeat(heartbeat, now);
                    let node = self.fleet.get(&heartbeat.node_id);
                    if node.is_some_and(|node| node.epoch.is_none()) {
                        test.run.original(&heartbeat.node_id, false, now);
                    }
                }
            }
            Message::Report(test_id, report) => self.report(test_id, report, now),
            Message::Used(id) => {
                self.ids.insert(id);
            }
        }
    }

    /// Advances time; `bus_away` says why the bus could not be read since the last tick. Returns what must be
    /// written.
    pub fn tick(&mut self, now: Now, bus_away: Option<String>) -> Vec<Command> {
        let changes = self.fleet.tick(now.ns, bus_away.is_none());
        self.journal.silent(&changes);
        let since_ns = self.bus_away.as_ref().map_or(now.ns, |away| away.since_ns);
        self.bus_away = bus_away.map(|why| Away { since_ns, why });
        self.ticked_ns = now.ns;
        self.apply(&changes);
        let Some(test) = &mut self.newest else { return Vec::new() };
        let commands = test.run.tick(now);
        self.record_end();
        self.log_phase();
        commands
    }

    /// What has happened since the last call, for the log.
    pub fn take_lines(&mut self) -> Vec<(log::Level, String)> {
        self.journal.take()
    }

    fn before(&self, node_id: &str) -> Option<Before> {
        self.fleet.get(node_id).map(Before::of)
    }

    fn log_node(&mut self, node_id: &str, before: Option<Before>) {
        if let Some(node) = self.fleet.get(node_id) {
            self.journal.node(before, node);
        }
    }

    fn log_phase(&mut self) {
        let Some(test) = self.newest.as_mut().filter(|test| test.logged != Some(test.run.phase)) else {
            return;
        };
        test.logged = Some(test.run.phase);
        let result = self.results.front().filter(|result| result.test_id == test.run.config.test_id);
        self.journal.test(&test.run, result);
    }

    /// Handles the result of writing a command for the test `test_id`.
    pub fn written(&mut self, test_id: &str, command: &Command, result: Result<Appended, String>, now: Now) {
        if let Ok(appended) = &result {
            self.learn_time(appended);
        }
        if let Some(test) = self.newest.as_mut().filter(|test| test.run.config.test_id == test_id) {
            test.run.written(command, result.map(|_| ()), now);
        }
    }

    /// Learns the broker's time from a record of ours that was written. A `test_config` always precedes its
    /// trigger, so no record needs to be written for the clock alone, which a reader might mistake for a
    /// driver's.
    pub fn learn_time(&mut self, appended: &Appended) {
        if let Some(append_ms) = appended.append_ms {
            self.time.add(append_ms, wall_ms(appended.sent_ns), wall_ms(appended.acked_ns));
        }
    }

    /// Accepts a plan, names the fleet's drivers in it, and returns the command that writes it.
    pub fn configure(&mut self, mut config: TestConfig) -> Result<(Configured, Command), ApiError> {
        let plan = check(&config)?;
        self.check_bus()?;
        let id = &config.test_id;
        if self.ids.contains(id) {
            return Err(ApiError::new(409, format!("test_id {id:?} was already used: choose a new one")));
        }
        if let Some(test) = self.newest.as_ref().filter(|test| !test.run.phase.is_over()) {
            let other = &test.run.config.test_id;
            let how = "wait until it ends, or stop it with POST /stop";
            return Err(ApiError::new(
                409,
                format!("the test {other:?} is {}: {how}", test.run.phase.state()),
            ));
        }
        config.drivers = self.fleet.named();
        let originals = self.fleet.originals();
        if config.drivers.is_empty() && originals.is_empty() {
            let how = "start floodgate-driver on the same bus and wait until GET /dashboard shows it alive";
            return Err(ApiError::new(409, format!("no driver is alive: {how}")));
        }
        if config.drivers.is_empty() && !self.fleet.is_without_ours() {
            let why = "only drivers of the original protocol are known, and others may not have been heard \
                from yet";
            return Err(ApiError::new(409, format!("no driver is alive: {why}: try again in 5 s")));
        }
        if config.drivers.is_empty() && count(&plan, originals.len()).is_none() {
            let why = "there are only drivers of the original protocol, which only stop after a fixed count";
            return Err(ApiError::new(400, format!("message_count_per_driver: {why}: set it")));
        }
        let drivers = config.drivers.len();
        let size = encode(&published(&config, &plan, &originals)).len();
        check_split(&config, drivers.max(1)).map_err(|e| ApiError::new(409, e.to_string()))?;
        if drivers > limits::DRIVERS {
            let most = limits::DRIVERS;
            return Err(ApiError::new(
                409,
                format!("{drivers} drivers are alive: at most {most} can run a test"),
            ));
        }
        if size > MAX_RECORD_BYTES {
            let most = MAX_RECORD_BYTES;
            return Err(ApiError::new(
                413,
                format!("the plan has {size} bytes with its drivers: at most {most}"),
            ));
        }
        Ok(self.begin(config, plan, originals))
    }

    fn begin(&mut self, config: TestConfig, plan: Plan, originals: Vec<String>) -> (Configured, Command) {
        self.keep_late_originals();
        self.ids.insert(&config.test_id);
        let figures = Aggregate::new(&config.drivers);
        let command = Command::Config(Box::new(published(&config, &plan, &originals)));
        let (run, _) = Run::new(config, plan);
        let run = run.with_originals(originals);
        let configured = configured(&run);
        self.newest = Some(Test { run, figures, recorded: false, logged: None });
        self.log_phase();
        (configured, command)
    }

    /// Ends the running test, or the given one; returns its id, its state, and the command that writes the
    /// STOP.
    pub fn stop(
        &mut self,
        test_id: Option<&str>,
        reason: &str,
        now: Now,
    ) -> Result<(Configured, Option<Command>), ApiError> {
        let running = self.newest.as_mut().filter(|test| !test.run.phase.is_over());
        let Some(test) = running else {
            return Err(ApiError::new(404, "no test is running: there is nothing to stop"));
        };
        let current = test.run.config.test_id.clone();
        if let Some(wanted) = test_id.filter(|wanted| *wanted != current) {
            let how = format!("the running one is {current:?}");
            return Err(ApiError::new(404, format!("test {wanted:?} is not running: {how}")));
        }
        let command = test.run.stop(reason, now);
        let configured = configured(&test.run);
        self.record_end();
        Ok((configured, command))
    }

    /// The current result of a test; `None` if the test is unknown or too old.
    pub fn summary(&self, test_id: &str) -> Option<Summary> {
        match self.newest.as_ref().filter(|test| test.run.config.test_id == test_id) {
            Some(test) => Some(self.result(test)),
            None => self.results.iter().find(|summary| summary.test_id == test_id).cloned(),
        }
    }

    /// Everything that the dashboard shows.
    pub fn dashboard(&self, now_ns: u64) -> Dashboard {
        let test = self.newest.as_ref().map(|test| self.result(test));
        let merged = test.as_ref().and_then(|test| test.total.latency_ms.as_ref());
        let dashboard = merged.map(|latency| LatencyMs {
            mean_latency: Some(latency.mean),
            median_latency: Some(latency.median),
            min_latency: Some(latency.min),
            max_latency: Some(latency.max),
        });
        Dashboard {
            dashboard: dashboard.unwrap_or_default(),
            fleet: self.fleet.nodes().map(|node| FleetRow::of(node, now_ns)).collect(),
            test,
            history: self.history.iter().cloned().collect(),
        }
    }

    /// Whether this node is already alive; an error if the fleet would ignore the registration.
    pub fn check_register(&self, register: &Register) -> Result<bool, ApiError> {
        let id = &register.node_id;
        let alive = self.fleet.get(id).filter(|node| node.presence == Presence::Alive);
        if alive.is_some_and(|node| register.epoch < node.epoch) {
            let how = "choose another node_id, or stop that driver first";
            return Err(ApiError::new(409, format!("node_id {id:?}: a driver of this name is alive: {how}")));
        }
        Ok(alive.is_some())
    }

    /// How many drivers a new test would name.
    pub fn alive(&self) -> usize {
        self.fleet.named().len()
    }

    /// 503 while Kafka is unavailable.
    pub fn check_bus(&self) -> Result<(), ApiError> {
        match &self.bus_away {
            None => Ok(()),
            Some(Away { why, .. }) => {
                Err(ApiError::new(503, format!("Kafka is unavailable, try again later: {why}")))
            }
        }
    }

    fn result(&self, test: &Test) -> Summary {
        Summary {
            notices: notices(&test.run, self.bus_away.as_ref(), self.ticked_ns),
            ..summary(&test.run, &test.figures, &self.fleet, self.time.offset().is_some())
        }
    }

    fn apply(&mut self, changes: &[Change]) {
        let Some(test) = &mut self.newest else { return };
        for change in changes {
            test.run.change(change);
            match change {
                Change::Lost { node, .. } => test.figures.lost(node),
                Change::Back(node) => test.figures.back(node),
            }
        }
    }

    fn report(&mut self, test_id: &str, report: &Report, now: Now) {
        let Some(test) = self.newest.as_mut().filter(|test| test.run.config.test_id == test_id) else {
            return;
        };
        match report {
            Report::Numbered(report) => {
                test.run.reported(&report.node, now);
                let seconds = test.run.seconds(now).unwrap_or(0) + RUNNING_SLACK_S;
                if test.figures.numbered(report, seconds) {
                    test.run.final_report(&report.node);
                    test.run.notes.extend(report.left_out());
                }
            }
            Report::Original(name, latency) => {
                let is_original = self.fleet.original_reported(name, now.ns);
                if is_original && test.run.original(name, true, now) {
                    test.figures.original(name, latency);
                }
            }
        }
    }

    /// Records the end of a run once.
    fn record_end(&mut self) {
        let Some(test) = self.newest.as_mut().filter(|t| t.run.phase.is_over() && !t.recorded) else {
            return;
        };
        test.recorded = true;
        test.figures.finish();
        let Some(summary) = self.newest.as_ref().map(|test| self.result(test)) else { return };
        self.history.push_front(HistoryRow::of(&summary));
        self.history.truncate(MAX_HISTORY);
        self.results.push_front(summary);
        self.results.truncate(MAX_RESULTS);
    }

    /// Updates the kept result: drivers of the original protocol may have reported after the run was closed.
    fn keep_late_originals(&mut self) {
        let Some(test) = self.newest.as_ref().filter(|test| test.recorded) else { return };
        let renewed = self.result(test);
        if let Some(kept) = self.results.front_mut().filter(|kept| kept.test_id == renewed.test_id) {
            *kept = renewed;
        }
    }

    /// The id of the newest test.
    pub fn newest_id(&self) -> Option<String> {
        self.newest.as_ref().map(|test| test.run.config.test_id.clone())
    }
}

fn configured(run: &Run) -> Configured {
    Configured {
        test_id: run.config.test_id.clone(),
        state: run.phase.state(),
        drivers: run.members.iter().map(|member| member.node.node_id.clone()).collect(),
        original: run.originals.names(),
    }
}

/// The plan in a message that names no drivers yet; drivers only affect whether it can be split.
fn check(config: &TestConfig) -> Result<Plan, ApiError> {
    if !config.drivers.is_empty() {
        return Err(ApiError::new(400, "drivers: the orchestrator fills in the live drivers: leave it out"));
    }
    Plan::as_written(config).map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        ApiError::new(400, texts.join("; "))
    })
}

#[cfg(test)]
mod tests;
