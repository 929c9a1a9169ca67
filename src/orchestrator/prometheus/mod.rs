//! `GET /metrics`: the fleet and its newest tests in Prometheus' text format, version 0.0.4.
//!
//! Pure: figures in, text out. A test is listed as soon as it is configured, with every series at 0, so that
//! `rate()` and `increase()` see its first requests; it stays until the next test is configured, and for at
//! least [`KEPT`] after its end, so that a scraper sees its last figures.

mod exposition;
mod families;
mod figures;
mod named;
#[cfg(test)]
mod tests;

pub use exposition::CONTENT_TYPE;
pub use families::render;
pub use figures::{Ended, Scrape, TestFigures};
use std::time::Duration;

/// How long a test is listed after its end, even if another one is configured.
pub const KEPT: Duration = Duration::from_secs(300);
/// Maximum number of ended tests that are listed.
pub const MAX_ENDED: usize = 10;
