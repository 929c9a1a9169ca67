//! The five messages between the roles, one struct each. Read tolerantly, written strictly.
//!
//! The first fields of each are those of the original protocol; the others are additions that an old reader
//! ignores. Reading takes numbers as strings, `node_ip` for `node_IP` and any letter case in `test_type`.

use crate::stats::counts::Counts;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// How the requests of a test are paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestType {
    /// As fast as the target answers, or at a rate to hold.
    Avalanche,
    /// With a fixed gap between starts.
    Tsunami,
}

impl TestType {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            TestType::Avalanche => "AVALANCHE",
            TestType::Tsunami => "TSUNAMI",
        }
    }
}

impl std::str::FromStr for TestType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_uppercase().as_str() {
            "AVALANCHE" => Ok(TestType::Avalanche),
            "TSUNAMI" => Ok(TestType::Tsunami),
            _ => Err(format!("test_type {text:?}: use AVALANCHE or TSUNAMI")),
        }
    }
}

impl Serialize for TestType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TestType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = value.as_str().ok_or_else(|| D::Error::custom("test_type: use AVALANCHE or TSUNAMI"))?;
        text.parse().map_err(D::Error::custom)
    }
}

/// `register`: a driver announces itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Register {
    /// The driver's name.
    #[serde(deserialize_with = "text")]
    pub node_id: String,
    /// The address by which its operator knows it.
    #[serde(
        rename = "node_IP",
        alias = "node_ip",
        alias = "node_Ip",
        alias = "nodeIP",
        deserialize_with = "text"
    )]
    pub node_ip: String,
    /// Always `DRIVER_NODE_REGISTER`.
    #[serde(default = "register_type")]
    pub message_type: String,
    /// Start of the driver's process, in ms since 1970; none for a driver of the original protocol.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Version of its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Processor cores that it may use.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Most connections that its limits on descriptors allow.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u64>,
}

/// The value of [`Register::message_type`].
pub fn register_type() -> String {
    "DRIVER_NODE_REGISTER".to_owned()
}

/// One leg of a changing rate: linear from the rate before it to `rate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// How long the change takes, in ms.
    #[serde(alias = "duration", deserialize_with = "number")]
    pub duration_ms: u64,
    /// Requests/s per driver at the end of the stage.
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

/// `trigger`: when to start, or that the test is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Which test.
    #[serde(deserialize_with = "text")]
    pub test_id: String,
    /// `YES` opens the gate, `STOP` closes it.
    pub trigger: String,
    /// When to start, in broker time, ms since 1970; at once where there is none.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub start_at_ms: Option<f64>,
    /// Why it was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Trigger {
    /// Opens the gate at `start_at_ms` (broker time).
    pub fn start(test_id: &str, start_at_ms: f64) -> Trigger {
        let start_at_ms = Some(start_at_ms);
        Trigger { test_id: test_id.to_owned(), trigger: "YES".to_owned(), start_at_ms, reason: None }
    }

    /// Closes the gate.
    pub fn stop(test_id: &str, reason: &str) -> Trigger {
        let reason = Some(reason.to_owned());
        Trigger { test_id: test_id.to_owned(), trigger: "STOP".to_owned(), start_at_ms: None, reason }
    }

    /// Whether this ends the test.
    pub fn is_stop(&self) -> bool {
        self.trigger.eq_ignore_ascii_case("STOP")
    }
}

/// The latencies of the original protocol, in ms, cumulative.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LatencyMs {
    /// Arithmetic mean.
    #[serde(deserialize_with = "number")]
    pub mean_latency: f64,
    /// 50th percentile.
    #[serde(deserialize_with = "number")]
    pub median_latency: f64,
    /// Least.
    #[serde(deserialize_with = "number")]
    pub min_latency: f64,
    /// Greatest.
    #[serde(deserialize_with = "number")]
    pub max_latency: f64,
}

