//! All roles in one process, over the in-process bus, for `floodgate run` on one machine.

use super::{Backend, Trouble};
use crate::bus::Connector;
use crate::bus::local::LocalConnector;
use crate::clock;
use crate::driver::{self, Driver, prepare::ClientSettings};
use crate::host::limits;
use crate::message::TestConfig;
use crate::orchestrator::{self, Orchestrator, StoreSettings};
use crate::plan::request::Request;
use crate::plan::written::origin;
use crate::plan::{DEFAULT_CONNECTIONS, Defaults};
use crate::stats::histogram::Histogram;
use crate::stats::summary::Summary;
use crate::store::Outcome;
use crate::target::{self, Target};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Number of drivers, at least 1.
    pub drivers: usize,
    /// Where the result is saved.
    pub out: Option<PathBuf>,
    /// Settings of their HTTP clients.
    pub clients: ClientSettings,
}

/// How long the roles may take to find each other.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long saving the result may take.
const SAVE_TIMEOUT: Duration = Duration::from_secs(30);
/// Polling interval for the result.
const PAUSE: Duration = Duration::from_millis(100);
/// Descriptors per connection to an embedded target: the driver's and the target's.
const DESCRIPTORS_WITH_TARGET: u64 = 2;

/// The running roles. Dropping this shuts them down.
pub struct Embedded {
    target: Option<Target>,
    orchestrator: Option<Orchestrator>,
    drivers: Vec<Driver>,
    url: String,
    /// Whether the result is saved.
    saves: bool,
}

impl Embedded {
    /// Starts an orchestrator, the drivers, and a target if the plan names none.
    pub fn start(config: &Config, plan: &TestConfig) -> Result<Embedded, String> {
        raise_limits(config, plan)?;
        let target = match names_target(plan) {
            true => None,
            false => Some(target::start(target::Config::plain(SocketAddr::from(([127, 0, 0, 1], 0))))?),
        };
        let own_url = target.as_ref().map(|target| format!("http://{}/ping", target.addr()));
        let url = plan.target_url.as_ref().or(plan.ab.first()).cloned().or(own_url).unwrap_or_default();
        let connector: Arc<dyn Connector> = Arc::new(LocalConnector::new());
        let store = config.out.clone().map(|dir| StoreSettings { dir, keep: None });
        let saves = store.is_some();
        let settings = orchestrator::Config { store, ..orchestrator::Config::default() };
        let orchestrator = Some(orchestrator::start(Arc::clone(&connector), settings)?);
        let mut embedded = Embedded { target, orchestrator, drivers: Vec::new(), url, saves };
        for i in 1..=config.drivers {
            let clients = ClientSettings { runs_target: embedded.target.is_some(), ..config.clients.clone() };
            let config = driver_config(i, &embedded.url, &plan.ab, clients);
            embedded.drivers.push(driver::start(Arc::clone(&connector), config)?);
        }
        embedded.wait_for_fleet(config.drivers)?;
        Ok(embedded)
    }

    fn wait_for_fleet(&self, drivers: usize) -> Result<(), String> {
        let deadline_ns = clock::now_ns() + clock::to_ns(START_TIMEOUT);
        let alive = || self.orchestrator.as_ref().map_or(0, |o| o.control().fleet_alive());
        while alive() < drivers {
            if clock::now_ns() >= deadline_ns {
                let seconds = START_TIMEOUT.as_secs();
                return Err(format!("only {} of {drivers} drivers started within {seconds} s", alive()));
            }
            clock::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn control(&self) -> Result<orchestrator::Control, String> {
        self.orchestrator
            .as_ref()
            .map(Orchestrator::control)
            .ok_or_else(|| "the roles have shut down".to_owned())
    }
}

fn names_target(plan: &TestConfig) -> bool {
    plan.target_url.is_some() || !plan.ab.is_empty()
}

fn driver_config(i: usize, url: &str, ab: &[String], clients: ClientSettings) -> driver::Config {
    driver::Config {
        node_id: format!("driver-{i}"),
        node_ip: "127.0.0.1".to_owned(),
        // The path may be a template, which only a plan can have.
        defaults: Defaults { target_url: Some(origin(url).to_owned()), ..Defaults::default() },
        allow_targets: ab
            .iter()
            .filter_map(|url| Some(Request::get(origin(url)).ok()?.authority()))
            .collect(),
        clients,
        connect_timeout: START_TIMEOUT,
        fence_after: None,
        data: None,
    }
}

/// Raises the descriptor limit for all drivers, since they share this process.
fn raise_limits(config: &Config, plan: &TestConfig) -> Result<(), String> {
    let each = config.drivers as u64 * u64::from(plan.connections.unwrap_or(DEFAULT_CONNECTIONS));
    let all = plan.fleet.as_ref().and_then(|fleet| fleet.connections);
    let connections = all.map_or(each, u64::from);
    let of_each = if names_target(plan) { 1 } else { DESCRIPTORS_WITH_TARGET };
    limits::ensure_descriptors(connections * of_each + limits::RESERVED_DESCRIPTORS)
}

impl Backend for Embedded {
    fn configure(&mut self, mut plan: TestConfig) -> Result<String, String> {
        if plan.ab.is_empty() {
            plan.target_url = Some(self.url.clone());
        }
        self.control()?.configure(plan).map(|configured| configured.test_id).map_err(|e| e.message)
    }

    fn stop(&mut self, test_id: &str, reason: &str) -> Result<(), Trouble> {
        let control = self.control().map_err(Trouble::lasting)?;
        control.stop(Some(test_id), reason).map(|_| ()).map_err(|e| Trouble::lasting(e.message))
    }

    fn summary(&mut self, test_id: &str) -> Result<Option<Summary>, Trouble> {
        let control = self.control().map_err(Trouble::lasting)?;
        // The summary includes the failures of drivers.
        match control.failure() {
            Some(why) => Err(Trouble::lasting(why.to_owned())),
            None => Ok(control.summary(test_id)),
        }
    }

    fn saved(&mut self, test_id: &str) -> Option<Outcome> {
        let control = self.control().ok().filter(|_| self.saves)?;
        let deadline_ns = clock::deadline(SAVE_TIMEOUT);
        while clock::now_ns() < deadline_ns {
            if let Some(outcome) = control.saved(test_id) {
                return Some(outcome);
            }
            clock::sleep(Duration::from_millis(5));
        }
        let seconds = SAVE_TIMEOUT.as_secs();
        Some(Outcome { folder: None, problems: vec![format!("the disk did not finish within {seconds} s")] })
    }

    fn latency(&mut self, test_id: &str) -> Option<Histogram> {
        self.control().ok()?.latency(test_id)
    }

    fn pause(&self) -> Duration {
        PAUSE
    }

    fn out_of_reach(&self) -> Option<String> {
        // All roles end with this process.
        None
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.drivers.iter().for_each(Driver::begin_shutdown);
        self.drivers.drain(..).for_each(Driver::shutdown);
        if let Some(orchestrator) = self.orchestrator.take() {
            orchestrator.shutdown();
        }
        if let Some(target) = self.target.take() {
            target.shutdown();
        }
    }
}
