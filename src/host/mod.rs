//! What a host offers a load generator: its addresses, its descriptors, its file locks and its local ports.

pub mod addresses;
pub mod limits;
pub mod locks;
pub mod ports;
pub mod shortage;
