//! What `GET /dashboard` shows: the fleet, the newest test, and a summary of the finished ones.

use super::fleet::{Node, Presence};
use crate::clock::NS_PER_MS;
use crate::message::{DriverState, LatencyMs};
pub use crate::stats::history::HistoryRow;
use crate::stats::summary::Summary;
use serde::{Deserialize, Serialize};

/// Maximum number of finished tests listed.
pub const MAX_HISTORY: usize = 100;

/// The whole page as data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    /// The newest test's latencies in the form of the original protocol, merged over the fleet; null before
    /// the first response.
    #[serde(default)]
    pub dashboard: LatencyMs,
    /// Every registered node, by name.
    pub fleet: Vec<FleetRow>,
    /// Which part of a large fleet is listed here and under `test`; omitted if it is the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The newest test.
    pub test: Option<Summary>,
    /// Finished tests, newest first.
    pub history: Vec<HistoryRow>,
}

/// A part of the fleet, by position, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The first one listed.
    pub first: usize,
    /// The last one listed.
    pub last: usize,
    /// How many there are.
    pub total: usize,
}

/// One registered node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetRow {
    /// Its name.
    pub node_id: String,
    /// Address shown for this node.
    pub node_ip: String,
    /// `alive`, `dead`, `left`, or `silent` (a driver of the original protocol that sends nothing, which is
    /// allowed).
    pub state: String,
    /// Time since it was last heard from, in ms; null if only an old registration was read.
    pub last_seen_ms: Option<u64>,
    /// Start of its process, in ms since 1970; null for a driver of the original protocol.
    pub epoch: Option<u64>,
    /// What it reports doing: `idle`, `ready`, `running`, `finishing`, `refused`; null if it does not report
    /// it.
    pub activity: Option<String>,
    /// The test that this refers to.
    pub test_id: Option<String>,
    /// Broker time minus its wall clock, in ms; null if unknown.
    pub clock_offset_ms: Option<f64>,
    /// Maximum error of the offset, in ms.
    pub clock_error_ms: Option<f64>,
    /// Version of its program.
    pub version: Option<String>,
    /// CPU cores that it may use.
    pub cores: Option<u32>,
    /// Maximum number of connections that it can hold.
    pub max_connections: Option<u64>,
}

impl FleetRow {
    /// A node as seen at `now_ns`.
    pub fn of(node: &Node, now_ns: u64) -> FleetRow {
        let state = match node.presence {
            Presence::Alive => "alive",
            Presence::Dead => "dead",
            Presence::Silent => "silent",
            Presence::Left => "left",
        };
        let heartbeat = node.heartbeat.as_ref();
        FleetRow {
            node_id: node.node_id.clone(),
            node_ip: node.node_ip.clone(),
            state: state.to_owned(),
            last_seen_ms: node.seen_ns.map(|seen_ns| now_ns.saturating_sub(seen_ns) / NS_PER_MS),
            epoch: node.epoch,
            activity: heartbeat.and_then(|h| h.state).map(activity),
            test_id: heartbeat.and_then(|h| h.test_id.clone()),
            clock_offset_ms: heartbeat.and_then(|h| h.clock_offset_ms),
            clock_error_ms: heartbeat.and_then(|h| h.clock_error_ms),
            version: node.version.clone(),
            cores: node.cores,
            max_connections: node.max_connections,
        }
    }
}

fn activity(state: DriverState) -> String {
    let word = match state {
        DriverState::Idle => "idle",
        DriverState::Ready => "ready",
        DriverState::Running => "running",
        DriverState::Finishing => "finishing",
        DriverState::Refused => "refused",
        DriverState::Left => "left",
    };
    word.to_owned()
}
