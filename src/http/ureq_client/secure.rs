//! TLS for `ureq`, with the same trust rules as the native client.

use crate::http::tls::TlsClient;
use crate::tls::{ClientConnection, StreamOwned};
use std::fmt;
use std::io::{Read, Write};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

/// Adds TLS to connections for https URLs. `None` if no URL is https.
#[derive(Debug)]
pub struct SecureConnector(pub Option<TlsClient>);

impl<In: Transport> Connector<In> for SecureConnector {
    type Out = Either<In, SecureTransport<In>>;

    fn connect(&self, details: &ConnectionDetails, inner: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(inner) = inner else { return Ok(None) };
        let tls = match &self.0 {
            Some(tls) if details.needs_tls() => tls,
            _ => return Ok(Some(Either::A(inner))),
        };
        let session = tls.session().map_err(|e| Error::Other(Box::new(e)))?;
        let adapter = TransportAdapter::new(inner, details.current_time.clone());
        let mut stream = StreamOwned::new(session, adapter);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        let (input, output) = (details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(SecureTransport { stream, buffers: LazyBuffers::new(input, output) })))
    }
}

/// A TLS session over another transport, which enforces the deadline.
pub struct SecureTransport<In: Transport> {
    stream: StreamOwned<ClientConnection, TransportAdapter<In>>,
    buffers: LazyBuffers,
}

impl<In: Transport> fmt::Debug for SecureTransport<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureTransport").field("inner", self.stream.sock.inner()).finish()
    }
}

impl<In: Transport> Transport for SecureTransport<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(self.stream.flush()?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let count = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
