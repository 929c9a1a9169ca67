//! `trigger`: when a test starts, or that it is over.

use super::tolerant::{maybe, text};
use serde::{Deserialize, Serialize};

/// `trigger`: when to start, or that the test is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Which test.
    #[serde(deserialize_with = "text")]
    pub test_id: String,
    /// `YES` opens the gate, `STOP` closes it.
    pub trigger: String,
    /// When to start, in broker time, ms since 1970; at once where there is none.
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
        Trigger { test_id: test_id.to_owned(), trigger: "YES".to_owned(), start_at_ms, reason: None }
    }

    /// Closes the gate.
    pub fn stop(test_id: &str, reason: &str) -> Trigger {
        let reason = Some(reason.to_owned());
        Trigger { test_id: test_id.to_owned(), trigger: "STOP".to_owned(), start_at_ms: None, reason }
    }

    /// Whether this ends the test.
    pub fn is_stop(&self) -> bool {
        self.trigger.eq_ignore_ascii_case("STOP")
    }
}
