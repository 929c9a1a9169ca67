//! Integration tests: one binary.
mod bus_contract;
mod golden;

mod client_contract;
mod support;
