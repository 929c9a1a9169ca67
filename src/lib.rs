//! Floodgate.
pub mod broker_time;
pub mod bus;
pub mod clock;
pub mod driver;
pub mod http;
pub mod message;
pub mod plan;
pub mod schedule;
pub mod stats;
pub mod units;
