//! What several test modules use.

pub mod http_server;
pub mod kafka;
