//! TLS for both clients: what they trust and what they offer.

use crate::http::{ClientError, Settings};
use crate::tls::{self, ClientConfig, ClientConnection, ServerName};
use std::sync::Arc;

/// What a client needs to open a TLS session with one host.
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsClient {
    /// Trusts what the settings say. Resumes sessions if the server allows it; offers only `http/1.1`.
    ///
    /// # Errors
    /// If the certificates cannot be read, `host` is neither a DNS name nor an address, or this build has no
    /// TLS.
    pub fn new(settings: &Settings, host: &str) -> Result<TlsClient, ClientError> {
        if let Some(why) = tls::unavailable() {
            return Err(ClientError::new(why.to_owned()));
        }
        let host = settings.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|e| ClientError::new(format!("host {host:?} is not a valid TLS server name: {e}")))?;
        let mut config = tls::client(&settings.trust, settings.identity.as_ref())
            .map_err(|e| ClientError::new(format!("the CA certificates cannot be used: {e}")))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsClient { config: Arc::new(config), name })
    }

    /// A new session, handshake not started.
    ///
    /// # Errors
    /// As `rustls` reports them; none is known for a valid configuration.
    pub fn session(&self) -> Result<ClientConnection, tls::Error> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone())
    }
}

#[cfg(all(test, not(feature = "tls")))]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_tls_says_so() {
        let error = TlsClient::new(&Settings::default(), "shop.example").expect_err("no TLS");
        assert!(error.to_string().starts_with("this build has no TLS"), "{error}");
    }
}
