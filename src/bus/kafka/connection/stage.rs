//! How far the setup of a connection has come.

use super::{Connection, tls_faults, unreachable};
use crate::bus::BusError;
use crate::bus::kafka::access::Access;
use crate::bus::kafka::settings::Address;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU8, Ordering};

/// The step that a setup is at, for a caller that stops waiting for it.
#[derive(Debug, Default)]
pub struct Stage(AtomicU8);

/// A step of the setup, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// The name is looked up, TCP connects.
    Tcp,
    /// TLS shakes hands.
    Tls,
    /// The broker is asked for its versions.
    Versions,
    /// The client logs in.
    Login,
}

impl Stage {
    /// Notes that the setup is at `step`.
    pub fn reached(&self, step: Step) {
        self.0.store(step as u8, Ordering::Relaxed);
    }

    /// The error for a setup that takes too long.
    pub fn late(&self, address: &Address, access: &Access) -> BusError {
        match self.0.load(Ordering::Relaxed) {
            step if step == Step::Tcp as u8 => unreachable(address, "timed out"),
            step if step == Step::Tls as u8 => {
                tls_faults::handshake(&ErrorKind::TimedOut.into(), address, &access.security)
            }
            step if step == Step::Versions as u8 => Connection::silent_at_first(address),
            _ => BusError::Unavailable(format!(
                "Kafka broker {address} did not complete the login in time: is it hung?"
            )),
        }
    }
}
