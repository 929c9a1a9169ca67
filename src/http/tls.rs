//! TLS for both clients: what they trust and what they offer.

use crate::http::{ClientError, Settings};
use crate::tls::{self, Roots};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::sync::Arc;

/// What a client needs to open a TLS session with one host.
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsClient {
    /// Trusts the public roots (Mozilla's) and the certificates in the settings. Resumes sessions if the
    /// server allows it; offers only `http/1.1`.
    ///
    /// # Errors
    /// If the certificates cannot be read, or `host` is neither a DNS name nor an address.
    pub fn new(settings: &Settings, host: &str) -> Result<TlsClient, ClientError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|e| ClientError::new(format!("host {host:?} is not a valid TLS server name: {e}")))?;
        let roots = settings.ca_pem.as_deref().map_or(Roots::Public, Roots::PublicAnd);
        let mut config = tls::client(roots, None)
            .map_err(|e| ClientError::new(format!("the CA certificates cannot be used: {e}")))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsClient { config: Arc::new(config), name })
    }

    /// A new session, handshake not started.
    ///
    /// # Errors
    /// As `rustls` reports them; none is known for a valid configuration.
    pub fn session(&self) -> Result<ClientConnection, rustls::Error> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone())
    }
}
