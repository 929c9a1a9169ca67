//! Reusing connections, losing them, and stopping.

use super::faults::unconnectable;
use super::harness::{Factory, client, collect, error, exchange, getter, settings};
use crate::support::http_server::{Conn, Server};
use floodgate::clock::{self, NS_PER_MS};
use floodgate::http::{Client, Settings, Ticket};
use floodgate::plan::request::Request;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use floodgate::threads::StopFlag;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub fn kept_alive_connections_are_reused<F: Factory>() {
    let server = Server::answering(OK);
    let mut client = getter::<F>(&server);
    for _ in 0..20 {
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    }
    assert_eq!((server.connections(), server.received().len()), (1, 20));
}

pub fn limited_requests_per_connection<F: Factory>() {
    for (most, connections) in [(1, vec![0, 1, 2, 3, 4]), (2, vec![0, 0, 1, 1, 2]), (5, vec![0; 5])] {
        // A server that would keep every connection open.
        let server = Server::answering(OK);
        let settings = Settings { max_requests_per_connection: Some(most), ..settings() };
        let mut client = client::<F>(Request::get(&server.url("/")).unwrap(), settings);
        for _ in 0..5 {
            assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
        }
        let received = server.received();
        assert_eq!(received.iter().map(|r| r.connection).collect::<Vec<_>>(), connections, "{most}");
        for (index, request) in received.iter().enumerate() {
            let says_close = request.head.to_ascii_lowercase().contains("connection: close");
            assert_eq!(says_close, (index as u64 + 1).is_multiple_of(most), "{most}: {:?}", request.head);
        }
    }
}

/// A connection that the server closes early does not shorten the life of the next one.
pub fn the_limit_counts_from_each_new_connection<F: Factory>() {
    let server = Server::start(|conn| {
        while conn.request().is_some() && conn.send(OK) {
            if conn.number == 0 {
                return;
            }
        }
    });
    let settings = Settings { max_requests_per_connection: Some(3), ..settings() };
    let mut client = client::<F>(Request::get(&server.url("/")).unwrap(), settings);
    for _ in 0..5 {
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
        client.poll(clock::now_ns() + 30 * NS_PER_MS, |_| {});
    }
    let connections: Vec<usize> = server.received().iter().map(|r| r.connection).collect();
    assert_eq!(connections, [0, 1, 1, 1, 2]);
}

pub fn closed_after_each<F: Factory>() {
    let server = Server::start(|conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
        // It announces the close but leaves it to the client.
        conn.stall();
    });
    let mut client = getter::<F>(&server);
    for _ in 0..5 {
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    }
    assert_eq!((server.connections(), server.received().len()), (5, 5));
}

/// Answers one request per connection and closes without notice.
fn answer_once(conn: &mut Conn) {
    conn.request();
    conn.send(OK);
}

pub fn closed_while_idle<F: Factory>() {
    for method in ["GET", "POST"] {
        let server = Server::start(answer_once);
        let request = Request::new(method, &server.url("/"), &[], Vec::new()).unwrap();
        let mut client = client::<F>(request, settings());
        for _ in 0..4 {
            assert_eq!(exchange(&mut client).outcome, Outcome::Status(200), "{method}");
            client.poll(clock::now_ns() + 30 * NS_PER_MS, |_| {});
        }
        assert_eq!((server.connections(), server.received().len()), (4, 4), "{method}");
    }
}

/// Reads a second request on the first connection, and closes instead of answering it.
fn lose_the_second(conn: &mut Conn) {
    while conn.request().is_some() && conn.send(OK) {
        if conn.number == 0 {
            conn.request();
            return;
        }
    }
}

pub fn a_request_that_the_server_read_is_not_resent<F: Factory>() {
    for method in ["GET", "POST"] {
        let server = Server::start(lose_the_second);
        let request = Request::new(method, &server.url("/"), &[], b"x".to_vec()).unwrap();
        let mut client = client::<F>(request, settings());
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
        let lost = exchange(&mut client);
        assert_eq!((lost.outcome, lost.resent), (error(ErrorKind::Closed), false), "{method}");
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
        assert_eq!((server.connections(), server.received().len()), (2, 3));
    }
}

