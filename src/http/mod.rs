//! HTTP: the clients that send the load, behind one trait, and the small server behind the endpoints.
//!
//! A client offers **slots**. The hot loop puts one request into a free slot and collects completions.
//! `native` has many slots (connections) on one thread; `ureq` has one slot and a blocking `send`.

pub mod capture;
mod cause;
mod kind;
pub mod native;
pub mod os;
mod proxy;
mod render;
mod resolve;
pub mod server;
mod tls;
#[cfg(feature = "tls")]
mod tls_cause;
#[cfg(not(feature = "tls"))]
mod tls_cause {
    pub fn key(error: &crate::tls::Error) -> crate::stats::causes::Key {
        error.never()
    }

    pub fn words(error: &crate::tls::Error) -> String {
        error.never()
    }
}
pub mod ureq_client;
pub mod values;

use crate::check::Failed;
use crate::clock::NS_PER_MS;
use crate::stats::causes::Causes;
use crate::stats::failures::Failures;
use crate::stats::openings::Openings;
use crate::stats::outcome::Outcome;
pub use crate::tls::{Identity, Roots};
pub use kind::ClientKind;
pub use proxy::Proxy;
pub use resolve::{Addresses, MAX_ADDRESSES, Pinned, ResolveError, pinned, resolve};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Limits and timeouts of a client.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Maximum time from sending a request to the last byte of its response.
    pub timeout: Duration,
    /// Maximum time for name lookup, TCP connect and TLS handshake; part of `timeout` and never longer.
    pub connect_timeout: Duration,
    /// Requests after which a connection is closed, at least 1; `None` to keep it open as long as the server
    /// does. The last request on a connection sends `Connection: close` (RFC 9112, section 9.6).
    pub max_requests_per_connection: Option<u64>,
    /// Which servers to trust.
    pub trust: Roots,
    /// What the client shows to servers that ask for a certificate.
    pub identity: Option<Identity>,
    /// The server's name in the TLS handshake; `None` if it is the host of the URL.
    pub server_name: Option<String>,
    /// A Unix socket to connect to instead of an address; for the native client.
    pub unix_socket: Option<PathBuf>,
    /// A proxy to tunnel through; for the ureq client. The addresses are then those of the proxy.
    pub proxy: Option<Proxy>,
}

/// Maximum size of a response head, in bytes; a longer one is a protocol error.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Maximum header lines in a response; more are a protocol error. (The ureq client reads 128, ureq's limit.)
pub const MAX_HEADERS: usize = 256;
/// Maximum size of a response body, in bytes; a longer one is a protocol error. It is discarded, except the
/// part that the request's checks need.
pub const MAX_BODY_BYTES: u64 = 1 << 30;

/// How often a waiting client checks its [`StopFlag`](crate::threads::StopFlag), in nanoseconds.
pub const STOP_LOOK_NS: u64 = 100 * NS_PER_MS;

/// A client that cannot be built: what is wrong and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError(String);

impl ClientError {
    pub(crate) fn new(text: String) -> ClientError {
        ClientError(text)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ClientError {}

/// What the hot loop knows about a request when it sends it. The client returns it with the completion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// Planned start.
    pub planned_ns: u64,
    /// The later of the planned start and the moment its slot became free.
    pub ready_ns: u64,
    /// Its number among the driver's tickets, from 0. The warm-up has numbers of its own.
    pub number: u64,
    /// What is sent, as an index into the client's requests.
    pub request: u32,
    /// Whether it belongs to the warm-up, which counts only in `warmup_sent`.
    pub warmup: bool,
}

/// A request that has ended, successfully or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// As passed to [`Client::send`].
    pub ticket: Ticket,
    /// When the client began to send it, before opening a connection if it needed a new one.
    pub sent_ns: u64,
    /// When its last byte or its error arrived.
    pub ended_ns: u64,
    /// A status, or the error.
    pub outcome: Outcome,
    /// Bytes of the response, including the head if the client sees it.
    pub bytes: u64,
    /// Whether it was resent on a new connection, because the first attempt cannot have reached the server.
    pub resent: bool,
    /// The checks that a complete response failed. Those to warm-up requests are not checked.
    pub failed: Failed,
}

/// A generator of HTTP load, used by one thread.
///
/// Once the client's [`StopFlag`](crate::threads::StopFlag) is raised, everything in flight ends as
/// [`crate::stats::outcome::ErrorKind::Aborted`] within 200 ms, and every further request does so at once.
pub trait Client {
    /// When the slot that the next [`Client::send`] will use became free (the one free for longest); `None`
    /// while all slots are busy.
    fn free_since_ns(&self) -> Option<u64>;

    /// Requests sent and not yet completed.
    fn in_flight(&self) -> usize;

    /// Starts the request in the slot that has been free longest, and returns the time at which it began.
    /// Must not be called while no slot is free.
    fn send(&mut self, ticket: Ticket) -> u64;

    /// Waits until something completes or `until_ns` is reached, and passes every completion to `sink`. With
    /// a time in the past it only collects what is already complete. Request deadlines are enforced here.
    fn poll<F: FnMut(Completion)>(&mut self, until_ns: u64, sink: F);

    /// Aborts everything in flight at once, each request as [`crate::stats::outcome::ErrorKind::Aborted`].
    fn abort<F: FnMut(Completion)>(&mut self, sink: F);

    /// Tells the client that [`Client::send`] will not be called again. It closes idle connections now and
    /// the others when their request ends, so that they do not occupy server capacity.
    fn retire(&mut self) {}

    /// Why requests failed since the last call, as text. Called occasionally, never per request.
    fn take_causes(&mut self) -> Causes {
        Causes::default()
    }

    /// The first responses to a request that failed a check, of those since the last call. Called
    /// occasionally, never per request.
    fn take_failures(&mut self, _request: u32) -> Failures {
        Failures::default()
    }

    /// How long connections took to open since the last call. Called occasionally, never per request.
    fn take_openings(&mut self) -> Openings {
        Openings::default()
    }
}
