//! What the shell does for [`super::Reading`], and what it reports back.

use super::progress::Key;
use crate::bus::kafka::responses::{FetchedPartition, TopicId};
use crate::bus::kafka::wire::Malformed;
use crate::bus::{BusError, Record, Topic};
use std::collections::BTreeMap;

/// What to do next. Each step names the events that it may lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask for the first and next offset of a partition: [`Event::Range`].
    FindRange {
        /// The partition.
        key: Key,
        /// When to give up.
        limit_ns: u64,
    },
    /// Ask for the leaders of these topics, or use the known ones if they are fresh: [`Event::Leaders`].
    FindLeaders {
        /// The topics.
        topics: Vec<Topic>,
        /// When to give up.
        limit_ns: u64,
    },
    /// Report the known leaders of these partitions with an open connection, and nothing else:
    /// [`Event::Leaders`].
    ListOpen(Vec<Key>),
    /// Connect to a broker if it is not connected: [`Event::Connected`] or [`Event::Failed`].
    Connect {
        /// The broker.
        broker: i32,
        /// When to give up.
        limit_ns: u64,
    },
    /// Send a Fetch: [`Event::Sent`] or [`Event::Failed`].
    Send {
        /// The broker.
        broker: i32,
        /// The partitions and offsets to read, in the order the broker should serve them.
        wanted: Vec<(Key, i64)>,
        /// How long the broker may wait for records.
        max_wait_ns: u64,
        /// When to give up.
        limit_ns: u64,
    },
    /// Wait for a broker's response: [`Event::Answered`], [`Event::Silent`], [`Event::Gone`] or
    /// [`Event::Failed`].
    Receive {
        /// The broker.
        broker: i32,
        /// When to give up.
        limit_ns: u64,
    },
    /// Sleep until this time.
    Sleep {
        /// The time.
        until_ns: u64,
    },
    /// Drop the connection to this broker.
    HangUp(i32),
    /// Refresh the leaders before they are used again.
    Distrust,
    /// Log this warning.
    Warn(String),
    /// The poll is over: return this.
    Done(Result<Vec<Record>, BusError>),
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The first and the next offset that the broker has; `None` if it did not name the partition.
    Range {
        /// The partition.
        key: Key,
        /// The id of its topic, if the cluster has ids.
        id: Option<TopicId>,
        /// The offsets, or why they are unknown.
        range: Result<Option<(i64, i64)>, BusError>,
    },
    /// The leaders.
    Leaders(Result<Leaders, BusError>),
    /// The broker is connected.
    Connected,
    /// The Fetch was sent.
    Sent,
    /// A Fetch was answered.
    Answered {
        /// The broker.
        broker: i32,
        /// Its response.
        answer: FetchAnswer<'a>,
    },
    /// No complete response in time.
    Silent {
        /// The broker.
        broker: i32,
        /// The error if that lasts too long.
        error: BusError,
    },
    /// The connection was dropped in the meantime.
    Gone {
        /// The broker.
        broker: i32,
    },
    /// The broker could not be connected, or its connection failed.
    Failed {
        /// The broker.
        broker: i32,
        /// Why.
        error: BusError,
    },
}

/// What the cluster knows of the subscribed topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaders {
    /// The leader of each partition; negative or absent for none.
    pub of: BTreeMap<Key, i32>,
    /// The topics' ids, if the cluster has ids.
    pub ids: BTreeMap<Topic, TopicId>,
    /// Why a topic has no leaders.
    pub faults: BTreeMap<Topic, BusError>,
}

/// The response to a Fetch.
#[derive(Debug)]
pub struct FetchAnswer<'a> {
    /// The error code of the whole response and the partitions.
    pub read: Result<(i16, Vec<FetchedPartition<'a>>), Malformed>,
    /// Whether the response was truncated.
    pub is_cut: bool,
    /// Time from the request to the response.
    pub took_ns: u64,
    /// When the broker reads requests again; in the past if it does not throttle.
    pub rests_until_ns: u64,
}
