//! Floodgate.
pub mod bus;
pub mod clock;
pub mod http;
pub mod message;
pub mod orchestrator;
pub mod plan;
pub mod schedule;
pub mod stats;
pub mod units;
