//! HTTPS, and servers that fail at it.

use super::connections::{aborted_soon, stop_soon};
use super::harness::{Factory, error, exchange, settings};
use crate::support::http_server::{Conn, Server, Wire};
use floodgate::clock::{self, NS_PER_MS};
use floodgate::http::{Client, Roots, Settings};
use floodgate::plan::request::Request;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use floodgate::threads::StopFlag;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

pub const CA: &[u8] = include_bytes!("../fixtures/tls/ca.pem");
pub const CERTIFICATE: &[u8] = include_bytes!("../fixtures/tls/server.pem");
pub const KEY: &[u8] = include_bytes!("../fixtures/tls/server.key");
/// As made by `openssl req -x509`: marked as an authority.
pub const SELF_SIGNED: &[u8] = include_bytes!("../fixtures/tls/self-signed.pem");
pub const SELF_SIGNED_KEY: &[u8] = include_bytes!("../fixtures/tls/self-signed.key");

pub fn server(script: impl Fn(&mut Conn) + Send + Sync + 'static) -> Server {
    server_with(CERTIFICATE, KEY, script)
}

pub fn server_with(
    certificate: &[u8],
    key: &[u8],
    script: impl Fn(&mut Conn) + Send + Sync + 'static,
) -> Server {
    serving(certificate, key, None, script)
}

/// A server that requests a client certificate from these roots, if any.
pub fn serving(
    certificate: &[u8],
    key: &[u8],
    clients: Option<&[u8]>,
    script: impl Fn(&mut Conn) + Send + Sync + 'static,
) -> Server {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = clients.map(|pem| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
        let builder =
            rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        builder.build().unwrap()
    });
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key).unwrap();
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    let wrap = move |tcp: TcpStream| -> io::Result<Box<dyn Wire>> {
        let connection = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(connection, tcp)))
    };
    Server::wrapped("127.0.0.1:0", wrap, script).unwrap()
}

pub fn trusting() -> Settings {
    Settings { trust: Roots::PublicAnd(CA.to_vec()), ..settings() }
}

fn client<F: Factory>(request: Request, server: &Server, settings: Settings) -> F::Client {
    F::build((Arc::new(request), settings, vec![server.address].into(), StopFlag::default()))
}

fn url(server: &Server, host: &str) -> String {
    format!("https://{host}:{}/", server.address.port())
}

pub fn getter<F: Factory>(server: &Server, host: &str, settings: Settings) -> F::Client {
    client::<F>(Request::get(&url(server, host)).unwrap(), server, settings)
}

pub fn ok(conn: &mut Conn) {
    while conn.request().is_some() && conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {}
}

pub fn https_with_an_own_root<F: Factory>() {
    for host in ["localhost", "127.0.0.1"] {
        let server = server(ok);
        let mut client = getter::<F>(&server, host, trusting());
        for _ in 0..5 {
            let completion = exchange(&mut client);
            assert_eq!(completion.outcome, Outcome::Status(200));
            assert_eq!(completion.bytes, 40);
        }
        assert_eq!((server.connections(), server.received().len()), (1, 5));
    }
}

pub fn https_with_a_self_signed_certificate<F: Factory>() {
    let own = || Settings { trust: Roots::PublicAnd(SELF_SIGNED.to_vec()), ..settings() };
    let server = server_with(SELF_SIGNED, SELF_SIGNED_KEY, ok);
    let mut client = getter::<F>(&server, "localhost", own());
    assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    // It names localhost and no address, and clients without it do not trust it.
    for (host, settings) in [("127.0.0.1", own()), ("localhost", trusting())] {
        let mut client = getter::<F>(&server, host, settings);
        assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls), "{host}");
    }
}

pub fn https_large_both_ways<F: Factory>() {
    let server = server(|conn| {
        let body = vec![b'd'; 1 << 20];
        while conn.request().is_some() {
            conn.send("HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n");
            conn.send(&body);
        }
    });
    let request = Request::new("POST", &url(&server, "localhost"), &[], vec![b'u'; 512 * 1024]).unwrap();
    let mut client = client::<F>(request, &server, trusting());
    for _ in 0..3 {
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    }
    assert_eq!(server.connections(), 1);
    assert!(server.received().iter().all(|r| r.body == vec![b'u'; 512 * 1024]));
}

