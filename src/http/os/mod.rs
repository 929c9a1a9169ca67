//! Operating-system features that `std` lacks: readiness of many sockets, nonblocking connects and accepts,
//! wake-ups.

pub mod errors;
pub mod listener;
pub mod poller;
pub mod socket;
pub mod waker;
