//! Misbehaving clients: whatever they do, other clients are answered, and nothing leaks.

use crate::orchestrator::support::wait;
use crate::raw_http::{Connection, get};
use floodgate::clock;
use floodgate::http::server::{Calls, Options, Request, Response, Server};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Returns the length of the body.
fn measure(request: &Request) -> Response {
    Response::text(200, &format!("{} {} {}", request.method, request.path, request.body.len()))
}

fn start(options: Options) -> Server {
    Server::start(any_port(), options, Arc::new(measure)).expect("server")
}

/// Small limits, so that they are reached quickly.
fn narrow() -> Options {
    Options { max_connections: 24, request_timeout: Duration::from_millis(400), ..Options::new("test/1") }
}

fn both_ways() -> [Options; 2] {
    [narrow(), Options { calls: Calls::Inline { threads: 1 }, ..narrow() }]
}

/// Reads until the server closes.
fn rest(connection: &mut Connection) -> String {
    let mut bytes = Vec::new();
    let _ = connection.stream().read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a misbehaving client sends before it falls silent.
const STRANGE: [&str; 6] = [
    "POST /a HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 2000\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: t\r\nContent-Length: 2000\r\n\r\nab",
    "POST /a HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "POST /a HTTP/1.1\r\nHost: t\r\nX-",
    "",
];

#[test]
fn silent_clients_hold_nothing_and_time_out() {
    for options in both_ways() {
        let server = start(options);
        for text in STRANGE {
            let mut silent: Vec<_> = (0..40).map(|_| Connection::open(server.addr())).collect();
            // Some have already been closed for others: there is room for 24.
            for connection in &mut silent {
                connection.try_send(text.as_bytes());
            }
            assert_eq!(get(server.addr(), "/x").body, "GET /x 0", "{text:?}");
            let last = silent.last_mut().expect("forty");
            let said = rest(last);
            let expected = if text.is_empty() { said.is_empty() } else { said.contains("HTTP/1.1 408 ") };
            assert!(expected, "{text:?}: {said}");
            assert_eq!(said.contains("100 Continue"), text.contains("Expect"), "{text:?}: {said}");
        }
        server.shutdown();
    }
}

#[test]
fn slow_bytes_do_not_extend_the_request_deadline() {
    let server = start(narrow());
    let mut slow = Connection::open(server.addr());
    let begun_ns = clock::now_ns();
    slow.send(b"GET /slow HTTP/1.1\r\nHost: t\r\n");
    let sent = (0..100).take_while(|_| {
        clock::sleep(Duration::from_millis(50));
        clock::now_ns() - begun_ns < 5 * clock::NS_PER_S && slow.try_send(b"X: y\r\n")
    });
    let _ = sent.count();
    assert!(rest(&mut slow).contains("HTTP/1.1 408 "));
    server.shutdown();
}

#[test]
fn a_working_connection_outlives_a_flood_of_half_open_ones() {
    let server = start(narrow());
    let mut working = Connection::open(server.addr());
    assert_eq!(working.get("/1").status, 200);
    let flood: Vec<_> = (0..100).map(|_| Connection::open(server.addr())).collect();
    assert_eq!(working.get("/2").status, 200);
    assert_eq!(get(server.addr(), "/3").status, 200);
    drop(flood);
    server.shutdown();
}

#[test]
fn idle_connections_time_out_and_the_oldest_makes_room() {
    let server = start(Options { max_connections: 4, idle_timeout: Duration::from_secs(600), ..narrow() });
    let mut kept: Vec<_> = (0..4).map(|_| Connection::open(server.addr())).collect();
    for connection in &mut kept {
        assert_eq!(connection.get("/").status, 200);
        clock::sleep(Duration::from_millis(2));
    }
    assert_eq!(kept[0].get("/").status, 200, "now the second one is the oldest");
    let mut fifth = Connection::open(server.addr());
    assert_eq!(fifth.get("/").status, 200);
    assert_eq!(rest(&mut kept[1]), "");
    assert_eq!(kept[0].get("/").status, 200);
    server.shutdown();
    let server = start(Options { idle_timeout: Duration::from_millis(100), ..narrow() });
    let mut idle = Connection::open(server.addr());
    assert_eq!(idle.get("/").status, 200);
    assert_eq!(rest(&mut idle), "");
    server.shutdown();
}

#[test]
fn heads_are_bounded() {
    for options in both_ways() {
        let server = start(options);
        let mut long = Connection::open(server.addr());
        long.send(b"GET / HTTP/1.1\r\nHost: t\r\nX: ");
        let line = vec![b'x'; 64 * 1024];
        // Most of it is discarded.
        let _ = (0..64).take_while(|_| long.try_send(&line)).count();
        assert_eq!(long.receive().status, 431);
        let mut many = Connection::open(server.addr());
        many.send(format!("GET / HTTP/1.1\r\nHost: t\r\n{}\r\n", "X: y\r\n".repeat(200)).as_bytes());
        assert_eq!(many.receive().status, 431);
        server.shutdown();
    }
}

#[test]
fn buffered_bytes_are_bounded_over_all_connections() {
    let options = Options { max_buffered_bytes: 256 * 1024, max_connections: 64, ..Options::new("test/1") };
    let server = start(options);
    let mut uploads: Vec<_> = (0..20).map(|_| Connection::open(server.addr())).collect();
    for upload in &mut uploads {
        upload.send(b"POST /a HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n");
        upload.try_send(&vec![b'x'; 60_000]);
    }
    assert_eq!(get(server.addr(), "/x").status, 200);
    let mut answers = Vec::new();
    for upload in &mut uploads {
        upload.try_send(&vec![b'x'; 40_000]);
        answers.push(upload.receive().status);
    }
    assert!(answers.contains(&503) && answers.contains(&200), "{answers:?}");
    assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
    server.shutdown();
}

#[test]
fn clients_that_do_not_read_lose_only_their_own_answers() {
    let large = |_: &Request| Response::text(200, &"x".repeat(8 << 20));
    let options = Options {
        max_buffered_bytes: 20 << 20,
        send_timeout: Duration::from_millis(500),
        ..Options::new("test/1")
    };
    let server = Server::start(any_port(), options, Arc::new(large)).expect("server");
    let mut deaf: Vec<_> = (0..20).map(|_| Connection::open(server.addr())).collect();
    deaf.iter_mut().for_each(|connection| connection.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"));
    // A client that reads is answered in full as soon as the others have timed out; on a busy host, it may be
    // too slow itself at first.
    wait("a whole answer", || {
        let mut reader = Connection::open(server.addr());
        reader.try_send(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
        (rest(&mut reader).len() > 8 << 20).then_some(())
    });
    for connection in &mut deaf {
        wait("the end of a connection", || (!connection.try_send(b"x")).then_some(()));
        let length = rest(connection).len();
        assert!(length < 8 << 20, "dropped, with {length} bytes in transit");
    }
    server.shutdown();
}

#[test]
fn a_refused_client_reads_why() {
    let server = start(narrow());
    let mut large = Connection::open(server.addr());
    large.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 20000000\r\n\r\n");
    // It sends the body anyway, as most clients do, and finds the answer afterwards.
    let sent = (0..320).take_while(|_| large.try_send(&[b'x'; 62_500])).count();
    assert_eq!((sent, large.receive().status), (320, 413));
    server.shutdown();
}

#[test]
fn smuggled_requests_are_refused() {
    let server = start(Options { calls: Calls::Inline { threads: 1 }, ..narrow() });
    let cases = [
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Content-Length: 3\r\nContent-Length: 3\r\n", 400),
        ("Content-Length: 3, 3\r\n", 400),
        ("Content-Length: +3\r\n", 400),
        ("Content-Length: \r\n", 400),
        ("Content-Length : 3\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("X: y\r\n folded\r\n", 400),
        ("X: y\nZ: a\r\n", 400),
        ("X: y\rZ: a\r\n", 400),
        ("X: \0\r\n", 400),
        ("Host: other\r\n", 400),
        ("Expect: miracles\r\n", 417),
    ];
    for (lines, status) in cases {
        let mut connection = Connection::open(server.addr());
        connection.send(format!("POST /a HTTP/1.1\r\nHost: t\r\n{lines}\r\n0\r\n\r\n").as_bytes());
        assert_eq!(connection.receive().status, status, "{lines:?}");
        assert_eq!(rest(&mut connection), "", "{lines:?}");
    }
    for (line, status) in [
        ("GET http://t/p HTTP/1.1", 200),
        ("GET p HTTP/1.1", 400),
        ("GET http:// HTTP/1.1", 400),
        ("GET / HTTP/2.0", 505),
        ("GET  / HTTP/1.1", 400),
        ("CONNECT t:80 HTTP/1.1", 400),
        ("\r\nGET / HTTP/1.1", 200),
    ] {
        let mut connection = Connection::open(server.addr());
        connection.send(format!("{line}\r\nHost: t\r\n\r\n").as_bytes());
        assert_eq!(connection.receive().status, status, "{line:?}");
    }
    server.shutdown();
}

#[test]
fn old_and_closing_clients_are_answered_accordingly() {
    let server = start(narrow());
    for (request, begins, keeps) in [
        ("GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200", false),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.0 200", true),
        ("GET / HTTP/1.1\r\nHost: t\r\nConnection: x, Close\r\n\r\n", "HTTP/1.1 200", false),
    ] {
        let mut connection = Connection::open(server.addr());
        connection.send(request.as_bytes());
        let answer = connection.receive();
        assert_eq!(answer.status, 200, "{begins}");
        let said = answer.header("Connection").map(str::to_ascii_lowercase);
        assert_eq!(said.as_deref() == Some("keep-alive"), keeps, "{request:?}");
        if keeps {
            assert_eq!(connection.get("/").status, 200);
        } else {
            assert_eq!(rest(&mut connection), "");
        }
    }
    // A client that closes its sending side can still read the answer.
    let mut half = Connection::open(server.addr());
    half.send(b"GET /half HTTP/1.1\r\nHost: t\r\n\r\n");
    half.end();
    assert_eq!(half.receive().body, "GET /half 0");
    assert_eq!(rest(&mut half), "");
    server.shutdown();
}

#[test]
fn pipelined_requests_are_answered_in_order_and_an_unread_pipeline_is_bounded() {
    for options in both_ways() {
        let calls = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&calls);
        let handler = move |request: &Request| {
            counted.fetch_add(1, Ordering::SeqCst);
            Response::text(200, &format!("{}{}", request.path, " ".repeat(1_000)))
        };
        let server = Server::start(any_port(), options, Arc::new(handler)).expect("server");
        let mut connection = Connection::open(server.addr());
        let many: String = (0..2_000).map(|i| format!("GET /{i} HTTP/1.1\r\nHost: t\r\n\r\n")).collect();
        connection.send(many.as_bytes());
        for i in 0..2_000 {
            assert_eq!(connection.receive().body.trim_end(), format!("/{i}"));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 2_000);
        // Never reads: the server stops reading too, and then closes.
        let mut deaf = Connection::open(server.addr());
        deaf.give_up_after(Duration::from_millis(300));
        let sent = (0..2_000).take_while(|_| deaf.try_send(many.as_bytes())).count();
        assert!(sent < 2_000, "{sent} x 2,000 requests were accepted without one answer being read");
        server.shutdown();
    }
}

#[test]
fn a_slow_write_request_leaves_a_thread_for_reads() {
    let handler = |request: &Request| {
        if request.method == "POST" {
            clock::sleep(Duration::from_secs(2));
        }
        Response::text(200, &request.method)
    };
    let server = Server::start(any_port(), Options::new("test/1"), Arc::new(handler)).expect("server");
    let mut posts: Vec<_> = (0..8).map(|_| Connection::open(server.addr())).collect();
    posts.iter_mut().for_each(|c| c.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n"));
    clock::sleep(Duration::from_millis(100));
    let begun_ns = clock::now_ns();
    assert_eq!(get(server.addr(), "/").body, "GET");
    assert!(clock::now_ns() - begun_ns < clock::NS_PER_S);
    drop(posts);
    server.shutdown();
}

#[test]
fn requests_refused_by_their_head_are_answered_before_the_body() {
    struct Guarded;
    impl floodgate::http::server::Handler for Guarded {
        fn admit(&self, head: &Request) -> Result<(), Response> {
            match head.path.as_str() {
                "/open" => Ok(()),
                _ => Err(Response::error(401, "no")),
            }
        }
        fn answer(&self, request: &Request) -> Response {
            measure(request)
        }
    }
    let server = Server::start(any_port(), Options::new("test/1"), Arc::new(Guarded)).expect("server");
    let mut stranger = Connection::open(server.addr());
    stranger.send(b"POST /x HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n");
    let answer = stranger.receive();
    assert_eq!((answer.status, answer.header("Connection")), (401, Some("close")));
    let mut known = Connection::open(server.addr());
    assert_eq!(known.get("/x").status, 401);
    assert_eq!(known.get("/open").status, 200, "the connection stays open if no body was announced");
    known.send(b"POST /open HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(known.receive().status, 100);
    known.send(b"abc");
    assert_eq!(known.receive().body, "POST /open 3");
    server.shutdown();
}
