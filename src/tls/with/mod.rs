//! TLS by `rustls`.

mod identity;
mod unverified;

use super::Roots;
pub use identity::Identity;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
pub use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
pub use rustls::{ClientConfig, ClientConnection, Error, StreamOwned};
use std::fmt;
use std::sync::Arc;
use unverified::Unverified;

/// A text that is no PEM. The parser's own error repeats the line, which may be part of a private key.
const MALFORMED: &str = "is malformed PEM: each BEGIN and END must be on a line of its own";

/// The certificates in a PEM text, at least one.
///
/// # Errors
/// If there is none, or one is malformed.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    match any_certificates(pem)? {
        none if none.is_empty() => Err("there is no certificate in PEM".to_owned()),
        some => Ok(some),
    }
}

/// The certificates in a PEM text, if any.
fn any_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.map_err(|_| MALFORMED.to_owned())
}

/// A client's configuration: TLS 1.2 or 1.3, the server's certificate and name checked unless `roots` says
/// otherwise, sessions resumed if the server allows it.
///
/// # Errors
/// If a certificate is malformed.
pub fn client(roots: &Roots, identity: Option<&Identity>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusting = |is_public: bool, pem: Option<&[u8]>| -> Result<Arc<dyn ServerCertVerifier>, String> {
        Ok(Arc::new(Trust::new(is_public, pem, Arc::clone(&provider))?))
    };
    let trust = match roots {
        Roots::Public => trusting(true, None)?,
        Roots::PublicAnd(pem) => trusting(true, Some(pem))?,
        Roots::Only(pem) => trusting(false, Some(pem))?,
        Roots::Unverified => Arc::new(Unverified(provider.signature_verification_algorithms)),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS cannot be used: {e}"))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(trust);
    Ok(match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder.with_client_cert_resolver(identity.resolver()),
    })
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
    /// Trusts the public roots if `is_public`, and the certificates in `pem`.
    fn new(is_public: bool, pem: Option<&[u8]>, provider: Arc<CryptoProvider>) -> Result<Trust, String> {
        let given = pem.map_or(Ok(Vec::new()), certificates)?;
        let mut store = RootCertStore::empty();
        if is_public {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let unreadable = |e: &dyn fmt::Display| format!("a certificate cannot be used: {e}");
        for certificate in &given {
            store.add(certificate.clone()).map_err(|e| unreadable(&e))?;
        }
        let web = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        Ok(Trust { web: web.map_err(|e| unreadable(&e))?, given })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_repeats_a_key() {
        let key = "MIGHAgEAMBMGByqGSM49AgEG";
        for text in [
            format!("-----BEGIN PRIVATE KEY----- {key} -----END PRIVATE KEY-----"),
            format!("-----BEGIN PRIVATE KEY-----\\n{key}\\n-----END PRIVATE KEY-----"),
            format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY"),
            format!("-----BEGIN PRIVATE {key}\n"),
        ] {
            let bytes = format!("{:?}", key.as_bytes());
            let repeats = |why: &String| why.contains(key) || why.contains(&bytes[1..bytes.len() - 1]);
            let why = certificates(text.as_bytes()).expect_err("no certificate");
            assert!(!repeats(&why), "{why}");
            let why = Identity::from_pem(text.as_bytes(), text.as_bytes()).expect_err("no certificate");
            assert!(!repeats(&why), "{why}");
        }
    }
}
