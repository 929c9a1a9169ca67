//! Where the figures come from: the saved records, and how to compute the result again.

use crate::stats::summary::Summary;
use crate::units::format_bytes;
use maud::{Markup, html};

/// The saved records of a test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// SHA-256 of `records.jsonl`, in hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The drivers' clocks, by name.
    pub clocks: Vec<Clock>,
}

/// The clock of one driver, by its last heartbeat in the records.
#[derive(Clone, Debug, PartialEq)]
pub struct Clock {
    /// The driver's name.
    pub node_id: String,
    /// Broker time minus its wall clock, in ms.
    pub offset_ms: f64,
    /// Maximum error of the offset, in ms; `None` if unknown.
    pub error_ms: Option<f64>,
}

impl Records {
    /// A driver's clock in words; `None` if it is not known.
    pub fn clock(&self, node_id: &str) -> Option<String> {
        let clock = self.clocks.iter().find(|clock| clock.node_id == node_id)?;
        let error = clock.error_ms.map_or(String::new(), |error| format!(" ± {error:.2}"));
        Some(format!("{:+.2}{error}", clock.offset_ms))
    }
}

/// How to compute the result again.
pub fn section(summary: &Summary, records: Option<&Records>) -> Markup {
    html! {
        h2 { "Compute it again" }
        @if let Some(records) = records {
            p { "In the folder of this report:" }
            pre { "sha256sum records.jsonl\nfloodgate replay records.jsonl --json" }
            dl.plan {
                div { dt { "records.jsonl" } dd { (format_bytes(records.bytes)) } }
                div { dt { "SHA-256" } dd { code { (records.sha256) } } }
            }
            p.dim {
                "The second command prints the bytes of summary.json: the result is a function of these \
                 records alone."
            }
        } @else {
            p.dim { "The records of this test are not saved with this report." }
        }
        p.dim {
            (summary.schema) ", written by Floodgate " (env!("CARGO_PKG_VERSION")) ". Latency runs from the \
             planned start of a request to the last byte of its response; percentiles come from merged \
             histograms, never from averages."
        }
    }
}
