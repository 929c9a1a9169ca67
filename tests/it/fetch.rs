//! The one-shot requests of the control traffic.

use crate::support::http_server::Server;
use floodgate::clock::{self, NS_PER_S};
use floodgate::http::fetch::{MAX_FETCHED_BYTES, get, post_json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn a_get_brings_status_server_and_body() {
    let server =
        Server::answering("HTTP/1.1 404 No\r\nServer: floodgate-target/1\r\nContent-Length: 2\r\n\r\n{}");
    let fetched = get(&server.url("/metrics"), PATIENCE).unwrap();
    assert_eq!((fetched.status, fetched.body.as_slice()), (404, &b"{}"[..]));
    assert_eq!(fetched.server_header.as_deref(), Some("floodgate-target/1"));
    let request = &server.received()[0];
    assert_eq!(request.line(), "GET /metrics HTTP/1.1");
    assert_eq!(request.header("content-length"), None);
}

#[test]
fn a_post_carries_json_and_the_token() {
    let server =
        Server::answering("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    let fetched = post_json(&server.url("/configure"), b"{\"a\":1}", Some("secret"), PATIENCE).unwrap();
    assert_eq!((fetched.status, fetched.body.as_slice(), fetched.server_header), (202, &b"ok"[..], None));
    let request = &server.received()[0];
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("authorization"), Some("Bearer secret"));
    assert_eq!(request.body, b"{\"a\":1}");
}

#[test]
fn what_fails_is_named_with_its_url_and_in_time() {
    let server = Server::start(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        conn.send_bytewise([b'x'; 100], Duration::from_millis(50));
    });
    let begun_ns = clock::now_ns();
    let error = get(&server.url("/slow"), Duration::from_millis(300)).unwrap_err();
    assert!(error.contains(&server.url("/slow")), "{error}");
    assert!(clock::now_ns() - begun_ns < 3 * NS_PER_S);
    for url in ["http://no-such-host.invalid/", "http://127.0.0.1:1/", "nonsense"] {
        let error = get(url, PATIENCE).unwrap_err();
        assert!(error.contains(url), "{error}");
    }
}

#[test]
fn bodies_are_bounded() {
    let server = Server::start(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\n\r\n");
        while conn.send([b'x'; 65_536]) {}
    });
    let error = get(&server.url("/"), PATIENCE).unwrap_err();
    assert!(error.contains(&MAX_FETCHED_BYTES.to_string()), "{error}");
}
