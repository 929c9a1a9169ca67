//! Decodes and checks the records that the orchestrator reads, outside any lock.

use super::aggregate::Report;
use crate::bus::{Record, Topic};
use crate::message::{Heartbeat, Metrics, Register, decode};
use serde::Deserialize;

/// A message that was understood.
#[derive(Debug)]
pub enum Message {
    /// A node registers; with the time the broker appended the record, in ms since 1970.
    Register(Register, Option<i64>),
    /// A heartbeat.
    Heartbeat(Heartbeat),
    /// A report on the test with this id.
    Report(String, Box<Report>),
    /// The test with this id was configured.
    Used(String),
}

/// The part of a `test_config` that every version has.
#[derive(Deserialize)]
struct AnyConfig {
    test_id: Option<serde_json::Value>,
    test_config: Option<Nested>,
}

/// The plan in the wrapped form of an original orchestrator.
#[derive(Deserialize)]
struct Nested {
    test_id: serde_json::Value,
}

/// Reads one record; `None` if its topic is not for the orchestrator. The error says what is wrong with it.
pub fn read(record: &Record) -> Option<Result<Message, String>> {
    let read = match record.topic {
        Topic::Register => decode(&record.value).map(|message| Message::Register(message, record.append_ms)),
        Topic::Heartbeat => decode(&record.value).map(Message::Heartbeat),
        Topic::Metrics => decode::<Metrics>(&record.value).and_then(|message| {
            Report::read(&message).map(|report| Message::Report(message.test_id, Box::new(report)))
        }),
        Topic::TestConfig => decode::<AnyConfig>(&record.value).and_then(|config| {
            match config.test_id.or(config.test_config.map(|nested| nested.test_id)) {
                Some(serde_json::Value::String(id)) => Ok(Message::Used(id)),
                Some(serde_json::Value::Number(id)) => Ok(Message::Used(id.to_string())),
                _ => Err("test_id: a string is required".to_owned()),
            }
        }),
        Topic::Trigger => return None,
    };
    Some(read.map_err(|e| {
        format!("topic {}, offset {}: not understood and ignored: {e}", record.topic.name(), record.offset)
    }))
}