/// Encoded histograms of a report (HdrHistogram V2 deflate in base64, counts of µs).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Histograms {
    /// Planned start to last byte.
    pub latency: String,
    /// Send to last byte; in the final report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The generator's own delay; in the final report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<String>,
}

/// What one process of a floodgate-target had counted before and after a driver's part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSeen {
    /// Requests counted when the driver was ready.
    pub before: u64,
    /// Requests counted at its end.
    pub after: u64,
    /// Which process counted, by a name of its own that is unique for ever; none of an older target or driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// Longest name of a target's process that is taken, in bytes; a longer one is as good as none.
pub const MAX_INSTANCE_BYTES: usize = 64;

/// What a final report says of a floodgate-target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetCount {
    /// One process counted from the driver's start to its end.
    Seen(TargetSeen),
    /// It was another process at the end: what the first one counted after the driver's first reading is lost.
    Restarted,
}

impl TargetCount {
    /// The form on the wire; none where it is not known.
    pub fn seen(self) -> Option<TargetSeen> {
        match self {
            TargetCount::Seen(seen) => Some(seen),
            TargetCount::Restarted => None,
        }
    }
}

/// `metrics`: one cumulative, numbered report of a driver. Fields after `metrics` are none in the original form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The driver's name.
    #[serde(deserialize_with = "text")]
    pub node_id: String,
    /// Which test.
    #[serde(deserialize_with = "text")]
    pub test_id: String,
    /// Unique for ever.
    #[serde(deserialize_with = "text")]
    pub report_id: String,
    /// Latencies so far.
    #[serde(default)]
    pub metrics: LatencyMs,
    /// Start of the driver's process, in ms since 1970.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// 1 for the first report of this driver on this test; a number is given once.
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
    /// Time since its origin up to which this report counts, in ms; of the final one, the end of its last request.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<f64>,
    /// Counts so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Histograms so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histograms: Option<Histograms>,
    /// In the final report, where the target is a floodgate-target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_seen: Option<TargetSeen>,
    /// In the final report, in place of `target_seen`: the target that counted at the end was not the process that
    /// counted at the start, so nobody knows how many requests both together saw.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub target_restarted: bool,
}

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
    /// Always `YES`.
    #[serde(default = "yes")]
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
    /// [`TestConfig::plan_hash`] of the plan as it understood it.
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

/// Largest message that is read, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// The strict JSON form.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // These structs hold only texts, numbers and maps with text keys, which always have a JSON form.
    serde_json::to_vec(message).unwrap_or_default()
}

/// Reads a message tolerantly; the error says what is wrong with it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(format!("message of {} bytes: at most {MAX_MESSAGE_BYTES} are read", bytes.len()));
    }
    serde_json::from_slice(bytes).map_err(|e| e.to_string())
}

/// A text, or a number as text.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(D::Error::custom(format!("{other}: a text is needed"))),
    }
}

/// A number, or a text that holds one.
fn number<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    read_number(Value::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A number, a text that holds one, or nothing (null, or an empty text).
fn maybe<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        value => read_number(value).map(Some).map_err(D::Error::custom),
    }
}

/// A number where there is one, else 0.
fn number_or_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(read_number(Value::deserialize(deserializer)?).unwrap_or_default())
}

fn read_number<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    let number = match &value {
        Value::String(text) => serde_json::from_str(text.trim()).unwrap_or(Value::Null),
        other => other.clone(),
    };
    // Some writers send every number with a fraction; 5.0 is a whole number too.
    let whole = number.as_f64().filter(|n| n.fract() == 0.0 && (0.0..9e15).contains(n)).map(|n| n as u64);
    let direct = serde_json::from_value(number.clone());
    direct
        .or_else(|e| match whole {
            Some(n) => serde_json::from_value(Value::from(n)).map_err(|_| e),
            None => Err(e),
        })
        .map_err(|_| format!("{value}: a number in range is needed"))
}
