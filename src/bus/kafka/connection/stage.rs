//! How far the setup of a connection has come.

use super::{Connection, tls_faults, unreachable};
use crate::bus::BusError;
use crate::bus::kafka::access::Access;
use crate::bus::kafka::settings::Address;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// The step that a setup is at, for a caller that stops waiting for it.
#[derive(Debug, Default)]
pub struct Stage {
    step: AtomicU8,
    is_unwanted: AtomicBool,
}

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
    /// The client asks for a token.
    Token,
    /// The client logs in.
    Login,
}

impl Stage {
    /// Notes that the setup is at `step`.
    pub fn reached(&self, step: Step) {
        self.step.store(step as u8, Ordering::Relaxed);
    }

    /// Notes whether somebody wants the connection.
    pub fn want(&self, is_wanted: bool) {
        self.is_unwanted.store(!is_wanted, Ordering::Relaxed);
    }

    /// Whether somebody wants the connection; at first, somebody does.
    pub fn is_wanted(&self) -> bool {
        !self.is_unwanted.load(Ordering::Relaxed)
    }

    /// The error for a setup that takes too long.
    pub fn late(&self, address: &Address, access: &Access) -> BusError {
        match self.step.load(Ordering::Relaxed) {
            step if step == Step::Tcp as u8 => unreachable(address, "timed out"),
            step if step == Step::Tls as u8 => {
                tls_faults::handshake(&ErrorKind::TimedOut.into(), address, &access.security)
            }
            step if step == Step::Versions as u8 => Connection::silent_at_first(address),
            step if step == Step::Token as u8 => BusError::Unavailable(
                "no token for Kafka in time: check --kafka-token-url and that its server is running"
                    .to_owned(),
            ),
            _ => BusError::Unavailable(format!(
                "Kafka broker {address} did not complete the login in time: is it hung?"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::kafka::security::Security;

    #[test]
    fn each_step_has_an_error_of_its_own() {
        let access = Access::new("test", Security::default()).expect("no TLS");
        let (address, stage) = ("a.example:9092".parse().expect("an address"), Stage::default());
        assert!(stage.is_wanted());
        for (step, words) in [
            (Step::Tcp, "Kafka broker a.example:9092 cannot be reached (timed out)"),
            (Step::Tls, "did not complete the TLS handshake in time"),
            (Step::Versions, "does not answer Kafka's first request in time"),
            (Step::Token, "check --kafka-token-url"),
            (Step::Login, "did not complete the login in time"),
        ] {
            stage.reached(step);
            let late = stage.late(&address, &access);
            assert!(late.is_transient() && late.to_string().contains(words), "{words:?}: {late}");
        }
    }
}
