//! TLS for every client: trusted authorities and the client's certificate. The only place that knows which
//! library does it.
//!
//! A build without the feature `tls` has the same types, but no value of them can exist: whatever needs TLS
//! fails with [`unavailable`]'s reason, and the compiler leaves the rest out.

#[cfg(feature = "tls")]
mod with;
#[cfg(not(feature = "tls"))]
mod without;

#[cfg(feature = "tls")]
pub use with::*;
#[cfg(not(feature = "tls"))]
pub use without::*;

/// The authorities that a client trusts. Certificates are PEM.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// Mozilla's public roots.
    #[default]
    Public,
    /// Mozilla's public roots and these certificates.
    PublicAnd(Vec<u8>),
    /// Only these certificates.
    Only(Vec<u8>),
    /// Any certificate is accepted, from anyone, because the user said so.
    Unverified,
}

/// A command that decrypts a key, since an encrypted one cannot be used.
pub const DECRYPT_KEY: &str = "openssl pkey -in FILE -out NEW_FILE";

/// Why this build has no TLS; `None` if it has.
pub fn unavailable() -> Option<&'static str> {
    (!cfg!(feature = "tls")).then_some(
        "this build has no TLS: use http:// and brokers without TLS, or a build with the feature \"tls\"",
    )
}
