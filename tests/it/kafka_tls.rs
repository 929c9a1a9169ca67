//! TLS to servers that are not the expected broker: a clear message each, no hang. Needs no real broker.

use floodgate::bus::kafka::security::{Given, Protocol, Security};
use floodgate::bus::kafka::{KafkaConnector, KafkaSettings};
use floodgate::bus::{BusError, Connector};
use floodgate::clock;
use floodgate::fetch;
use floodgate::tls::Roots;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const CERTIFICATE: &[u8] = include_bytes!("fixtures/tls/server.pem");
const KEY: &[u8] = include_bytes!("fixtures/tls/server.key");
const EXPIRED: &[u8] = include_bytes!("fixtures/tls/expired.pem");
const EXPIRED_KEY: &[u8] = include_bytes!("fixtures/tls/expired.key");

/// Serves every client with `script` until the test process ends. Returns the port.
fn serve(script: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || listener.incoming().flatten().for_each(&script));
    port
}

/// A TLS server with this certificate that then answers with these bytes.
fn tls_server(certificate: &[u8], key: &[u8], answer: &'static [u8]) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let chain = vec![CertificateDer::from_pem_slice(certificate).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(key).expect("a key");
    let config = builder.expect("TLS").with_no_client_auth().with_single_cert(chain, key);
    let config = Arc::new(config.expect("a pair"));
    serve(move |tcp| {
        let session = ServerConnection::new(Arc::clone(&config)).expect("a session");
        let mut stream = StreamOwned::new(session, tcp);
        let mut request = [0; 4_096];
        if stream.read(&mut request).is_ok_and(|count| count > 0) {
            let _ = stream.write_all(answer).and_then(|()| stream.flush());
        }
    })
}

/// TLS that trusts this fixture, or the public roots.
fn trusting(ca: Option<&str>) -> Security {
    let path = |name| Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/tls")).join(name);
    let ca = ca.map(|name| Given::read_pem("--kafka-ca", &path(name), false).expect("PEM"));
    Given { protocol: Some(Protocol::Ssl), ca, ..Given::default() }.check().expect("settings")
}

/// The error of `prepare`, which must fail in time.
fn refusal(host: &str, port: u16, security: Security) -> BusError {
    let settings = KafkaSettings { security, ..KafkaSettings::new(vec![format!("{host}:{port}")]) };
    let begun_ns = clock::now_ns();
    let refused = KafkaConnector::new(settings).expect("settings").prepare(Duration::from_secs(2));
    let took_ms = (clock::now_ns() - begun_ns) / clock::NS_PER_MS;
    assert!(took_ms < 3_500, "{took_ms} ms");
    refused.expect_err("there is no broker")
}

fn assert_denied(error: &BusError, words: &str) {
    assert!(matches!(error, BusError::Denied(_)) && error.to_string().contains(words), "{words:?}: {error}");
}

#[test]
fn an_expired_certificate_is_refused() {
    let port = tls_server(EXPIRED, EXPIRED_KEY, b"");
    let error = refusal("127.0.0.1", port, trusting(Some("expired-ca.pem")));
    assert_denied(&error, &format!("the certificate of Kafka broker 127.0.0.1:{port} has expired"));
}

#[test]
fn an_unknown_authority_is_refused_even_if_the_public_roots_are_trusted() {
    let port = tls_server(CERTIFICATE, KEY, b"");
    for trusted in [None, Some("expired-ca.pem")] {
        assert_denied(&refusal("127.0.0.1", port, trusting(trusted)), "name it with --kafka-ca FILE");
    }
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let port = tls_server(CERTIFICATE, KEY, b"");
    let error = refusal("127.0.0.2", serve_at_another_address(port), trusting(Some("ca.pem")));
    assert_denied(&error, "not for \"127.0.0.2\": use one of its names");
}

/// Forwards 127.0.0.2 to a port of 127.0.0.1.
fn serve_at_another_address(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.2:0").expect("a loopback address");
    let own = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
            let [mut up, mut down] = [(&client, &server), (&server, &client)]
                .map(|(from, to)| (from.try_clone().expect("clone"), to.try_clone().expect("clone")));
            thread::spawn(move || std::io::copy(&mut up.0, &mut up.1));
            thread::spawn(move || std::io::copy(&mut down.0, &mut down.1));
        }
    });
    own
}

#[test]
fn a_server_behind_tls_that_is_not_kafka_is_named() {
    let port = tls_server(CERTIFICATE, KEY, b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let error = refusal("127.0.0.1", port, trusting(Some("ca.pem")));
    assert!(error.to_string().contains("it speaks HTTP, not Kafka"), "{error}");
}

#[test]
fn a_token_endpoint_must_be_of_a_trusted_authority() {
    let fixture = |name| {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/tls"));
        std::fs::read(folder.join(name)).expect("a fixture")
    };
    let (ca, other) = (fixture("ca.pem"), fixture("expired-ca.pem"));
    let port = tls_server(CERTIFICATE, KEY, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    let url = format!("https://127.0.0.1:{port}/token");
    let status =
        |roots| fetch::post_form(&url, "a=b", "Yzpz", roots, Duration::from_secs(20)).map(|f| f.status);
    for trusting in [Roots::Only(ca.clone()), Roots::PublicAnd(ca.clone())] {
        assert_eq!(status(trusting), Ok(200));
    }
    for distrusting in [Roots::Only(other.clone()), Roots::PublicAnd(other), Roots::Public] {
        let error = status(distrusting).expect_err("an unknown authority");
        assert!(
            error.text.ends_with("/token: the issuer of the server's certificate is not trusted"),
            "{error}"
        );
        assert!(!error.is_lasting, "its certificate may be replaced");
    }
    let error = status(Roots::Only(b"garbage".to_vec())).expect_err("no certificate");
    assert!(error.is_lasting && error.text.ends_with("there is no certificate in PEM"), "{error}");
}

#[test]
fn servers_without_tls_are_named() {
    let http = serve(|mut tcp| {
        let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = tcp.read(&mut [0; 1_024]);
    });
    let error = refusal("127.0.0.1", http, trusting(None));
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    let closing = serve(|mut tcp| drop(tcp.read(&mut [0; 1_024])));
    let error = refusal("127.0.0.1", closing, trusting(None));
    assert!(error.to_string().contains("closed the connection during the TLS handshake"), "{error}");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let error = refusal("127.0.0.1", port, trusting(None));
    assert!(error.to_string().contains("did not complete the TLS handshake in time"), "{error}");
}
