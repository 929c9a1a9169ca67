//! Helpers shared by several tests.

pub mod fake_broker;
pub mod golden;
pub mod http_server;
pub mod kafka;
pub mod old_kafka;
pub mod plans;
pub mod process;
pub mod scratch;
pub mod trap;
