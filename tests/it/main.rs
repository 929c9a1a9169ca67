//! Integration tests: one binary.

mod client_contract;
mod fetch;
mod support;
