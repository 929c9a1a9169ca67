//! Floodgate.
pub mod bus;
pub mod clock;
pub mod http;
pub mod plan;
pub mod stats;
