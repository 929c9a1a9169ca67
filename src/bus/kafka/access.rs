//! What every connection of a client needs: its name, TLS and its login.

use super::security::{Login, Secret, Security, TokenSource};
use super::tokens::Tokens;
use super::told::Told;
use crate::bus::BusError;
use crate::tls::{self, ClientConfig, Identity, Roots};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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
    /// What was logged about a broker that throttles.
    pub told: Told,
    tokens: Tokens,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access({}, {})", self.client_id, self.security.protocol())
    }
}

impl Access {
    /// Prepares TLS and the login; logs a warning if a secret will travel unencrypted.
    ///
    /// # Errors
    /// Which certificate or key cannot be used.
    pub fn new(client_id: &str, security: Security) -> Result<Self, String> {
        let tls = security.tls.as_ref().map(|tls| {
            let identity = tls.identity.as_ref().map(|(chain, key)| {
                Identity::from_pem(chain, key.reveal().as_bytes())
                    .map_err(|why| format!("--kafka-cert and --kafka-key: {why}"))
            });
            let roots = tls.ca_pem.clone().map_or(Roots::Public, Roots::Only);
            tls::client(&roots, identity.transpose()?.as_ref()).map_err(|why| format!("TLS to Kafka: {why}"))
        });
        let tls = tls.transpose()?.map(Arc::new);
        for line in readable(&security) {
            log::warn!("{line}");
        }
        let (told, tokens) = (Told::default(), Tokens::default());
        Ok(Access { client_id: client_id.to_owned(), tls, security, told, tokens })
    }

    /// The login, if any.
    pub fn login(&self) -> Option<&Login> {
        self.security.login.as_ref()
    }

    /// A bearer token, if the login needs one.
    ///
    /// # Errors
    /// Why there is none.
    pub fn token(&self, deadline_ns: u64) -> Result<Option<Secret>, BusError> {
        let Some(Login::Bearer(source)) = self.login() else { return Ok(None) };
        let ca_pem = self.security.tls.as_ref().and_then(|tls| tls.ca_pem.as_deref());
        self.tokens.get(source, ca_pem, deadline_ns).map(Some)
    }

    /// Notes that a broker refused the login.
    pub fn refused(&self) {
        self.tokens.forget();
    }
}

/// What these settings send unencrypted.
fn readable(security: &Security) -> Vec<&'static str> {
    let mut lines = Vec::new();
    match &security.login {
        Some(Login::Plain { .. }) if security.tls.is_none() => {
            lines.push("the Kafka password is sent unencrypted: use --kafka-protocol sasl_ssl, or SCRAM");
        }
        Some(Login::Bearer(_)) if security.tls.is_none() => {
            lines.push("the Kafka token is sent unencrypted: use --kafka-protocol sasl_ssl");
        }
        _ => {}
    }
    if let Some(Login::Bearer(TokenSource::Endpoint(endpoint))) = &security.login
        && !endpoint.url.starts_with("https://")
    {
        lines.push("the client secret is sent unencrypted: use https:// in --kafka-token-url");
    }
    lines
}

/// A random text to be used once, printable and without commas.
///
/// # Errors
/// If the system has no random numbers.
pub fn nonce() -> Result<String, String> {
    let mut bytes = [0; NONCE_BYTES];
    getrandom::fill(&mut bytes).map_err(|e| format!("cannot get random numbers from the system: {e}"))?;
    Ok(STANDARD.encode(bytes))
}
