//! One line of a list of finished tests.

use super::states::RunState;
use super::summary::Summary;
use serde::{Deserialize, Serialize};

/// One finished test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// Its id.
    pub test_id: String,
    /// `AVALANCHE` or `TSUNAMI`.
    pub test_type: String,
    /// How it ended.
    pub state: RunState,
    /// When its gate opened, in ms since 1970 (broker time); null if it never did.
    pub started_at: Option<f64>,
    /// Requests sent.
    pub requests: u64,
    /// Requests failed.
    pub errors: u64,
    /// Complete responses with a status of 400 or more.
    #[serde(default)]
    pub error_statuses: u64,
    /// 99th percentile of latency, in ms; null if there was no response.
    pub p99_ms: Option<f64>,
}

impl HistoryRow {
    /// The row for a result.
    pub fn of(summary: &Summary) -> HistoryRow {
        HistoryRow {
            test_id: summary.test_id.clone(),
            test_type: summary.test_type.clone(),
            state: summary.state,
            started_at: summary.started_at,
            requests: summary.total.requests,
            errors: summary.total.errors_total(),
            error_statuses: summary.total.error_statuses(),
            p99_ms: summary.total.latency_ms.as_ref().map(|latency| latency.p99),
        }
    }
}
