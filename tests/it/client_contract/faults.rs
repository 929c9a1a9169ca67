//! Servers that are unreachable, silent, broken or hostile.

use super::harness::{Factory, client, error, exchange, getter, outcome_of, settings, timeout_of};
use crate::support::http_server::{Conn, Server};
use floodgate::clock::{self, NS_PER_MS};
use floodgate::http::Client;
use floodgate::plan::request::Request;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use floodgate::threads::StopFlag;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(300);

fn answer(response: impl Into<Vec<u8>>) -> impl Fn(&mut Conn) {
    let response = response.into();
    move |conn| {
        conn.request();
        conn.send(&response);
        conn.stall();
    }
}

fn answer_and_close(response: &'static str) -> impl Fn(&mut Conn) {
    move |conn| {
        conn.request();
        conn.send(response);
    }
}

pub fn conflicting_lengths<F: Factory>() {
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!";
    assert_eq!(outcome_of::<F>(answer(response)), error(ErrorKind::Protocol));
}

pub fn malformed_input<F: Factory>() {
    assert_eq!(outcome_of::<F>(answer("SSH-2.0-OpenSSH_9.9\r\n\r\n")), error(ErrorKind::Protocol));
    assert_eq!(outcome_of::<F>(answer([0u8, 255, 1, 2, 3, 13, 10])), error(ErrorKind::Protocol));
}

pub fn wrong_version<F: Factory>() {
    let response = "HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(outcome_of::<F>(answer(response)), error(ErrorKind::Protocol));
}

pub fn bad_chunk_size<F: Factory>() {
    for size in ["xyz", "-1", "", "FFFFFFFFFFFFFFFFFF"] {
        let response =
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nhello\r\n0\r\n\r\n");
        assert_eq!(outcome_of::<F>(answer(response)), error(ErrorKind::Protocol), "size {size:?}");
    }
}

pub fn endless_header<F: Factory>() {
    let script = |conn: &mut Conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nX-Endless: ");
        while conn.send([b'a'; 4096]) {}
    };
    assert_eq!(outcome_of::<F>(script), error(ErrorKind::Protocol));
}

pub fn too_many_headers<F: Factory>() {
    let headers: String = (0..400).map(|n| format!("X-{n}: v\r\n")).collect();
    let response = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n");
    assert_eq!(outcome_of::<F>(answer(response)), error(ErrorKind::Protocol));
}

/// The outcome with a short timeout, which must be respected.
fn in_time<F: Factory>(
    request: impl Fn(&Server) -> Request,
    script: impl Fn(&mut Conn) + Send + Sync + 'static,
) -> Outcome {
    let server = Server::start(script);
    let completion = exchange(&mut client::<F>(request(&server), timeout_of(SHORT)));
    let took_ns = completion.ended_ns - completion.sent_ns;
    assert!(took_ns < 2_000 * NS_PER_MS, "took {took_ns} ns");
    if completion.outcome == error(ErrorKind::Timeout) {
        assert!(took_ns >= clock::to_ns(SHORT), "gave up early, after {took_ns} ns");
    }
    completion.outcome
}

fn get(server: &Server) -> Request {
    Request::get(&server.url("/")).unwrap()
}

pub fn endless_body_ends_in_time<F: Factory>() {
    let script = |conn: &mut Conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\n\r\n");
        while conn.send([b'a'; 4096]) {}
    };
    let outcome = in_time::<F>(get, script);
    // On a fast machine the body limit is reached before the timeout.
    assert!([error(ErrorKind::Timeout), error(ErrorKind::Protocol)].contains(&outcome), "{outcome:?}");
}

pub fn stall_before_the_response<F: Factory>() {
    assert_eq!(in_time::<F>(get, answer("")), error(ErrorKind::Timeout));
}

pub fn stall_in_the_head<F: Factory>() {
    assert_eq!(in_time::<F>(get, answer("HTTP/1.1 200 OK\r\nContent-")), error(ErrorKind::Timeout));
}

pub fn stall_in_the_body<F: Factory>() {
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    assert_eq!(in_time::<F>(get, answer(response)), error(ErrorKind::Timeout));
}

pub fn slow_bytes_do_not_extend_the_timeout<F: Factory>() {
    let script = |conn: &mut Conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        conn.send_bytewise([b'a'; 1000], Duration::from_millis(20));
    };
    assert_eq!(in_time::<F>(get, script), error(ErrorKind::Timeout));
}

pub fn a_stalled_upload_times_out<F: Factory>() {
    // The server never reads, and the upload is larger than both socket buffers.
    let upload =
        |server: &Server| Request::new("POST", &server.url("/"), &[], vec![b'u'; 512 * 1024]).unwrap();
    let outcome = in_time::<F>(upload, |_| clock::sleep(Duration::from_millis(900)));
    assert_eq!(outcome, error(ErrorKind::Timeout));
}

