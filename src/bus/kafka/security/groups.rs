//! Settings of two sources together: flags, and a properties file that they override in groups, so that half
//! of a login is never completed by half of another one.

use super::given::first;
use super::pem::Pem;
use super::{Given, Mechanism};

impl Given {
    /// These settings, completed by those of a file. A client certificate and its key are one group, the
    /// login is another one. If these settings differ from the file's in any part of a group, nothing of that
    /// group is taken from the file.
    pub fn or(self, file: Given) -> Given {
        let (cert, login) = (self.other_certificate(&file), self.other_login(&file));
        let kept = |other: Option<&str>| other.is_none();
        let note = |what: &str, by: &str| format!("{by} replaces the {what} of --kafka-config as a whole");
        let mut overridden = self.overridden;
        overridden.extend(cert.map(|by| note("client certificate and key", by)));
        overridden.extend(login.map(|by| note("login", by)));
        Given {
            brokers: if self.brokers.is_empty() { file.brokers } else { self.brokers },
            protocol: self.protocol.or(file.protocol),
            mechanism: self.mechanism.or(file.mechanism.filter(|_| kept(login))),
            user: self.user.or(file.user.filter(|_| kept(login))),
            password: self.password.or(file.password.filter(|_| kept(login))),
            ca: self.ca.or(file.ca),
            cert: self.cert.or(file.cert.filter(|_| kept(cert))),
            key: self.key.or(file.key.filter(|_| kept(cert))),
            token_file: self.token_file.or(file.token_file.filter(|_| kept(login))),
            token_url: self.token_url.or(file.token_url.filter(|_| kept(login))),
            token_scope: self.token_scope.or(file.token_scope.filter(|_| kept(login))),
            token_ca: self.token_ca.or(file.token_ca.filter(|_| kept(login))),
            header_urlencode: self.header_urlencode.or(file.header_urlencode.filter(|_| kept(login))),
            overridden,
        }
    }

    /// The setting that makes this another client certificate than the file's.
    fn other_certificate(&self, file: &Given) -> Option<&'static str> {
        fn bytes(pem: &Option<Pem>) -> Option<&[u8]> {
            pem.as_ref().map(|pem| pem.bytes.as_slice())
        }
        let (cert, key) = (bytes(&self.cert), bytes(&self.key));
        let (file_cert, file_key) = (bytes(&file.cert), bytes(&file.key));
        first([
            ("--kafka-cert", differs(&cert, &file_cert)),
            ("--kafka-key", differs(&key, &file_key)),
            // A certificate may bring its key.
            ("--kafka-cert", cert.is_some() && key.is_none() && file_key.is_some() && cert != file_cert),
        ])
    }

    /// The setting that makes this another login than the file's.
    fn other_login(&self, file: &Given) -> Option<&'static str> {
        let has_password = |given: &Given| given.user.is_some() || given.password.is_some();
        let is_bearer = |given: &Given| given.mechanism.is_none_or(|own| own == Mechanism::OauthBearer);
        first([
            ("--kafka-mechanism", differs(&self.mechanism, &file.mechanism)),
            ("--kafka-user", differs(&self.user, &file.user)),
            ("the Kafka password", differs(&self.password, &file.password)),
            ("--kafka-token-file", differs(&self.token_file, &file.token_file)),
            ("--kafka-token-url", differs(&self.token_url, &file.token_url)),
            // A login has one source.
            (
                "--kafka-token-file",
                self.token_file.is_some()
                    && (has_password(file) || file.token_url.is_some() || !is_bearer(file)),
            ),
            (
                "--kafka-token-url",
                self.token_url.is_some() && (file.token_file.is_some() || !is_bearer(file)),
            ),
            ("--kafka-user", has_password(self) && file.token_file.is_some()),
        ])
    }
}

