//! The rules that every plan must satisfy, with errors that name the field and say what is allowed.

use super::feed_options::MAX_SEED;
use super::{DEFAULT_DELAY, Defaults, Load, Scope};
use crate::message::{Stage, TestConfig, TestType, Totals};
use std::borrow::Cow;
use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

/// Limits of a plan.
pub mod limits {
    use std::ops::RangeInclusive;

    /// Maximum length of a test id, in characters.
    pub const TEST_ID_CHARS: usize = 128;
    /// Requests of a driver or of the fleet.
    pub const REQUESTS: RangeInclusive<u64> = 1..=1_000_000_000_000;
    /// Requests/s per driver.
    pub const RATE_RPS: RangeInclusive<f64> = 0.001..=10_000_000.0;
    /// Total requests/s of the fleet.
    pub const FLEET_RATE_RPS: RangeInclusive<f64> = 0.001..=1_000_000_000.0;
    /// Gap between starts, in ms.
    pub const DELAY_MS: RangeInclusive<f64> = 0.001..=3_600_000.0;
    /// Duration of a test, in ms (up to 7 days).
    pub const DURATION_MS: RangeInclusive<u64> = 1..=604_800_000;
    /// Duration of the warm-up, in ms (up to 1 h).
    pub const WARMUP_MS: RangeInclusive<u64> = 0..=3_600_000;
    /// Connections per driver.
    pub const CONNECTIONS: RangeInclusive<u32> = 1..=100_000;
    /// Total connections of the fleet.
    pub const FLEET_CONNECTIONS: RangeInclusive<u32> = 1..=10_000_000;
    /// Requests per connection.
    pub const REQUESTS_PER_CONNECTION: RangeInclusive<u64> = REQUESTS;
    /// Response timeout, in ms (up to 10 min).
    pub const TIMEOUT_MS: RangeInclusive<u64> = 1..=600_000;
    /// Maximum number of stages.
    pub const STAGES: usize = 100;
    /// Maximum number of drivers in a test.
    pub const DRIVERS: usize = 10_000;
    /// Maximum number of requests with a name.
    pub const NAMED_REQUESTS: usize = 50;
    /// Maximum product of drivers and named requests: the orchestrator keeps about 10 KB for each pair.
    pub const DRIVERS_BY_REQUESTS: usize = 50_000;
    /// Maximum length of the name of a request or a feed, in characters.
    pub const NAME_CHARS: usize = 40;
    /// Weight of a request.
    pub const WEIGHT: RangeInclusive<u32> = 1..=1_000;
}

/// A rule that a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// The field of the `test_config`.
    pub field: Cow<'static, str>,
    /// The invalid value, and what is allowed.
    pub reason: String,
    /// The invalid part of the value, in bytes, if it is a text of which only a part is invalid.
    pub part: Option<Range<usize>>,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // "duration_ms must be …", but "request: specify body or body_base64, not both".
        let between = if self.reason.starts_with("must be ") { " " } else { ": " };
        write!(f, "{}{between}{}", self.field, self.reason)
    }
}

