//! Integration tests, in one binary.

mod breakdown;
mod bus_contract;
mod cli;
mod client_contract;
mod door;
mod driver;
mod fetch;
mod fuzzing;
mod golden;
mod kafka_faults;
mod kafka_strangers;
mod large_reports;
mod omission;
mod orchestrator;
mod original;
mod poison;
mod processes;
mod raw_http;
mod recreated_topics;
mod server;
mod support;
mod system;
mod target;
mod target_counts;
mod tidy;
mod wrong_inputs;
