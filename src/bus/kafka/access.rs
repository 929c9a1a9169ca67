//! What every connection of a client needs: its name, TLS and its login.

use super::security::{Login, Secret, Security, TokenSource, read_secret};
use crate::tls::{self, Identity, Roots};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use rustls::ClientConfig;
use std::fmt;
use std::sync::Arc;

/// Random bytes in a nonce.
const NONCE_BYTES: usize = 24;

/// A client's name, TLS and login, shared by its connections.
pub struct Access {
    /// Identifies this client in the brokers' logs and quotas.
    pub client_id: String,
    /// The settings that it was made from.
    pub security: Security,
    /// TLS, made ready once: its sessions are resumed.
    pub tls: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access({}, {})", self.client_id, self.security.protocol())
    }
}

impl Access {
    /// Prepares TLS and the login.
    ///
    /// # Errors
    /// Which certificate or key cannot be used.
    pub fn new(client_id: &str, security: Security) -> Result<Self, String> {
        let tls = security.tls.as_ref().map(|tls| {
            let identity = tls.identity.as_ref().map(|(chain, key)| {
                Identity::from_pem(chain, key.reveal().as_bytes())
                    .map_err(|why| format!("--kafka-cert and --kafka-key: {why}"))
            });
            let roots = tls.ca_pem.as_deref().map_or(Roots::Public, Roots::Only);
            tls::client(roots, identity.transpose()?.as_ref()).map_err(|why| format!("TLS to Kafka: {why}"))
        });
        Ok(Access { client_id: client_id.to_owned(), tls: tls.transpose()?.map(Arc::new), security })
    }

    /// The login, if any.
    pub fn login(&self) -> Option<&Login> {
        self.security.login.as_ref()
    }

    /// A bearer token, if the login needs one.
    ///
    /// # Errors
    /// Why there is none.
    pub fn token(&self, _deadline_ns: u64) -> Result<Option<Secret>, String> {
        match self.login() {
            Some(Login::Bearer(TokenSource::File(path))) => {
                let token = read_secret(path);
                token.map(Some).map_err(|why| format!("--kafka-token-file {} {why}", path.display()))
            }
            Some(Login::Bearer(TokenSource::Endpoint { .. })) => {
                Err("token endpoints are not supported yet: use --kafka-token-file".to_owned())
            }
            _ => Ok(None),
        }
    }
}

/// A random text to be used once, printable and without commas.
///
/// # Errors
/// If the system has no random numbers.
pub fn nonce() -> Result<String, String> {
    let mut bytes = [0; NONCE_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(STANDARD.encode(bytes))
}
