//! What a host offers a load generator: its addresses, its descriptors and its local ports.

pub mod addresses;
pub mod limits;
pub mod ports;
pub mod shortage;
