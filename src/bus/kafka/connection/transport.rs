//! A broker's byte stream, with or without TLS. Every call has a timeout.

use crate::clock;
use crate::tls::{ClientConfig, ClientConnection, ServerName};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// Minimum socket timeout, since zero would mean no timeout.
pub const LEAST_WAIT: Duration = Duration::from_millis(1);

/// An open stream.
#[derive(Debug)]
pub enum Transport {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<Session>),
}

/// A TLS session and its connection.
#[derive(Debug)]
pub struct Session {
    tcp: TcpStream,
    tls: ClientConnection,
}

impl Transport {
    /// TLS over an open connection to `host`: shakes hands and checks the certificate.
    ///
    /// # Errors
    /// `TimedOut` at the deadline, `UnexpectedEof` if the peer closes, `InvalidData` with rustls' error
    /// inside.
    pub fn secure(
        tcp: TcpStream,
        config: &Arc<ClientConfig>,
        host: &str,
        deadline_ns: u64,
    ) -> io::Result<Transport> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut session = Session { tcp, tls };
        session.shake_hands(deadline_ns)?;
        Ok(Transport::Tls(Box::new(session)))
    }

    /// Reads what is there, or waits for it. `WouldBlock` and the like mean that there is nothing yet, 0 that
    /// the peer closed the stream.
    pub fn read(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        match self {
            Transport::Plain(tcp) => {
                tcp.set_read_timeout(Some(wait.max(LEAST_WAIT)))?;
                tcp.read(buffer)
            }
            Transport::Tls(session) => session.read(buffer, wait),
        }
    }

    /// Accepts some bytes, perhaps none, and sends what it can. `WriteZero` means that the peer is gone.
    pub fn write(&mut self, bytes: &[u8], wait: Duration) -> io::Result<usize> {
        match self {
            Transport::Plain(tcp) => {
                tcp.set_write_timeout(Some(wait.max(LEAST_WAIT)))?;
                match tcp.write(bytes)? {
                    0 if !bytes.is_empty() => Err(ErrorKind::WriteZero.into()),
                    count => Ok(count),
                }
            }
            Transport::Tls(session) => session.write(bytes, wait),
        }
    }

    /// Whether accepted bytes have not been sent yet; [`Transport::write`] sends them.
    pub fn has_unsent(&self) -> bool {
        matches!(self, Transport::Tls(session) if session.tls.wants_write())
    }
}

impl Session {
    fn shake_hands(&mut self, deadline_ns: u64) -> io::Result<()> {
        while self.tls.is_handshaking() || self.tls.wants_write() {
            let left = clock::until(deadline_ns);
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            let done = match self.tls.wants_write() {
                true => self.send(left).map(|()| true),
                false => self.receive(left),
            };
            match done {
                Ok(true) => {}
                Ok(false) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if is_wait(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn send(&mut self, wait: Duration) -> io::Result<()> {
        self.tcp.set_write_timeout(Some(wait.max(LEAST_WAIT)))?;
        match self.tls.write_tls(&mut self.tcp)? {
            0 => Err(ErrorKind::WriteZero.into()),
            _ => Ok(()),
        }
    }

    /// Reads once from the connection; returns false at its end.
    fn receive(&mut self, wait: Duration) -> io::Result<bool> {
        self.tcp.set_read_timeout(Some(wait.max(LEAST_WAIT)))?;
        let count = self.tls.read_tls(&mut self.tcp)?;
        if let Err(error) = self.tls.process_new_packets() {
            // The alert tells the peer why; the connection is lost in any case.
            let _ = self.send(LEAST_WAIT);
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(count > 0)
    }

    fn read(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        match self.take(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return result,
        }
        self.receive(wait)?;
        self.take(buffer)
    }

    /// Decrypted bytes. A connection that ends without TLS's own end has ended all the same: frames show
    /// whether something is missing.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.tls.reader().read(buffer) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            result => result,
        }
    }

    fn write(&mut self, bytes: &[u8], wait: Duration) -> io::Result<usize> {
        let taken = self.tls.writer().write(bytes)?;
        match self.send(wait) {
            // What was accepted counts as written; the next call sends it.
            Err(error) if is_wait(error.kind()) && taken > 0 => Ok(taken),
            result => result.map(|()| taken),
        }
    }
}

/// Error kinds that mean "nothing yet"; which one a timeout gives depends on the system.
pub fn is_wait(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Error kinds that mean that the peer closed the connection.
pub fn is_hang_up(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted
            | ErrorKind::UnexpectedEof
            | ErrorKind::WriteZero
    )
}
