//! One-shot control requests.

use crate::support::http_server::Server;
use floodgate::clock::{self, NS_PER_S};
use floodgate::fetch::{MAX_FETCHED_BYTES, get, get_from, post_json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn a_get_returns_status_server_and_body() {
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
fn failures_name_the_url_and_respect_the_timeout() {
    let server = Server::start(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        conn.send_bytewise([b'x'; 100], Duration::from_millis(50));
    });
    let begun_ns = clock::now_ns();
    let error = get(&server.url("/slow"), Duration::from_millis(300)).unwrap_err();
    assert!(!error.is_lasting && error.text.contains(&server.url("/slow")), "{error}");
    assert!(clock::now_ns() - begun_ns < 3 * NS_PER_S);
    for url in ["http://no-such-host.invalid/", "http://127.0.0.1:1/", "nonsense"] {
        let error = get(url, PATIENCE).unwrap_err();
        assert!(error.text.contains(url) && error.is_lasting == (url == "nonsense"), "{error}");
    }
    let silent = Server::start(|conn| conn.stall());
    for (url, why) in
        [("http://127.0.0.1:1/".to_owned(), "connection refused"), (silent.url("/"), "no response in time")]
    {
        let error = get(&url, Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.text, format!("GET {url}: {why}"));
    }
}

#[test]
fn the_dashboard_of_a_large_fleet_is_read() {
    let length = 9 << 20;
    let server = Server::start(move |conn| {
        conn.request();
        conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
        conn.send(vec![b'x'; length]);
    });
    assert_eq!(get(&server.url("/dashboard"), PATIENCE).unwrap().body.len(), length);
}

#[test]
fn bodies_are_bounded_whether_their_length_is_announced_or_not() {
    let server = Server::start(|conn| {
        let announced = conn.request().is_some_and(|request| request.line().contains("/announced"));
        let length = if announced { "Content-Length: 100000000000\r\n" } else { "" };
        conn.send(format!("HTTP/1.1 200 OK\r\n{length}\r\n"));
        while !announced && conn.send([b'x'; 65_536]) {}
        conn.stall();
    });
    for path in ["/announced", "/endless"] {
        let error = get(&server.url(path), PATIENCE).unwrap_err();
        assert!(error.is_lasting && error.text.contains(&MAX_FETCHED_BYTES.to_string()), "{error}");
    }
    let url = server.url("/endless");
    let addresses = vec![server.address].into();
    let error = get_from(&url, addresses, 1_000, PATIENCE).unwrap_err();
    assert!(error.text.contains("longer than 1000 bytes"), "{error}");
}
