//! The orchestrator without its threads: a fold over the five topics. Sans-IO.
//!
//! Messages change what is known; [`Core::tick`] returns what must be written. A result is a function of the
//! plan and of the topic `metrics` up to the END of the test, whoever computes it and whenever.

mod chain;
mod configuring;
mod early;
mod ending;
mod judging;
mod starting;
mod views;

use super::ApiError;
use super::Configured;
use super::aggregate::{Aggregate, Report};
use super::dashboard::HistoryRow;
use super::fleet::{Change, Fleet};
use super::inbox::Message;
use super::journal::{Before, Journal};
use super::prometheus::Ended;
use super::runs::{Command, Now, Phase, Run};
use super::waiting::Away;
use crate::broker_time::BrokerTime;
use crate::bus::{Appended, BusError, MAX_RECORD_BYTES};
use crate::clock::{NS_PER_S, wall_ms};
use crate::message::{End, Headline, NodeRef, TestConfig, Trigger};
use crate::stats::histogram::Packed;
use crate::stats::states::RunState;
use crate::stats::summary::Summary;
use crate::thresholds::Judge;
use chain::{Chain, Standing};
pub use configuring::Decided;
use configuring::{Proposal, configured};
use early::{Earlies, Early};
pub use ending::Finished;
use std::collections::VecDeque;

/// Reads that fail for this long are an outage.
const OUTAGE_NS: u64 = NS_PER_S;
/// A registration appended longer ago than this does not make its node alive, in ms.
const FRESH_MS: f64 = 5_000.0;
/// How much longer than its test has been configured a driver may claim to have been running, in s.
const RUNNING_SLACK_S: u64 = 60;
/// The longest running time that is believed if append times are unknown, in s.
const MAX_RUNNING_S: u64 = 8 * 86_400;

/// The orchestrator's state.
#[derive(Debug, Default)]
pub struct Core {
    fleet: Fleet,
    time: BrokerTime,
    /// Lower bound of broker time minus our clock, in ms, by the records that were read.
    heard_offset_ms: Option<f64>,
    chain: Chain,
    /// Tests without an END, oldest first.
    tests: Vec<Test>,
    results: VecDeque<Summary>,
    /// The latencies of each second of the newest result.
    intervals: Vec<(u64, Packed)>,
    /// What is exposed of tests that ended.
    ended: Ended,
    /// Tests that ended since they were last taken; filled only if someone takes them.
    finished: Vec<Finished>,
    keeps_finished: bool,
    history: VecDeque<HistoryRow>,
    /// What was read of tests that are not known yet.
    early: Earlies,
    proposal: Option<Proposal>,
    /// Tests whose caller was told that they were not configured, newest last.
    abandoned: VecDeque<String>,
    decided: Vec<Decided>,
    /// Records to write besides those of the runs.
    due: Vec<(String, Command)>,
    /// Whether it is still being learned which tests there were.
    is_learning: bool,
    /// Whether the records from before the start are still being read.
    is_catching_up: bool,
    bus_away: Option<Away>,
    /// Since when the bus has been read without an outage.
    heard_since_ns: u64,
    moment: Now,
    journal: Journal,
}

#[derive(Debug)]
struct Test {
    run: Run,
    figures: Aggregate,
    judge: Judge,
    /// A copy of its END was read, which stands in if the log no longer has the END itself.
    index: Option<Box<End>>,
    /// The last logged phase.
    logged: Option<Phase>,
}

impl Test {
    fn new(run: Run, figures: Aggregate) -> Test {
        let judge = Judge::new(&run.config.thresholds);
        Test { run, figures, judge, index: None, logged: None }
    }
}

impl Core {
    /// A moment on the monotonic clock, and in broker time.
    pub fn moment(&self, ns: u64) -> Now {
        let offset_ms = self.time.offset().map(|offset| offset.offset_ms).or(self.heard_offset_ms);
        Now { ns, broker_ms: wall_ms(ns) + offset_ms.unwrap_or(0.0) }
    }

    /// Handles a message that was read.
    pub fn message(&mut self, message: &Message, now: Now) {
        match message {
            Message::Register(register, append_ms) => {
                let fresh = append_ms.is_none_or(|ms| now.broker_ms - (ms as f64) < FRESH_MS);
                let before = self.before(&register.node_id);
                let changes = self.fleet.register(register, fresh, now.ns);
                self.apply(&changes, now);
                self.log_node(&register.node_id, before);
            }
            Message::Heartbeat(heartbeat, append_ms) => {
                self.hear(*append_ms, now);
                let before = self.before(&heartbeat.node_id);
                let changes = self.fleet.heartbeat(heartbeat, now.ns);
                self.apply(&changes, now);
                self.log_node(&heartbeat.node_id, before);
                let node = self.fleet.get(&heartbeat.node_id);
                if let Some(node) = node {
                    self.journal.older(node, heartbeat);
                }
                let is_original = node.is_some_and(|node| node.epoch.is_none());
                for test in &mut self.tests {
                    test.run.heartbeat(heartbeat, now);
                    if is_original {
                        test.run.original(&heartbeat.node_id, false, now);
                    }
                }
            }
            Message::Report(test_id, report, append_ms) => self.report(test_id, report, *append_ms, now),
            Message::Config(config, append_ms) => self.config(config, *append_ms, now),
            Message::Used(id) => self.chain.note(id),
            Message::Trigger(trigger, append_ms) => self.trigger(trigger, *append_ms, now),
            Message::Index(end) => self.index(end),
            Message::End(end) => self.end(end, now),
        }
    }

