//! `trigger`: starts a test, or ends it.

use super::tolerant::{maybe, shown, text};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What a trigger asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Word {
    /// Opens the gate.
    Yes,
    /// Closes the gate; read also from `NO`.
    Stop,
    /// Closes the run for every reader: a driver that still executes the test stops.
    End,
}

impl<'de> Deserialize<'de> for Word {
    /// Accepts any letter case. Every other word is an error, so that it is never mistaken for a start.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value.as_str().map(|word| word.trim().to_ascii_uppercase()).as_deref() {
            Some("YES") => Ok(Word::Yes),
            Some("STOP" | "NO") => Ok(Word::Stop),
            Some("END") => Ok(Word::End),
            _ => Err(D::Error::custom(format!("trigger {}: use YES, STOP, NO or END", shown(&value)))),
        }
    }
}

/// `trigger`: starts a test, or ends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// The test's id.
    #[serde(deserialize_with = "text")]
    pub test_id: String,
    /// What to do.
    pub trigger: Word,
    /// When to start, in broker time, ms since 1970; at once if absent.
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
        Trigger { test_id: test_id.to_owned(), trigger: Word::Yes, start_at_ms, reason: None }
    }

    /// Closes the gate.
    pub fn stop(test_id: &str, reason: &str) -> Trigger {
        let reason = Some(reason.to_owned());
        Trigger { test_id: test_id.to_owned(), trigger: Word::Stop, start_at_ms: None, reason }
    }

    /// Whether this ends the test.
    pub fn is_stop(&self) -> bool {
        self.trigger != Word::Yes
    }
}