pub fn https_byte_by_byte<F: Factory>() {
    // Sends each byte in a separate TLS record.
    let server = server(|conn| {
        while conn.request().is_some() {
            conn.send_bytewise(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                Duration::from_micros(200),
            );
        }
    });
    let mut client = getter::<F>(&server, "localhost", trusting());
    for _ in 0..3 {
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    }
    assert_eq!(server.connections(), 1);
}

pub fn https_closed_while_idle<F: Factory>() {
    let server = server(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let mut client = getter::<F>(&server, "localhost", trusting());
    for connections in 1..=4 {
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
        assert_eq!(server.connections(), connections);
        client.poll(clock::now_ns() + 30 * NS_PER_MS, |_| {});
    }
}

pub fn https_half_a_body<F: Factory>() {
    let server = server(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf");
    });
    let mut client = getter::<F>(&server, "localhost", trusting());
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Closed));
}

pub fn https_handshake_timeout<F: Factory>() {
    let server = Server::start(|conn| conn.stall());
    let short = Settings { connect_timeout: Duration::from_millis(300), ..trusting() };
    let mut client = getter::<F>(&server, "localhost", short);
    let completion = exchange(&mut client);
    assert_eq!(completion.outcome, error(ErrorKind::Tls));
    let took_ms = (completion.ended_ns - completion.sent_ns) / NS_PER_MS;
    assert!((300..2_000).contains(&took_ms), "took {took_ms} ms");
}

fn stopped<F: Factory>(server: &Server) {
    let stop = StopFlag::default();
    let request = Arc::new(Request::get(&url(server, "localhost")).unwrap());
    let mut client = F::build((request, trusting(), vec![server.address].into(), stop.clone()));
    aborted_soon(&mut client, stop_soon(&stop));
}

pub fn https_stop_ends_what_is_in_flight<F: Factory>() {
    for response in ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"] {
        stopped::<F>(&server(move |conn| {
            conn.request();
            conn.send(response);
            conn.stall();
        }));
    }
}

pub fn https_stop_ends_a_handshake<F: Factory>() {
    stopped::<F>(&Server::start(|conn| conn.stall()));
}

pub fn unreadable_roots_are_refused<F: Factory>() {
    for pem in ["", "no pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let request = Arc::new(Request::get("https://localhost/").unwrap());
        let bad = Settings { trust: Roots::PublicAnd(pem.as_bytes().to_vec()), ..settings() };
        assert!(F::try_build((request, bad, Vec::new().into(), StopFlag::default())).is_err(), "{pem:?}");
    }
}

pub fn unknown_root_is_refused<F: Factory>() {
    let server = server(ok);
    let mut client = getter::<F>(&server, "localhost", settings());
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls));
    assert_eq!(server.received().len(), 0);
}

pub fn wrong_name_is_refused<F: Factory>() {
    let server = server(ok);
    let mut client = getter::<F>(&server, "other.example", trusting());
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls));
}

pub fn tls_against_a_plain_port<F: Factory>() {
    let server = Server::start(|conn| {
        conn.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nplain HTTP here");
        conn.stall();
    });
    let mut client = getter::<F>(&server, "localhost", trusting());
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls));
}

pub fn https_closed_in_the_handshake<F: Factory>() {
    let server = Server::start(|_| {});
    let mut client = getter::<F>(&server, "localhost", trusting());
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls));
}

pub fn causes_of_tls_errors<F: Factory>() {
    let cause = |server: &Server, host: &str, settings: Settings| {
        let mut client = getter::<F>(server, host, settings);
        assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls), "{host}");
        let samples = client.take_causes().samples();
        assert_eq!((samples.len(), samples[0].kind.as_str()), (1, "tls"), "{samples:?}");
        samples[0].cause.clone()
    };
    let plain = server(ok);
    assert!(cause(&plain, "other.example", trusting()).contains("another name"));
    assert!(cause(&plain, "localhost", settings()).contains("issuer"));
    // In TLS 1.3 the server's refusal arrives after the client has finished its part of the handshake.
    let demanding = serving(CERTIFICATE, KEY, Some(CA), ok);
    assert!(cause(&demanding, "localhost", trusting()).contains("client certificate"));
}
