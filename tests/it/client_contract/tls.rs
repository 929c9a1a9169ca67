//! HTTPS, and what is not.

use super::harness::{Factory, error, exchange, settings};
use crate::support::http_server::{Conn, Server, Wire};
use floodgate::http::{Settings, StopFlag};
use floodgate::plan::request::Request;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;

const CA: &[u8] = include_bytes!("../fixtures/tls/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../fixtures/tls/server.pem");
const KEY: &[u8] = include_bytes!("../fixtures/tls/server.key");

fn server(script: impl Fn(&mut Conn) + Send + Sync + 'static) -> Server {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let wrap = move |tcp: TcpStream| -> io::Result<Box<dyn Wire>> {
        let connection = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(connection, tcp)))
    };
    Server::wrapped("127.0.0.1:0", wrap, script).unwrap()
}

fn trusting() -> Settings {
    Settings { ca_pem: Some(CA.to_vec()), ..settings() }
}

fn client<F: Factory>(request: Request, server: &Server, settings: Settings) -> Option<F::Client> {
    // A client that does not serve https is not asked to.
    F::KIND
        .serves(&request)
        .then(|| F::build(Arc::new(request), settings, vec![server.address].into(), StopFlag::default()))
}

fn url(server: &Server, host: &str) -> String {
    format!("https://{host}:{}/", server.address.port())
}

fn getter<F: Factory>(server: &Server, host: &str, settings: Settings) -> Option<F::Client> {
    client::<F>(Request::get(&url(server, host)).unwrap(), server, settings)
}

fn ok(conn: &mut Conn) {
    while conn.request().is_some() && conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {}
}

pub fn https_with_an_own_root<F: Factory>() {
    for host in ["localhost", "127.0.0.1"] {
        let server = server(ok);
        let Some(mut client) = getter::<F>(&server, host, trusting()) else { return };
        for _ in 0..5 {
            let completion = exchange(&mut client);
            assert_eq!(completion.outcome, Outcome::Status(200));
            assert_eq!(completion.bytes, 40);
        }
        assert_eq!((server.connections(), server.received().len()), (1, 5));
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
    let Some(mut client) = client::<F>(request, &server, trusting()) else { return };
    for _ in 0..3 {
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    }
    assert_eq!(server.connections(), 1);
    assert!(server.received().iter().all(|r| r.body == vec![b'u'; 512 * 1024]));
}

pub fn unknown_root_is_refused<F: Factory>() {
    let server = server(ok);
    let Some(mut client) = getter::<F>(&server, "localhost", settings()) else { return };
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls));
    assert_eq!(server.received().len(), 0);
}

pub fn wrong_name_is_refused<F: Factory>() {
    let server = server(ok);
    let Some(mut client) = getter::<F>(&server, "other.example", trusting()) else { return };
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls));
}

pub fn tls_against_a_plain_port<F: Factory>() {
    let server = Server::start(|conn| {
        conn.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nplain HTTP here");
        conn.stall();
    });
    let Some(mut client) = getter::<F>(&server, "localhost", trusting()) else { return };
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls));
}

pub fn https_closed_in_the_handshake<F: Factory>() {
    let server = Server::start(|_| {});
    let Some(mut client) = getter::<F>(&server, "localhost", trusting()) else { return };
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls));
}
