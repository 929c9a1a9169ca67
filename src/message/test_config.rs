//! `test_config`: the plan of one test.

use super::tolerant::{maybe, maybe_whole, number, text, whole};
use super::{FeedSpec, NamedRequest, RecordedStarts, RequestSpec, TestType, Totals, decode, encode};
use crate::units::fnv1a;
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// One stage of a changing rate: linear from the previous rate to `rate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// How long the change takes, in ms.
    #[serde(alias = "duration", deserialize_with = "number")]
    pub duration_ms: u64,
    /// Requests/s at the end of the stage, per driver or for the fleet, depending on the list it is in.
    #[serde(deserialize_with = "number", serialize_with = "whole")]
    pub rate: f64,
}

/// One driver of a test: its name and the epoch of its process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeRef {
    /// The driver's name.
    #[serde(deserialize_with = "text")]
    pub node_id: String,
    /// Start of its process, in ms since 1970.
    #[serde(deserialize_with = "number")]
    pub epoch: u64,
}

/// What the loss of a driver in mid-run means for the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDriverLoss {
    /// The others go on, and the result states the lost share.
    Continue,
    /// The others are stopped, and the test fails.
    Fail,
}

/// `test_config`: the plan of one test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct TestConfig {
    /// Unique.
    #[serde(deserialize_with = "text")]
    pub test_id: String,
    /// AVALANCHE (closed loop or fixed rate) or TSUNAMI (fixed interval).
    pub test_type: TestType,
    /// TSUNAMI: interval between the starts of two requests on one driver, in ms. Ignored by AVALANCHE.
    #[serde(
        default,
        deserialize_with = "delay",
        serialize_with = "maybe_whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub test_message_delay: Option<f64>,
    /// Maximum number of requests per driver.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub message_count_per_driver: Option<u64>,
    /// AVALANCHE: requests/s per driver to hold.
    #[serde(
        default,
        deserialize_with = "maybe",
        serialize_with = "maybe_whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub target_throughput: Option<f64>,
    /// No request is planned at or after this time, in ms.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Load before the measurement begins, in ms.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub warmup_ms: Option<u64>,
    /// AVALANCHE: a changing rate; the first stage begins at `target_throughput`, or at 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// AVALANCHE: when each request of the fleet starts, instead of a rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<RecordedStarts>,
    /// Connections per driver.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// Response timeout, in ms.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Requests after which a connection is closed and a new one opened; no limit if absent.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub max_requests_per_connection: Option<u64>,
    /// `native` or `ureq`; if absent, each driver uses what the URL requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The target's URL; if absent, each driver's own target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_url: Option<String>,
    /// Instead of `target_url`, the URLs A and B: each driver sends half of its requests to A and half to
    /// B.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ab: Vec<String>,
    /// The server's name in the `Host` header and in the TLS handshake, with or without a port; that of the
    /// URL if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether the server's certificate goes unverified; `false` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure: Option<bool>,
    /// What differs from a plain `GET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestSpec>,
    /// Several requests instead of one, each with a share of the load. `request` then has only the headers
    /// that they have in common.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<NamedRequest>,
    /// From which the generated values of templates follow. If absent, `{{…}}` is plain text.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Data for templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<FeedSpec>,
    /// The drivers of this test; driver i of n sends the tickets i, i+n, i+2n…
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drivers: Vec<NodeRef>,
    /// Totals for the whole fleet, instead of numbers per driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<Totals>,
    /// `--fail-if` expressions, judged by the orchestrator.
    #[serde(default, alias = "fail_if", skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<String>,
    /// What the loss of a driver in mid-run means; `continue` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_driver_loss: Option<OnDriverLoss>,
    /// The test before this one as its author knew the log; empty before the first. The first plan in the
    /// topic with a given value counts, any later one is void. Absent from other programs and older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Fields that are derived from the others and written only for drivers of the original protocol, which
    /// need them. They are not part of the plan: reading drops them and this list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived: Vec<String>,
}

/// Names in [`TestConfig::derived`].
pub const DELAY: &str = "test_message_delay";
/// Names in [`TestConfig::derived`].
pub const COUNT: &str = "message_count_per_driver";

impl Serialize for TestConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TestConfig::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for TestConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut config = TestConfig::deserialize(deserializer)?;
        for field in std::mem::take(&mut config.derived) {
            match field.as_str() {
                DELAY => config.test_message_delay = None,
                COUNT => config.message_count_per_driver = None,
                _ => {}
            }
        }
        Ok(config)
    }
}

/// Reads a `test_config`, also if wrapped as by one orchestrator of the original protocol:
/// `{"node_ip": …, "test_config": {…}}`.
pub fn decode_config(bytes: &[u8]) -> Result<TestConfig, String> {
    #[derive(Deserialize)]
    struct Outside {
        test_config: Option<IgnoredAny>,
        test_id: Option<IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Wrapped {
        test_config: TestConfig,
    }
    match decode(bytes) {
        Ok(Outside { test_config: Some(_), test_id: None }) => {
            decode(bytes).map(|wrapped: Wrapped| wrapped.test_config)
        }
        _ => decode(bytes),
    }
}

/// Reads the `test_config` inside a larger document, like a result. By way of its text, because each further
/// kind of input would be a reader of its own for the compiler.
///
/// # Errors
/// Why it cannot be read.
pub fn config_in(document: &Value) -> Result<TestConfig, String> {
    decode(&encode(document))
}

/// A delay, or `None` if absent. An empty text is an error: a form field left empty must not become the
/// default.
fn delay<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) if text.trim().is_empty() => {
            Err(D::Error::custom("test_message_delay \"\": use a number of ms, or leave it out"))
        }
        value => maybe(value).map_err(D::Error::custom),
    }
}

impl TestConfig {
    /// A plan with only an id and a type.
    pub fn new(test_id: &str, test_type: TestType) -> TestConfig {
        TestConfig {
            test_id: test_id.to_owned(),
            test_type,
            test_message_delay: None,
            message_count_per_driver: None,
            target_throughput: None,
            duration_ms: None,
            warmup_ms: None,
            stages: Vec::new(),
            starts: None,
            connections: None,
            timeout_ms: None,
            max_requests_per_connection: None,
            client: None,
            target_url: None,
            ab: Vec::new(),
            host: None,
            insecure: None,
            request: None,
            requests: Vec::new(),
            seed: None,
            feeds: Vec::new(),
            drivers: Vec::new(),
            fleet: None,
            thresholds: Vec::new(),
            on_driver_loss: None,
            previous: None,
            derived: Vec::new(),
        }
    }

    /// The request's method.
    pub fn method(&self) -> &str {
        self.request.as_ref().and_then(|request| request.method.as_deref()).unwrap_or("GET")
    }

    /// A hash of the strict form, in hex: two readers that read the same plan get the same one.
    pub fn plan_hash(&self) -> String {
        format!("{:016x}", fnv1a(&encode(self)))
    }
}
