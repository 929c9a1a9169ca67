//! A nonblocking connection, with or without TLS.

use crate::http::os::socket::{receive, transmit};
use crate::http::tls::TlsClient;
use crate::tls::ClientConnection;
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;

/// The transport of requests and responses.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream>),
}

/// A TLS session and its connection.
#[derive(Debug)]
pub struct TlsStream {
    tcp: TcpStream,
    tls: ClientConnection,
    /// Bytes that the kernel accepted.
    sent: u64,
}

impl Stream {
    /// A stream over a connection that is being opened, with TLS if `tls` is given.
    ///
    /// # Errors
    /// If the session cannot be created.
    pub fn new(tcp: TcpStream, tls: Option<&TlsClient>) -> io::Result<Stream> {
        match tls {
            None => Ok(Stream::Plain(tcp)),
            Some(client) => {
                let tls = client.session().map_err(io::Error::other)?;
                Ok(Stream::Tls(Box::new(TlsStream { tcp, tls, sent: 0 })))
            }
        }
    }

    /// The underlying connection.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(session) => &session.tcp,
        }
    }

    /// The underlying connection, without the TLS session.
    pub fn into_socket(self) -> TcpStream {
        match self {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(session) => session.tcp,
        }
    }

    /// Whether it has a TLS session.
    pub fn is_tls(&self) -> bool {
        matches!(self, Stream::Tls(_))
    }

    /// Whether a read that does not fill its buffer has drained the connection.
    pub fn reads_in_full(&self) -> bool {
        matches!(self, Stream::Plain(_))
    }

    /// Continues the handshake; returns true when it is done.
    ///
    /// # Errors
    /// If the peer closes the connection or the handshake fails. `WouldBlock` is not returned as an error.
    pub fn handshake(&mut self) -> io::Result<bool> {
        let Stream::Tls(session) = self else { return Ok(true) };
        match session.shake_hands() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            result => result.map(|()| true),
        }
    }
}

impl Read for Stream {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => receive(tcp, buffer),
            Stream::Tls(session) => session.read(buffer),
        }
    }
}

impl Write for Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => transmit(tcp, bytes),
            Stream::Tls(session) => session.write(bytes),
        }
    }

    /// Writes encrypted bytes that have not been sent yet.
    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(_) => Ok(()),
            Stream::Tls(session) => session.send(),
        }
    }
}

/// The connection as a session uses it. One record, the size of a request, takes a plain write.
struct Wire<'a>(&'a TcpStream);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        receive(self.0, buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        transmit(self.0, bytes)
    }

    fn write_vectored(&mut self, records: &[IoSlice<'_>]) -> io::Result<usize> {
        match records {
            [one] => transmit(self.0, one),
            many => self.0.write_vectored(many),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TlsStream {
    fn shake_hands(&mut self) -> io::Result<()> {
        loop {
            self.send()?;
            if !self.tls.is_handshaking() {
                return Ok(());
            }
            if !self.receive()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn send(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Wire(&self.tcp))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => self.sent += count as u64,
            }
        }
        Ok(())
    }

    /// Reads what has arrived; returns false at the end of the connection.
    fn receive(&mut self) -> io::Result<bool> {
        let count = self.tls.read_tls(&mut Wire(&self.tcp))?;
        if let Err(error) = self.tls.process_new_packets() {
            // The alert tells the peer why; the connection is lost in any case.
            let _ = self.send();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(count > 0)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            self.receive()?;
            match self.send() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let before = self.sent;
        let taken = self.tls.writer().write(bytes)?;
        match self.send() {
            // Accepted bytes count as written; `flush` sends the rest.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && taken > 0 => Ok(taken),
            // Part of it has been sent, which must be reported; `flush` meets the error again.
            Err(_) if self.sent > before => Ok(taken),
            result => result.map(|()| taken),
        }
    }
}
