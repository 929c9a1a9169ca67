//! `metrics`: the reports of a driver.

use super::LatencyMs;
use super::tolerant::{maybe, text};
use crate::stats::causes::ErrorSample;
use crate::stats::check_samples::CheckSample;
use crate::stats::counts::Counts;
use crate::stats::generator::Generator;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Encoded histograms of a report (HdrHistogram V2 deflate in base64, counts of µs).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Histograms {
    /// Planned start to last byte.
    pub latency: String,
    /// Send to last byte; in the final report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The generator's own delay; older drivers send it only in the final report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<String>,
    /// TCP connect of every connection that was opened; in the final report, if there is any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<String>,
    /// TLS handshake; in the final report, if there is any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
}

/// The figures of one named request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NamedFigures {
    /// Counts so far.
    pub counts: Counts,
    /// Histograms so far, without those of connections, which requests share.
    pub histograms: Histograms,
}

/// Requests that one floodgate-target process had counted before and after a driver's part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSeen {
    /// Requests counted when the driver was ready.
    pub before: u64,
    /// Requests counted at its end.
    pub after: u64,
    /// Globally unique name of the counting process; `None` from an older target or driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// Maximum length of a target process's name, in bytes; a longer name is ignored.
pub const MAX_INSTANCE_BYTES: usize = 64;

/// What a final report says about a floodgate-target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetCount {
    /// One process counted from the driver's start to its end.
    Seen(TargetSeen),
    /// It was a different process at the end: what the first one counted after the driver's first reading is
    /// lost.
    Restarted,
}

impl TargetCount {
    /// The wire form; `None` if unknown.
    pub fn seen(self) -> Option<TargetSeen> {
        match self {
            TargetCount::Seen(seen) => Some(seen),
            TargetCount::Restarted => None,
        }
    }
}

/// `metrics`: one cumulative, numbered report of a driver. The original form has no fields after `metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The driver's name.
    #[serde(deserialize_with = "text")]
    pub node_id: String,
    /// The test's id.
    #[serde(deserialize_with = "text")]
    pub test_id: String,
    /// Unique; empty for programs that do not send it.
    #[serde(default, deserialize_with = "text")]
    pub report_id: String,
    /// Latencies so far.
    #[serde(default)]
    pub metrics: LatencyMs,
    /// Start of the driver's process, in ms since 1970.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// 1 for the first report of this driver on this test; numbers are not reused.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Whether it is the last one.
    #[serde(default, rename = "final")]
    pub is_final: bool,
    /// Start of this driver's measurement (the end of its warm-up), in broker time, ms since 1970.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub origin_ms: Option<f64>,
    /// Its first measured send, in broker time, ms since 1970.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub first_send_ms: Option<f64>,
    /// Time since its origin that this report covers, in ms; in the final one, the end of its last request.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<f64>,
    /// Counts so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Histograms so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histograms: Option<Histograms>,
    /// The same for each named request; `counts` and `histograms` are their sum. Empty if the plan names
    /// none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_name: BTreeMap<String, NamedFigures>,
    /// How the driver's workers have spent their time so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<Generator>,
    /// Why requests have failed so far: the most frequent causes of each kind, up to four.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error_samples: Vec<ErrorSample>,
    /// The first responses that failed a check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check_samples: Vec<CheckSample>,
    /// In the final report, if the target is a floodgate-target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_seen: Option<TargetSeen>,
    /// In the final report, instead of `target_seen`: the process that counted at the end is not the one that
    /// counted at the start, so it is unknown how many requests both received together.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub target_restarted: bool,
}
