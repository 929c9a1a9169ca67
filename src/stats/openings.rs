//! How long connections take to open.

use super::times::Times;

/// Times of every connection that a worker opened, also ahead of its first request and in the warm-up: a
/// connection belongs to no single request.
#[derive(Clone, Debug, Default)]
pub struct Openings {
    /// TCP connect, of the address that answered.
    pub connect: Times,
    /// TLS handshake, from the end of the TCP connect.
    pub tls: Times,
}

impl Openings {
    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Openings) {
        self.connect.merge(&other.connect);
        self.tls.merge(&other.tls);
    }

    /// Empty, with capacity for about as many times as this one holds.
    pub fn fresh(&self) -> Openings {
        Openings { connect: self.connect.fresh(), tls: self.tls.fresh() }
    }

    /// Takes everything out.
    pub fn take(&mut self) -> Openings {
        let fresh = self.fresh();
        std::mem::replace(self, fresh)
    }
}