pub fn half_a_body<F: Factory>() {
    let script = answer_and_close("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(outcome_of::<F>(script), error(ErrorKind::Closed));
}

pub fn half_a_chunked_body<F: Factory>() {
    let script = answer_and_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
    assert_eq!(outcome_of::<F>(script), error(ErrorKind::Closed));
}

pub fn half_a_head<F: Factory>() {
    assert_eq!(outcome_of::<F>(answer_and_close("HTTP/1.1 200 OK\r\nContent-Le")), error(ErrorKind::Closed));
}

pub fn closed_without_a_response<F: Factory>() {
    assert_eq!(outcome_of::<F>(answer_and_close("")), error(ErrorKind::Closed));
}

pub fn reset_in_the_body<F: Factory>() {
    // Closing with unread bytes of the request resets the connection.
    let server = Server::start(|conn| {
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf");
        clock::sleep(Duration::from_millis(100));
    });
    let request = Request::new("POST", &server.url("/"), &[], vec![b'u'; 1000]).unwrap();
    let outcome = exchange(&mut client::<F>(request, settings())).outcome;
    assert_eq!(outcome, error(ErrorKind::Closed));
}

pub fn switching_protocols_is_an_error<F: Factory>() {
    let response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    assert_eq!(outcome_of::<F>(answer(response)), error(ErrorKind::Protocol));
}

pub fn refused_connects_have_a_cause<F: Factory>() {
    let request = Request::get(&format!("http://{}/", free_port())).unwrap();
    let mut client = client::<F>(request, settings());
    (0..3).for_each(|_| {
        exchange(&mut client);
    });
    let samples = client.take_causes().samples();
    assert_eq!((samples.len(), samples[0].count), (1, 3), "{samples:?}");
    assert_eq!(samples[0].cause, "connection refused");
    assert!(client.take_causes().is_empty());
}

pub fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

pub fn refused_port<F: Factory>() {
    let request = Request::get(&format!("http://{}/", free_port())).unwrap();
    let mut client = client::<F>(request, settings());
    for _ in 0..3 {
        assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Connect));
    }
}

pub fn unknown_host<F: Factory>() {
    let mut client = client::<F>(Request::get("http://no-such-host.invalid/").unwrap(), settings());
    for _ in 0..3 {
        assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Dns));
    }
}

/// A listener that accepts nothing and whose queue is full: further connects get no answer.
pub fn silent_listener() -> (TcpListener, Vec<std::net::TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let fill = |_| floodgate::http::os::socket::start_connect(address).unwrap();
    let filled = (0..4).map(fill).collect();
    clock::sleep(Duration::from_millis(50));
    (listener, filled)
}

pub fn no_answer_to_the_connect<F: Factory>() {
    let (listener, _filled) = silent_listener();
    let request = Request::get(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let mut settings = timeout_of(Duration::from_secs(10));
    settings.connect_timeout = SHORT;
    let completion = exchange(&mut client::<F>(request, settings));
    assert_eq!(completion.outcome, error(ErrorKind::Connect));
    let took_ns = completion.ended_ns - completion.sent_ns;
    assert!((clock::to_ns(SHORT)..2_000 * NS_PER_MS).contains(&took_ns), "took {took_ns} ns");
}

/// A client whose connect is not answered, for the STOP test.
pub fn unconnectable<F: Factory>(stop: StopFlag) -> (F::Client, impl Sized) {
    let (listener, filled) = silent_listener();
    let address = listener.local_addr().unwrap();
    let request = Request::get(&format!("http://{address}/")).unwrap();
    (F::build((Arc::new(request), settings(), vec![address].into(), stop)), (listener, filled))
}

pub fn an_address_that_does_not_answer_is_skipped<F: Factory>() {
    let (listener, _filled) = silent_listener();
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let addresses = vec![listener.local_addr().unwrap(), server.address];
    let request = Arc::new(Request::get(&server.url("/")).unwrap());
    let settings = timeout_of(Duration::from_secs(10));
    let mut client = F::build((request, settings, addresses.into(), StopFlag::default()));
    let took_ms: Vec<u64> = (0..3)
        .map(|_| {
            let completion = exchange(&mut client);
            assert_eq!(completion.outcome, Outcome::Status(200));
            (completion.ended_ns - completion.sent_ns) / NS_PER_MS
        })
        .collect();
    // The first waits a second, its share of the time, without success; the others begin at the good one.
    assert!((1_000..5_000).contains(&took_ms[0]) && took_ms[1..].iter().all(|ms| *ms < 1_000), "{took_ms:?}");
}

pub fn the_next_address_is_tried<F: Factory>() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let addresses = vec![free_port().parse().unwrap(), server.address];
    let request = Arc::new(Request::get(&server.url("/")).unwrap());
    let mut client = F::build((request, settings(), addresses.into(), StopFlag::default()));
    for _ in 0..3 {
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    }
    assert_eq!(client.in_flight(), 0);
    let mut again = getter::<F>(&server);
    assert_eq!(exchange(&mut again).outcome, Outcome::Status(200));
}
