//! How a client proves who it is and checks whom it talks to: TLS and login, as checked settings.

mod given;
mod groups;
mod jaas;
mod pem;
mod properties;
mod secret;

pub use given::Given;
pub use secret::{Secret, read_file, read_secret};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Kafka's name for the layers below its protocol (`security.protocol`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Plain TCP, no login.
    #[default]
    Plaintext,
    /// TLS, no login but perhaps a client certificate.
    Ssl,
    /// Plain TCP, a login.
    SaslPlaintext,
    /// TLS and a login.
    SaslSsl,
}

impl Protocol {
    const ALL: [(Protocol, &'static str); 4] = [
        (Protocol::Plaintext, "plaintext"),
        (Protocol::Ssl, "ssl"),
        (Protocol::SaslPlaintext, "sasl_plaintext"),
        (Protocol::SaslSsl, "sasl_ssl"),
    ];

    /// Whether it encrypts.
    pub fn is_tls(self) -> bool {
        matches!(self, Protocol::Ssl | Protocol::SaslSsl)
    }

    /// Whether it has a login.
    pub fn is_sasl(self) -> bool {
        matches!(self, Protocol::SaslPlaintext | Protocol::SaslSsl)
    }

    /// The protocol with or without these layers.
    pub fn of(is_tls: bool, is_sasl: bool) -> Self {
        match (is_tls, is_sasl) {
            (false, false) => Protocol::Plaintext,
            (true, false) => Protocol::Ssl,
            (false, true) => Protocol::SaslPlaintext,
            (true, true) => Protocol::SaslSsl,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Protocol::ALL.iter().find(|(own, _)| own == self).map_or("", |(_, name)| name))
    }
}

impl FromStr for Protocol {
    type Err = String;

    /// In any letter case, as Kafka's tools accept it.
    fn from_str(text: &str) -> Result<Self, String> {
        let known = Protocol::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(text.trim()));
        known
            .map(|(protocol, _)| *protocol)
            .ok_or_else(|| format!("{text:?} is unknown: use plaintext, ssl, sasl_plaintext or sasl_ssl"))
    }
}

/// The hash function of a SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

/// How to log in (`sasl.mechanism`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The password itself.
    Plain,
    /// A proof of the password.
    Scram(Hash),
    /// A token.
    OauthBearer,
}

impl Mechanism {
    const ALL: [(Mechanism, &'static str); 4] = [
        (Mechanism::Plain, "PLAIN"),
        (Mechanism::Scram(Hash::Sha256), "SCRAM-SHA-256"),
        (Mechanism::Scram(Hash::Sha512), "SCRAM-SHA-512"),
        (Mechanism::OauthBearer, "OAUTHBEARER"),
    ];

    /// Its name in the protocol.
    pub fn name(self) -> &'static str {
        Mechanism::ALL.iter().find(|(own, _)| *own == self).map_or("", |(_, name)| name)
    }
}

impl FromStr for Mechanism {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Mechanism::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(text.trim()));
        known.map(|(mechanism, _)| *mechanism).ok_or_else(|| {
            format!("{text:?} is not supported: use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER")
        })
    }
}

/// TLS and login; the default has neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// TLS; `None` for plain TCP.
    pub tls: Option<Tls>,
    /// The login; `None` for none.
    pub login: Option<Login>,
}

impl Security {
    /// Kafka's name for it.
    pub fn protocol(&self) -> Protocol {
        Protocol::of(self.tls.is_some(), self.login.is_some())
    }

    /// Whom Kafka's ACLs know this client as.
    pub fn principal(&self) -> String {
        match (&self.login, &self.tls) {
            (Some(Login::Plain { user, .. } | Login::Scram { user, .. }), _) => format!("User:{user}"),
            (Some(Login::Bearer(_)), _) => "User:(the subject of the token)".to_owned(),
            (None, Some(Tls { identity: Some(_), .. })) => "User:(the subject of --kafka-cert)".to_owned(),
            (None, _) => "User:ANONYMOUS".to_owned(),
        }
    }
}

/// Whom a TLS client trusts and what it shows. All PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The only authorities to trust; the public roots if absent.
    pub ca_pem: Option<Vec<u8>>,
    /// The client's certificate with its chain, and its key.
    pub identity: Option<(Vec<u8>, Secret)>,
}

/// A login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// PLAIN.
    Plain {
        /// Who logs in.
        user: String,
        /// The password.
        password: Secret,
    },
    /// SCRAM.
    Scram {
        /// Which one.
        hash: Hash,
        /// Who logs in.
        user: String,
        /// The password.
        password: Secret,
    },
    /// OAUTHBEARER.
    Bearer(TokenSource),
}

impl Login {
    /// The mechanism's name.
    pub fn mechanism(&self) -> Mechanism {
        match self {
            Login::Plain { .. } => Mechanism::Plain,
            Login::Scram { hash, .. } => Mechanism::Scram(*hash),
            Login::Bearer(_) => Mechanism::OauthBearer,
        }
    }
}

/// Where bearer tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// A file, read again at each login.
    File(PathBuf),
    /// An OAuth server's token endpoint, asked with client credentials (RFC 6749, section 4.4).
    Endpoint(TokenEndpoint),
}

/// A token endpoint and what to ask it for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEndpoint {
    /// The endpoint.
    pub url: String,
    /// The client's id.
    pub client: String,
    /// The client's secret.
    pub secret: Secret,
    /// The scope to ask for, if any.
    pub scope: Option<String>,
    /// The only authorities to trust, PEM; the public roots and those of the brokers if absent.
    pub ca_pem: Option<Vec<u8>>,
    /// Whether id and secret are encoded like a form in the header (`sasl.oauthbearer.header.urlencode`).
    pub header_urlencode: bool,
}
