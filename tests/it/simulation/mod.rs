//! Simulation of the whole system in one thread, under a manual clock. Everything that happens follows from one
//! seed, so that a failure is replayed exactly.

pub mod bus;
mod bus_tests;
pub mod faults;
pub mod handle;
pub mod random;