pub fn a_failure_on_a_fresh_connection_is_not_resent<F: Factory>() {
    let server = Server::start(|conn| {
        conn.request();
    });
    let mut client = getter::<F>(&server);
    for count in 1..=3 {
        assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Closed));
        assert_eq!(server.received().len(), count);
    }
}

pub fn bytes_after_the_response_end_the_connection<F: Factory>() {
    let server = Server::answering(format!("{OK}HTTP/1.1 500 Unrequested\r\nContent-Length: 0\r\n\r\n"));
    let mut client = getter::<F>(&server);
    for connections in 1..=3 {
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
        assert_eq!(server.connections(), connections);
    }
}

pub fn a_failure_does_not_harm_the_next<F: Factory>() {
    let server = Server::start(|conn| {
        while conn.request().is_some() {
            if conn.number % 2 == 0 {
                conn.send("garbage\r\n\r\n");
            } else {
                conn.send(OK);
                return;
            }
        }
    });
    let mut client = getter::<F>(&server);
    for _ in 0..3 {
        assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Protocol));
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
        client.poll(clock::now_ns() + 20 * NS_PER_MS, |_| {});
    }
}

pub fn stop_soon(stop: &StopFlag) -> thread::JoinHandle<()> {
    let stop = stop.clone();
    thread::spawn(move || {
        clock::sleep(Duration::from_millis(100));
        stop.stop();
    })
}

/// STOP must take effect within 200 ms; a busy machine gets more.
pub fn aborted_soon(client: &mut impl Client, stopper: thread::JoinHandle<()>) {
    let completion = exchange(client);
    assert_eq!(completion.outcome, error(ErrorKind::Aborted));
    let took_ms = (completion.ended_ns - completion.sent_ns) / NS_PER_MS;
    assert!((90..1_500).contains(&took_ms), "took {took_ms} ms");
    stopper.join().unwrap();
}

pub fn stop_ends_what_is_in_flight<F: Factory>() {
    for response in ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"] {
        let server = Server::start(move |conn| {
            conn.request();
            conn.send(response);
            conn.stall();
        });
        let stop = StopFlag::default();
        let request = Arc::new(Request::get(&server.url("/")).unwrap());
        let mut client = F::build((request, settings(), vec![server.address].into(), stop.clone()));
        aborted_soon(&mut client, stop_soon(&stop));
    }
}

pub fn stop_ends_a_connect<F: Factory>() {
    let stop = StopFlag::default();
    let (mut client, _kept) = unconnectable::<F>(stop.clone());
    aborted_soon(&mut client, stop_soon(&stop));
}

pub fn sends_after_a_stop_are_aborted<F: Factory>() {
    let server = Server::answering(OK);
    let stop = StopFlag::default();
    let request = Arc::new(Request::get(&server.url("/")).unwrap());
    let mut client = F::build((request, settings(), vec![server.address].into(), stop.clone()));
    assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    stop.stop();
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Aborted));
    assert_eq!(server.received().len(), 1);
}

pub fn tickets_and_times<F: Factory>() {
    let server = Server::start(|conn| {
        while conn.request().is_some() {
            clock::sleep(Duration::from_millis(30));
            conn.send(OK);
        }
    });
    let mut client = getter::<F>(&server);
    for number in 1..4u64 {
        let ticket =
            Ticket { planned_ns: number, ready_ns: 2 * number, number, request: 0, warmup: number == 2 };
        let before_ns = clock::now_ns();
        assert!(client.free_since_ns().is_some_and(|since_ns| since_ns <= before_ns));
        client.send(ticket);
        assert_eq!((client.free_since_ns(), client.in_flight()), (None, 1));
        let completion = collect(&mut client);
        assert_eq!(completion.ticket, ticket);
        assert!(completion.sent_ns >= before_ns && completion.ended_ns <= clock::now_ns());
        assert!(completion.ended_ns - completion.sent_ns >= 30 * NS_PER_MS);
        assert_eq!(client.free_since_ns(), Some(completion.ended_ns));
    }
}

pub fn waits_until_the_given_moment<F: Factory>() {
    let server = Server::answering(OK);
    let mut client = getter::<F>(&server);
    let until_ns = clock::now_ns() + 50 * NS_PER_MS;
    client.poll(until_ns, |_| panic!("nothing is in flight"));
    assert!(clock::now_ns() >= until_ns);
    client.poll(0, |_| panic!("nothing is in flight"));
}