    /// Advances time; `bus_away` says why the bus could not be read since the last tick. Returns what must be
    /// written, each with the id of its test.
    pub fn tick(&mut self, now: Now, bus_away: Option<String>) -> Vec<(String, Command)> {
        let changes = self.fleet.tick(now.ns, bus_away.is_none());
        self.journal.silent(&changes);
        let since_ns = self.bus_away.as_ref().map_or(now.ns, |away| away.since_ns);
        // After a read that failed once, the next one has everything: decisions wait for it.
        let is_long = bus_away.is_some() && now.ns >= since_ns.saturating_add(OUTAGE_NS);
        let is_short = bus_away.is_some() && !is_long;
        if is_long || self.is_catching_up {
            self.heard_since_ns = now.ns;
        }
        self.bus_away = bus_away.map(|why| Away { since_ns, why });
        self.moment = now;
        self.apply(&changes, now);
        self.expire_proposal(now);
        let mut due = std::mem::take(&mut self.due);
        if !self.is_catching_up {
            self.find_unheard(now);
            due.extend(if is_short { Vec::new() } else { self.decide(now) });
        }
        self.log_phases();
        due
    }

    /// What the runs need next.
    fn decide(&mut self, now: Now) -> Vec<(String, Command)> {
        let mut due = Vec::new();
        for index in 0..self.tests.len() {
            let test = &mut self.tests[index];
            let commands = match test.index {
                Some(_) => Vec::new(),
                None => test.run.tick(now, self.heard_since_ns),
            };
            for mut command in commands {
                if let Command::End(end) = &mut command {
                    self.complete(index, end);
                }
                due.push((self.tests[index].run.config.test_id.clone(), command));
            }
        }
        due
    }

    /// Adds to an END what the run does not know.
    fn complete(&self, index: usize, end: &mut End) {
        let test = &self.tests[index];
        end.clock_unknown = self.clock_unknown(&test.run);
        let total = self.result(test).total;
        end.headline = Headline {
            requests: total.requests,
            errors: total.errors_total(),
            error_statuses: total.error_statuses(),
            p99_ms: total.latency_ms.as_ref().map(|latency| latency.p99),
        };
        end.fit(MAX_RECORD_BYTES);
    }

