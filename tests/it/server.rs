//! The HTTP server: answers, limits, faults and shutdown.

use crate::raw_http::{Connection, get, post};
use floodgate::clock;
use floodgate::http::server::{Calls, Options, Request, Response, Server};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const LIMIT: usize = 4_096;

fn options(threads: usize) -> Options {
    Options { calls: Calls::Pool { threads }, max_body_bytes: LIMIT, ..Options::new("test/1") }
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn start(threads: usize, handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Server {
    Server::start(any_port(), options(threads), Arc::new(handler)).expect("server")
}

/// Echoes the request.
fn echo(request: &Request) -> Response {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let agent = request.header("x-agent").unwrap_or("-");
    Response::text(200, &format!("{} {} {} {agent} {body}", request.method, request.path, request.query))
}

#[test]
fn the_handler_sees_the_whole_request() {
    let server = start(2, echo);
    let mut connection = Connection::open(server.addr());
    connection.send(b"PUT /a/b?c=d HTTP/1.1\r\nHost: t\r\nX-Agent: me\r\nContent-Length: 4\r\n\r\nbody");
    let answer = connection.receive();
    assert_eq!((answer.status, answer.body.as_str()), (200, "PUT /a/b c=d me body"));
    assert_eq!(answer.header("Server"), Some("test/1"));
    connection.send(
        b"POST /c HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    assert_eq!(connection.receive().body, "POST /c  - abcde");
    let long = "x".repeat(LIMIT);
    assert_eq!(post(server.addr(), "/long", &long).body, format!("POST /long  - {long}"));
    server.shutdown();
}

#[test]
fn a_head_request_gets_no_body() {
    let server = start(1, echo);
    let mut connection = Connection::open(server.addr());
    connection
        .send(b"HEAD /a HTTP/1.1\r\nHost: t\r\n\r\nGET /b HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    let mut text = String::new();
    std::io::Read::read_to_string(connection.stream(), &mut text).expect("until close");
    assert_eq!(text.matches("HTTP/1.1 200").count(), 2, "{text}");
    assert!(!text.contains("HEAD /a  -"), "{text}");
    server.shutdown();
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let server = start(1, echo);
    let answer = post(server.addr(), "/", &"x".repeat(LIMIT + 1));
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("\"error\"") && answer.body.contains("4096"), "{}", answer.body);
    // Announced only: 413 before a byte of the body is sent, and the server keeps running.
    for length in ["50000000", "99999999999999", "9223372036854775807"] {
        let mut connection = Connection::open(server.addr());
        connection.send(format!("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n").as_bytes());
        let answer = connection.receive();
        assert_eq!(answer.status, 413, "{length}");
        assert!(answer.body.contains("4096"), "{length}: {}", answer.body);
    }
    let mut endless = Connection::open(server.addr());
    endless.send(b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("400\r\n{}\r\n", "y".repeat(0x400));
    (0..5).for_each(|_| endless.send(chunk.as_bytes()));
    assert_eq!(endless.receive().status, 413);
    assert_eq!(get(server.addr(), "/still").status, 200);
    server.shutdown();
}

#[test]
fn slow_senders_occupy_no_worker() {
    let server = start(1, echo);
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut connection = Connection::open(server.addr());
        connection.send(b"POST /slow HTTP/1.1\r\nHost: t\r\nContent-Length: 2000\r\n\r\nab");
        slow.push(connection);
    }
    assert_eq!(get(server.addr(), "/").status, 200);
    slow[0].send("c".repeat(1_998).as_bytes());
    assert_eq!(slow[0].receive().status, 200);
    drop(slow);
    server.shutdown();
}

#[test]
fn a_panicking_handler_is_a_500_and_kills_no_thread() {
    let server = start(1, |request| match request.path.as_str() {
        "/panic" => panic!("on purpose"),
        _ => Response::json(200, &[1, 2]),
    });
    for _ in 0..3 {
        let answer = get(server.addr(), "/panic");
        assert_eq!(answer.status, 500);
        assert!(answer.body.contains("\"error\""), "{}", answer.body);
    }
    assert_eq!(get(server.addr(), "/").body, "[1,2]");
    server.shutdown();
}

#[test]
fn malformed_requests_are_answered_400() {
    let server = start(1, echo);
    for bytes in [&b"\x16\x03\x01\x02"[..], b"GET / HTTP/1.1\nHost: t\n\n", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut connection = Connection::open(server.addr());
        connection.send(bytes);
        let answer = connection.receive();
        assert_eq!((answer.status, answer.header("Connection")), (400, Some("close")), "{bytes:?}");
        assert!(answer.body.contains("\"error\""), "{}", answer.body);
        assert_eq!(std::io::Read::read(connection.stream(), &mut [0]).expect("the end"), 0);
    }
    assert_eq!(get(server.addr(), "/").status, 200);
    server.shutdown();
}

#[test]
fn an_address_in_use_is_reported_with_the_fix() {
    let server = start(1, echo);
    let error = Server::start(server.addr(), options(1), Arc::new(echo)).err().expect("in use");
    assert!(error.contains(&server.addr().to_string()), "{error}");
    assert!(error.contains("in use") && error.contains("--listen"), "{error}");
    server.shutdown();
}

#[test]
fn the_port_is_free_after_shutdown() {
    let first = start(4, echo);
    let addr = first.addr();
    let mut kept_open = Connection::open(addr);
    assert_eq!(kept_open.get("/").status, 200);
    first.shutdown();
    let second = Server::start(addr, options(1), Arc::new(|_: &Request| Response::text(200, "second")));
    let second = second.expect("the port is free");
    assert_eq!(get(addr, "/").body, "second");
    second.shutdown();
}

#[test]
fn held_responses_need_no_thread_each() {
    let counter = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&counter);
    let server = start(1, move |_| {
        Response::text(200, "late").held_for(Duration::from_millis(200)).counted_in(&counted)
    });
    let begin_ns = clock::now_ns();
    let mut connections: Vec<_> = (0..50).map(|_| Connection::open(server.addr())).collect();
    // Two each, pipelined: they arrive in order, and none waits for another's hold.
    connections
        .iter_mut()
        .for_each(|c| c.send(b"GET /1 HTTP/1.1\r\nHost: t\r\n\r\nGET /2 HTTP/1.1\r\nHost: t\r\n\r\n"));
    for connection in &mut connections {
        assert_eq!((connection.receive().status, connection.receive().status), (200, 200));
    }
    let took_ms = (clock::now_ns() - begin_ns) / clock::NS_PER_MS;
    // One after another they would take 20 s.
    assert!((200..10_000).contains(&took_ms), "100 responses held for 200 ms took {took_ms} ms");
    server.shutdown();
    assert_eq!(counter.load(Ordering::SeqCst), 100);
}

#[test]
fn shutdown_does_not_wait_for_a_long_hold() {
    let server = start(1, |_| Response::text(200, "late").held_for(Duration::from_secs(600)));
    let mut connection = Connection::open(server.addr());
    connection.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    clock::sleep(Duration::from_millis(100));
    let begin_ns = clock::now_ns();
    server.shutdown();
    assert_eq!(connection.receive().body, "late");
    assert!(clock::now_ns() - begin_ns < 5 * clock::NS_PER_S);
}

#[test]
fn headers_that_http_does_not_allow_are_left_out() {
    let server =
        start(1, |_| Response::text(200, "ok").with_header("X-A", "1\r\nX-B: 2").with_header("X-C", "3"));
    let answer = get(server.addr(), "/");
    assert_eq!((answer.header("X-B"), answer.header("X-C")), (None, Some("3")));
    server.shutdown();
}
