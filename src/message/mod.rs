//! The five messages between the roles, one struct each. Reading is tolerant, writing is strict.
//!
//! The first fields of each are those of the original protocol; the others are additions that an old reader
//! ignores. Reading accepts numbers as strings, `node_ip` for `node_IP`, any letter case in `test_type` and
//! `trigger`, and the spellings of latencies that programs of the original protocol use.

pub mod bounds;
mod end;
mod feed;
mod heartbeat;
mod latency;
mod metrics;
mod register;
mod request;
pub mod secrets;
mod starts;
mod test_config;
mod test_type;
mod tolerant;
mod totals;
mod trigger;

use crate::units::{clip, without_mark};
pub use end::{DriverEnd, End, EndState, Fate, Headline, OriginalEnd, Stopped};
pub use feed::FeedSpec;
pub use heartbeat::{DriverState, Heartbeat};
pub use latency::LatencyMs;
pub use metrics::{Histograms, MAX_INSTANCE_BYTES, Metrics, NamedFigures, TargetCount, TargetSeen};
pub use register::{MAX_NODE_ID_BYTES, Register, check_node_id};
pub use request::{NamedRequest, RequestSpec};
use serde::Serialize;
use serde::de::DeserializeOwned;
pub use starts::{MAX_GAPS_CHARS, MAX_STARTS, RecordedStarts};
pub use test_config::{COUNT, DELAY, NodeRef, OnDriverLoss, Stage, TestConfig, config_in, decode_config};
pub use test_type::TestType;
pub use totals::Totals;
pub use trigger::{Trigger, Word};

/// Maximum length of a foreign text quoted in an error or a log line, in characters.
pub const MAX_QUOTE_CHARS: usize = 200;

/// The strict JSON form.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // These structs contain only texts, numbers and maps with text keys, which always have a JSON form.
    serde_json::to_vec(message).unwrap_or_default()
}

/// Reads an untrusted message tolerantly; the error briefly says what is wrong with it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    bounds::check(bytes)?;
    serde_json::from_slice(without_mark(bytes)).map_err(|e| clip(&e.to_string(), MAX_QUOTE_CHARS))
}
