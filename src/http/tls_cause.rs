//! Readable causes of failed TLS sessions, told apart.

use crate::stats::causes::{Key, UNTRUSTED};
use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// Tells the causes apart.
pub fn key(error: &TlsError) -> Key {
    match error {
        TlsError::AlertReceived(alert) => Key::Number(1_000_000 + i64::from(u8::from(*alert))),
        other => Key::Text(certificate(other).unwrap_or("TLS")),
    }
}

/// The cause as text.
pub fn words(error: &TlsError) -> String {
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
        CertificateError::UnknownIssuer => UNTRUSTED,
        CertificateError::Revoked => "the server's certificate was revoked",
        _ => return None,
    })
}
