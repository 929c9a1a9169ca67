//! Operating-system features that the clients need and `std` lacks: readiness of many sockets with nanosecond
//! waits, nonblocking connects, socket inspection, descriptor limits.

pub mod errors;
pub mod listener;
pub mod poller;
pub mod socket;
pub mod waker;
