//! Messages for TLS failures and missing TLS, and which flag fixes it.

use super::security::{Protocol, Security};
use super::settings::Address;
use super::tls_errors;
use crate::bus::BusError;
use crate::tls::Error as TlsError;
use std::io::{self, ErrorKind};

/// The error for a handshake that failed.
pub fn handshake(error: &io::Error, address: &Address, security: &Security) -> BusError {
    if let Some(told) = later(error, address, security) {
        return told;
    }
    let plain = Protocol::of(false, security.login.is_some());
    match error.kind() {
        ErrorKind::TimedOut => BusError::Unavailable(format!(
            "Kafka broker {address} did not complete the TLS handshake in time: is it hung, or its listener \
             without TLS (then use --kafka-protocol {plain})?"
        )),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            BusError::Unavailable(format!(
                "Kafka broker {address} closed the connection during the TLS handshake: its listener has no \
                 TLS (then use --kafka-protocol {plain}), or it is shutting down"
            ))
        }
        _ => BusError::Unavailable(format!("the TLS handshake with Kafka broker {address} failed: {error}")),
    }
}

/// The error for a TLS error at any time; `None` for others.
pub fn later(error: &io::Error, address: &Address, security: &Security) -> Option<BusError> {
    let tls: &TlsError = error.get_ref()?.downcast_ref()?;
    Some(tls_errors::told(tls, address, security))
}

/// The error for a listener that answers plain TCP with TLS.
pub fn unexpected(address: &Address, security: &Security) -> BusError {
    let protocol = Protocol::of(true, security.login.is_some());
    BusError::Unsupported(format!("the listener at {address} requires TLS: use --kafka-protocol {protocol}"))
}

/// What else may be the reason if the broker closes the connection at the first request.
pub fn first_request(security: &Security) -> String {
    let with_tls = Protocol::of(true, security.login.is_some());
    match &security.tls {
        None => format!(
            "it is not a Kafka broker, or its listener requires TLS (then use --kafka-protocol {with_tls}), or \
             it is older than 0.10 (then use --kafka-client legacy)"
        ),
        Some(tls) if tls.identity.is_none() => {
            "it is not a Kafka broker, or it demands a client certificate (--kafka-cert and --kafka-key)"
                .to_owned()
        }
        Some(_) => {
            "it is not a Kafka broker, or it does not accept the certificate of --kafka-cert".to_owned()
        }
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;
    use crate::bus::kafka::security::Tls;
    use rustls::{AlertDescription, CertificateError};

    fn told(error: TlsError, security: &Security) -> BusError {
        let address = "broker.example:9093".parse().expect("an address");
        handshake(&io::Error::new(ErrorKind::InvalidData, error), &address, security)
    }

    fn tls(identity: bool) -> Security {
        let identity = identity.then(Default::default);
        Security { tls: Some(Tls { identity, ..Tls::default() }), login: None }
    }

    #[test]
    fn each_error_names_the_broker_and_a_fix() {
        let wrong = TlsError::InvalidCertificate;
        let alert = TlsError::AlertReceived;
        let cases = [
            (wrong(CertificateError::UnknownIssuer), false, "--kafka-ca FILE"),
            (wrong(CertificateError::Expired), false, "has expired"),
            (wrong(CertificateError::NotValidYet), false, "clock"),
            (wrong(CertificateError::NotValidForName), false, "not for \"broker.example\""),
            (alert(AlertDescription::CertificateRequired), false, "use --kafka-cert and --kafka-key"),
            (alert(AlertDescription::BadCertificate), false, "demands a client certificate"),
            (alert(AlertDescription::BadCertificate), true, "does not accept the certificate"),
            (alert(AlertDescription::ProtocolVersion), false, "TLS 1.2 or 1.3"),
        ];
        for (error, identity, expected) in cases {
            let told = told(error, &tls(identity));
            assert!(matches!(told, BusError::Denied(_)), "{told}");
            let text = told.to_string();
            assert!(text.contains(expected) && text.contains("broker.example:9093"), "{expected:?}: {text}");
        }
    }

    #[test]
    fn a_listener_without_tls_is_recognized() {
        let error = TlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        let told = told(error, &tls(false)).to_string();
        assert!(told.contains("does not speak TLS") && told.contains("--kafka-protocol plaintext"), "{told}");
        let address = "a:1".parse().expect("an address");
        for kind in [ErrorKind::UnexpectedEof, ErrorKind::TimedOut] {
            let told = handshake(&kind.into(), &address, &tls(false));
            assert!(told.is_transient() && told.to_string().contains("--kafka-protocol plaintext"), "{told}");
        }
    }
}
