//! Which client sends the load.

use crate::plan::request::Request;
use std::fmt;
use std::str::FromStr;

/// One of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// Many connections per thread; the most efficient.
    Native,
    /// One connection per thread, based on the crate `ureq`.
    Ureq,
}

impl ClientKind {
    /// All clients, the preferred one first.
    pub const ALL: [ClientKind; 2] = [ClientKind::Native, ClientKind::Ureq];

    /// Whether this client can send the request. Today both can send everything a plan can express.
    pub fn serves(self, request: &Request) -> bool {
        match self {
            ClientKind::Native | ClientKind::Ureq => {
                matches!(request.uri().scheme_str(), Some("http" | "https"))
            }
        }
    }

    /// The most efficient client that can send the request.
    pub fn default_for(request: &Request) -> ClientKind {
        ClientKind::ALL.into_iter().find(|kind| kind.serves(request)).unwrap_or(ClientKind::Ureq)
    }
}

impl fmt::Display for ClientKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClientKind::Native => "native",
            ClientKind::Ureq => "ureq",
        })
    }
}

impl FromStr for ClientKind {
    type Err = String;

    fn from_str(text: &str) -> Result<ClientKind, String> {
        let found = ClientKind::ALL.into_iter().find(|kind| kind.to_string() == text);
        found.ok_or_else(|| format!("client {text:?}: use native or ureq"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for kind in ClientKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("curl".parse::<ClientKind>().unwrap_err().contains("native or ureq"));
    }

    #[test]
    fn the_most_efficient_capable_client_is_the_default() {
        assert_eq!(ClientKind::default_for(&Request::get("http://h/").unwrap()), ClientKind::Native);
        assert_eq!(ClientKind::default_for(&Request::get("https://h/").unwrap()), ClientKind::Native);
    }
}
