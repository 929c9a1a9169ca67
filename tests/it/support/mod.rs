//! Helpers that several tests share.

pub mod http_server;
