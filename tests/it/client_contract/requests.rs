//! Requests as the server receives them.

use super::harness::{Factory, client, exchange, settings};
use crate::support::http_server::{Received, Server};
use floodgate::plan::request::Request;
use floodgate::stats::outcome::Outcome;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Sends a request twice. Returns the second as received, and the authority of the server.
fn received<F: Factory>(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (Received, String) {
    let server = Server::answering(OK);
    let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let request = Request::new(method, &server.url(path), &headers, body.to_vec()).unwrap();
    let mut client = client::<F>(request, settings());
    for _ in 0..2 {
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    }
    let all = server.received();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].head, all[1].head);
    (all[1].clone(), server.address.to_string())
}

pub fn get_as_sent<F: Factory>() {
    let (request, authority) =
        received::<F>("GET", "/a/b%20c?d=e&f", &[("X-One", "1"), ("X-Two", "zwei")], b"");
    assert_eq!(request.line(), "GET /a/b%20c?d=e&f HTTP/1.1");
    assert_eq!(request.header("host"), Some(authority.as_str()));
    assert_eq!(request.header("x-one"), Some("1"));
    assert_eq!(request.header("x-two"), Some("zwei"));
    assert_eq!(request.header("accept"), Some("*/*"));
    assert!(request.header("user-agent").is_some_and(|v| v.starts_with("floodgate/")));
    for absent in ["content-length", "transfer-encoding", "accept-encoding", "cookie", "connection"] {
        assert_eq!(request.header(absent), None, "{absent}");
    }
}

pub fn post_with_a_body<F: Factory>() {
    let (request, _) = received::<F>("POST", "/p", &[("Content-Type", "application/json")], b"{\"a\":1}");
    assert_eq!(request.line(), "POST /p HTTP/1.1");
    assert_eq!(request.header("content-length"), Some("7"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("expect"), None);
    assert_eq!(request.body, b"{\"a\":1}");
}

pub fn post_without_a_body<F: Factory>() {
    let (request, _) = received::<F>("POST", "/", &[], b"");
    assert_eq!(request.header("content-length"), Some("0"));
}

pub fn delete_with_a_body<F: Factory>() {
    let (request, _) = received::<F>("DELETE", "/x", &[], b"why");
    assert_eq!((request.line(), request.body.as_slice()), ("DELETE /x HTTP/1.1", &b"why"[..]));
}

pub fn large_body_arrives_whole<F: Factory>() {
    let body: Vec<u8> = (0..512 * 1024u32).map(|n| (n % 251) as u8).collect();
    let (request, _) = received::<F>("PUT", "/", &[], &body);
    assert_eq!(request.header("content-length"), Some("524288"));
    assert!(request.body == body);
}

pub fn own_headers_replace_the_defaults<F: Factory>() {
    let own = [("Host", "other.example"), ("User-Agent", "me/1"), ("Accept", "text/html")];
    let (request, _) = received::<F>("GET", "/", &own, b"");
    for (name, value) in own {
        let name = name.to_ascii_lowercase();
        assert_eq!(request.header(&name), Some(value));
        let prefix = format!("{name}:");
        let lines = request.head.lines().filter(|l| l.to_ascii_lowercase().starts_with(&prefix));
        assert_eq!(lines.count(), 1, "{name}");
    }
}

pub fn unusual_methods<F: Factory>() {
    for method in ["PATCH", "OPTIONS", "PROPFIND", "PURGE"] {
        let (request, _) = received::<F>(method, "/m", &[], b"");
        assert_eq!(request.line(), format!("{method} /m HTTP/1.1"));
    }
}

pub fn ipv6<F: Factory>() {
    let script =
        |conn: &mut crate::support::http_server::Conn| while conn.request().is_some() && conn.send(OK) {};
    let Ok(server) = Server::wrapped("[::1]:0", |tcp| Ok(Box::new(tcp)), script) else {
        // This machine has no IPv6.
        return;
    };
    let mut client = client::<F>(Request::get(&server.url("/six")).unwrap(), settings());
    assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    let request = &server.received()[0];
    assert_eq!(request.header("host"), Some(server.address.to_string().as_str()));
}

pub fn early_answer_to_a_large_upload<F: Factory>() {
    // It answers at once, then keeps reading.
    let server = Server::start(|conn| {
        conn.send("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        conn.stall();
    });
    let request = Request::new("POST", &server.url("/"), &[], vec![b'u'; 512 * 1024]).unwrap();
    assert_eq!(exchange(&mut client::<F>(request, settings())).outcome, Outcome::Status(413));
}
