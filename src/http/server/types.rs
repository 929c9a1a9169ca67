//! Requests, responses and options as handlers and roles see them.

use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// What answers requests.
pub trait Handler: Send + Sync {
    /// Asked when the head of a request is there, before its body is read; an error is the answer, and the body is not
    /// read. It runs on the thread that serves all connections and must not wait for anything.
    fn admit(&self, _head: &Request) -> Result<(), Response> {
        Ok(())
    }

    /// Answers a complete request. It may be called on several threads at once; an answer that is due later is returned
    /// at once, as [`Response::held_for`].
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
    /// The threads that serve the connections: fast, for handlers that never wait.
    Inline {
        /// Those threads, at least 1; each serves its share of the connections.
        threads: usize,
    },
    /// Threads of their own, for handlers that may wait.
    Pool {
        /// Those threads, at least 1. With two or more, one takes only GET and HEAD requests, so that reads are
        /// answered while every other thread waits.
        threads: usize,
    },
}

/// How a server works, and what it takes.
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
    /// Whether bodies are kept for the handler, or read and thrown away.
    pub keeps_body: bool,
    /// Most connections. When one more comes, the oldest one that does nothing is closed.
    pub max_connections: usize,
    /// Most memory for what was received or waits to be sent, in bytes, besides the largest such buffer. Beyond it the
    /// connection that holds most is given up.
    pub max_buffered_bytes: usize,
    /// Longest time for a request to arrive, head and body together; then 408.
    pub request_timeout: Duration,
    /// Longest time in which a client takes no byte of its response.
    pub send_timeout: Duration,
    /// Longest time that a kept-alive connection stays open without a request.
    pub idle_timeout: Duration,
}

impl Options {
    /// A server called `name` for an API: a pool of four threads, bodies of up to 1 MiB, 512 connections.
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
    /// The method, as it was sent; the usual ones are in capitals.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// What follows the `?`, empty if absent.
    pub query: String,
    /// All header lines in their order.
    pub headers: Vec<(String, String)>,
    /// The body, empty if absent.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of the first header line with this name, in any letter case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// One response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header lines besides those that the server sets (`Server`, `Date`, `Content-Length`, `Connection`).
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    pub(super) hold: Duration,
    pub(super) written: Option<Arc<AtomicU64>>,
}

impl Response {
    /// A body of the given type.
    pub fn new(status: u16, content_type: &str, body: Vec<u8>) -> Response {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Response { status, headers, body, hold: Duration::ZERO, written: None }
    }

    /// `value` as JSON.
    pub fn json(status: u16, value: &impl Serialize) -> Response {
        match serde_json::to_vec(value) {
            Ok(body) => Response::new(status, "application/json", body),
            Err(e) => Response::error(500, &format!("the answer has no JSON form: {e}")),
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

    /// A page.
    pub fn html(status: u16, page: String) -> Response {
        Response::new(status, "text/html; charset=utf-8", page.into_bytes())
    }

    /// Adds a header line. One that HTTP does not allow is left out when it is sent.
    pub fn with_header(mut self, name: &str, value: &str) -> Response {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Is written this long after the handler returned; no thread waits for it.
    pub fn held_for(mut self, hold: Duration) -> Response {
        self.hold = hold;
        self
    }

    /// Adds one to `counter` when the response was written to its connection.
    pub fn counted_in(mut self, counter: &Arc<AtomicU64>) -> Response {
        self.written = Some(Arc::clone(counter));
        self
    }
}
