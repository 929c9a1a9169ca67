//! Decodes and checks the records that the orchestrator reads, outside any lock.

use super::aggregate::Report;
use crate::bus::{Record, Topic};
use crate::message::{End, Heartbeat, Metrics, Register, TestConfig, Trigger, Word, decode, decode_config};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A message that was understood. Append times are those of the broker, in ms since 1970.
#[derive(Debug)]
pub enum Message {
    /// A node registers.
    Register(Register, Option<i64>),
    /// A heartbeat.
    Heartbeat(Heartbeat, Option<i64>),
    /// A report on the test with this id.
    Report(String, Box<Report>, Option<i64>),
    /// A plan that a Floodgate orchestrator wrote.
    Config(Box<TestConfig>, Option<i64>),
    /// The test with this id was configured by another program, or in a form that is not understood.
    Used(String),
    /// A `YES` or a `STOP`.
    Trigger(Trigger, Option<i64>),
    /// A copy of an END in `trigger`.
    Index(Box<End>),
    /// An END: no report after it counts.
    End(Box<End>),
}

impl Message {
    /// The test that it is about; `None` if it is about a driver.
    pub fn test_id(&self) -> Option<&str> {
        match self {
            Message::Register(..) => None,
            Message::Heartbeat(heartbeat, _) => heartbeat.test_id.as_deref(),
            Message::Report(id, ..) | Message::Used(id) => Some(id),
            Message::Config(config, _) => Some(&config.test_id),
            Message::Trigger(trigger, _) => Some(&trigger.test_id),
            Message::Index(end) | Message::End(end) => Some(&end.test_id),
        }
    }
}

/// The part of a `test_config` that every version has.
#[derive(Deserialize)]
struct AnyConfig {
    test_id: Option<serde_json::Value>,
    test_config: Option<Nested>,
    previous: Option<IgnoredAny>,
}

/// The plan in the wrapped form of an original orchestrator.
#[derive(Deserialize)]
struct Nested {
    test_id: serde_json::Value,
}

/// What tells an END from a report.
#[derive(Deserialize)]
struct Marked {
    trigger: Option<IgnoredAny>,
    node_id: Option<IgnoredAny>,
}

/// Reads one record.
///
/// # Errors
/// What is wrong with it.
pub fn read(record: &Record) -> Result<Message, String> {
    let (value, append_ms) = (&record.value, record.append_ms);
    let read = match record.topic {
        Topic::Register => decode(value).map(|message| Message::Register(message, append_ms)),
        Topic::Heartbeat => decode(value).map(|message| Message::Heartbeat(message, append_ms)),
        Topic::Metrics => metrics(value, append_ms),
        Topic::TestConfig => config(value, append_ms),
        Topic::Trigger => trigger(value, append_ms),
    };
    read.map_err(|e| {
        format!("topic {}, offset {}: not understood and ignored: {e}", record.topic.name(), record.offset)
    })
}

fn metrics(value: &[u8], append_ms: Option<i64>) -> Result<Message, String> {
    let error = match decode::<Metrics>(value) {
        Ok(message) => {
            let report = Report::read(&message)?;
            return Ok(Message::Report(message.test_id, Box::new(report), append_ms));
        }
        Err(error) => error,
    };
    match decode::<Marked>(value) {
        Ok(Marked { trigger: Some(_), node_id: None }) => Ok(Message::End(decode::<End>(value)?.into())),
        _ => Err(error),
    }
}

fn config(value: &[u8], append_ms: Option<i64>) -> Result<Message, String> {
    let any = decode::<AnyConfig>(value)?;
    if any.previous.is_some()
        && let Ok(config) = decode_config(value)
    {
        return Ok(Message::Config(Box::new(config), append_ms));
    }
    match any.test_id.or(any.test_config.map(|nested| nested.test_id)) {
        Some(serde_json::Value::String(id)) => Ok(Message::Used(id)),
        Some(serde_json::Value::Number(id)) => Ok(Message::Used(id.to_string())),
        _ => Err("test_id: a string is required".to_owned()),
    }
}

fn trigger(value: &[u8], append_ms: Option<i64>) -> Result<Message, String> {
    let trigger: Trigger = decode(value)?;
    if trigger.trigger != Word::End {
        return Ok(Message::Trigger(trigger, append_ms));
    }
    // Another program's END is only a stop for drivers.
    Ok(Message::Index(decode::<End>(value)?.into()))
}
