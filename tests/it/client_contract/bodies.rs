//! Bodies large enough for a client to discard them without reading.

use super::harness::{Factory, collect, error, exchange, getter, outcome_of};
use crate::support::http_server::{Conn, Server};
use floodgate::clock;
use floodgate::http::{Client, Ticket};
use floodgate::stats::outcome::{ErrorKind, Outcome};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(2);
const LARGE: usize = 100_000;

/// A response with a body of this length.
fn response(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length))
}

/// Answers the requests of a connection with these responses in turn. Expects every byte to be counted and
/// the connection to be kept.
fn in_turn<F: Factory>(responses: Vec<String>) {
    let script = responses.clone();
    let server = Server::start(move |conn| {
        script.iter().all(|response| conn.request().is_some() && conn.send(response));
    });
    let mut client = getter::<F>(&server);
    for response in &responses {
        let completion = exchange(&mut client);
        assert_eq!((completion.outcome, completion.bytes), (Outcome::Status(200), response.len() as u64));
    }
    assert_eq!(server.connections(), 1);
}

pub fn large_ones_keep_the_connection<F: Factory>() {
    in_turn::<F>([LARGE, LARGE, LARGE, 3 << 20, 3 << 20].map(response).to_vec());
}

pub fn large_and_small_ones_alternate<F: Factory>() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned();
    let mut responses = [LARGE, 5, LARGE, 0, 40_000, LARGE, 5_000, LARGE].map(response).to_vec();
    responses.push(chunked);
    responses.push(response(LARGE));
    in_turn::<F>(responses);
}

pub fn a_large_one_split_anywhere<F: Factory>() {
    let text = response(LARGE);
    let head = text.len() - LARGE;
    let cuts = [
        1,
        head - 1,
        head,
        head + 1,
        4_095,
        4_096,
        4_097,
        text.len() - 32_768,
        text.len() - 2,
        text.len() - 1,
    ];
    let (script, length) = (text.clone(), text.len() as u64);
    let server = Server::start(move |conn| {
        cuts.iter().all(|cut| {
            let is_sent = conn.request().is_some() && conn.send(&script[..*cut]);
            clock::sleep(PAUSE);
            is_sent && conn.send(&script[*cut..])
        });
    });
    let mut client = getter::<F>(&server);
    for cut in cuts {
        let completion = exchange(&mut client);
        assert_eq!((completion.outcome, completion.bytes), (Outcome::Status(200), length), "cut at {cut}");
    }
    assert_eq!(server.connections(), 1);
}

/// A server that sends an unrequested second response after each one. A client that checks only after all of
/// it has arrived must not take it for the answer to its next request.
fn bytes_behind<F: Factory>(responses: Vec<String>) {
    let server = Server::start(move |conn| {
        let text = &responses[conn.number.min(responses.len() - 1)];
        while conn.request().is_some() {
            conn.send(format!("{text}HTTP/1.1 500 Unrequested\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    let mut client = getter::<F>(&server);
    for connections in 1..=4 {
        client.send(Ticket::default());
        clock::sleep(10 * PAUSE);
        assert_eq!(collect(&mut client).outcome, Outcome::Status(200));
        assert_eq!(server.connections(), connections);
    }
}

pub fn bytes_after_a_large_one_end_the_connection<F: Factory>() {
    bytes_behind::<F>(vec![response(40_000)]);
}

pub fn bytes_after_one_that_fills_a_read_end_the_connection<F: Factory>() {
    // If a large body is expected, heads are read into 4 KB.
    let full = response(4_096 - response(4_000).len() + 4_000);
    assert_eq!(full.len(), 4_096);
    bytes_behind::<F>(vec![response(40_000), full]);
}

pub fn a_large_one_without_its_end<F: Factory>() {
    for missing in [1, LARGE / 2] {
        let script = move |conn: &mut Conn| {
            conn.request();
            let text = response(LARGE);
            conn.send(&text[..text.len() - missing]);
        };
        assert_eq!(outcome_of::<F>(script), error(ErrorKind::Closed), "{missing} bytes are missing");
    }
}