fn differs<T: PartialEq>(own: &Option<T>, file: &Option<T>) -> bool {
    own.is_some() && file.is_some() && own != file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::kafka::security::{Hash, Login, Secret};

    const SCRAM: Option<Mechanism> = Some(Mechanism::Scram(Hash::Sha512));

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn secret(text: &str) -> Option<Secret> {
        Some(Secret::new(text))
    }

    fn pem(name: &str) -> Option<Pem> {
        Some(Pem { name: name.to_owned(), bytes: name.as_bytes().to_vec() })
    }

    /// A file with a complete login.
    fn bob() -> Given {
        Given {
            mechanism: SCRAM,
            user: text("bob"),
            password: secret("bobs"),
            ca: pem("ca"),
            ..Given::default()
        }
    }

    fn error(flags: Given, file: Given) -> String {
        flags.or(file).check().expect_err("refused")
    }

    #[test]
    fn a_login_is_replaced_as_a_whole() {
        let alice = Given { user: text("alice"), password: secret("alices"), ..Given::default() };
        let why = error(alice.clone(), bob());
        assert!(why.starts_with("a login needs --kafka-mechanism"), "{why}");
        assert!(why.ends_with("(--kafka-user replaces the login of --kafka-config as a whole)"), "{why}");
        let security = Given { mechanism: SCRAM, ..alice }.or(bob()).check().expect("complete");
        let Some(Login::Scram { user, password, .. }) = security.login else { panic!("a login") };
        assert_eq!((user.as_str(), password.reveal()), ("alice", "alices"));
        assert!(security.tls.is_some_and(|tls| tls.ca_pem.is_some()), "trust is another group");
    }

    #[test]
    fn no_half_of_a_login_is_completed_by_half_of_another_one() {
        let cases = [
            (Given { user: text("alice"), mechanism: SCRAM, ..Given::default() }, "--kafka-password-file"),
            (Given { mechanism: Some(Mechanism::Plain), ..Given::default() }, "PLAIN needs --kafka-user"),
            (Given { password: secret("other"), mechanism: SCRAM, ..Given::default() }, "needs --kafka-user"),
            (Given { token_url: text("u"), ..Given::default() }, "OAUTHBEARER needs --kafka-user"),
        ];
        for (flags, expected) in cases {
            let why = error(flags, bob());
            assert!(why.contains(expected) && why.contains("as a whole") && !why.contains("bobs"), "{why}");
        }
        let file = Given { token_file: Some("t".into()), ..Given::default() };
        let why = error(Given { user: text("alice"), ..Given::default() }, file);
        assert!(why.contains("--kafka-user replaces the login"), "{why}");
        let token = Given { token_file: Some("t".into()), ..Given::default() }.or(bob()).check();
        assert!(
            token.is_ok_and(|s| matches!(s.login, Some(Login::Bearer(_)))),
            "a token replaces a password"
        );
    }

    #[test]
    fn what_the_file_leaves_out_is_completed() {
        let file = Given { password: None, ..bob() };
        let whole =
            Given { password: secret("bobs"), ..Given::default() }.or(file).check().expect("complete");
        assert_eq!(whole.principal(), "User:bob");
        let same = Given { user: text("bob"), ..Given::default() }.or(bob());
        assert_eq!(same.check().map(|s| s.principal()), Ok("User:bob".to_owned()));
        let trust = Given { ca: pem("own"), ..Given::default() }.or(bob());
        assert_eq!((trust.ca, trust.overridden), (pem("own"), Vec::new()));
    }

    #[test]
    fn a_certificate_and_its_key_stay_together() {
        let file = || Given { cert: pem("file"), key: pem("file's"), ..Given::default() };
        let both = Given { cert: pem("both"), ..Given::default() }.or(file());
        let identity = both.check().expect("complete").tls.and_then(|tls| tls.identity);
        assert_eq!(identity, Some((b"both".to_vec(), Secret::new("both"))));
        let why = error(Given { key: pem("other"), ..Given::default() }, file());
        assert!(why.contains("add --kafka-cert (--kafka-key replaces the client certificate"), "{why}");
        let key = Given { key: pem("k"), ..Given::default() }.or(Given { key: None, ..file() });
        assert_eq!((key.cert, key.key), (pem("file"), pem("k")));
    }
}
