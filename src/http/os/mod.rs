//! What the clients need from the operating system and `std` does not offer: readiness of many sockets with waits
//! of nanoseconds, connects that do not block, a look at a socket, descriptor limits.

pub mod errors;
pub mod limits;
pub mod listener;
pub mod own;
pub mod poller;
pub mod ports;
mod shortage;
pub mod socket;
pub mod waker;
