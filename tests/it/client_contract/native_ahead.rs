//! Connections that the native client opens ahead of the load.

use super::harness::{self, Native, NativeWithTimer, error, exchange, getter, settings};
use super::native_only::{OK, client_at, collect};
use super::tls;
use crate::support::http_server::{Conn, Server};
use floodgate::clock::{self, NS_PER_MS};
use floodgate::http::native::{MAX_CONNECTING, NativeClient};
use floodgate::http::{Client, Ticket};
use floodgate::plan::request::Request;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);

fn client(server: &Server, slots: usize) -> NativeClient {
    client_at(server.address, slots, settings())
}

/// Outcomes of one request per slot.
fn outcomes(client: &mut NativeClient, slots: usize) -> Vec<Outcome> {
    (0..slots).for_each(|_| {
        client.send(Ticket::default());
    });
    collect(client, slots).iter().map(|completion| completion.outcome).collect()
}

#[test]
fn all_connections_are_open_before_the_first_request() {
    let slots = MAX_CONNECTING + 40;
    let server = Server::answering(OK);
    let mut client = client(&server, slots);
    assert_eq!(client.open_ahead(slots, WITHIN), slots);
    assert_eq!((client.in_flight(), client.free_since_ns().is_some()), (0, true));
    assert!(server.received().is_empty(), "nothing is sent ahead");
    assert_eq!(client.take_openings().connect.count(), slots as u64);
    for _ in 0..3 {
        assert_eq!(outcomes(&mut client, slots), vec![Outcome::Status(200); slots]);
    }
    assert_eq!((server.connections(), server.received().len()), (slots, 3 * slots));
}

#[test]
fn only_the_requested_number_is_opened() {
    let server = Server::answering(OK);
    let mut client = getter::<NativeWithTimer>(&server);
    assert_eq!(client.open_ahead(9, WITHIN), 1, "it has one slot");
    let mut client = self::client(&server, 5);
    assert_eq!(client.open_ahead(2, WITHIN), 2);
    assert_eq!(outcomes(&mut client, 5), vec![Outcome::Status(200); 5]);
    assert_eq!(server.connections(), 1 + 5);
}

#[test]
fn a_refused_port_is_left_to_the_requests() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let slots = 2 * MAX_CONNECTING;
    let mut client = client_at(address, slots, settings());
    assert_eq!(client.open_ahead(slots, WITHIN), 0);
    client.poll(clock::now_ns() + 20 * NS_PER_MS, |_| panic!("no request was sent"));
    assert_eq!(outcomes(&mut client, slots), vec![error(ErrorKind::Connect); slots]);
}

#[test]
fn a_server_that_does_not_shake_hands_costs_only_the_time_limit() {
    let server = Server::start(|conn| conn.stall());
    let request = Request::get(&format!("https://{}/", server.address)).unwrap();
    let mut client = harness::client::<Native>(request, settings());
    let began_ns = clock::now_ns();
    assert_eq!(client.open_ahead(1, Duration::from_millis(200)), 0);
    let took_ms = (clock::now_ns() - began_ns) / NS_PER_MS;
    assert!((200..10_000).contains(&took_ms), "{took_ms} ms");
    assert_eq!(client.in_flight(), 0);
}

#[test]
fn tls_handshakes_are_done_ahead_too() {
    let server = tls::server(|conn| while conn.request().is_some() && conn.send(OK) {});
    let mut client = tls::getter::<Native>(&server, "localhost", tls::trusting());
    assert_eq!(client.open_ahead(1, WITHIN), 1);
    assert!((0..2).all(|_| exchange(&mut client).outcome == Outcome::Status(200)));
    assert_eq!(server.connections(), 1);
}

/// A server that closes its first connection with `close`, and reports when.
fn fickle(close: fn(&mut Conn)) -> (Server, Receiver<()>) {
    let (closing, closed) = channel();
    let server = Server::start(move |conn| {
        if conn.number == 0 {
            close(conn);
            let _ = closing.send(());
        } else {
            while conn.request().is_some() && conn.send(OK) {}
        }
    });
    (server, closed)
}

/// Sends a POST, which must reach the server once, over a connection that the server has closed.
fn post_after_a_close(look: fn(&mut NativeClient)) {
    let (server, closed) = fickle(|_| {});
    let request = Request::new("POST", &server.url("/"), &[], b"x".to_vec()).unwrap();
    let mut client = harness::client::<Native>(request, settings());
    assert_eq!(client.open_ahead(1, WITHIN), 1);
    closed.recv_timeout(WITHIN).unwrap();
    // The server's thread closes right after reporting it.
    clock::sleep(Duration::from_millis(50));
    look(&mut client);
    assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    assert_eq!((server.connections(), server.received().len()), (2, 1));
}

#[test]
fn a_connection_closed_in_between_is_replaced() {
    post_after_a_close(|_| {});
    post_after_a_close(|client| {
        client.poll(clock::now_ns() + 50 * NS_PER_MS, |_| panic!("no request was sent"));
    });
}

#[test]
fn idle_connections_can_be_closed() {
    let server = Server::answering(OK);
    let mut client = client(&server, 3);
    assert_eq!(client.open_ahead(3, WITHIN), 3);
    client.close_idle();
    assert_eq!(outcomes(&mut client, 3), vec![Outcome::Status(200); 3]);
    assert_eq!(server.connections(), 6);
}

#[test]
fn connections_are_closed_when_no_more_requests_come() {
    let (ended, ends) = channel();
    let server = Server::start(move |conn| {
        while conn.request().is_some() {
            if conn.number == 0 {
                clock::sleep(Duration::from_millis(200));
            }
            conn.send(OK);
        }
        let _ = ended.send(conn.number);
    });
    let mut client = client(&server, 3);
    (0..3).for_each(|_| {
        client.send(Ticket::default());
    });
    collect(&mut client, 2);
    client.retire();
    let mut idle: Vec<usize> = (0..2).map(|_| ends.recv_timeout(WITHIN).unwrap()).collect();
    idle.sort_unstable();
    assert_eq!((idle, client.in_flight()), (vec![1, 2], 1));
    collect(&mut client, 1);
    assert_eq!(ends.recv_timeout(WITHIN), Ok(0));
}

#[test]
fn no_connection_is_opened_without_time() {
    let server = Server::answering(OK);
    let mut client = client(&server, 3);
    assert_eq!(client.open_ahead(3, Duration::ZERO), 0);
    assert_eq!(outcomes(&mut client, 3), vec![Outcome::Status(200); 3]);
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_request_that_the_server_reads_before_it_closes_is_sent_once() {
    let server = Server::start(|conn| {
        conn.request();
    });
    let slots = 40;
    let mut client = client(&server, slots);
    assert_eq!(client.open_ahead(slots, WITHIN), slots);
    assert_eq!(outcomes(&mut client, slots), vec![error(ErrorKind::Closed); slots]);
    assert_eq!((server.connections(), server.received().len()), (slots, slots));
}
