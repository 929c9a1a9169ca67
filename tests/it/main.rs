//! Integration tests: one binary.

mod client_contract;
mod support;
