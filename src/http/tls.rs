//! TLS for both clients: whom they trust, and what they offer.

use crate::http::{ClientError, Settings};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::sync::Arc;

/// What a client needs to open TLS to one host.
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsClient {
    /// Trusts the public roots (Mozilla's) and the certificates in the settings. Sessions are resumed where the
    /// server allows it; `http/1.1` is the one protocol offered.
    ///
    /// # Errors
    /// Where the certificates cannot be read, or `host` is neither a DNS name nor an address.
    pub fn new(settings: &Settings, host: &str) -> Result<TlsClient, ClientError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|e| ClientError::new(format!("host {host:?} cannot be checked by TLS: {e}")))?;
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|e| ClientError::new(format!("TLS cannot be used: {e}")))?;
        let mut config = builder.with_root_certificates(roots(settings)?).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsClient { config: Arc::new(config), name })
    }

    /// A session that has not begun.
    ///
    /// # Errors
    /// As `rustls` has them; none is known for a configuration that could be built.
    pub fn session(&self) -> Result<ClientConnection, rustls::Error> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone())
    }
}

fn roots(settings: &Settings) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Some(pem) = &settings.ca_pem else { return Ok(roots) };
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        certificate
            .map_err(|e| e.to_string())
            .and_then(|c| roots.add(c).map_err(|e| e.to_string()))
            .map_err(|e| ClientError::new(format!("the CA certificates cannot be read: {e}")))?;
    }
    if roots.len() == before {
        return Err(ClientError::new("the CA file holds no certificate: PEM is expected".to_owned()));
    }
    Ok(roots)
}
