//! The orchestrator on the in-process bus, with scripted drivers, and its HTTP API.

mod faults;
mod http;
mod life;
mod metrics;
mod outage;
mod page;
mod restart;
mod rivals;
mod saving;
pub mod support;
