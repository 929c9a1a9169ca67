//! The driver: executes its share of a plan and reports what really happened.

pub mod collector;
pub mod cursor;
pub mod worker;
