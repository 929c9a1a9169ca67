//! Readable causes of failed requests: system errors and TLS errors.

use super::os::errors;
use super::tls_cause;
use crate::stats::causes::Key;
use crate::tls::Error as TlsError;
use std::io;

/// Causes that have no system error.
pub const NO_ADDRESS: &str = "the host name has no address";
/// See [`NO_ADDRESS`].
pub const CONNECT_TIMEOUT: &str = "the connection attempt timed out";
/// See [`NO_ADDRESS`].
pub const HANDSHAKE_TIMEOUT: &str = "the TLS handshake timed out";
/// See [`NO_ADDRESS`].
pub const HANDSHAKE_CLOSED: &str = "the server closed the connection during the TLS handshake";
/// See [`NO_ADDRESS`].
pub const CLOSED_UNANSWERED: &str = "the server closed the connection without a response";
/// See [`NO_ADDRESS`].
pub const CLOSED_HALFWAY: &str = "the server closed the connection in the middle of a response";

/// The TLS error inside a connection error.
pub fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

/// Tells the causes of failed connections apart.
pub fn key(error: &io::Error) -> Key {
    match (tls_error(error), error.raw_os_error()) {
        (Some(tls), _) => tls_cause::key(tls),
        (None, Some(number)) => number.into(),
        (None, None) => Key::Number(-(error.kind() as i64) - 1),
    }
}

/// The cause of a failed connection as text.
pub fn words(error: &io::Error) -> String {
    if let Some(tls) = tls_error(error) {
        return tls_cause::words(tls);
    }
    errors::words(error).map_or_else(|| error.to_string(), str::to_owned)
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;
    use rustls::{AlertDescription, CertificateError};

    #[test]
    fn alerts_and_certificates_have_distinct_causes() {
        let of = |error: TlsError| io::Error::new(io::ErrorKind::InvalidData, error);
        let expired = of(TlsError::InvalidCertificate(CertificateError::Expired));
        let unknown = of(TlsError::InvalidCertificate(CertificateError::UnknownIssuer));
        assert_ne!(key(&expired), key(&unknown));
        assert!(words(&expired).contains("expired") && words(&unknown).contains("issuer"));
        let alert = of(TlsError::AlertReceived(AlertDescription::CertificateRequired));
        assert!(words(&alert).contains("client certificate"));
    }
}
