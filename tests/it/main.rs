//! Integration tests: one binary.

mod raw_http;
mod server;
