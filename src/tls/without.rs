//! No TLS: the types of [`super`] without values. What would make one fails, so their methods are never
//! called.

use super::{Roots, unavailable};
use std::fmt;
use std::io::{self, Empty, Read, Write};
use std::marker::PhantomData;
use std::sync::Arc;

/// There is no value of this type.
#[derive(Clone, Copy, Debug)]
enum Never {}

/// A client's configuration.
#[derive(Debug)]
pub struct ClientConfig {
    /// Protocols that the client offers.
    pub alpn_protocols: Vec<Vec<u8>>,
    never: Never,
}

/// The name that a server's certificate must have.
#[allow(dead_code)]
#[derive(Clone, Debug)]
pub struct ServerName<'a>(Never, PhantomData<&'a str>);

/// A session.
#[derive(Debug)]
pub struct ClientConnection(Never);

/// What can go wrong in a session.
#[derive(Debug)]
pub struct Error(Never);

/// A client's own certificate.
#[allow(dead_code)]
#[derive(Clone, Debug)]
pub struct Identity(Never);

/// A session over a connection.
pub struct StreamOwned<C, T> {
    /// The session.
    pub conn: C,
    /// The connection.
    pub sock: T,
    never: Never,
}

fn refusal<T>() -> Result<T, String> {
    Err(unavailable().unwrap_or_default().to_owned())
}

/// Fails: certificates are of no use without TLS.
///
/// # Errors
/// Always.
pub fn certificates(_: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    refusal()
}

/// Fails.
///
/// # Errors
/// Always.
pub fn client(_: &Roots, _: Option<&Identity>) -> Result<ClientConfig, String> {
    refusal()
}

impl Identity {
    /// Fails.
    ///
    /// # Errors
    /// Always.
    pub fn from_pem(_: &[u8], _: &[u8]) -> Result<Identity, String> {
        refusal()
    }
}

impl TryFrom<String> for ServerName<'static> {
    type Error = String;

    fn try_from(_: String) -> Result<Self, String> {
        refusal()
    }
}

impl Error {
    /// A value of any type, since this is never called.
    pub fn never<T>(&self) -> T {
        match self.0 {}
    }
}

impl fmt::Display for Error {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.never()
    }
}

impl std::error::Error for Error {}

/// The part of `rustls`'s interface that is used.
#[allow(missing_docs)]
impl ClientConnection {
    pub fn new(config: Arc<ClientConfig>, _: ServerName<'static>) -> Result<ClientConnection, Error> {
        match config.never {}
    }

    pub fn is_handshaking(&self) -> bool {
        match self.0 {}
    }

    pub fn wants_write(&self) -> bool {
        match self.0 {}
    }

    pub fn write_tls(&mut self, _: &mut dyn Write) -> io::Result<usize> {
        match self.0 {}
    }

    pub fn read_tls(&mut self, _: &mut dyn Read) -> io::Result<usize> {
        match self.0 {}
    }

    pub fn process_new_packets(&mut self) -> Result<(), Error> {
        match self.0 {}
    }

    pub fn complete_io<T: Read + Write>(&mut self, _: &mut T) -> io::Result<(usize, usize)> {
        match self.0 {}
    }

    pub fn reader(&mut self) -> Empty {
        match self.0 {}
    }

    pub fn writer(&mut self) -> Empty {
        match self.0 {}
    }
}

impl<T> StreamOwned<ClientConnection, T> {
    /// A session over this connection.
    pub fn new(conn: ClientConnection, _: T) -> Self {
        match conn.0 {}
    }
}

impl<C, T> Read for StreamOwned<C, T> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.never {}
    }
}

impl<C, T> Write for StreamOwned<C, T> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match self.never {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_needs_tls_says_why_it_fails() {
        let said =
            [client(&Roots::Public, None).err(), Identity::from_pem(b"", b"").err(), certificates(b"").err()];
        for why in said {
            assert!(why.as_ref().is_some_and(|why| why.starts_with("this build has no TLS")), "{why:?}");
        }
    }
}
