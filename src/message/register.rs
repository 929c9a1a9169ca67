//! `register`: a driver announces itself.

use super::tolerant::{maybe, maybe_text, text};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

/// Maximum length of a driver's name, in bytes.
pub const MAX_NODE_ID_BYTES: usize = 128;

/// Checks a driver's name.
///
/// # Errors
/// What is allowed.
pub fn check_node_id(id: &str) -> Result<(), String> {
    if id.is_empty() || id.len() > MAX_NODE_ID_BYTES || id.contains(char::is_control) {
        return Err(format!("use 1 to {MAX_NODE_ID_BYTES} printable characters"));
    }
    Ok(())
}

/// `register`: a driver announces itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct Register {
    /// The driver's name.
    pub node_id: String,
    /// Address shown for this node; empty for programs that send none.
    pub node_ip: String,
    /// Start of the driver's process, in ms since 1970; `None` for a driver of the original protocol.
    pub epoch: Option<u64>,
    /// Version of its program.
    pub version: Option<String>,
    /// CPU cores that it may use.
    pub cores: Option<u32>,
    /// Maximum number of connections that its file descriptor limit allows.
    pub max_connections: Option<u64>,
}

/// What registrations are called in the original protocol.
fn register_type() -> String {
    "DRIVER_NODE_REGISTER".to_owned()
}

/// Any other value is read as the usual one: what stands in this topic is a registration.
fn any_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| register_type())
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
    #[serde(default = "register_type", deserialize_with = "any_type")]
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
            message_type: register_type(),
            epoch: register.epoch,
            version: register.version,
            cores: register.cores,
            max_connections: register.max_connections,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{decode, encode};

    #[test]
    fn what_the_type_says_does_not_matter() {
        for given in ["null", "7", "\"driver\"", "{}"] {
            let text = format!("{{\"node_id\":\"a\",\"message_type\":{given}}}");
            let read: Register = decode(text.as_bytes()).expect(given);
            let written = String::from_utf8(encode(&read)).expect("JSON");
            assert!(written.contains("\"message_type\":\"DRIVER_NODE_REGISTER\""), "{written}");
        }
    }
}
