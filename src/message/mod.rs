//! The five messages between the roles, one struct each. Read tolerantly, written strictly.
//!
//! The first fields of each are those of the original protocol; the others are additions that an old reader
//! ignores. Reading takes numbers as strings, `node_ip` for `node_IP` and any letter case in `test_type`.

pub mod bounds;
mod heartbeat;
mod metrics;
mod register;
mod test_config;
mod test_type;
mod tolerant;
mod totals;
mod trigger;

pub use heartbeat::{DriverState, Heartbeat};
pub use metrics::{Histograms, LatencyMs, MAX_INSTANCE_BYTES, Metrics, TargetCount, TargetSeen};
pub use register::{Register, register_type};
pub use test_config::{NodeRef, RequestSpec, Stage, TestConfig};
pub use test_type::TestType;
pub use totals::Totals;
pub use trigger::Trigger;

use crate::units::clip;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most of a foreign text that an error or a log line quotes, in characters.
pub const MAX_QUOTE_CHARS: usize = 200;

/// The strict JSON form.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // These structs hold only texts, numbers and maps with text keys, which always have a JSON form.
    serde_json::to_vec(message).unwrap_or_default()
}

/// Reads a message of anyone tolerantly; the error says in a few words what is wrong with it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    bounds::check(bytes)?;
    serde_json::from_slice(bytes).map_err(|e| clip(&e.to_string(), MAX_QUOTE_CHARS))
}
