//! The plan: what one driver sends, how fast and how much. A plan that breaks a rule cannot be built.
//!
//! A plan combines a received `test_config` with the driver's own settings, which fill in what the message
//! leaves open. The defaults in this module fill in the rest.

mod amount;
pub mod feed_options;
pub mod feeds;
pub mod fields;
pub mod mix;
pub mod names;
pub mod options;
pub mod recorded;
pub mod request;
pub mod requests;
mod rules;
pub mod templates;
pub mod values;
pub mod words;
pub mod written;

use crate::message::{TestConfig, TestType, Totals};
pub use amount::{Amount, Scope};
use feeds::Feed;
use request::Request;
use requests::Requests;
pub use rules::{PlanError, check_defaults, check_split, limits};
use std::sync::Arc;
use std::time::Duration;

/// Default number of connections per driver.
pub const DEFAULT_CONNECTIONS: u32 = 16;
/// Default response timeout.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Duration of a test that has neither a count nor a duration.
pub const DEFAULT_DURATION: Duration = Duration::from_secs(10);
/// Default gap of TSUNAMI.
pub const DEFAULT_DELAY: Duration = Duration::from_millis(10);

/// The names of the requests of an A/B test, to its first and to its second URL.
pub const AB_NAMES: [&str; 2] = ["a", "b"];

/// A driver's own settings: they fill in what a plan leaves open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defaults {
    /// The URL to load if the plan names none.
    pub target_url: Option<String>,
    /// Requests/s to hold.
    pub rate: Option<f64>,
    /// Gap between the starts of two requests.
    pub delay: Option<Duration>,
    /// Maximum number of requests.
    pub requests: Option<u64>,
    /// Connections.
    pub connections: Option<u32>,
    /// Response timeout.
    pub timeout: Option<Duration>,
}

/// When requests start.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Closed loop: each connection sends its next request when the previous one has ended.
    Closed,
    /// A rate to hold.
    Rate {
        /// Millionths of a request per second.
        micro_rps: u64,
        /// Whose rate it is.
        scope: Scope,
    },
    /// A fixed gap between the starts of each driver.
    Delay {
        /// The gap, in ns.
        gap_ns: u64,
    },
    /// A rate that changes linearly, stage by stage.
    Stages {
        /// Initial rate, in millionths of a request per second.
        from_micro_rps: u64,
        /// Duration in ms and final rate in millionths of a request per second.
        stages: Vec<(u64, u64)>,
        /// Whose rate it is.
        scope: Scope,
    },
    /// The times of recorded requests, for the whole fleet.
    Recorded {
        /// In µs after the beginning of the measurement, in ascending order; at least one.
        offsets_us: Arc<[u64]>,
    },
}

/// What a `test_config` itself determines, so that a driver's own settings cannot change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// When requests start.
    pub paced: bool,
    /// How many requests are sent at most.
    pub counted: bool,
    /// How long requests are sent.
    pub timed: bool,
}

impl Fixed {
    /// What `config` determines.
    pub fn by(config: &TestConfig) -> Fixed {
        let none = Totals::default();
        let fleet = config.fleet.as_ref().unwrap_or(&none);
        let staged = !config.stages.is_empty() || !fleet.stages.is_empty();
        let recorded = config.starts.is_some();
        let paced = match config.test_type {
            TestType::Avalanche => config.target_throughput.or(fleet.rate).is_some() || staged || recorded,
            TestType::Tsunami => config.test_message_delay.is_some(),
        };
        let counted = config.message_count_per_driver.or(fleet.requests).is_some() || recorded;
        Fixed { paced, counted, timed: config.duration_ms.is_some() || staged || recorded }
    }
}

/// A valid plan: the same for all drivers, each of which executes its share.
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
    host: Option<String>,
    insecure: bool,
    sent: Requests,
    seed: u64,
    feeds: Vec<Feed>,
    drivers: u64,
}

