//! A slot: a connection and the request in flight on it.

use super::response::Response;
use super::stream::Stream;
use crate::check::Failed;
use crate::http::capture::Kept;
use crate::http::{Completion, Ticket};
use crate::stats::outcome::Outcome;
use std::net::TcpStream;

/// Maximum capacity that a slot keeps for a split head; larger buffers are freed.
const KEPT_CAPACITY: usize = 1024;

/// The progress of a slot's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No request; the slot may hold an idle connection.
    Idle,
    /// Waits to open a connection; the maximum number is being opened.
    Waiting,
    /// Its connection is being opened.
    Connecting,
    /// Its connection is open, TLS handshake in progress.
    Handshaking,
    /// The kernel accepts no more bytes for now.
    Sending,
    /// The kernel has the whole request.
    Receiving,
    /// Its connection ended without a response; it is unknown whether the server can have read the request.
    Doubtful,
    /// Ended, completion not yet handed over.
    Ended,
}

/// A connection that carries no more requests and whose end is awaited.
#[derive(Debug)]
pub struct Closing {
    /// The connection.
    pub socket: TcpStream,
    /// The key of its events.
    pub key: u64,
    /// When it is closed unconditionally.
    pub by_ns: u64,
    /// Whether the slot's request depends on how the connection ends.
    pub in_doubt: bool,
}

/// A connection and its request.
#[derive(Debug)]
pub struct Slot {
    /// The connection, if any.
    pub stream: Option<Stream>,
    /// Counts connections of this slot, to recognise events of former ones.
    generation: u32,
    /// Progress of the request.
    pub phase: Phase,
    /// Bytes of the request that the kernel accepted.
    pub written: usize,
    /// The response as read so far.
    pub response: Response,
    /// Whether its body is likely to be large.
    pub expects_much: bool,
    /// The bytes of an incomplete head.
    pub held: Vec<u8>,
    /// What its checks need of the response, if it has checks and any byte arrived.
    pub kept: Option<Kept>,
    /// Complete exchanges on this connection before the current one.
    pub carried: u64,
    /// Whether the connection was opened ahead of any request.
    pub is_ahead: bool,
    /// Whether this request was resent on a new connection.
    pub retried: bool,
    /// Whether the server has closed its side, which is reported only once.
    pub hangup: bool,
    /// Whether the slot is queued to read on.
    pub has_more: bool,
    /// The former connection while its end is awaited.
    pub closing: Option<Closing>,
    /// Index of the first address tried for this connection.
    pub first_address: usize,
    /// Number of addresses tried for this connection.
    pub tried: usize,
    /// When to give up this address and try the next.
    pub attempt_by_ns: u64,
    /// The OS error code of the last address tried.
    pub connect_error: Option<i32>,
    /// When the current step of opening it began: the TCP connect or the TLS handshake.
    pub step_ns: u64,
    /// When to give up opening the connection.
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
            expects_much: false,
            held: Vec::new(),
            kept: None,
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
            step_ns: 0,
            connect_by_ns: 0,
            sent_ns: 0,
            ticket: Ticket::default(),
        }
    }

    /// Begins a request.
    pub fn begin(&mut self, ticket: Ticket, now_ns: u64, is_head: bool, expects_much: bool) {
        (self.ticket, self.sent_ns, self.retried) = (ticket, now_ns, false);
        self.expects_much = expects_much;
        self.restart(is_head);
    }

    /// What it sends, as an index into the client's requests.
    pub fn request(&self) -> usize {
        self.ticket.request as usize
    }

    /// Resets the slot for a resend.
    pub fn restart(&mut self, is_head: bool) {
        self.written = 0;
        self.response = Response::new(is_head);
        self.clear_held();
    }

    /// Whether the connection was idle before this request, so the server may have closed it.
    pub fn is_reused(&self) -> bool {
        self.carried > 0 || self.is_ahead
    }

    /// Whether the connection was opened ahead and has carried no request yet.
    pub fn is_unused(&self) -> bool {
        self.is_ahead && self.carried == 0
    }

    /// Index of the last address tried, out of `count`.
    pub fn address_index(&self, count: usize) -> usize {
        (self.first_address + self.tried.saturating_sub(1)) % count
    }

    /// Whether any byte of a response has arrived.
    pub fn has_answer(&self) -> bool {
        self.response.bytes() > 0 || !self.held.is_empty()
    }

    /// The request that it carries.
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Ends the request.
    pub fn end(&mut self, outcome: Outcome, failed: Failed, ended_ns: u64) -> Completion {
        let bytes = self.response.bytes() + self.held.len() as u64;
        self.phase = Phase::Ended;
        self.clear_held();
        let resent = self.retried;
        let (ticket, sent_ns) = (self.ticket, self.sent_ns);
        Completion { ticket, sent_ns, ended_ns, outcome, bytes, resent, failed }
    }

    /// Closes the connection. Its pending events will not be taken for those of the next one.
    pub fn close(&mut self) {
        self.stream = None;
        self.carried = 0;
        self.is_ahead = false;
        self.hangup = false;
        self.has_more = false;
        self.generation = self.generation.wrapping_add(1);
    }

    /// The key of its connection's events: slot in the low half, generation in the high half.
    pub fn key(&self, slot: u32) -> u64 {
        u64::from(self.generation) << 32 | u64::from(slot)
    }

    fn clear_held(&mut self) {
        self.held.clear();
        if self.held.capacity() > KEPT_CAPACITY {
            self.held.shrink_to(KEPT_CAPACITY);
        }
    }
}
