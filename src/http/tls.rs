//! TLS for both clients: what they trust and what they offer.

use crate::http::{ClientError, Settings};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use std::sync::Arc;

/// What a client needs to open a TLS session with one host.
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsClient {
    /// Trusts the public roots (Mozilla's) and the certificates in the settings, or with `insecure` any
    /// certificate. Resumes sessions if the server allows it; offers only `http/1.1`.
    ///
    /// # Errors
    /// If the certificates cannot be read, or `host` is neither a DNS name nor an address.
    pub fn new(settings: &Settings, host: &str) -> Result<TlsClient, ClientError> {
        let host = settings.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|e| ClientError::new(format!("host {host:?} is not a valid TLS server name: {e}")))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trust: Arc<dyn ServerCertVerifier> = match settings.insecure {
            true => Arc::new(Unverified(provider.signature_verification_algorithms)),
            false => Arc::new(Trust::new(settings, Arc::clone(&provider))?),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| ClientError::new(format!("TLS cannot be used: {e}")))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(trust);
        let mut config = match &settings.identity {
            Some(identity) => builder.with_client_cert_resolver(identity.resolver()),
            None => builder.with_no_client_auth(),
        };
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

/// The usual WebPKI rules, with one exception: a configured certificate is also trusted as the server's own.
/// Certificates from `openssl req -x509` are marked as authorities, which WebPKI rejects as server
/// certificates.
#[derive(Debug)]
struct Trust {
    web: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl Trust {
    fn new(settings: &Settings, provider: Arc<rustls::crypto::CryptoProvider>) -> Result<Trust, ClientError> {
        let given = given(settings)?;
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in &given {
            roots.add(certificate.clone()).map_err(unreadable)?;
        }
        let web = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Trust { web: web.map_err(unreadable)?, given })
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked = self.web.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match checked {
            // An authority used as a server certificate is such an `Other`; dates were checked before.
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if self.given.iter().any(|own| own == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web.supported_verify_schemes()
    }
}

/// Accepts any certificate. Handshake signatures are still verified, since they cost what they cost.
#[derive(Debug)]
struct Unverified(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

fn unreadable(error: impl std::fmt::Display) -> ClientError {
    ClientError::new(format!("the CA certificates cannot be read: {error}"))
}

/// The certificates in the settings.
fn given(settings: &Settings) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let Some(pem) = &settings.ca_pem else { return Ok(Vec::new()) };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(unreadable)?;
    if read.is_empty() {
        return Err(ClientError::new("the CA file contains no certificate: PEM is expected".to_owned()));
    }
    Ok(read)
}
