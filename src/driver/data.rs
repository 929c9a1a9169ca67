//! What a driver itself counted, in files of its own, to compare with what an orchestrator received.

use super::collector::Draft;
use super::report::Author;
use crate::clock::{NS_PER_MS, wall_ms};
use crate::stats::counts::Counts;
use crate::stats::distribution::Distribution;
use crate::stats::histogram::{Histogram, round_ms};
use crate::store;
use serde::Serialize;
use std::path::Path;

/// The value of `schema`.
const SCHEMA: &str = "floodgate.driver/1";

/// One driver's part of a test.
#[derive(Serialize)]
struct Own<'a> {
    schema: &'a str,
    test_id: &'a str,
    node_id: &'a str,
    epoch: u64,
    /// Start of the measurement, in broker time as far as it was known, in ms since 1970.
    started_at: f64,
    elapsed_ms: f64,
    counts: &'a Counts,
    latency_ms: Option<Distribution>,
    service_ms: Option<Distribution>,
    lag_ms: Option<Distribution>,
}

/// The file's start time and text.
pub fn document(author: &Author, draft: &Draft, offset_ms: f64) -> (f64, String) {
    let started_at = round_ms(wall_ms(draft.origin_ns) + offset_ms);
    let own = Own {
        schema: SCHEMA,
        test_id: &author.test_id,
        node_id: &author.identity.node_id,
        epoch: author.identity.epoch,
        started_at,
        elapsed_ms: round_ms(draft.elapsed_ns as f64 / NS_PER_MS as f64),
        counts: &draft.counts,
        latency_ms: draft.latency.distribution(),
        service_ms: draft.service.as_ref().and_then(Histogram::distribution),
        lag_ms: draft.lag.distribution(),
    };
    // Texts and numbers always have a JSON form.
    (started_at, serde_json::to_string(&own).unwrap_or_default() + "\n")
}

/// Writes the file; a problem is only logged.
pub fn save(dir: &Path, author: &Author, (at_ms, text): &(f64, String)) {
    match store::write_document(dir, *at_ms, &author.test_id, &author.identity.node_id, text) {
        Ok(path) => log::info!("test {:?}: own figures saved in {}", author.test_id, path.display()),
        Err(why) => {
            log::warn!("test {:?}: own figures not saved in {}: {why}", author.test_id, dir.display())
        }
    }
}
