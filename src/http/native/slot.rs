//! One slot: a connection that is kept, and the request that is under way on it.

use super::response::Response;
use super::stream::Stream;
use crate::http::os::poller::Watched;
use crate::http::{Completion, Ticket};
use crate::stats::outcome::Outcome;
use std::net::TcpStream;
use std::os::fd::AsFd;

/// Capacity of a buffer for a split head that a slot may keep; larger ones are given back.
const KEPT_CAPACITY: usize = 1024;

/// How far a slot's request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No request; a kept connection, or none.
    Idle,
    /// Wants a connection, while as many as allowed are being opened.
    Waiting,
    /// Its connection is being opened.
    Connecting,
    /// Its connection is open, and TLS is being agreed on.
    Handshaking,
    /// The connection takes no more bytes for now.
    Sending,
    /// The whole request is with the kernel.
    Receiving,
    /// Its connection ended without an answer, and whether the server can have read it is to be learned.
    Doubtful,
    /// Ended; the completion was not handed over yet.
    Ended,
}

/// A connection that carries nothing any more and whose end is awaited.
#[derive(Debug)]
pub struct Closing {
    /// The connection.
    pub socket: TcpStream,
    /// Key of its events.
    pub key: u64,
    /// When it is closed whatever happens.
    pub by_ns: u64,
    /// Whether the slot's request waits to learn what became of it.
    pub in_doubt: bool,
}

/// A connection and its request.
#[derive(Debug)]
pub struct Slot {
    /// The connection, where there is one.
    pub stream: Option<Stream>,
    /// Counts connections of this slot, so that an event of a former one is known.
    generation: u32,
    /// How far the request is.
    pub phase: Phase,
    /// Bytes of the request that the kernel took.
    pub written: usize,
    /// The response as far as read.
    pub response: Response,
    /// What was read of a head that is not complete.
    pub held: Vec<u8>,
    /// Whole exchanges that the connection carried before this one.
    pub carried: u64,
    /// Whether the connection was opened before there was a request for it.
    pub is_ahead: bool,
    /// Whether this request was begun again on a new connection.
    pub retried: bool,
    /// Whether the server has announced its end of the connection, which is told only once.
    pub hangup: bool,
    /// Whether the slot waits for its turn to read on.
    pub has_more: bool,
    /// The former connection, while its end is awaited.
    pub closing: Option<Closing>,
    /// Index of the address that was tried first for this connection.
    pub first_address: usize,
    /// Addresses that were tried for this connection.
    pub tried: usize,
    /// When the attempt at this address is given up for the next one's sake.
    pub attempt_by_ns: u64,
    /// The error of the last address that was tried, as the system numbers it.
    pub connect_error: Option<i32>,
    /// When opening the connection is given up.
    pub connect_by_ns: u64,
    /// When the request was sent.
    pub sent_ns: u64,
    ticket: Ticket,
}

impl Slot {
    /// A slot without a connection.
    pub fn new() -> Slot {
        Slot {
            stream: None,
            generation: 0,
            phase: Phase::Idle,
            written: 0,
            response: Response::new(false),
            held: Vec::new(),
            carried: 0,
            is_ahead: false,
            retried: false,
            hangup: false,
            has_more: false,
            closing: None,
            first_address: 0,
            tried: 0,
            attempt_by_ns: 0,
            connect_error: None,
            connect_by_ns: 0,
            sent_ns: 0,
            ticket: Ticket::default(),
        }
    }

    /// Begins a request.
    pub fn begin(&mut self, ticket: Ticket, now_ns: u64, is_head: bool) {
        (self.ticket, self.sent_ns, self.retried) = (ticket, now_ns, false);
        self.restart(is_head);
    }

    /// Begins the same request again.
    pub fn restart(&mut self, is_head: bool) {
        self.written = 0;
        self.response = Response::new(is_head);
        self.clear_held();
    }

    /// Whether the connection lay idle before this request, so that the server may have closed it meanwhile.
    pub fn is_reused(&self) -> bool {
        self.carried > 0 || self.is_ahead
    }

    /// Whether the connection was opened ahead and has carried nothing yet.
    pub fn is_unused(&self) -> bool {
        self.is_ahead && self.carried == 0
    }

    /// Index of the address that was tried last, of `count`.
    pub fn address_index(&self, count: usize) -> usize {
        (self.first_address + self.tried.saturating_sub(1)) % count
    }

    /// Whether any byte of a response came.
    pub fn has_answer(&self) -> bool {
        self.response.bytes() > 0 || !self.held.is_empty()
    }

    /// Ends the request.
    pub fn end(&mut self, outcome: Outcome, ended_ns: u64) -> Completion {
        let bytes = self.response.bytes() + self.held.len() as u64;
        self.phase = Phase::Ended;
        self.clear_held();
        let resent = self.retried;
        Completion { ticket: self.ticket, sent_ns: self.sent_ns, ended_ns, outcome, bytes, resent }
    }

    /// Closes the connection; events that it left behind are then not taken for those of the next.
    pub fn close(&mut self) {
        self.stream = None;
        self.carried = 0;
        self.is_ahead = false;
        self.hangup = false;
        self.has_more = false;
        self.generation = self.generation.wrapping_add(1);
    }

    /// The key of its connection's events: the slot below, the generation above.
    pub fn key(&self, slot: u32) -> u64 {
        u64::from(self.generation) << 32 | u64::from(slot)
    }

    /// What there is to watch, where the kernel does not remember it.
    pub fn watched(&self, slot: u32) -> impl Iterator<Item = Watched<'_>> {
        let own = self.stream.as_ref().map(|stream| {
            let wants_write =
                matches!(self.phase, Phase::Connecting | Phase::Sending) || stream.wants_write();
            let socket = stream.socket().as_fd();
            Watched { socket, key: self.key(slot), wants_read: true, wants_write }
        });
        let former = self.closing.as_ref();
        let former = former.map(|c| {
            let socket = c.socket.as_fd();
            Watched { socket, key: c.key, wants_read: true, wants_write: false }
        });
        own.into_iter().chain(former)
    }

    fn clear_held(&mut self) {
        self.held.clear();
        self.held.shrink_to(KEPT_CAPACITY);
    }
}
