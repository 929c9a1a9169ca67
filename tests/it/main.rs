//! Integration tests: one binary.
mod bus_contract;
mod support;
