//! The bus: five topics of bytes between the roles. It knows nothing of plans or statistics.
//!
//! Each handle belongs to one thread; a [`Connector`] opens as many as a role needs, so that a slow publisher
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
    /// What to send, how fast and how much.
    TestConfig,
    /// When to start, and when to stop early.
    Trigger,
    /// The drivers' cumulative reports.
    Metrics,
    /// Heartbeats, readiness and clock offsets.
    Heartbeat,
}

impl Topic {
    /// All five, in the order a test uses them.
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

/// A record read from the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its topic.
    pub topic: Topic,
    /// Its partition; 0 if the bus has only one.
    pub partition: i32,
    /// Its offset within the partition.
    pub offset: i64,
    /// Its key: the node id, or empty. Invalid UTF-8 is replaced.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// When the broker appended it, in ms since 1970; `None` if the broker does not report it.
    pub append_ms: Option<i64>,
}

/// The acknowledgement of a published record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Appended {
    /// Broker time at which the record was appended, in ms since 1970; `None` if not reported.
    pub append_ms: Option<i64>,
    /// When the successful attempt was sent, per [`crate::clock::now_ns`].
    pub sent_ns: u64,
    /// When its response was received, on the same clock.
    pub acked_ns: u64,
}

/// The next offset to read in each partition of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position(pub BTreeMap<i32, i64>);

/// Where a subscription starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record still stored.
    Beginning,
    /// After the newest record.
    End,
    /// At an earlier position; partitions not included in it are read from their beginning.
    At(Position),
    /// At the first record that was appended at this time or later, in ms since 1970 by the broker's clock;
    /// at the end if there is none. Later records are all read, whatever their times. A bus that knows times
    /// only roughly (the legacy Kafka client) starts earlier, at worst at the beginning.
    Since(i64),
}

/// Why a call failed. The text says what failed, with which value, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusError {
    /// No response, or not in time; the same call may succeed later.
    Unavailable(String),
    /// The broker's rules reject the record permanently.
    Rejected(String),
    /// The record is larger than the bus or the topic accepts; a smaller one may be accepted.
    TooLarge {
        /// Its size as the bus counts it.
        bytes: usize,
        /// What failed, and how to fix it.
        text: String,
    },
    /// This client does not support the bus's kind, version or layout.
    Unsupported(String),
    /// The bus does not accept this client's login or certificate, or this client not the bus's certificate.
    Denied(String),
}

impl BusError {
    /// Whether a retry can help.
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
            | BusError::Unsupported(text)
            | BusError::Denied(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for BusError {}

/// Largest published record, in bytes. Brokers accept 1 MiB by default; this leaves room for the frame.
pub const MAX_RECORD_BYTES: usize = 1_000_000;

/// Refuses a record whose key and value together exceed [`MAX_RECORD_BYTES`].
fn check_size(topic: Topic, key: &str, value: &[u8]) -> Result<(), BusError> {
    let bytes = key.len().saturating_add(value.len());
    if bytes <= MAX_RECORD_BYTES {
        return Ok(());
    }
    let text = format!(
        "a record of {bytes} bytes is too large for topic {}: at most {MAX_RECORD_BYTES} bytes, key \
         included; send less in one message",
        topic.name()
    );
    Err(BusError::TooLarge { bytes, text })
}

/// One thread's handle on the bus.
pub trait Bus: Send {
    /// Appends one record under `key` and waits until it is durable, retrying until `timeout` has passed.
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

    /// Adds `topic` to the topics that [`Bus::poll`] reads, or moves its position if it is already read.
    fn subscribe(&mut self, topic: Topic, start: Start, timeout: Duration) -> Result<(), BusError>;

    /// The next records of all subscribed topics, in order within each partition; waits up to `timeout` for
    /// the first. An empty result means that the bus was read and contained nothing new. An error means that
    /// at least one topic could not be read during all of `timeout`; the next call returns what others held.
    /// May return up to 500 ms later than `timeout`, while the answer to a request is on its way.
    fn poll(&mut self, timeout: Duration) -> Result<Vec<Record>, BusError>;
}

/// Opens handles: one per thread.
pub trait Connector: Send + Sync {
    /// A new handle. It connects lazily, so this succeeds even while the bus is unavailable.
    fn open(&self) -> Box<dyn Bus>;

    /// Waits until the bus can be reached and creates missing topics. Retries until `timeout` has passed.
    fn prepare(&self, timeout: Duration) -> Result<(), BusError>;

    /// A description for messages: `kafka 127.0.0.1:9092`.
    fn describe(&self) -> String;
}
