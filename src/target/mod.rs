//! The target: a server to load if there is no other, which counts what it receives.
//!
//! `GET /ping` answers `pong`, or `{"message": "pong"}` to a client that asks for JSON. `GET /metrics`
//! answers `{"requests": n, "responses": n, "instance": id}`, without counting requests for `/metrics`
//! themselves, so that reading the counts does not change them. A request is counted when it has arrived, a
//! response when it has been written. The id changes with each start, because the counts then begin at zero.
//! Unknown paths are answered 404, and counted.

pub mod behavior;

use crate::clock;
use crate::host::limits;
use crate::http::server::{Calls, Options, Request, Response, Server};
use behavior::{Behavior, Stall};
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The `Server` header, by which drivers recognise a target that counts.
pub const SERVER_NAME: &str = concat!("floodgate-target/", env!("CARGO_PKG_VERSION"));

/// Maximum request body, in bytes; bodies are discarded.
const MAX_BODY_BYTES: usize = 16 << 20;
/// The answer of `/ping` to a client that asks for JSON.
const PONG: &[u8] = br#"{"message": "pong"}"#;
/// Maximum connections, if the limit of open files allows it.
const MAX_CONNECTIONS: usize = 50_000;
/// Maximum number of threads that serve connections.
const MAX_THREADS: usize = 4;
/// A driver may keep its connections open through the long gaps of a slow plan.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// How a target listens and answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Listen address; port 0 picks any free port.
    pub listen: SocketAddr,
    /// Time from a request to its answer, at most [`behavior::LONGEST`].
    pub delay: Duration,
    /// Share of requests that are answered 500, from 0 to 1.
    pub error_rate: f64,
    /// When all answers are held.
    pub stall: Option<Stall>,
}

impl Config {
    /// Answers at once, without errors.
    pub fn plain(listen: SocketAddr) -> Config {
        Config { listen, delay: Duration::ZERO, error_rate: 0.0, stall: None }
    }
}

struct Seen {
    instance: String,
    requests: AtomicU64,
    responses: Arc<AtomicU64>,
}

/// The answer of `/metrics`.
#[derive(Serialize)]
struct Metrics<'a> {
    requests: u64,
    responses: u64,
    instance: &'a str,
}

impl Seen {
    fn new() -> Seen {
        Seen {
            instance: uuid::Uuid::new_v4().to_string(),
            requests: AtomicU64::default(),
            responses: Arc::default(),
        }
    }

    fn read(&self) -> Metrics<'_> {
        // Responses first: in the reverse order, a response might be counted without its request.
        let responses = self.responses.load(Ordering::SeqCst);
        Metrics { requests: self.requests.load(Ordering::SeqCst), responses, instance: &self.instance }
    }
}

/// A running target.
pub struct Target {
    server: Server,
    seen: Arc<Seen>,
}

/// Starts a target.
pub fn start(config: Config) -> Result<Target, String> {
    let Config { listen, delay, error_rate, stall } = config;
    let behavior = Behavior { delay, error_rate, stall };
    let seen = Arc::new(Seen::new());
    // If the limit is lower, fewer connections are served, and the server logs when they run out.
    if let Some(hard) = limits::max_descriptors() {
        let _ = limits::ensure_descriptors(hard.min(MAX_CONNECTIONS as u64 + limits::RESERVED_DESCRIPTORS));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let options = Options {
        calls: Calls::Inline { threads },
        max_body_bytes: MAX_BODY_BYTES,
        keeps_body: false,
        max_connections: MAX_CONNECTIONS,
        idle_timeout: IDLE_TIMEOUT,
        ..Options::new(SERVER_NAME)
    };
    let server = Server::start(listen, options, Arc::new(handler(behavior, Arc::clone(&seen))))?;
    Ok(Target { server, seen })
}

fn handler(behavior: Behavior, seen: Arc<Seen>) -> impl Fn(&Request) -> Response {
    let begin_ns = clock::now_ns();
    move |request: &Request| {
        if request.path == "/metrics" {
            return answer_metrics(request, &seen);
        }
        let k = seen.requests.fetch_add(1, Ordering::SeqCst);
        let action = behavior.act(k, Duration::from_nanos(clock::now_ns() - begin_ns));
        let response = match (action.fail, request.path.as_str()) {
            (true, _) => Response::text(500, "error on request: --error-rate"),
            (false, "/ping") if wants_json(request) => Response::new(200, "application/json", PONG.to_vec()),
            (false, "/ping") => Response::text(200, "pong"),
            (false, _) => Response::error(404, "use /ping, or /metrics for the counts"),
        };
        response.held_for(action.hold).counted_in(&seen.responses)
    }
}

/// Whether the client names JSON in `Accept`; `*/*` does not.
fn wants_json(request: &Request) -> bool {
    request.header("accept").is_some_and(|accept| accept.to_ascii_lowercase().contains("application/json"))
}

fn answer_metrics(request: &Request, seen: &Seen) -> Response {
    match request.method.as_str() {
        "GET" | "HEAD" => Response::json(200, &seen.read()),
        other => {
            Response::error(405, &format!("{other} /metrics: use GET")).with_header("Allow", "GET, HEAD")
        }
    }
}

impl Target {
    /// The address that it listens on, with the actual port.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Requests and responses so far, as in `/metrics`.
    pub fn seen(&self) -> (u64, u64) {
        let Metrics { requests, responses, .. } = self.seen.read();
        (requests, responses)
    }

    /// Stops listening, answers accepted requests, and ends its threads.
    pub fn shutdown(self) {
        self.server.shutdown();
    }
}
