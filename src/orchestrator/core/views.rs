//! What callers see of the core: results, the dashboard, whether it can do something now.

use super::{Core, Test};
use crate::clock::wall_ms;
use crate::message::{LatencyMs, Register};
use crate::orchestrator::ApiError;
use crate::orchestrator::dashboard::{Dashboard, FleetRow};
use crate::orchestrator::fleet::Presence;
use crate::orchestrator::prometheus::{Scrape, TestFigures};
use crate::orchestrator::result::summary;
use crate::orchestrator::runs::Run;
use crate::orchestrator::waiting::{Away, notices};
use crate::stats::histogram::{Histogram, Packed};
use crate::stats::summary::Summary;

impl Core {
    /// The current result of a test; `None` if the test is unknown or too old.
    pub fn summary(&self, test_id: &str) -> Option<Summary> {
        match self.tests.iter().find(|test| test.run.config.test_id == test_id) {
            Some(test) => Some(self.result(test)),
            None => self.results.iter().find(|summary| summary.test_id == test_id).cloned(),
        }
    }

    /// Everything that the dashboard shows.
    pub fn dashboard(&self, now_ns: u64) -> Dashboard {
        let test = match self.tests.last() {
            Some(test) => Some(self.result(test)),
            None => self.results.front().cloned(),
        };
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
            part: None,
            test,
            history: self.history.iter().cloned().collect(),
        }
    }

    /// The latencies of each second of the test that the dashboard shows.
    pub fn intervals(&self) -> Vec<(u64, Packed)> {
        match self.tests.last() {
            Some(test) => test.figures.intervals().collect(),
            None => self.intervals.clone(),
        }
    }

    /// What `GET /metrics` shows at `now_ns`.
    pub(in crate::orchestrator) fn scrape(&self, now_ns: u64) -> Scrape {
        let current = self.tests.iter().map(|test| {
            // Judging needs the whole result.
            let judged = match test.run.config.thresholds[..] {
                [] => Vec::new(),
                _ => self.result(test).thresholds,
            };
            TestFigures::of(&test.run, &test.figures, &judged)
        });
        let ended = self.ended.listed(now_ns, self.tests.is_empty()).cloned();
        Scrape {
            now_s: wall_ms(now_ns) / 1_000.0,
            fleet: self.fleet.nodes().map(|node| FleetRow::of(node, now_ns)).collect(),
            tests: current.chain(ended).collect(),
        }
    }

    /// The latencies of all responses of a test; `None` if the test is unknown or too old.
    pub fn latency(&self, test_id: &str) -> Option<Histogram> {
        match self.tests.iter().find(|test| test.run.config.test_id == test_id) {
            Some(test) => Some(test.figures.histograms().0.clone()),
            None => self.ended.latency(test_id).map(Packed::histogram),
        }
    }

    /// Whether this node is already alive; an error if the fleet would ignore the registration.
    ///
    /// # Errors
    /// 409 if a newer process of this name is alive.
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
    ///
    /// # Errors
    /// As said.
    pub fn check_bus(&self) -> Result<(), ApiError> {
        match &self.bus_away {
            None => Ok(()),
            Some(Away { why, .. }) => {
                Err(ApiError::new(503, format!("Kafka is unavailable, try again later: {why}")))
            }
        }
    }

    pub(super) fn result(&self, test: &Test) -> Summary {
        let notices = match test.run.end {
            Some(_) => Vec::new(),
            None => notices(&test.run, self.bus_away.as_ref(), self.moment),
        };
        Summary { notices, ..summary(&test.run, &test.figures, &test.judge, self.clock_unknown(&test.run)) }
    }

    /// Whose offset from broker time is not known.
    pub(super) fn clock_unknown(&self, run: &Run) -> Vec<String> {
        if run.started_at_ms.is_none() {
            return Vec::new();
        }
        let unknown = run.members.iter().filter(|member| {
            let node = self.fleet.get(&member.node.node_id);
            let node = node.filter(|node| node.epoch == Some(member.node.epoch));
            let heartbeat = node.and_then(|node| node.heartbeat.as_ref());
            heartbeat.is_some_and(|heartbeat| heartbeat.clock_offset_ms.is_none())
        });
        let is_known = self.time.offset().is_some() || self.heard_offset_ms.is_some();
        let own = (!is_known).then(|| "the orchestrator".to_owned());
        own.into_iter().chain(unknown.map(|member| member.node.node_id.clone())).collect()
    }
}
