//! Integration tests: one binary.
mod bus_contract;
mod kafka_faults;
mod kafka_strangers;
mod support;