impl Plan {
    /// Completes `config` with `defaults` and checks every rule. The errors name the fields and what is
    /// allowed.
    pub fn new(config: &TestConfig, defaults: &Defaults) -> Result<Plan, Vec<PlanError>> {
        let mut errors = rules::check(config);
        let sent = Requests::new(config, defaults);
        errors.extend(sent.as_ref().err().into_iter().flatten().cloned());
        let feeds = sent.as_ref().map_or_else(|_| Ok(Vec::new()), |sent| feeds::read(config, sent));
        errors.extend(feeds.as_ref().err().into_iter().flatten().cloned());
        let load = match &config.starts {
            Some(starts) => recorded::load(config, starts),
            None => rules::load(config, defaults),
        };
        if let Err(error) = &load {
            errors.push(error.clone());
        }
        let (Ok(sent), Ok(feeds), Ok(load), true) = (sent, feeds, load, errors.is_empty()) else {
            return Err(errors);
        };
        let none = Totals::default();
        let fleet = config.fleet.as_ref().unwrap_or(&none);
        let recorded = load.recorded_count();
        let own = defaults.requests.filter(|_| recorded.is_none());
        let each = config.message_count_per_driver.or(own).map(Amount::each);
        // More than were recorded are never planned.
        let total = fleet.requests.map(|all| recorded.map_or(all, |most| all.min(most)));
        let requests = total.map(Amount::total).or(each).or(recorded.map(Amount::total));
        let connections = config.connections.or(defaults.connections).unwrap_or(DEFAULT_CONNECTIONS);
        let connections =
            fleet.connections.map_or(Amount::each(connections.into()), |all| Amount::total(all.into()));
        let stages = config.stages.iter().chain(&fleet.stages);
        let stages_ms = stages.map(|stage| stage.duration_ms).sum::<u64>();
        let duration = match (config.duration_ms, stages_ms) {
            (Some(ms), _) => Some(Duration::from_millis(ms)),
            // Rows that are used once end a test, too.
            (None, 0) if requests.is_none() && !feeds.iter().any(Feed::ends) => Some(DEFAULT_DURATION),
            (None, 0) => None,
            (None, ms) => Some(Duration::from_millis(ms)),
        };
        let duration = match load.recorded_length() {
            Some(length) => {
                Some(config.duration_ms.map_or(length, |ms| length.min(Duration::from_millis(ms))))
            }
            None => duration,
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
            host: config.host.clone(),
            insecure: config.insecure.unwrap_or(false),
            sent,
            seed: config.seed.unwrap_or(0),
            feeds,
            drivers: config.drivers.len().max(1) as u64,
        })
    }

    /// The plan as far as the message determines it. Defaults stand in for what each driver's own settings
    /// decide, so the request is only an example.
    pub fn as_written(config: &TestConfig) -> Result<Plan, Vec<PlanError>> {
        let anywhere = Defaults { target_url: Some("http://127.0.0.1/".to_owned()), ..Defaults::default() };
        Plan::new(config, &anywhere)
    }

    /// When requests start.
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// Maximum number of requests.
    pub fn count(&self) -> Option<Amount> {
        self.requests
    }

    /// No ticket is planned at or after this time.
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

    /// Response timeout.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Requests after which a connection is closed; `None` if it stays open until the server closes it.
    pub fn max_requests_per_connection(&self) -> Option<u64> {
        self.max_requests_per_connection
    }

    /// The client that the plan requests.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// From which generated values follow.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The data that the requests use.
    pub fn feeds(&self) -> &[Feed] {
        &self.feeds
    }

    /// Number of drivers that the plan names; 1 if it names none yet.
    pub fn drivers(&self) -> u64 {
        self.drivers
    }

    /// The server's name in the TLS handshake, without a port; `None` if it is that of the URL.
    pub fn server_name(&self) -> Option<&str> {
        let host = self.host.as_deref()?;
        let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
        let name = if port.ends_with(']') { host } else { name };
        Some(name.trim_start_matches('[').trim_end_matches(']'))
    }

    /// Whether the server's certificate goes unverified.
    pub fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// The first request, which names the host of all of them; in an A/B test, the one to A.
    pub fn request(&self) -> &Request {
        &self.sent.list()[0]
    }

    /// Everything that is sent.
    pub fn sent(&self) -> &Requests {
        &self.sent
    }

    /// The requests to each URL: in an A/B test one for each of two URLs, otherwise all for the only one.
    pub fn sides(&self) -> impl Iterator<Item = &[Request]> {
        let all = self.sent.list();
        all.chunks(if self.is_ab() { 1 } else { all.len() })
    }

    /// Whether half of the requests go to another URL.
    pub fn is_ab(&self) -> bool {
        self.sent.is_ab()
    }
}
