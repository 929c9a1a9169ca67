//! Which client sends the load.

use std::fmt;
use std::str::FromStr;

/// One of the clients. Both can send everything that a plan can express.
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
}
