//! A client's own certificate, for servers that ask for one.

use super::any_certificates;
use crate::tls::DECRYPT_KEY;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::fmt;
use std::sync::Arc;

/// A certificate with its chain, and its private key.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads both from PEM; they may be in the same text.
    ///
    /// # Errors
    /// Which of them is missing, cannot be used, or does not belong to the other.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Identity, String> {
        let chain = any_certificates(certificate)?;
        if chain.is_empty() {
            return Err("contains no certificate in PEM".to_owned());
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            format!("there is no private key in PEM that can be used; if it is encrypted, use: {DECRYPT_KEY}")
        })?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let certified = certified.map_err(|e| format!("the key cannot be used with the certificate: {e}"))?;
        Ok(Identity(Arc::new(certified)))
    }

    /// What a TLS client uses.
    pub fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(Arc::clone(&self.0)))
    }
}

/// Shows nothing of the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.0.cert.len())
    }
}
