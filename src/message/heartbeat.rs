//! `heartbeat`: a sign of life and what a driver is doing.

use super::tolerant::{maybe, number_or_zero, text};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

/// What a driver is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriverState {
    /// Waits for a plan.
    Idle,
    /// Understood a plan and waits for the trigger.
    Ready,
    /// Sends.
    Running,
    /// Sends no more; waits for what is in flight, then for its final report to be taken.
    Finishing,
    /// Will not execute the plan; the reason says why.
    Refused,
    /// Has ended in order.
    Left,
}

/// `heartbeat`: a sign of life, every second and at every change of state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The driver's name.
    #[serde(deserialize_with = "text")]
    pub node_id: String,
    /// Always `YES`; what else programs write there counts as the same.
    #[serde(default = "yes", deserialize_with = "always_yes")]
    pub heartbeat: String,
    /// The driver's wall clock, in ms since 1970 (a text in some original drivers: then 0).
    #[serde(default, deserialize_with = "number_or_zero")]
    pub timestamp: f64,
    /// Start of its process; none for a driver of the original protocol.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// What it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DriverState>,
    /// Why it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The test that its state is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_id: Option<String>,
    /// [`plan_hash`](super::TestConfig::plan_hash) of the plan as it understood it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// Broker time less the driver's wall clock, in ms; none where the broker gives no append times.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<f64>,
    /// The offset is true within this many ms.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub clock_error_ms: Option<f64>,
}

fn yes() -> String {
    "YES".to_owned()
}

fn always_yes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| yes())
}
