//! Integration tests: one binary.
mod bus_contract;
mod orchestrator;
mod orchestrator_http;
mod raw_http;
mod server;
