//! Certificates and keys as users have them: PEM, or a Java key store, which is answered with the command
//! that turns it into PEM.

use crate::tls::DECRYPT_KEY;
use std::fmt;

/// A PEM text and where it comes from, for messages.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem {
    /// The flag or property, and the file.
    pub name: String,
    /// The text.
    pub bytes: Vec<u8>,
}

impl Pem {
    /// Reads the file `file` with `read`. Messages call it `name`.
    ///
    /// # Errors
    /// The name, and why it cannot be used.
    pub fn load(
        name: String,
        file: &str,
        store: Store,
        read: impl FnOnce(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Pem, String> {
        let named = |why: String| format!("{name} {why}");
        let bytes = read(file).map_err(named)?;
        refuse_binary(&bytes, store, file).map_err(named)?;
        Ok(Pem { name, bytes })
    }
}

impl fmt::Debug for Pem {
    /// Without the content, which may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pem({})", self.name)
    }
}

/// What a PEM file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Authorities to trust.
    Trust,
    /// A certificate and its key.
    Own,
}

/// Refuses the binary formats of Java's key stores. `file` is the file's name.
fn refuse_binary(bytes: &[u8], store: Store, file: &str) -> Result<(), String> {
    let (kind, is_jks) = match bytes {
        // The magic number of Java's own format.
        [0xfe, 0xed, 0xfe, 0xed, ..] => ("JKS", true),
        // A DER sequence with a length of two bytes or more: PKCS#12.
        [0x30, 0x82..=0x84, ..] => ("PKCS12", false),
        _ => return Ok(()),
    };
    let command = match store {
        Store::Trust => format!("keytool -list -rfc -keystore {file} > ca.pem"),
        Store::Own if is_jks => format!(
            "keytool -importkeystore -srckeystore {file} -destkeystore client.p12 -deststoretype pkcs12 && \
             openssl pkcs12 -in client.p12 -nodes -out client.pem"
        ),
        Store::Own => format!("openssl pkcs12 -in {file} -nodes -out client.pem"),
    };
    Err(format!("is a {kind} file, but PEM is needed; make it with: {command}"))
}

/// Refuses a key with a passphrase.
pub fn refuse_encrypted(bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes);
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(format!(
            "has a key with a passphrase, but one without is needed; make it with: {DECRYPT_KEY}"
        ));
    }
    Ok(())
}

/// PEM inside a property, where spaces may stand for line ends, with the line ends restored.
pub fn unfold(text: &str) -> Vec<u8> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((head, after)) =
        rest.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("-----"))
    {
        let Some((body, tail)) = after.split_once("-----END ") else { break };
        let body: String = body.split_whitespace().collect();
        out.push_str(&format!("-----BEGIN {head}-----\n{body}\n-----END {head}-----\n"));
        rest = tail;
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_key_stores_are_answered_with_a_command() {
        let jks = [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2];
        let error = refuse_binary(&jks, Store::Trust, "t.jks").expect_err("JKS");
        assert!(error.contains("JKS") && error.contains("keytool -list -rfc -keystore t.jks > ca.pem"));
        let error = refuse_binary(&jks, Store::Own, "k.jks").expect_err("JKS");
        assert!(error.contains("-srckeystore k.jks") && error.contains("openssl pkcs12"), "{error}");
        let error = refuse_binary(&[0x30, 0x82, 9, 9], Store::Own, "k.p12").expect_err("PKCS12");
        assert!(error.contains("PKCS12") && error.contains("openssl pkcs12 -in k.p12 -nodes"), "{error}");
        assert_eq!(refuse_binary(b"-----BEGIN CERTIFICATE-----", Store::Own, "x"), Ok(()));
        let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
        let error = refuse_encrypted(encrypted).expect_err("encrypted");
        assert!(error.contains("make it with: openssl pkey -in FILE -out NEW_FILE"), "{error}");
        assert_eq!(refuse_encrypted(b"-----BEGIN PRIVATE KEY-----"), Ok(()));
    }

    #[test]
    fn folded_pem_is_unfolded() {
        let folded = "-----BEGIN CERTIFICATE----- AAA BBB -----END CERTIFICATE----- \
                      -----BEGIN X----- C -----END X-----";
        let expected = "-----BEGIN CERTIFICATE-----\nAAABBB\n-----END CERTIFICATE-----\n\
                        -----BEGIN X-----\nC\n-----END X-----\n";
        assert_eq!(unfold(folded), expected.as_bytes());
        assert_eq!(unfold(expected), expected.as_bytes());
        assert!(unfold("-----BEGIN X----- without an end").is_empty());
        let debug = format!("{:?}", Pem { name: "k".to_owned(), bytes: b"secret".to_vec() });
        assert_eq!(debug, "Pem(k)");
    }
}
