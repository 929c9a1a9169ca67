//! Integration tests: one binary.
mod bus_contract;
mod orchestrator;
mod raw_http;
mod server;
