//! Integration tests, in one binary.

mod bus_contract;
mod client_contract;
mod driver;
mod golden;
mod fetch;
mod support;
