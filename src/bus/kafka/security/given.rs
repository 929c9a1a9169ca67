//! Settings as a user gave them, from flags, the environment or a properties file, and their check.

use super::pem::{Pem, Store, refuse_encrypted};
use super::{
    Login, Mechanism, Protocol, Secret, Security, Tls, TokenEndpoint, TokenSource, properties, read_file,
};
use std::path::{Path, PathBuf};

/// What is given; anything may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Bootstrap brokers.
    pub brokers: Vec<String>,
    /// TLS and login, or neither.
    pub protocol: Option<Protocol>,
    /// How to log in.
    pub mechanism: Option<Mechanism>,
    /// Who logs in; with a token endpoint, the client's id.
    pub user: Option<String>,
    /// The password; with a token endpoint, the client's secret.
    pub password: Option<Secret>,
    /// Authorities to trust.
    pub ca: Option<Pem>,
    /// The client's certificate.
    pub cert: Option<Pem>,
    /// Its key.
    pub key: Option<Pem>,
    /// A file with a token.
    pub token_file: Option<PathBuf>,
    /// An endpoint that issues tokens.
    pub token_url: Option<String>,
    /// The scope to ask for there.
    pub token_scope: Option<String>,
    /// Authorities to trust there.
    pub token_ca: Option<Pem>,
    /// Whether the client's id and secret are encoded like a form there.
    pub header_urlencode: Option<bool>,
    /// Groups of settings that replaced those of the other source; appended to every error.
    pub overridden: Vec<String>,
}

impl Given {
    /// Reads a properties file. Returns the keys without a meaning here, too.
    ///
    /// # Errors
    /// The file, the line, the key and what is wrong, never a secret.
    pub fn from_properties(path: &Path) -> Result<(Given, Vec<String>), String> {
        let file = path.display();
        let named = |why: String| format!("{file} {why}");
        let text = String::from_utf8(read_file(path).map_err(named)?);
        let text = text.map_err(|_| named("is not UTF-8".to_owned()))?;
        properties::read(&text, |file| read_file(Path::new(file))).map_err(|why| format!("{file}, {why}"))
    }

    /// Reads a PEM file for the flag `flag`.
    ///
    /// # Errors
    /// The flag, the file and what is wrong.
    pub fn read_pem(flag: &str, path: &Path, is_own: bool) -> Result<Pem, String> {
        let file = path.display().to_string();
        let store = if is_own { Store::Own } else { Store::Trust };
        Pem::load(format!("{flag} {file}"), &file, store, |_| read_file(path))
    }

    /// What the settings amount to. Without a protocol, it is the safest one that they need: a login goes
    /// over TLS.
    ///
    /// # Errors
    /// Which setting is missing or does not fit, never a secret.
    pub fn check(&self) -> Result<Security, String> {
        self.check_all().map_err(|why| match self.overridden.as_slice() {
            [] => why,
            notes => format!("{why} ({})", notes.join("; ")),
        })
    }

    fn check_all(&self) -> Result<Security, String> {
        let (tls, login) = (self.tls_setting(), self.login_setting());
        let protocol =
            self.protocol.unwrap_or(Protocol::of(tls.is_some() || login.is_some(), login.is_some()));
        if let Some(name) = tls.filter(|_| !protocol.is_tls()) {
            let better = Protocol::of(true, protocol.is_sasl());
            return Err(format!("{name} needs TLS: use --kafka-protocol {better}, or omit it"));
        }
        if let Some(name) = login.filter(|_| !protocol.is_sasl()) {
            let better = Protocol::of(protocol.is_tls(), true);
            return Err(format!("{name} needs a login: use --kafka-protocol {better}, or omit it"));
        }
        Ok(Security {
            tls: protocol.is_tls().then(|| self.tls()).transpose()?,
            login: protocol.is_sasl().then(|| self.login()).transpose()?,
        })
    }

