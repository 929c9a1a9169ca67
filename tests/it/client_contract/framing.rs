//! Responses that RFC 9112 allows.

use super::harness::{Factory, client, exchange, getter, good, settings};
use crate::support::http_server::Server;
use floodgate::plan::request::Request;
use floodgate::stats::outcome::Outcome;
use std::time::Duration;

const PLAIN: &str = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1F\r\n\
                       0123456789012345678901234567890\r\n0\r\n\r\n";
const CHUNKED_FULL: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b;c=\"d\"\r\nhello\r\n\
                            0;last\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n";
const PAUSE: Duration = Duration::from_micros(300);

pub fn content_length<F: Factory>() {
    assert_eq!(good::<F>(PLAIN, 200), 1);
}

pub fn empty_body<F: Factory>() {
    assert_eq!(good::<F>("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200), 1);
}

pub fn chunked<F: Factory>() {
    assert_eq!(good::<F>(CHUNKED, 200), 1);
}

pub fn chunked_with_extensions_and_trailers<F: Factory>() {
    assert_eq!(good::<F>(CHUNKED_FULL, 200), 1);
}

fn bytewise<F: Factory>(response: &'static str) {
    let server =
        Server::start(move |conn| while conn.request().is_some() && conn.send_bytewise(response, PAUSE) {});
    let mut client = getter::<F>(&server);
    for _ in 0..2 {
        let completion = exchange(&mut client);
        assert_eq!(completion.outcome, Outcome::Status(200));
        assert_eq!(completion.bytes, response.len() as u64);
    }
    assert_eq!(server.connections(), 1);
}

pub fn byte_by_byte<F: Factory>() {
    bytewise::<F>(PLAIN);
}

pub fn chunked_byte_by_byte<F: Factory>() {
    bytewise::<F>(CHUNKED_FULL);
}

/// Answers the n-th request of the connection in two pieces, the first of n bytes.
fn split<F: Factory>(response: &'static str) {
    let server = Server::start(move |conn| {
        for at in 1..response.len() {
            if conn.request().is_none() || !conn.send(&response[..at]) {
                return;
            }
            floodgate::clock::sleep(PAUSE);
            conn.send(&response[at..]);
        }
    });
    let mut client = getter::<F>(&server);
    for at in 1..response.len() {
        let completion = exchange(&mut client);
        assert_eq!(completion.outcome, Outcome::Status(200), "split at {at}");
        assert_eq!(completion.bytes, response.len() as u64, "split at {at}");
    }
    assert_eq!(server.connections(), 1);
}

pub fn split_at_every_position<F: Factory>() {
    split::<F>(PLAIN);
}

pub fn chunked_split_at_every_position<F: Factory>() {
    split::<F>(CHUNKED_FULL);
}

/// Answers one request per connection and closes.
fn once<F: Factory>(response: &'static str) {
    let server = Server::start(move |conn| {
        conn.request();
        conn.send(response);
    });
    let mut client = getter::<F>(&server);
    for connections in 1..=2 {
        let completion = exchange(&mut client);
        assert_eq!(completion.outcome, Outcome::Status(200));
        assert_eq!(completion.bytes, response.len() as u64);
        assert_eq!(server.connections(), connections);
    }
}

pub fn until_close<F: Factory>() {
    once::<F>("HTTP/1.1 200 OK\r\nServer: x\r\n\r\nas long as it lasts");
}

pub fn http_1_0_closes<F: Factory>() {
    once::<F>("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi");
}

pub fn http_1_0_keeps_alive_on_request<F: Factory>() {
    let response = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi";
    let connections = good::<F>(response, 200);
    // Keeping it is allowed, but not required.
    assert!(connections <= 2);
}

fn no_body<F: Factory>(method: &str, response: &str, status: u16) {
    let server = Server::answering(response);
    let request = Request::new(method, &server.url("/"), &[], Vec::new()).unwrap();
    let mut client = client::<F>(request, settings());
    for _ in 0..3 {
        let completion = exchange(&mut client);
        assert_eq!(completion.outcome, Outcome::Status(status));
        assert_eq!(completion.bytes, response.len() as u64);
    }
    assert_eq!(server.connections(), 1);
}

pub fn head_has_no_body<F: Factory>() {
    no_body::<F>("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", 200);
    no_body::<F>("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200);
}

pub fn status_204_and_304_have_no_body<F: Factory>() {
    no_body::<F>("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204);
    no_body::<F>("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304);
}

pub fn continue_before_the_response<F: Factory>() {
    assert_eq!(good::<F>(&format!("HTTP/1.1 100 Continue\r\n\r\n{PLAIN}"), 200), 1);
}

pub fn early_hints_before_the_response<F: Factory>() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n".repeat(4);
    assert_eq!(good::<F>(&format!("{hints}{PLAIN}"), 200), 1);
}

pub fn large_download<F: Factory>() {
    let body = "x".repeat(3 << 20);
    assert_eq!(
        good::<F>(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()), 200),
        1
    );
}

pub fn equal_lengths_count_as_one<F: Factory>() {
    assert_eq!(good::<F>("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 200), 1);
}

pub fn transfer_encoding_overrides_content_length<F: Factory>() {
    let response =
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    // The connection may be closed after such a response (RFC 9112 6.3).
    assert!(good::<F>(response, 200) <= 2);
}

pub fn any_status_is_data<F: Factory>() {
    for status in [200, 201, 299, 400, 404, 429, 500, 503, 599, 999] {
        good::<F>(&format!("HTTP/1.1 {status} Text\r\nContent-Length: 3\r\n\r\nabc"), status);
    }
}

pub fn redirects_are_not_followed<F: Factory>() {
    for status in [301, 302, 303, 307, 308] {
        good::<F>(
            &format!("HTTP/1.1 {status} Moved\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"),
            status,
        );
    }
}

pub fn redirect_with_a_body<F: Factory>() {
    let response = "HTTP/1.1 302 Found\r\nLocation: http://other.invalid/\r\nContent-Length: 5\r\n\r\nmoved";
    assert_eq!(good::<F>(response, 302), 1);
}

pub fn header_names_in_any_case<F: Factory>() {
    assert_eq!(good::<F>("HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh:2\r\n\r\nhi", 200), 1);
    assert_eq!(good::<F>("HTTP/1.1 200\r\nTRANSFER-ENCODING: Chunked\r\n\r\n0\r\n\r\n", 200), 1);
}
