//! OAUTHBEARER (RFC 7628): one message with a token. A refusal is a JSON object, which the client has to
//! acknowledge before the broker reports the failure.

use crate::bus::kafka::security::Secret;

/// The acknowledgement of a refusal.
const ACKNOWLEDGED: [u8; 1] = [1];

/// One login with a token.
pub struct Bearer {
    token: Secret,
}

impl Bearer {
    /// A login with this token.
    pub fn new(token: Secret) -> Self {
        Bearer { token }
    }

    /// The GS2 header without a channel binding, then the token (RFC 7628, section 3.1).
    pub fn first(&self) -> Vec<u8> {
        format!("n,,\u{1}auth=Bearer {}\u{1}\u{1}", self.token.reveal()).into_bytes()
    }

    /// An empty challenge completes the login.
    pub fn answer(&mut self, challenge: &[u8]) -> Result<Option<Vec<u8>>, String> {
        // After a refusal, the broker answers the acknowledgement with its error, not with a challenge.
        Ok((!challenge.is_empty()).then(|| ACKNOWLEDGED.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_and_a_refusal_acknowledged() {
        let mut bearer = Bearer::new(Secret::new("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="));
        let expected = b"n,,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        assert_eq!(bearer.first(), expected);
        assert_eq!(bearer.answer(b""), Ok(None));
        let refusal = br#"{"status":"invalid_token"}"#;
        assert_eq!(bearer.answer(refusal), Ok(Some(vec![1])));
    }
}
