//! Floodgate.
pub mod bus;
pub mod clock;
pub mod http;
pub mod logging;
pub mod message;
pub mod plan;
pub mod schedule;
pub mod stats;
pub mod target;
pub mod units;
