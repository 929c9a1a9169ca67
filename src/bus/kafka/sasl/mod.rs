//! The exchanges of a login, as bytes: what to send first, and what to send for each challenge. Nothing here
//! has a socket or a clock.

mod bearer;
mod scram;

use self::bearer::Bearer;
use self::scram::Scram;
use super::security::{Login, Secret};

/// One login in progress.
pub enum Exchange {
    /// One message with the password itself (RFC 4616).
    Plain {
        /// Who logs in.
        user: String,
        /// The password.
        password: Secret,
    },
    /// Proofs of the password on both sides (RFC 5802).
    Scram(Box<Scram>),
    /// A token (RFC 7628).
    Bearer(Bearer),
}

impl Exchange {
    /// A login; `token` is the bearer token if the login needs one, `nonce` is random and used once.
    pub fn new(login: &Login, token: Option<Secret>, nonce: &str) -> Self {
        match login {
            Login::Plain { user, password } => {
                Exchange::Plain { user: user.clone(), password: password.clone() }
            }
            Login::Scram { hash, user, password } => {
                Exchange::Scram(Box::new(Scram::new(*hash, user, password.clone(), nonce)))
            }
            Login::Bearer(_) => Exchange::Bearer(Bearer::new(token.unwrap_or_default())),
        }
    }

    /// The first message.
    pub fn first(&self) -> Vec<u8> {
        match self {
            Exchange::Plain { user, password } => format!("\0{user}\0{}", password.reveal()).into_bytes(),
            Exchange::Scram(scram) => scram.first(),
            Exchange::Bearer(bearer) => bearer.first(),
        }
    }

    /// The answer to what the broker sent; `None` if the login is complete, which for SCRAM means that the
    /// broker proved that it knows the password.
    ///
    /// # Errors
    /// Why the broker's message cannot be accepted, without any secret.
    pub fn answer(&mut self, challenge: &[u8]) -> Result<Option<Vec<u8>>, String> {
        match self {
            Exchange::Plain { .. } => Ok(None),
            Exchange::Scram(scram) => scram.answer(challenge),
            Exchange::Bearer(bearer) => bearer.answer(challenge),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_login_is_one_message() {
        let login = Login::Plain { user: "tim".to_owned(), password: Secret::new("tanstaaftanstaaf") };
        let mut exchange = Exchange::new(&login, None, "");
        // RFC 4616, section 4.
        assert_eq!(exchange.first(), b"\0tim\0tanstaaftanstaaf");
        assert_eq!(exchange.answer(b""), Ok(None));
    }
}