    /// The name of a setting that only TLS has.
    fn tls_setting(&self) -> Option<&'static str> {
        first([
            ("--kafka-ca", self.ca.is_some()),
            ("--kafka-cert", self.cert.is_some()),
            ("--kafka-key", self.key.is_some()),
        ])
    }

    /// The name of a setting that only a login has.
    fn login_setting(&self) -> Option<&'static str> {
        first([
            ("--kafka-mechanism", self.mechanism.is_some()),
            ("--kafka-user", self.user.is_some()),
            ("the Kafka password", self.password.is_some()),
            ("--kafka-token-file", self.token_file.is_some()),
            ("--kafka-token-url", self.token_url.is_some()),
            ("--kafka-token-ca", self.token_ca.is_some()),
        ])
    }

    fn tls(&self) -> Result<Tls, String> {
        // A certificate's file may also hold its key.
        let identity = match (&self.cert, self.key.as_ref().or(self.cert.as_ref())) {
            (Some(cert), Some(key)) => {
                refuse_encrypted(&key.bytes).map_err(|why| format!("{} {why}", key.name))?;
                Some((cert.bytes.clone(), Secret::new(String::from_utf8_lossy(&key.bytes))))
            }
            (None, Some(key)) => {
                return Err(format!("{} is a key without a certificate: add --kafka-cert", key.name));
            }
            (_, None) => None,
        };
        Ok(Tls { ca_pem: self.ca.as_ref().map(|pem| pem.bytes.clone()), identity })
    }

    fn login(&self) -> Result<Login, String> {
        let has_token = self.token_file.is_some() || self.token_url.is_some();
        let mechanism = match self.mechanism {
            Some(mechanism) => mechanism,
            None if has_token => Mechanism::OauthBearer,
            None => {
                return Err("a login needs --kafka-mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or \
                            OAUTHBEARER"
                    .to_owned());
            }
        };
        if has_token && mechanism != Mechanism::OauthBearer {
            return Err(format!("tokens belong to OAUTHBEARER, not to {}", mechanism.name()));
        }
        if mechanism == Mechanism::OauthBearer {
            return self.bearer().map(Login::Bearer);
        }
        let (user, password) = self.user_and_password(mechanism)?;
        Ok(match mechanism {
            Mechanism::Scram(hash) => Login::Scram { hash, user, password },
            _ => Login::Plain { user, password },
        })
    }

    fn user_and_password(&self, mechanism: Mechanism) -> Result<(String, Secret), String> {
        let name = mechanism.name();
        let missing = |what: &str| format!("{name} needs {what}");
        let user = self.user.clone().filter(|user| !user.is_empty());
        let user = user.ok_or_else(|| missing("--kafka-user"))?;
        let password = self.password.clone().filter(|password| !password.reveal().is_empty());
        let password =
            password.ok_or_else(|| missing("--kafka-password-file FILE or FLOODGATE_KAFKA_PASSWORD"))?;
        if user.contains('\0') || password.reveal().contains('\0') {
            return Err(format!("{name} allows no NUL character in a user or a password"));
        }
        Ok((user, password))
    }

    fn bearer(&self) -> Result<TokenSource, String> {
        match (&self.token_file, &self.token_url) {
            (Some(file), None) => Ok(TokenSource::File(file.clone())),
            (None, Some(url)) => {
                let (client, secret) = self.user_and_password(Mechanism::OauthBearer)?;
                Ok(TokenSource::Endpoint(TokenEndpoint {
                    url: url.clone(),
                    client,
                    secret,
                    scope: self.token_scope.clone(),
                    ca_pem: self.token_ca.as_ref().map(|pem| pem.bytes.clone()),
                    header_urlencode: self.header_urlencode.unwrap_or(false),
                }))
            }
            (Some(_), Some(_)) => {
                Err("specify the token once: --kafka-token-file or --kafka-token-url".to_owned())
            }
            (None, None) => {
                Err("OAUTHBEARER needs --kafka-token-file FILE or --kafka-token-url URL".to_owned())
            }
        }
    }
}

/// The name of the first setting that is true.
pub fn first<const N: usize>(settings: [(&'static str, bool); N]) -> Option<&'static str> {
    settings.into_iter().find(|(_, is_true)| *is_true).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::kafka::security::Hash;

    fn pem(name: &str) -> Option<Pem> {
        Some(Pem { name: name.to_owned(), bytes: name.as_bytes().to_vec() })
    }

    fn scram() -> Given {
        Given {
            mechanism: Some(Mechanism::Scram(Hash::Sha512)),
            user: Some("alice".to_owned()),
            password: Some(Secret::new("hunter2")),
            ..Given::default()
        }
    }

    #[test]
    fn the_protocol_is_the_safest_that_the_settings_need() {
        assert_eq!(Given::default().check(), Ok(Security::default()));
        assert_eq!(scram().check().map(|s| s.protocol()), Ok(Protocol::SaslSsl));
        let ca = Given { ca: pem("ca"), ..Given::default() };
        assert_eq!(ca.check().map(|s| s.protocol()), Ok(Protocol::Ssl));
        let plain = Given { protocol: Some(Protocol::SaslPlaintext), ..scram() }.check().expect("as asked");
        assert_eq!((plain.tls.is_some(), plain.principal().as_str()), (false, "User:alice"));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let ssl = Some(Protocol::Ssl);
        let cases = [
            (
                Given { protocol: Some(Protocol::Plaintext), ca: pem("ca"), ..Given::default() },
                "protocol ssl",
            ),
            (Given { protocol: ssl, ..scram() }, "--kafka-protocol sasl_ssl"),
            (Given { protocol: ssl, key: pem("k"), ..Given::default() }, "add --kafka-cert"),
            (Given { mechanism: None, ..scram() }, "--kafka-mechanism"),
            (Given { user: None, ..scram() }, "--kafka-user"),
            (Given { password: None, ..scram() }, "FLOODGATE_KAFKA_PASSWORD"),
            (Given { token_url: Some("u".to_owned()), ..scram() }, "not to SCRAM-SHA-512"),
            (Given { mechanism: Some(Mechanism::OauthBearer), ..Given::default() }, "--kafka-token-file"),
        ];
        for (given, expected) in cases {
            let error = given.check().expect_err(expected);
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_certificate_may_bring_its_key() {
        let cert = Given { cert: pem("both"), ..Given::default() }.check().expect("complete");
        let identity = cert.tls.and_then(|tls| tls.identity).expect("an identity");
        assert_eq!(identity, (b"both".to_vec(), Secret::new("both")));
        let locked = Pem { name: "--kafka-key k".to_owned(), bytes: b"BEGIN ENCRYPTED PRIVATE KEY".to_vec() };
        let error =
            Given { cert: pem("c"), key: Some(locked), ..Given::default() }.check().expect_err("locked");
        assert!(error.starts_with("--kafka-key k has a key with a passphrase"), "{error}");
        assert!(error.ends_with("openssl pkey -in FILE -out NEW_FILE"), "{error}");
    }
}
