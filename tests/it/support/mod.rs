//! What several tests need.
pub mod kafka;