pub(super) fn error(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> PlanError {
    PlanError { field: field.into(), reason: reason.into(), part: None }
}

fn in_range<T: PartialOrd + fmt::Display>(
    errors: &mut Vec<PlanError>,
    field: &'static str,
    value: Option<T>,
    allowed: &RangeInclusive<T>,
) {
    if let Some(value) = value.filter(|value| !allowed.contains(value)) {
        let kind = super::fields::kind(field);
        let kind = kind.unwrap_or_else(|| format!("{} to {}", allowed.start(), allowed.end()));
        errors.push(error(field, format!("must be {kind}, not {value}")));
    }
}

/// All broken rules except those of the request and the load.
pub fn check(config: &TestConfig) -> Vec<PlanError> {
    let mut errors = Vec::new();
    if let Err(reason) = check_test_id(&config.test_id) {
        errors.push(error("test_id", reason));
    }
    in_range(&mut errors, "message_count_per_driver", config.message_count_per_driver, &limits::REQUESTS);
    in_range(&mut errors, "target_throughput", config.target_throughput, &limits::RATE_RPS);
    in_range(&mut errors, "duration_ms", config.duration_ms, &limits::DURATION_MS);
    in_range(&mut errors, "warmup_ms", config.warmup_ms, &limits::WARMUP_MS);
    in_range(&mut errors, "connections", config.connections, &limits::CONNECTIONS);
    in_range(&mut errors, "seed", config.seed, &(0..=MAX_SEED));
    in_range(&mut errors, "timeout_ms", config.timeout_ms, &limits::TIMEOUT_MS);
    let per_connection = config.max_requests_per_connection;
    in_range(&mut errors, "max_requests_per_connection", per_connection, &limits::REQUESTS_PER_CONNECTION);
    let none = Totals::default();
    let fleet = config.fleet.as_ref().unwrap_or(&none);
    check_totals(config, fleet, &mut errors);
    let begins = config.target_throughput.or(fleet.rate).is_some();
    check_stages(config, "stages", &config.stages, begins, &mut errors);
    check_stages(config, "fleet.stages", &fleet.stages, begins, &mut errors);
    if config.test_type == TestType::Tsunami {
        for (field, rate) in [("target_throughput", config.target_throughput), ("fleet.rate", fleet.rate)] {
            if rate.is_some() {
                errors.push(error(
                    field,
                    "TSUNAMI is paced by test_message_delay; use AVALANCHE to hold a rate",
                ));
            }
        }
    }
    if let Some(client) = config.client.as_deref().filter(|client| !["native", "ureq"].contains(client)) {
        errors.push(error("client", format!("{client:?} is unknown: use native or ureq, or omit it")));
    }
    if config.drivers.len() > limits::DRIVERS {
        errors
            .push(error("drivers", format!("{} drivers: at most {}", config.drivers.len(), limits::DRIVERS)));
    }
    if !config.drivers.is_empty() && errors.is_empty() {
        errors.extend(check_split(config, config.drivers.len()).err());
    }
    errors
}

/// Checks that the fleet's connections can be split over this many drivers: each needs at least one, or in an
/// A/B test one for each URL.
pub fn check_split(config: &TestConfig, drivers: usize) -> Result<(), PlanError> {
    let Some(connections) = config.fleet.as_ref().and_then(|fleet| fleet.connections) else { return Ok(()) };
    let (all, drivers, most) = (u64::from(connections), drivers as u64, *limits::CONNECTIONS.end());
    let (least, of_each) = if config.ab.is_empty() { (drivers, "") } else { (2 * drivers, ", 2 for each") };
    let over = if drivers == 1 { "one driver".to_owned() } else { format!("{drivers} drivers") };
    if all < least {
        let reason =
            format!("{all} cannot be split over {over}{of_each}: use {least} or more, or fewer drivers");
        return Err(error("fleet.connections", reason));
    }
    if all.div_ceil(drivers.max(1)) > u64::from(most) {
        let reason = format!("{all} over {over} exceeds the limit of {most} per driver");
        return Err(error("fleet.connections", reason));
    }
    Ok(())
}

fn check_totals(config: &TestConfig, fleet: &Totals, errors: &mut Vec<PlanError>) {
    in_range(errors, "fleet.rate", fleet.rate, &limits::FLEET_RATE_RPS);
    in_range(errors, "fleet.requests", fleet.requests, &limits::REQUESTS);
    in_range(errors, "fleet.connections", fleet.connections, &limits::FLEET_CONNECTIONS);
    let each_rate = config.target_throughput.is_some();
    let twice = [
        ("fleet.rate", "target_throughput", fleet.rate.is_some() && each_rate),
        (
            "fleet.requests",
            "message_count_per_driver",
            fleet.requests.is_some() && config.message_count_per_driver.is_some(),
        ),
        ("fleet.connections", "connections", fleet.connections.is_some() && config.connections.is_some()),
        ("fleet.stages", "stages", !fleet.stages.is_empty() && !config.stages.is_empty()),
        // The initial rate of stages must have the same scope as the stages.
        ("fleet.stages", "target_throughput", !fleet.stages.is_empty() && each_rate),
        ("fleet.rate", "stages", fleet.rate.is_some() && !config.stages.is_empty()),
    ];
    for (total, each, _) in twice.into_iter().filter(|(_, _, both)| *both) {
        let reason = format!("conflicts with {each}, its per-driver counterpart: omit one of them");
        errors.push(error(total, reason));
    }
}

fn check_test_id(id: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if id.is_empty() || id.len() > limits::TEST_ID_CHARS || !id.chars().all(allowed) {
        let most = limits::TEST_ID_CHARS;
        return Err(format!(
            "must be a string of 1 to {most} letters, digits and the characters . _ : -, not {id:?}"
        ));
    }
    Ok(())
}

fn check_stages(
    config: &TestConfig,
    field: &'static str,
    stages: &[Stage],
    begins: bool,
    errors: &mut Vec<PlanError>,
) {
    if stages.is_empty() {
        return;
    }
    if config.test_type == TestType::Tsunami {
        errors.push(error(field, "TSUNAMI is paced by test_message_delay; use AVALANCHE for stages"));
    }
    if config.duration_ms.is_some() {
        errors.push(error("duration_ms", "the stages already determine the duration: omit it"));
    }
    if stages.len() > limits::STAGES {
        errors.push(error(field, format!("{} stages: at most {}", stages.len(), limits::STAGES)));
    }
    let total_ms = stages.iter().fold(0u64, |sum, stage| sum.saturating_add(stage.duration_ms));
    if stages.iter().any(|stage| stage.duration_ms == 0) || !limits::DURATION_MS.contains(&total_ms) {
        let most = limits::DURATION_MS.end();
        errors.push(error(
            field,
            format!("each needs a duration_ms above 0, and the total must be at most {most}"),
        ));
    }
    let most = if field == "stages" { *limits::RATE_RPS.end() } else { *limits::FLEET_RATE_RPS.end() };
    if let Some(stage) = stages.iter().find(|stage| !(0.0..=most).contains(&stage.rate)) {
        errors.push(error(field, format!("rate {} is outside 0 to {most}", stage.rate)));
    }
    if stages.iter().all(|stage| stage.rate == 0.0) && !begins {
        errors.push(error(field, "every rate is 0, so nothing would be sent"));
    }
}

/// When requests start: as the plan says, else as the driver's settings say, else by default.
pub fn load(config: &TestConfig, defaults: &Defaults) -> Result<Load, PlanError> {
    let micro_rps = |rate: f64| (rate * 1e6).round() as u64;
    if config.test_type == TestType::Tsunami {
        let own_ms = defaults.delay.unwrap_or(DEFAULT_DELAY).as_secs_f64() * 1_000.0;
        let delay_ms = config.test_message_delay.unwrap_or(own_ms);
        if delay_ms == 0.0 {
            let reason = "must be above 0 ms: use AVALANCHE to send without a gap";
            return Err(error("test_message_delay", reason));
        }
        let mut wrong = Vec::new();
        in_range(&mut wrong, "test_message_delay", Some(delay_ms), &limits::DELAY_MS);
        if let Some(wrong) = wrong.pop() {
            return Err(wrong);
        }
        return Ok(Load::Delay { gap_ns: (delay_ms * 1e6).round() as u64 });
    }
    let fleet_rate = config.fleet.as_ref().and_then(|fleet| fleet.rate);
    let fleet_stages = config.fleet.as_ref().map_or(&[][..], |fleet| &fleet.stages);
    let stages_of = |stages: &[Stage], from: Option<f64>, scope| Load::Stages {
        from_micro_rps: micro_rps(from.unwrap_or(0.0)),
        stages: stages.iter().map(|stage| (stage.duration_ms, micro_rps(stage.rate))).collect(),
        scope,
    };
    Ok(match (fleet_rate, config.target_throughput.or(defaults.rate)) {
        _ if !fleet_stages.is_empty() => stages_of(fleet_stages, fleet_rate, Scope::Fleet),
        _ if !config.stages.is_empty() => stages_of(&config.stages, config.target_throughput, Scope::Driver),
        (Some(rate), _) => Load::Rate { micro_rps: micro_rps(rate), scope: Scope::Fleet },
        (None, Some(rate)) => Load::Rate { micro_rps: micro_rps(rate), scope: Scope::Driver },
        (None, None) => Load::Closed,
    })
}

/// Checks a driver's own settings against the limits of a plan.
pub fn check_defaults(defaults: &Defaults) -> Vec<PlanError> {
    let ms = |duration: Duration| duration.as_secs_f64() * 1_000.0;
    let mut errors = Vec::new();
    in_range(&mut errors, "requests", defaults.requests, &limits::REQUESTS);
    in_range(&mut errors, "rate", defaults.rate, &limits::RATE_RPS);
    in_range(&mut errors, "delay", defaults.delay.map(ms), &limits::DELAY_MS);
    in_range(&mut errors, "connections", defaults.connections, &limits::CONNECTIONS);
    let timeout_ms = defaults.timeout.map(|timeout| timeout.as_millis() as u64);
    in_range(&mut errors, "timeout", timeout_ms, &limits::TIMEOUT_MS);
    if let Some(Err(reason)) = defaults.target_url.as_deref().map(super::request::parse_url) {
        errors.push(error("target", reason));
    }
    errors
}
