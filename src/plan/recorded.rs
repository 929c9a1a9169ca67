//! Plans whose requests start when recorded ones did.

use super::Load;
use super::rules::{PlanError, error, limits};
use crate::message::{RecordedStarts, TestConfig, TestType};
use std::time::Duration;

/// The starts as a load.
///
/// # Errors
/// Other settings that say when requests start, or what is wrong with the starts.
pub fn load(config: &TestConfig, starts: &RecordedStarts) -> Result<Load, PlanError> {
    let fleet = config.fleet.as_ref();
    let paced = [
        ("target_throughput", config.target_throughput.is_some()),
        ("fleet.rate", fleet.is_some_and(|fleet| fleet.rate.is_some())),
        ("stages", !config.stages.is_empty()),
        ("fleet.stages", fleet.is_some_and(|fleet| !fleet.stages.is_empty())),
    ];
    if let Some((field, _)) = paced.into_iter().find(|(_, is_set)| *is_set) {
        let reason = "conflicts with starts, which say when each request starts: omit one of them";
        return Err(error(field, reason));
    }
    if config.test_type == TestType::Tsunami {
        return Err(error(
            "starts",
            "TSUNAMI is paced by test_message_delay; recorded starts need AVALANCHE",
        ));
    }
    let offsets_us = starts.decode().map_err(|reason| error("starts", reason))?;
    if starts.last_us / 1_000 >= *limits::DURATION_MS.end() {
        let reason = format!("the last one is at {} us: at most 7 days are allowed", starts.last_us);
        return Err(error("starts", reason));
    }
    Ok(Load::Recorded { offsets_us: offsets_us.into() })
}

impl Load {
    /// How long recorded requests take: a whole number of ms that all of them start before. `None` for other
    /// loads.
    pub fn recorded_length(&self) -> Option<Duration> {
        let Load::Recorded { offsets_us } = self else { return None };
        offsets_us.last().map(|last_us| length(*last_us))
    }

    /// How many recorded requests there are. `None` for other loads.
    pub fn recorded_count(&self) -> Option<u64> {
        let Load::Recorded { offsets_us } = self else { return None };
        Some(offsets_us.len() as u64)
    }
}

/// Whether a test ends with the recording, and not before.
pub fn is_whole(config: &TestConfig, starts: &RecordedStarts) -> bool {
    let fleet = config.fleet.as_ref();
    let length_ms = length(starts.last_us).as_millis() as u64;
    config.duration_ms.is_none_or(|ms| ms >= length_ms)
        && fleet.and_then(|fleet| fleet.requests).is_none_or(|requests| requests >= starts.count)
        && config.message_count_per_driver.is_none()
}

/// The length of a recording whose last request is at this time.
pub fn length(last_us: u64) -> Duration {
    Duration::from_millis(last_us / 1_000 + 1)
}
