//! Client certificates, servers that are not verified, names that differ from the URL's, and Unix sockets.

use super::harness::{Factory, error, exchange, settings};
use super::native_only::OK;
use super::tls::{
    CERTIFICATE, KEY, SELF_SIGNED, SELF_SIGNED_KEY, getter, ok, server, server_with, serving, trusting,
};
use crate::support::scratch::Scratch;
use floodgate::clock::{self, NS_PER_MS};
use floodgate::http::native::NativeClient;
use floodgate::http::{Client, Identity, Roots, Settings};
use floodgate::plan::request::Request;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use floodgate::threads::StopFlag;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

pub const CLIENT_CA: &[u8] = include_bytes!("../fixtures/tls/client-ca.pem");
const CLIENT: &[u8] = include_bytes!("../fixtures/tls/client.pem");
const CLIENT_KEY: &[u8] = include_bytes!("../fixtures/tls/client.key");

pub fn a_client_certificate_is_shown<F: Factory>() {
    let server = serving(CERTIFICATE, KEY, Some(CLIENT_CA), ok);
    let identity = |certificate: &[u8], key: &[u8]| Settings {
        identity: Some(Identity::from_pem(certificate, key).expect("an identity")),
        ..trusting()
    };
    let mut client = getter::<F>(&server, "localhost", identity(CLIENT, CLIENT_KEY));
    for _ in 0..3 {
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    }
    assert_eq!((server.connections(), server.received().len()), (1, 3));
    // One of another authority, and none at all.
    for settings in [identity(SELF_SIGNED, SELF_SIGNED_KEY), trusting()] {
        let mut client = getter::<F>(&server, "localhost", settings);
        assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls));
    }
    assert_eq!(server.received().len(), 3);
}

pub fn any_certificate_is_accepted_if_insecure<F: Factory>() {
    let insecure = || Settings { trust: Roots::Unverified, ..settings() };
    for (certificate, key) in [(SELF_SIGNED, SELF_SIGNED_KEY), (CERTIFICATE, KEY)] {
        let server = server_with(certificate, key, ok);
        for host in ["localhost", "other.example"] {
            let mut client = getter::<F>(&server, host, insecure());
            assert_eq!(exchange(&mut client).outcome, Outcome::Status(200), "{host}");
        }
    }
}

pub fn the_servers_name_can_differ_from_the_urls<F: Factory>() {
    let server = server(ok);
    let named = |name: &str| Settings { server_name: Some(name.to_owned()), ..trusting() };
    let mut client = getter::<F>(&server, "other.example", named("localhost"));
    assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    let mut client = getter::<F>(&server, "localhost", named("other.example"));
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls));
}

#[test]
fn an_identity_needs_a_certificate_and_its_own_key() {
    let both = [CLIENT, CLIENT_KEY].concat();
    assert!(Identity::from_pem(&both, &both).is_ok());
    let shown = format!("{:?}", Identity::from_pem(CLIENT, CLIENT_KEY).expect("an identity"));
    assert_eq!(shown, "Identity(1 certificates)");
    for (certificate, key, why) in [
        (CLIENT_KEY, CLIENT_KEY, "no certificate"),
        (CLIENT, CLIENT, "no private key"),
        (CLIENT, KEY, "cannot be used with the certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", CLIENT_KEY, "cannot be used"),
    ] {
        let error = Identity::from_pem(certificate, key).expect_err(why);
        assert!(error.contains(why), "{error}");
    }
}

/// A server on a Unix socket that closes each connection after `carries` responses; returns the heads it
/// read.
fn unix_server(path: &Path, carries: usize, connections: usize) -> thread::JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(path).expect("binds");
    thread::spawn(move || {
        let mut heads = Vec::new();
        for stream in listener.incoming().take(connections) {
            let mut stream = stream.expect("accepted");
            for _ in 0..carries {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                    head.push(byte[0]);
                }
                if head.is_empty() {
                    break;
                }
                heads.push(String::from_utf8(head).expect("ASCII"));
                stream.write_all(OK.as_bytes()).expect("writes");
            }
        }
        heads
    })
}

fn unix_client(path: &Path) -> NativeClient {
    let settings = Settings { unix_socket: Some(path.to_owned()), ..settings() };
    let request = [Request::get("http://app.example:81/x").unwrap()];
    let anywhere = vec!["127.0.0.1:9".parse().unwrap()].into();
    NativeClient::new(&request, &settings, 1, anywhere, StopFlag::default()).unwrap()
}

#[test]
fn a_unix_socket_carries_requests_and_is_connected_again() {
    let scratch = Scratch::new("unix-client");
    let path = scratch.path().join("app.sock");
    let server = unix_server(&path, 2, 3);
    let mut client = unix_client(&path);
    for number in 0..6 {
        let completion = exchange(&mut client);
        assert_eq!(
            (completion.outcome, completion.bytes),
            (Outcome::Status(200), OK.len() as u64),
            "{number}"
        );
        // Until the close has arrived: whether the server has read what is sent before is not known.
        client.poll(clock::now_ns() + 30 * NS_PER_MS, |_| {});
    }
    let heads = server.join().expect("ends");
    assert_eq!(heads.len(), 6);
    assert!(
        heads.iter().all(|head| head.starts_with("GET /x HTTP/1.1\r\nhost: app.example:81\r\n")),
        "{heads:?}"
    );
}

#[test]
fn a_unix_socket_without_a_server_is_a_connect_error_with_its_cause() {
    let scratch = Scratch::new("unix-none");
    let mut client = unix_client(&scratch.path().join("none.sock"));
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Connect));
    let samples = client.take_causes().samples();
    assert!(samples[0].cause.contains("no such Unix socket"), "{samples:?}");
    let long = scratch.path().join("x".repeat(200));
    assert_eq!(exchange(&mut unix_client(&long)).outcome, error(ErrorKind::Connect));
}
