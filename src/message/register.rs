//! `register`: a driver announces itself.

use super::tolerant::{maybe, maybe_text, text};
use serde::{Deserialize, Serialize};

/// `register`: a driver announces itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct Register {
    /// The driver's name.
    pub node_id: String,
    /// Address shown for this node; empty for programs that send none.
    pub node_ip: String,
    /// Always `DRIVER_NODE_REGISTER`.
    pub message_type: String,
    /// Start of the driver's process, in ms since 1970; `None` for a driver of the original protocol.
    pub epoch: Option<u64>,
    /// Version of its program.
    pub version: Option<String>,
    /// CPU cores that it may use.
    pub cores: Option<u32>,
    /// Maximum number of connections that its file descriptor limit allows.
    pub max_connections: Option<u64>,
}

/// The value of [`Register::message_type`].
pub fn register_type() -> String {
    "DRIVER_NODE_REGISTER".to_owned()
}

/// The wire form. Some readers of the original protocol expect `node_IP`, others `node_ip`.
#[derive(Clone, Serialize, Deserialize)]
struct Wire {
    #[serde(deserialize_with = "text")]
    node_id: String,
    #[serde(default, rename = "node_IP", deserialize_with = "maybe_text")]
    upper: Option<String>,
    #[serde(
        default,
        rename = "node_ip",
        alias = "node_Ip",
        alias = "nodeIP",
        alias = "nodeIp",
        deserialize_with = "maybe_text"
    )]
    lower: Option<String>,
    #[serde(default = "register_type")]
    message_type: String,
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    cores: Option<u32>,
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    max_connections: Option<u64>,
}

impl From<Wire> for Register {
    fn from(wire: Wire) -> Register {
        Register {
            node_id: wire.node_id,
            node_ip: wire.upper.or(wire.lower).unwrap_or_default(),
            message_type: wire.message_type,
            epoch: wire.epoch,
            version: wire.version,
            cores: wire.cores,
            max_connections: wire.max_connections,
        }
    }
}

impl From<Register> for Wire {
    fn from(register: Register) -> Wire {
        Wire {
            node_id: register.node_id,
            upper: Some(register.node_ip.clone()),
            lower: Some(register.node_ip),
            message_type: register.message_type,
            epoch: register.epoch,
            version: register.version,
            cores: register.cores,
            max_connections: register.max_connections,
        }
    }
}
