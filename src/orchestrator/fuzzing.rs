//! Entry points for fuzzing: records as they are read, and the body of `POST /configure`.

use super::{body, inbox};
use crate::bus::{Record, Topic};
use crate::plan::Plan;

/// One record.
pub fn record(topic: Topic, bytes: &[u8]) {
    let (key, value) = ("d1".to_owned(), bytes.to_vec());
    let record = Record { topic, partition: 0, offset: 0, key, value, append_ms: Some(1_750_000_000_000) };
    if let Err(why) = inbox::read(&record) {
        assert!(why.len() < 10_000, "an error quotes {} bytes", why.len());
    }
}

/// A body of `POST /configure`.
pub fn configure(bytes: &[u8]) {
    for content_type in ["application/json", "application/toml"] {
        if let Ok(config) = body::read_plan(bytes, content_type) {
            let _ = Plan::as_written(&config);
        }
    }
}