    /// Drivers that this process has never heard from, although it has listened for long enough.
    fn find_unheard(&mut self, now: Now) {
        if !self.fleet.has_listened() {
            return;
        }
        for test in &mut self.tests {
            let fleet = &self.fleet;
            let unheard = |node: &NodeRef| {
                let known = fleet.get(&node.node_id).filter(|known| known.epoch == Some(node.epoch));
                known.is_none_or(|known| known.seen_ns.is_none())
            };
            let what = "nothing was heard from it since this orchestrator started".to_owned();
            let members = test.run.members.iter().filter(|m| m.is_at_work() && unheard(&m.node));
            let lost =
                |node: &NodeRef| Change::Lost { node: node.clone(), what: what.clone(), permanently: false };
            let changes: Vec<Change> = members.map(|member| lost(&member.node)).collect();
            changes.iter().for_each(|change| test.run.change(change, now));
        }
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

    fn log_phases(&mut self) {
        for test in self.tests.iter_mut().filter(|test| test.logged != Some(test.run.phase)) {
            test.logged = Some(test.run.phase);
            self.journal.test(&test.run, None);
        }
    }

    /// Handles the result of writing a command for the test `test_id`.
    pub fn written(
        &mut self,
        test_id: &str,
        command: &Command,
        result: Result<Appended, BusError>,
        now: Now,
    ) {
        match &result {
            Ok(appended) => self.learn_time(appended),
            Err(error) if matches!(command, Command::Config(_)) => self.not_proposed(test_id, error),
            Err(_) => {}
        }
        if let Some(test) = self.tests.iter_mut().find(|test| test.run.config.test_id == test_id) {
            test.run.written(command, result.map(|_| ()).map_err(|error| error.to_string()), now);
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

    /// An orchestrator that has written nothing yet knows broker time from the newest record it read.
    fn hear(&mut self, append_ms: Option<i64>, now: Now) {
        let Some(append_ms) = append_ms.filter(|_| !self.is_catching_up) else { return };
        let offset_ms = append_ms as f64 - wall_ms(now.ns);
        self.heard_offset_ms = Some(self.heard_offset_ms.map_or(offset_ms, |known| known.max(offset_ms)));
    }

    fn config(&mut self, config: &TestConfig, append_ms: Option<i64>, now: Now) {
        let configured_ms = append_ms.map_or(now.broker_ms, |ms| ms as f64);
        match self.chain.add(config) {
            // Without append times, nobody knows which of the old reports belong to it.
            Standing::Counts if self.is_learning && append_ms.is_none() => {}
            Standing::Counts if self.is_learning => {
                self.chain.remember(config, configured_ms);
                self.take_early(&config.test_id, now);
            }
            Standing::Counts => {
                let own = self.begin(config, configured_ms, now);
                if self.forget_abandoned(&config.test_id) && !own {
                    self.release(&config.test_id, "its configuration was reported as failed");
                }
            }
            Standing::Void => self.refuse_void(&config.test_id),
            Standing::Foreign => {}
        }
        // Whatever came of it, the id now belongs to the plan that was read.
        self.refuse_used(&config.test_id);
    }

    fn trigger(&mut self, trigger: &Trigger, append_ms: Option<i64>, now: Now) {
        let at_ms = append_ms.map_or(now.broker_ms, |ms| ms as f64);
        match self.tests.iter_mut().find(|test| test.run.config.test_id == trigger.test_id) {
            Some(test) => test.run.trigger(trigger, at_ms, now),
            None if self.chain.contains(&trigger.test_id) => self.chain.trigger(trigger, at_ms),
            None => self.early.keep(&trigger.test_id, Early::Trigger(trigger.clone(), append_ms)),
        }
        self.log_phases();
    }

    fn index(&mut self, end: &End) {
        match self.tests.iter_mut().find(|test| test.run.config.test_id == end.test_id) {
            Some(test) => test.index = test.index.take().or_else(|| Some(Box::new(end.clone()))),
            None if self.chain.contains(&end.test_id) => self.chain.end(end),
            None => self.early.keep(&end.test_id, Early::Index(Box::new(end.clone()))),
        }
    }

    fn report(&mut self, test_id: &str, report: &Report, append_ms: Option<i64>, now: Now) {
        let found = self.tests.iter_mut().find(|test| test.run.config.test_id == test_id);
        let Some(test) = found else {
            if !self.chain.contains(test_id) {
                self.early.keep(test_id, Early::Report(Box::new(report.clone()), append_ms));
            }
            return;
        };
        match report {
            Report::Numbered(report) => {
                test.run.reported(&report.node, report.snapshot.sequence, now);
                if test.figures.numbered(report, most_seconds(&test.run, append_ms)) {
                    test.run.final_report(&report.node, report.snapshot.counts.planned);
                    test.run.notes.extend(report.left_out());
                }
                test.judge();
            }
            Report::Original(name, latency) => {
                let is_original = self.fleet.original_reported(name, now.ns);
                if is_original && test.run.original(name, true, now) {
                    test.figures.original(name, latency);
                }
            }
        }
    }

    fn take_early(&mut self, test_id: &str, now: Now) {
        for message in self.early.take(test_id) {
            match message {
                Early::Report(report, append_ms) => self.report(test_id, &report, append_ms, now),
                Early::Trigger(trigger, append_ms) => self.trigger(&trigger, append_ms, now),
                Early::Index(end) => self.index(&end),
                Early::End(end) => self.end(&end, now),
            }
        }
    }

    /// Ends the running test, or the given one; returns its id, its state, and the command that writes the
    /// STOP.
    ///
    /// # Errors
    /// 404 if no such test is running.
    pub fn stop(
        &mut self,
        test_id: Option<&str>,
        reason: &str,
        now: Now,
    ) -> Result<(Configured, Option<Command>), ApiError> {
        let Some(test) = self.tests.last_mut() else {
            return Err(ApiError::new(404, "no test is running: there is nothing to stop"));
        };
        let current = test.run.config.test_id.clone();
        if let Some(wanted) = test_id.filter(|wanted| *wanted != current) {
            let how = format!("the running one is {current:?}");
            return Err(ApiError::new(404, format!("test {wanted:?} is not running: {how}")));
        }
        let command = test.run.stop(reason, now);
        // What it will be once the STOP is read back.
        let state = match test.run.started_at_ms {
            Some(_) => RunState::Finishing,
            None => RunState::Aborted,
        };
        Ok((Configured { state, ..configured(&test.run) }, command))
    }

    /// Whether the newest test is about to end without having started, so that a new one can be configured
    /// soon.
    pub fn ends_unstarted(&self) -> bool {
        self.tests.last().is_some_and(|test| test.run.ends_unstarted())
    }

    /// The test that this process configured and that has not ended.
    pub fn own_test(&self) -> Option<String> {
        self.tests.iter().find(|test| test.run.is_own()).map(|test| test.run.config.test_id.clone())
    }

    fn apply(&mut self, changes: &[Change], now: Now) {
        for test in &mut self.tests {
            changes.iter().for_each(|change| test.run.change(change, now));
        }
    }
}

/// The longest running time that a report appended at `append_ms` can cover.
fn most_seconds(run: &Run, append_ms: Option<i64>) -> u64 {
    let since_ms = append_ms.map(|append_ms| append_ms as f64 - run.configured_ms);
    since_ms.map_or(MAX_RUNNING_S, |ms| (ms.max(0.0) / 1_000.0) as u64 + RUNNING_SLACK_S)
}

#[cfg(test)]
mod tests;
