//! `register`: a driver announces itself.

use super::tolerant::{maybe, text};
use serde::{Deserialize, Serialize};

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
