//! `test_config`: the plan of one test.

use super::tolerant::{maybe, number, text};
use super::{TestType, Totals, encode};
use serde::{Deserialize, Serialize};

/// One leg of a changing rate: linear from the rate before it to `rate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// How long the change takes, in ms.
    #[serde(alias = "duration", deserialize_with = "number")]
    pub duration_ms: u64,
    /// Requests/s at the end of the stage, of each driver or of the fleet, as the list that it stands in.
    #[serde(deserialize_with = "number")]
    pub rate: f64,
}

/// What differs from a plain `GET`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestSpec {
    /// The method; `GET` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Header lines besides those that the client sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body as base64, for bytes that are not text; not together with `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// One driver of a test: the name and the life of its process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeRef {
    /// The driver's name.
    #[serde(deserialize_with = "text")]
    pub node_id: String,
    /// Start of its process, in ms since 1970.
    #[serde(deserialize_with = "number")]
    pub epoch: u64,
}

/// `test_config`: the plan of one test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestConfig {
    /// Unique for ever.
    #[serde(deserialize_with = "text")]
    pub test_id: String,
    /// Closed loop or rate (AVALANCHE), or a fixed gap (TSUNAMI).
    pub test_type: TestType,
    /// TSUNAMI: ms between the starts of two requests on one driver. Ignored by AVALANCHE.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub test_message_delay: Option<f64>,
    /// Most requests of each driver.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub message_count_per_driver: Option<u64>,
    /// AVALANCHE: requests/s per driver to hold.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub target_throughput: Option<f64>,
    /// No request is planned at or after this many ms.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Load before the measurement begins, in ms.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub warmup_ms: Option<u64>,
    /// AVALANCHE: a changing rate; the first stage begins at `target_throughput`, or at 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Connections per driver.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// Longest wait for one response, in ms.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Requests after which a connection is closed and another opened; no limit where there is none.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub max_requests_per_connection: Option<u64>,
    /// `native` or `ureq`; where there is none, each driver takes what the URL needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What to load; each driver's own target where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_url: Option<String>,
    /// What differs from a plain `GET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestSpec>,
    /// The drivers of this test; driver i of n sends the tickets i, i+n, i+2n…
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drivers: Vec<NodeRef>,
    /// Numbers of the whole fleet, in place of those for each driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<Totals>,
    /// `--fail-if` expressions, judged by the orchestrator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<String>,
}

impl TestConfig {
    /// A plan with nothing but an id and a type.
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
            connections: None,
            timeout_ms: None,
            max_requests_per_connection: None,
            client: None,
            target_url: None,
            request: None,
            drivers: Vec::new(),
            fleet: None,
            thresholds: Vec::new(),
        }
    }

    /// 64-bit FNV-1a over the strict form, in hex: two readers that understood the same plan get the same hash.
    /// Source: <http://www.isthe.com/chongo/tech/comp/fnv/>.
    pub fn plan_hash(&self) -> String {
        let hash = encode(self).iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{hash:016x}")
    }
}
