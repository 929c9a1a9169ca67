//! The bus: five topics of bytes between the roles. It knows neither plans nor statistics.
//!
//! One handle belongs to one thread; a [`Connector`] opens as many as a role needs, so that a slow publisher
//! never delays another. Every call has a deadline.

pub mod kafka;
pub mod local;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The five topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Drivers announce themselves.
    Register,
    /// What to send, how fast, how much.
    TestConfig,
    /// When to start, and when to stop early.
    Trigger,
    /// Cumulative reports of the drivers.
    Metrics,
    /// Signs of life, readiness and clock offsets.
    Heartbeat,
}

impl Topic {
    /// All five, in the order in which a test uses them.
    pub const ALL: [Topic; 5] =
        [Topic::Register, Topic::TestConfig, Topic::Trigger, Topic::Metrics, Topic::Heartbeat];

    /// The topic's name without a prefix.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Register => "register",
            Topic::TestConfig => "test_config",
            Topic::Trigger => "trigger",
            Topic::Metrics => "metrics",
            Topic::Heartbeat => "heartbeat",
        }
    }
}

/// One record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it was read.
    pub topic: Topic,
    /// Its partition; 0 where the bus has only one.
    pub partition: i32,
    /// Its offset within the partition.
    pub offset: i64,
    /// Its key: the node id, empty where there is none (lossy where it is not UTF-8).
    pub key: String,
    /// Its bytes.
    pub value: Vec<u8>,
    /// When the broker appended it (ms since 1970), where the broker says so.
    pub append_ms: Option<i64>,
}

/// What the bus says of a record that it took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Appended {
    /// Broker time at which the record was appended, in ms since 1970; none where the broker does not say.
    pub append_ms: Option<i64>,
    /// When the successful attempt was sent, on [`crate::clock::now_ns`].
    pub sent_ns: u64,
    /// When its answer was there, on the same clock.
    pub acked_ns: u64,
}

/// The next offset to read in each partition of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position(pub BTreeMap<i32, i64>);

/// Where a subscription begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record that is still there.
    Beginning,
    /// After the newest record.
    End,
    /// At a position noted earlier; partitions that it does not name are read from their beginning.
    At(Position),
}

/// Why the bus could not do it. The text names what failed, with which value, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusError {
    /// Nobody answers, or not in time; the same call may succeed later.
    Unavailable(String),
    /// The record cannot be taken as it is, today or later (refused by the broker's rules).
    Rejected(String),
    /// The record is larger than the bus or the topic takes; a smaller one may be taken.
    TooLarge {
        /// Its size as the bus counts it.
        bytes: usize,
        /// What failed, and how to fix it.
        text: String,
    },
    /// The bus is of a kind, version or layout that this client cannot use.
    Unsupported(String),
}

impl BusError {
    /// Whether trying again later can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, BusError::Unavailable(_))
    }
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BusError::Unavailable(text)
            | BusError::Rejected(text)
            | BusError::TooLarge { text, .. }
            | BusError::Unsupported(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for BusError {}

/// Largest record that is published, in bytes. Brokers take 1 MiB by default; this leaves room for the frame.
pub const MAX_RECORD_BYTES: usize = 1_000_000;

/// Refuses a record whose key and value together exceed [`MAX_RECORD_BYTES`].
fn check_size(topic: Topic, key: &str, value: &[u8]) -> Result<(), BusError> {
    let bytes = key.len().saturating_add(value.len());
    if bytes <= MAX_RECORD_BYTES {
        return Ok(());
    }
    let text = format!(
        "a record of {bytes} bytes is too large for topic {}: at most {MAX_RECORD_BYTES} bytes, key included; send less in one \
         message",
        topic.name()
    );
    Err(BusError::TooLarge { bytes, text })
}

/// One thread's handle on the bus.
pub trait Bus: Send {
    /// Appends one record under `key` and waits until it is durable, retrying inside until `timeout` has passed.
    /// After [`BusError::Unavailable`] it may or may not have been appended.
    fn publish(
        &mut self,
        topic: Topic,
        key: &str,
        value: &[u8],
        timeout: Duration,
    ) -> Result<Appended, BusError>;

    /// The position after the newest record of `topic`.
    fn end(&mut self, topic: Topic, timeout: Duration) -> Result<Position, BusError>;

    /// Adds `topic` to what [`Bus::poll`] reads, or moves it where it is read already.
    fn subscribe(&mut self, topic: Topic, start: Start, timeout: Duration) -> Result<(), BusError>;

    /// The next records of all subscribed topics, in order within each partition; waits up to `timeout` for the
    /// first. An empty answer means that the bus was read and held nothing new; an error means that at least one
    /// topic could not be read for the whole of `timeout` (what was read of others comes with the next call).
    fn poll(&mut self, timeout: Duration) -> Result<Vec<Record>, BusError>;
}

/// Opens handles: one for each thread.
pub trait Connector: Send + Sync {
    /// A new handle; connects lazily, so that it succeeds while the bus is away.
    fn open(&self) -> Box<dyn Bus>;

    /// Makes sure that the bus can be reached and that all five topics exist, creating those that do not.
    /// Tries until `timeout` has passed.
    fn prepare(&self, timeout: Duration) -> Result<(), BusError>;

    /// What this is, for messages: `kafka 127.0.0.1:9092`.
    fn describe(&self) -> String;
}
