//! Requests and responses as handlers see them.

use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// How a server works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that call the handler, at least 1. Exactly 1 where responses are held back
    /// ([`Response::held_for`]): the order of pipelined requests depends on it.
    pub threads: usize,
    /// The `Server` header of every response.
    pub name: &'static str,
    /// Largest request body; a larger one is answered 413.
    pub max_body_bytes: usize,
    /// Connections that may arrive in one burst and are served at once; each costs an idle thread.
    pub spare_connections: usize,
}

/// One request, its body complete.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// What follows the `?`, empty where there is none.
    pub query: String,
    /// All header lines in their order.
    pub headers: Vec<(String, String)>,
    /// The body, empty where there is none.
    pub body: Vec<u8>,
    /// Who asks.
    pub remote: Option<SocketAddr>,
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
    /// Header lines besides those that the server sets (`Server`, `Date`, `Content-Length`).
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

    /// `{"error": message}`: what is wrong and how to mend it.
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

    /// Is written this long after the handler returned; no thread waits for it. See [`Options::threads`].
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
