//! HTTP: the clients that send the load, behind one trait, and the small server that the endpoints stand on.
//!
//! A client offers **slots**. The hot loop puts one request into a free slot, and collects what completes.
//! `native` has many slots (connections) on one thread; `ureq` has one, whose `send` blocks.

mod cause;
mod kind;
pub mod native;
pub mod os;
mod render;
mod resolve;
pub mod server;
mod stop;
mod tls;
pub mod ureq_client;

pub use kind::ClientKind;
pub use os::limits;
pub use resolve::{Addresses, MAX_ADDRESSES, Pinned, ResolveError, pinned, resolve};
pub use stop::StopFlag;
pub use ureq_client::fetch;

use crate::clock::NS_PER_MS;
use crate::stats::causes::Causes;
use crate::stats::outcome::Outcome;
use std::fmt;
use std::time::Duration;

/// Limits and times that a client keeps.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Longest time from the send of a request to the last byte of its response.
    pub timeout: Duration,
    /// Longest time for name look-up, TCP connect and TLS handshake; part of `timeout`, never longer.
    pub connect_timeout: Duration,
    /// Requests after which a connection is closed, at least 1; none where it is kept as long as the server keeps it.
    /// The last request on a connection says `Connection: close` (RFC 9112, section 9.6).
    pub max_requests_per_connection: Option<u64>,
    /// Certificates (PEM) that are trusted besides the public roots.
    pub ca_pem: Option<Vec<u8>>,
}

/// Largest response head that is read, in bytes; a longer one is a protocol error.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Most header lines in a response; more are a protocol error. (The client on ureq reads 128, which is ureq's limit.)
pub const MAX_HEADERS: usize = 256;
/// Largest response body that is read (and thrown away), in bytes; a longer one is a protocol error.
pub const MAX_BODY_BYTES: u64 = 1 << 30;

/// How often a client that waits looks at its [`StopFlag`], in nanoseconds.
pub const STOP_LOOK_NS: u64 = 100 * NS_PER_MS;

/// A client that cannot be built: says what is wrong and what is allowed.
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

/// What the hot loop knows of a request when it sends it; the client hands it back with the completion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// When the schedule wanted it to start.
    pub planned_ns: u64,
    /// The later of its planned start and the moment its slot became free.
    pub ready_ns: u64,
    /// Whether it belongs to the warm-up and stays out of every figure but `warmup_sent`.
    pub warmup: bool,
}

/// One request that came to its end, well or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// As given to [`Client::send`].
    pub ticket: Ticket,
    /// When the client began to send it (before a new connection was opened, where one was needed).
    pub sent_ns: u64,
    /// When its last byte, or its error, was there.
    pub ended_ns: u64,
    /// A status, or what went wrong.
    pub outcome: Outcome,
    /// Bytes of the response, head included where the client sees it.
    pub bytes: u64,
    /// Whether it was sent a second time, on a new connection, because the first attempt cannot have reached the server.
    pub resent: bool,
}

/// A generator of HTTP load that is used by one thread.
///
/// Once the [`StopFlag`] that a client was built with is raised, everything in flight ends as
/// [`crate::stats::outcome::ErrorKind::Aborted`] within 200 ms, and so does each further request at once.
pub trait Client {
    /// When the slot that the next [`Client::send`] takes became free (the one that has been free longest), or
    /// none while every slot is busy.
    fn free_since_ns(&self) -> Option<u64>;

    /// Requests that were sent and did not complete yet.
    fn in_flight(&self) -> usize;

    /// Starts the request in the slot that has been free longest, and returns the moment at which it began to. Must
    /// not be called while none is free.
    fn send(&mut self, ticket: Ticket) -> u64;

    /// Waits until something completes or `until_ns` is there, and hands every completion to `sink`; with a moment
    /// in the past it only collects what is already there. Deadlines of requests are kept here.
    fn poll<F: FnMut(Completion)>(&mut self, until_ns: u64, sink: F);

    /// Gives up everything in flight, each as [`crate::stats::outcome::ErrorKind::Aborted`], at once.
    fn abort<F: FnMut(Completion)>(&mut self, sink: F);

    /// Says that [`Client::send`] will not be called again: connections that carry no request are closed, and the others
    /// once their request has ended, so that they do not take the place of somebody else's.
    fn retire(&mut self) {}

    /// Why requests failed since the last call, in words. Called now and then, never for each request.
    fn take_causes(&mut self) -> Causes {
        Causes::default()
    }
}
