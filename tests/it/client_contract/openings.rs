//! How long connections take to open.

use super::faults::{free_port, silent_listener};
use super::harness::{self, Factory, error, exchange, getter, settings};
use super::native_only::OK;
use super::tls;
use crate::support::http_server::Server;
use floodgate::clock;
use floodgate::http::Client;
use floodgate::plan::request::Request;
use floodgate::stats::openings::Openings;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use floodgate::stats::times::Times;
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

const LATE: Duration = Duration::from_millis(400);

fn counts(openings: &Openings) -> (u64, u64) {
    (openings.connect.count(), openings.tls.count())
}

fn min_ms(times: &Times) -> f64 {
    times.histogram().distribution().expect("times").min
}

pub fn each_connection_is_timed_once<F: Factory>() {
    let kept = Server::answering(OK);
    let mut client = getter::<F>(&kept);
    (0..3).for_each(|_| assert_eq!(exchange(&mut client).outcome, Outcome::Status(200)));
    assert_eq!(counts(&client.take_openings()), (1, 0), "of a kept connection without TLS");
    assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    assert_eq!(counts(&client.take_openings()), (0, 0), "since the last call");

    let closing = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let mut client = getter::<F>(&closing);
    (0..3).for_each(|_| assert_eq!(exchange(&mut client).outcome, Outcome::Status(200)));
    assert_eq!(counts(&client.take_openings()), (3, 0));
}

pub fn connections_that_fail_to_open_are_not_timed<F: Factory>() {
    let request = Request::get(&format!("http://{}/", free_port())).unwrap();
    let mut client = harness::client::<F>(request, settings());
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Connect));
    assert_eq!(counts(&client.take_openings()), (0, 0));
    let server = Server::start(|_| {});
    let mut client = tls::getter::<F>(&server, "localhost", tls::trusting());
    assert_eq!(exchange(&mut client).outcome, error(ErrorKind::Tls));
    assert_eq!(counts(&client.take_openings()), (1, 0), "connected, but no handshake");
}

pub fn a_full_queue_of_the_server_shows_in_the_connect<F: Factory>() {
    let (listener, filled) = silent_listener();
    let request = Request::get(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let mut client = harness::client::<F>(request, settings());
    let server = thread::spawn(move || {
        clock::sleep(LATE);
        drop(filled);
        loop {
            let mut tcp = listener.accept().unwrap().0;
            if tcp.read(&mut [0; 1_024]).is_ok_and(|count| count > 0) {
                tcp.write_all(OK.as_bytes()).unwrap();
                return tcp;
            }
        }
    });
    assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
    drop(server.join().unwrap());
    let openings = client.take_openings();
    assert_eq!(counts(&openings), (1, 0));
    assert!(min_ms(&openings.connect) >= LATE.as_secs_f64() * 500.0, "{openings:?}");
}

pub fn a_late_handshake_shows_in_the_tls_time<F: Factory>() {
    let server = tls::server(|conn| {
        clock::sleep(LATE);
        while conn.request().is_some() && conn.send(OK) {}
    });
    let mut client = tls::getter::<F>(&server, "localhost", tls::trusting());
    (0..3).for_each(|_| assert_eq!(exchange(&mut client).outcome, Outcome::Status(200)));
    let openings = client.take_openings();
    assert_eq!(counts(&openings), (1, 1));
    assert!(min_ms(&openings.tls) >= LATE.as_secs_f64() * 500.0, "{openings:?}");
}
