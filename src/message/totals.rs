//! `fleet`: the part of a plan that applies to all drivers together.

use super::Stage;
use super::tolerant::{maybe, maybe_whole};
use serde::{Deserialize, Serialize};

/// Totals for the whole fleet, which its drivers split exactly. Each has a per-driver counterpart in
/// [`TestConfig`](super::TestConfig); a plan sets one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// AVALANCHE: requests/s of all drivers together; the counterpart is `target_throughput`.
    #[serde(
        deserialize_with = "maybe",
        serialize_with = "maybe_whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub rate: Option<f64>,
    /// Maximum number of requests of all drivers together; the counterpart is `message_count_per_driver`.
    #[serde(deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Connections of all drivers together; the counterpart is `connections`.
    #[serde(deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// AVALANCHE: a changing rate of all drivers together that begins at `rate`, or at 0; the counterpart is
    /// `stages`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
}
