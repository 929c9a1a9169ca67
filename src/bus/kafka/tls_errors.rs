//! Turns TLS errors into messages: what is wrong with which certificate, and which flag fixes it.

use super::security::{Protocol, Security};
use super::settings::Address;
use crate::bus::BusError;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// The error of a session with this broker.
pub fn told(error: &TlsError, address: &Address, security: &Security) -> BusError {
    match error {
        TlsError::InvalidCertificate(wrong) => BusError::Denied(certificate(wrong, address)),
        TlsError::AlertReceived(alert) => alerted(*alert, address, security),
        TlsError::InvalidMessage(_) => BusError::Unsupported(format!(
            "{address} does not speak TLS: use --kafka-protocol {}, or the port of a listener with TLS",
            Protocol::of(false, security.login.is_some())
        )),
        other => {
            BusError::Unavailable(format!("the TLS session with Kafka broker {address} failed: {other}"))
        }
    }
}

fn certificate(wrong: &CertificateError, address: &Address) -> String {
    let whose = format!("the certificate of Kafka broker {address}");
    match wrong {
        CertificateError::UnknownIssuer => {
            format!("{whose} was issued by an authority that is not trusted: name it with --kafka-ca FILE")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("{whose} has expired: renew it, and check this host's clock")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("{whose} is not valid yet: check this host's clock")
        }
        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => format!(
            "{whose} is for {}, not for {:?}: use one of its names, or issue one for this name",
            names(presented),
            address.host
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("{whose} is not for {:?}: use one of its names, or issue one for this name", address.host)
        }
        CertificateError::Revoked => format!("{whose} was revoked"),
        other => format!("{whose} is not valid: {other}"),
    }
}

/// The names in a certificate: rustls gives them as `DnsName("a")` and `IpAddress(1.2.3.4)`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        inner.trim_matches('"').to_owned()
    };
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}

fn alerted(alert: AlertDescription, address: &Address, security: &Security) -> BusError {
    use AlertDescription as A;
    let has_identity = security.tls.as_ref().is_some_and(|tls| tls.identity.is_some());
    match alert {
        A::CertificateRequired | A::BadCertificate if !has_identity => BusError::Denied(format!(
            "Kafka broker {address} demands a client certificate: use --kafka-cert and --kafka-key"
        )),
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied => BusError::Denied(format!(
            "Kafka broker {address} does not accept the certificate of --kafka-cert (TLS alert {alert:?})"
        )),
        A::HandshakeFailure | A::ProtocolVersion | A::InsufficientSecurity => BusError::Denied(format!(
            "Kafka broker {address} supports no TLS version or cipher of this client (TLS alert {alert:?}): \
             it must allow TLS 1.2 or 1.3"
        )),
        other => BusError::Unavailable(format!(
            "Kafka broker {address} ended the TLS session (TLS alert {other:?})"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_certificate_are_listed() {
        let presented = ["DnsName(\"a.example\")", "IpAddress(127.0.0.1)", "odd"].map(str::to_owned);
        assert_eq!(names(&presented), "a.example, 127.0.0.1, odd");
    }
}
