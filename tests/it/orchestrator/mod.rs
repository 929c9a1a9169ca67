//! The orchestrator over the in-process bus, with drivers by script, and its HTTP API.

mod faults;
mod http;
mod life;
mod outage;
mod rivals;
pub mod support;
