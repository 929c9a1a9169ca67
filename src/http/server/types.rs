//! Requests, responses and options as seen by handlers and roles.

use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Answers requests.
pub trait Handler: Send + Sync {
    /// Called when a request's head has arrived, before its body is read. An error is sent as the answer, and
    /// the body is not read. It runs on the thread that serves all connections and must not block.
    fn admit(&self, _head: &Request) -> Result<(), Response> {
        Ok(())
    }

    /// Answers a complete request. May be called on several threads at once. An answer that is due later is
    /// returned at once, as [`Response::held_for`].
    fn answer(&self, request: &Request) -> Response;
}

impl<F: Fn(&Request) -> Response + Send + Sync> Handler for F {
    fn answer(&self, request: &Request) -> Response {
        self(request)
    }
}

/// Which threads call the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// The threads that serve the connections: fast, for handlers that never block.
    Inline {
        /// Number of threads, at least 1; each serves its share of the connections.
        threads: usize,
    },
    /// A separate pool, for handlers that may block.
    Pool {
        /// Number of threads, at least 1. With two or more, one handles only GET and HEAD requests, so that
        /// reads are answered while all other threads are busy.
        threads: usize,
    },
}

/// Options and limits of a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `Server` header of every response.
    pub name: &'static str,
    /// Which threads call the handler.
    pub calls: Calls,
    /// Largest request head, in bytes; a larger one is answered 431.
    pub max_head_bytes: usize,
    /// Largest request body, in bytes; a larger one is answered 413.
    pub max_body_bytes: usize,
    /// Whether bodies are kept for the handler or discarded.
    pub keeps_body: bool,
    /// Maximum connections. When another one arrives, the oldest idle one is closed.
    pub max_connections: usize,
    /// Maximum memory for received and unsent data, in bytes, not counting the largest such buffer. Beyond it
    /// the connection that buffers most is dropped.
    pub max_buffered_bytes: usize,
    /// Maximum time for a request to arrive, head and body together; then 408.
    pub request_timeout: Duration,
    /// Maximum time in which a client accepts no byte of its response.
    pub send_timeout: Duration,
    /// Maximum time that a kept-alive connection stays open without a request.
    pub idle_timeout: Duration,
}

impl Options {
    /// Defaults for an API server: a pool of four threads, bodies of up to 1 MiB, 512 connections.
    pub fn new(name: &'static str) -> Options {
        Options {
            name,
            calls: Calls::Pool { threads: 4 },
            max_head_bytes: 16 * 1024,
            max_body_bytes: 1 << 20,
            keeps_body: true,
            max_connections: 512,
            max_buffered_bytes: 16 << 20,
            request_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
        }
    }
}

/// One request, its body complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method as sent; standard methods are in capitals.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The part after the `?`, empty if absent.
    pub query: String,
    /// All header lines in order.
    pub headers: Vec<(String, String)>,
    /// The body, empty if absent.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of the first header line with this name, ignoring case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// One response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header lines in addition to those the server sets (`Server`, `Date`, `Content-Length`, `Connection`).
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    pub(super) hold: Duration,
    pub(super) written: Option<Arc<AtomicU64>>,
}

impl Response {
    /// A response with a body of the given type.
    pub fn new(status: u16, content_type: &str, body: Vec<u8>) -> Response {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Response { status, headers, body, hold: Duration::ZERO, written: None }
    }

    /// `value` as JSON.
    pub fn json(status: u16, value: &impl Serialize) -> Response {
        match serde_json::to_vec(value) {
            Ok(body) => Response::new(status, "application/json", body),
            Err(e) => Response::error(500, &format!("the answer cannot be encoded as JSON: {e}")),
        }
    }

    /// `{"error": message}`: what is wrong and how to fix it.
    pub fn error(status: u16, message: &str) -> Response {
        let body = serde_json::json!({ "error": message }).to_string().into_bytes();
        Response::new(status, "application/json", body)
    }

    /// Plain text.
    pub fn text(status: u16, text: &str) -> Response {
        Response::new(status, "text/plain; charset=utf-8", text.as_bytes().to_vec())
    }

    /// An HTML page.
    pub fn html(status: u16, page: String) -> Response {
        Response::new(status, "text/html; charset=utf-8", page.into_bytes())
    }

    /// Adds a header line. Lines that HTTP does not allow are omitted when sending.
    pub fn with_header(mut self, name: &str, value: &str) -> Response {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Delays writing until this long after the handler returned; no thread waits for it.
    pub fn held_for(mut self, hold: Duration) -> Response {
        self.hold = hold;
        self
    }

    /// Increments `counter` when the response has been written to its connection.
    pub fn counted_in(mut self, counter: &Arc<AtomicU64>) -> Response {
        self.written = Some(Arc::clone(counter));
        self
    }
}
