//! Operating-system features that the clients need and `std` lacks: readiness of many sockets with nanosecond
//! waits, nonblocking connects, socket inspection, descriptor limits.

pub mod errors;
pub mod limits;
pub mod listener;
pub mod own;
pub mod poller;
pub mod ports;
mod shortage;
pub mod socket;
pub mod waker;
