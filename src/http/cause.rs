//! Readable causes of failed requests: system errors and TLS errors.

use super::os::errors;
use crate::stats::causes::Key;
use rustls::{AlertDescription, CertificateError, Error as TlsError};
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
        (Some(TlsError::AlertReceived(alert)), _) => Key::Number(1_000_000 + i64::from(u8::from(*alert))),
        (Some(tls), _) => Key::Text(certificate(tls).unwrap_or("TLS")),
        (None, Some(number)) => number.into(),
        (None, None) => Key::Number(-(error.kind() as i64) - 1),
    }
}

/// The cause of a failed connection as text.
pub fn words(error: &io::Error) -> String {
    if let Some(tls) = tls_error(error) {
        return tls_words(tls);
    }
    errors::words(error).map_or_else(|| error.to_string(), str::to_owned)
}

fn tls_words(error: &TlsError) -> String {
    if let Some(text) = certificate(error) {
        return text.to_owned();
    }
    match error {
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server demands a client certificate".to_owned()
        }
        TlsError::AlertReceived(alert) => format!("the server sent the TLS alert {alert:?}"),
        TlsError::InvalidMessage(_) => "the server's reply is not TLS; this port may expect http".to_owned(),
        TlsError::InvalidCertificate(other) => format!("the server's certificate is not valid: {other}"),
        other => other.to_string(),
    }
}

/// What is wrong with the server's certificate, for the common cases.
fn certificate(error: &TlsError) -> Option<&'static str> {
    let TlsError::InvalidCertificate(wrong) = error else { return None };
    Some(match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name"
        }
        CertificateError::UnknownIssuer => {
            "the issuer of the server's certificate is not trusted (--ca-cert)"
        }
        CertificateError::Revoked => "the server's certificate was revoked",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
