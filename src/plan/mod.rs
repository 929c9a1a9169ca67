//! The plan: what one driver sends, how fast and how much. A plan that breaks a rule cannot be built.
//!
//! A plan is made of a `test_config` as received and of a driver's own settings, which decide what the message
//! leaves open; after them come the defaults of this page.

mod amount;
pub mod fields;
pub mod request;
mod rules;

pub use amount::{Amount, Scope};
pub use rules::{PlanError, check_defaults, check_split, limits};

use crate::message::{TestConfig, TestType, Totals};
use request::Request;
use std::time::Duration;

/// Connections per driver where nobody says.
pub const DEFAULT_CONNECTIONS: u32 = 16;
/// Longest wait for one response where nobody says.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Length of a test that has neither a count nor a duration.
pub const DEFAULT_DURATION: Duration = Duration::from_secs(10);
/// Gap of TSUNAMI where nobody says.
pub const DEFAULT_DELAY: Duration = Duration::from_millis(10);

/// A driver's own settings: they decide what a plan leaves open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defaults {
    /// What to load where the plan names nothing.
    pub target_url: Option<String>,
    /// Requests/s to hold.
    pub rate: Option<f64>,
    /// Gap between the starts of two requests.
    pub delay: Option<Duration>,
    /// Most requests.
    pub requests: Option<u64>,
    /// Connections.
    pub connections: Option<u32>,
    /// Longest wait for one response.
    pub timeout: Option<Duration>,
}

/// When requests start.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// The next one starts when the last one ended.
    Closed,
    /// A rate to hold.
    Rate {
        /// Millionths of a request per second.
        micro_rps: u64,
        /// Whose rate it is.
        scope: Scope,
    },
    /// A fixed gap between the starts of each driver, in ns.
    Delay {
        /// The gap, in ns.
        gap_ns: u64,
    },
    /// A rate that changes linearly, stage by stage.
    Stages {
        /// Rate at the beginning, in millionths of a request per second.
        from_micro_rps: u64,
        /// Duration in ms and rate at the end, in millionths of a request per second.
        stages: Vec<(u64, u64)>,
        /// Whose rate it is.
        scope: Scope,
    },
}

/// What a `test_config` fixes itself, so that no driver's own settings can change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// When requests start.
    pub paced: bool,
    /// How many there are at the most.
    pub counted: bool,
    /// How long they are sent.
    pub timed: bool,
}

impl Fixed {
    /// What `config` fixes.
    pub fn by(config: &TestConfig) -> Fixed {
        let none = Totals::default();
        let fleet = config.fleet.as_ref().unwrap_or(&none);
        let staged = !config.stages.is_empty() || !fleet.stages.is_empty();
        let paced = match config.test_type {
            TestType::Avalanche => config.target_throughput.or(fleet.rate).is_some() || staged,
            TestType::Tsunami => config.test_message_delay.is_some(),
        };
        let counted = config.message_count_per_driver.or(fleet.requests).is_some();
        Fixed { paced, counted, timed: config.duration_ms.is_some() || staged }
    }
}

/// A valid plan: the same for all its drivers, of which each has its share.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    load: Load,
    requests: Option<Amount>,
    duration: Option<Duration>,
    warmup: Duration,
    connections: Amount,
    timeout: Duration,
    max_requests_per_connection: Option<u64>,
    client: Option<String>,
    request: Request,
}

impl Plan {
    /// Completes `config` by `defaults` and checks every rule; the errors name fields and what is allowed.
    pub fn new(config: &TestConfig, defaults: &Defaults) -> Result<Plan, Vec<PlanError>> {
        let mut errors = rules::check(config);
        let request = rules::request(config, defaults);
        if let Err(error) = &request {
            errors.push(error.clone());
        }
        let load = rules::load(config, defaults);
        if let Err(error) = &load {
            errors.push(error.clone());
        }
        let (Ok(request), Ok(load), true) = (request, load, errors.is_empty()) else {
            return Err(errors);
        };
        let none = Totals::default();
        let fleet = config.fleet.as_ref().unwrap_or(&none);
        let each = config.message_count_per_driver.or(defaults.requests).map(Amount::each);
        let requests = fleet.requests.map(Amount::total).or(each);
        let connections = config.connections.or(defaults.connections).unwrap_or(DEFAULT_CONNECTIONS);
        let connections =
            fleet.connections.map_or(Amount::each(connections.into()), |all| Amount::total(all.into()));
        let stages = config.stages.iter().chain(&fleet.stages);
        let stages_ms = stages.map(|stage| stage.duration_ms).sum::<u64>();
        let duration = match (config.duration_ms, stages_ms) {
            (Some(ms), _) => Some(Duration::from_millis(ms)),
            (None, 0) if requests.is_none() => Some(DEFAULT_DURATION),
            (None, 0) => None,
            (None, ms) => Some(Duration::from_millis(ms)),
        };
        Ok(Plan {
            load,
            requests,
            duration,
            warmup: Duration::from_millis(config.warmup_ms.unwrap_or(0)),
            connections,
            timeout: config
                .timeout_ms
                .map(Duration::from_millis)
                .or(defaults.timeout)
                .unwrap_or(DEFAULT_TIMEOUT),
            max_requests_per_connection: config.max_requests_per_connection,
            client: config.client.clone(),
            request,
        })
    }

    /// The plan as far as the message itself tells it: what it leaves open, each driver's own settings decide, and here
    /// the defaults stand for them. What is sent is then no more than an example.
    pub fn as_written(config: &TestConfig) -> Result<Plan, Vec<PlanError>> {
        if !config.thresholds.is_empty() {
            // Taken and not judged, they would look passed.
            let reason = "this version does not judge thresholds yet: leave them out".to_owned();
            return Err(vec![PlanError { field: "thresholds", reason }]);
        }
        let anywhere = Defaults { target_url: Some("http://127.0.0.1/".to_owned()), ..Defaults::default() };
        Plan::new(config, &anywhere)
    }

    /// When requests start.
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// Most requests.
    pub fn requests(&self) -> Option<Amount> {
        self.requests
    }

    /// No ticket is planned at or after this.
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// Load before the measurement begins.
    pub fn warmup(&self) -> Duration {
        self.warmup
    }

    /// Connections.
    pub fn connections(&self) -> Amount {
        self.connections
    }

    /// Longest wait for one response.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Requests after which a connection is closed; none where it is kept as long as the server keeps it.
    pub fn max_requests_per_connection(&self) -> Option<u64> {
        self.max_requests_per_connection
    }

    /// The client that the plan asks for.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// What is sent.
    pub fn request(&self) -> &Request {
        &self.request
    }
}
