//! What several tests need.

pub mod fake_broker;
pub mod kafka;
pub mod old_kafka;
