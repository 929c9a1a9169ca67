//! SCRAM (RFC 5802, with SHA-256 by RFC 7677 and SHA-512): client and broker prove to each other that they
//! know the password, without sending it.
//!
//! As in Kafka's own clients, user and password are used as UTF-8 without further preparation.

mod hash;

use crate::bus::kafka::security::{Hash, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Iterations accepted: Kafka's minimum, and what a small core computes within several seconds, during which
/// nothing checks the deadline. A broker could otherwise demand a weak proof, or hours of work.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4_096..=1_000_000;
/// Longest message of a broker, in bytes.
const LONGEST: usize = 4_096;
/// The GS2 header: no channel binding, no other identity.
const GS2: &str = "n,,";

enum State {
    /// The broker's nonce, salt and iterations are expected.
    Begun,
    /// The broker's signature is expected: that of this text with this key.
    Proved { server_key: Vec<u8>, signed: String },
    /// The broker has proved itself.
    Done,
}

/// One login.
pub struct Scram {
    hash: Hash,
    password: Secret,
    nonce: String,
    /// The first message without the GS2 header.
    bare: String,
    state: State,
}

impl Scram {
    /// A login of `user`; `nonce` is random, printable and without commas.
    pub fn new(hash: Hash, user: &str, password: Secret, nonce: &str) -> Self {
        // RFC 5802, section 5.1: the two characters with a meaning are escaped.
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let bare = format!("n={user},r={nonce}");
        Scram { hash, password, nonce: nonce.to_owned(), bare, state: State::Begun }
    }

    /// The client's first message.
    pub fn first(&self) -> Vec<u8> {
        format!("{GS2}{}", self.bare).into_bytes()
    }

    /// The client's proof, or `None` after the broker's.
    pub fn answer(&mut self, challenge: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let text = std::str::from_utf8(challenge).ok().filter(|text| text.len() <= LONGEST);
        let text = text.ok_or("its SCRAM message is malformed")?;
        match std::mem::replace(&mut self.state, State::Done) {
            State::Begun => self.prove(text).map(Some),
            State::Proved { server_key, signed } => {
                check(self.hash, text, &server_key, &signed).map(|()| None)
            }
            State::Done => Err("it sent a SCRAM message after the last one".to_owned()),
        }
    }

    fn prove(&mut self, server_first: &str) -> Result<Vec<u8>, String> {
        let (nonce, salt, iterations) = read_first(server_first, &self.nonce)?;
        let salted = self.hash.derive(self.password.reveal().as_bytes(), &salt, iterations);
        let mut client_key = self.hash.sign(&salted, b"Client Key");
        let stored_key = self.hash.digest(&client_key);
        let server_key = self.hash.sign(&salted, b"Server Key");
        let unproved = format!("c={},r={nonce}", STANDARD.encode(GS2));
        let signed = format!("{},{server_first},{unproved}", self.bare);
        let signature = self.hash.sign(&stored_key, signed.as_bytes());
        // The proof: the client's key, which only the password gives, covered by the signature.
        hash::xor_into(&mut client_key, &signature);
        self.state = State::Proved { server_key, signed };
        Ok(format!("{unproved},p={}", STANDARD.encode(client_key)).into_bytes())
    }
}

/// The combined nonce, the salt and the iterations.
fn read_first<'a>(text: &'a str, ours: &str) -> Result<(&'a str, Vec<u8>, u32), String> {
    let mut fields = text.split(',');
    let mut field = |name: &str| fields.next().and_then(|field| field.strip_prefix(name));
    let malformed = "its first SCRAM message is malformed";
    // A mandatory extension (`m=`) would stand first and is not supported, so it is malformed here.
    let nonce = field("r=").ok_or(malformed)?;
    let salt = field("s=").and_then(|salt| STANDARD.decode(salt).ok());
    let salt = salt.filter(|salt| !salt.is_empty()).ok_or(malformed)?;
    let count = field("i=").and_then(|count| count.parse::<u32>().ok()).ok_or(malformed)?;
    if nonce.len() <= ours.len() || !nonce.starts_with(ours) {
        return Err("its SCRAM message does not continue our nonce".to_owned());
    }
    match ITERATIONS.contains(&count) {
        true => Ok((nonce, salt, count)),
        false => Err(format!(
            "it demands {count} SCRAM iterations: {} to {} are accepted",
            ITERATIONS.start(),
            ITERATIONS.end()
        )),
    }
}

/// Checks the broker's signature, in constant time.
fn check(hash: Hash, text: &str, server_key: &[u8], signed: &str) -> Result<(), String> {
    if text.starts_with("e=") {
        return Err("it refuses the SCRAM proof".to_owned());
    }
    let signature = text.split(',').next().and_then(|field| field.strip_prefix("v="));
    let signature = signature.and_then(|signature| STANDARD.decode(signature).ok());
    let signature = signature.ok_or("its last SCRAM message is malformed")?;
    match hash.is_signature(server_key, signed.as_bytes(), &signature) {
        true => Ok(()),
        false => Err("it does not know the password: its SCRAM signature is wrong".to_owned()),
    }
}

#[cfg(test)]
mod tests;
