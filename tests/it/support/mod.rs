//! What several test modules use.

pub mod http_server;
//! What several tests need.

pub mod fake_broker;
pub mod kafka;
pub mod old_kafka;
