//! What the orchestrator answers to requests that change something.

use crate::stats::states::RunState;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The response to `POST /configure` and `POST /stop`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// The test's id.
    pub test_id: String,
    /// Its state; `ready` after a configuration: the drivers get ready, and the gate opens when all are.
    pub state: RunState,
    /// The drivers that it names.
    pub drivers: Vec<String>,
    /// Drivers of the original protocol that can also read the plan; they are not waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub original: Vec<String>,
}

/// Why a request failed: an HTTP status, what failed and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status: 400, 404, 409, 413 or 503.
    pub status: u16,
    /// What failed, with which value, and how to fix it.
    pub message: String,
}

impl ApiError {
    pub(super) fn new(status: u16, message: impl Into<String>) -> ApiError {
        ApiError { status, message: message.into() }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
