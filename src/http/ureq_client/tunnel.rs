//! The tunnel through a proxy, between the TCP connection and TLS.

use super::transport::{Stage, TransportState};
use crate::http::{MAX_HEAD_BYTES, Proxy};
use std::sync::Arc;
use ureq::Error;
use ureq::unversioned::transport::{ConnectionDetails, Connector, Transport};

/// Opens a tunnel on each new connection if there is a proxy. (`ureq` has such a connector, too, but it
/// resolves the proxy and runs all connectors once more for each connection.)
#[derive(Debug)]
pub struct TunnelConnector {
    /// The proxy, to which the connections already go.
    pub proxy: Option<Proxy>,
    /// What errors and deadlines depend on.
    pub state: Arc<TransportState>,
}

impl<In: Transport> Connector<In> for TunnelConnector {
    type Out = In;

    fn connect(&self, details: &ConnectionDetails, mut inner: Option<In>) -> Result<Option<In>, Error> {
        let (Some(proxy), Some(transport)) = (&self.proxy, &mut inner) else { return Ok(inner) };
        // A failure is one of the connection, not of a TLS handshake.
        self.state.enter(Stage::Connect);
        let host = details.uri.host().unwrap_or_default();
        let usual = if details.needs_tls() { 443 } else { 80 };
        let authority = format!("{host}:{}", details.uri.port_u16().unwrap_or(usual));
        ask(transport, proxy.request(&authority).as_bytes(), details)?;
        self.state.enter(Stage::Handshake);
        Ok(inner)
    }
}

fn ask<T: Transport>(inner: &mut T, request: &[u8], details: &ConnectionDetails) -> Result<(), Error> {
    let Some(room) = inner.buffers().output().get_mut(..request.len()) else {
        return Err(failed("the request for the tunnel is too long"));
    };
    room.copy_from_slice(request);
    inner.transmit_output(request.len(), details.timeout)?;
    loop {
        let input = inner.buffers().input();
        if let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") {
            let is_open = input.starts_with(b"HTTP/1.") && input.get(8..10) == Some(b" 2");
            let line = String::from_utf8_lossy(input.split(|byte| *byte == b'\r').next().unwrap_or_default());
            let refused = format!("the proxy refused the tunnel: {}", crate::units::clip(&line, 60));
            inner.buffers().input_consume(end + 4);
            return if is_open { Ok(()) } else { Err(failed(&refused)) };
        }
        if input.len() > MAX_HEAD_BYTES {
            return Err(failed("the head of the proxy's response is too long"));
        }
        if !inner.await_input(details.timeout)? {
            return Err(failed("the proxy closed the connection without a response"));
        }
    }
}

fn failed(why: &str) -> Error {
    Error::ConnectProxyFailed(why.to_owned())
}
