//! `heartbeat`: shows that a driver is alive and what it is doing.

use super::tolerant::{maybe, number_or_zero, text};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

/// What a driver is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriverState {
    /// Waiting for a plan.
    Idle,
    /// Has accepted a plan and is waiting for the trigger.
    Ready,
    /// Sending.
    Running,
    /// No longer sending; waiting for requests in flight, then for its final report to be accepted.
    Finishing,
    /// Refuses to execute the plan; see the reason.
    Refused,
    /// Has shut down normally.
    Left,
}

/// `heartbeat`: sent every second and at every change of state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The driver's name.
    #[serde(deserialize_with = "text")]
    pub node_id: String,
    /// Always `YES`; any other value is read as `YES`.
    #[serde(default = "yes", deserialize_with = "always_yes")]
    pub heartbeat: String,
    /// The driver's wall clock, in ms since 1970 (0 if it is a text, as from some original drivers).
    #[serde(default, deserialize_with = "number_or_zero")]
    pub timestamp: f64,
    /// Start of its process; `None` for a driver of the original protocol.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// What it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DriverState>,
    /// Why it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The test that its state refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_id: Option<String>,
    /// [`plan_hash`](super::TestConfig::plan_hash) of the plan as the driver read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// Broker time minus the driver's wall clock, in ms; `None` if the broker provides no append times.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<f64>,
    /// Maximum error of the offset, in ms.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub clock_error_ms: Option<f64>,
}

fn yes() -> String {
    "YES".to_owned()
}

fn always_yes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| yes())
}
