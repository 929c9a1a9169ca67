//! The native client: many kept-alive connections on one thread.
//!
//! A request costs a write, a read and its share of a wait; nothing is allocated, locked, formatted or logged
//! for it. The request is rendered once. Responses are parsed in one buffer shared by all connections; only
//! the rest of a split head is copied to its connection.

mod ahead;
mod checking;
pub mod chunked;
pub mod closing;
mod connect;
mod exchange;
mod fault;
mod known;
mod order;
pub mod response;
mod slot;
mod stream;

use crate::check::{Checks, Failed};
use crate::clock;
use crate::http::capture::Spare;
use crate::http::cause;
use crate::http::os::poller::{Poller, Readiness, wait_precisely};
use crate::http::os::socket::wait_writable;
use crate::http::render::{render, render_last};
use crate::http::tls::TlsClient;
use crate::http::values::{Values, Varying};
use crate::http::{Addresses, Client, ClientError, Completion, STOP_LOOK_NS, Settings, Ticket};
use crate::plan::request::Request;
use crate::stats::causes::{Causes, Key};
use crate::stats::failures::Failures;
use crate::stats::openings::Openings;
use crate::stats::outcome::{ErrorKind, Outcome};
use crate::threads::StopFlag;
use order::Order;
use response::KnownHead;
use slot::{Phase, Slot};
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Maximum slots per client.
pub const MAX_SLOTS: usize = 100_000;
/// Maximum connections that a client opens at a time, so that the start of a run does not flood a listener's
/// backlog. Further requests wait for their turn while their time runs.
pub const MAX_CONNECTING: usize = 128;
/// Read buffer: an incomplete head of maximum size and as much again.
const BUFFER_BYTES: usize = 2 * crate::http::MAX_HEAD_BYTES;

/// Many connections to one server, each carrying one request at a time.
///
/// A request that fails on a **reused** connection (or one opened ahead) before any byte of its response
/// arrived is resent once on a new connection, while its time runs on, if the server cannot have read it: the
/// kernel had accepted none of it, or the connection had already been closed (see [`closing`]). A server that
/// closes idle connections causes this, and that is not a failure. Any other loss is an error.
#[derive(Debug)]
pub struct NativeClient {
    /// What it sends; a ticket says which of them.
    messages: Vec<Message>,
    max_requests: u64,
    timeout_ns: u64,
    connect_timeout_ns: u64,
    /// Maximum time for an address while others remain.
    attempt_ns: u64,
    tls: Option<TlsClient>,
    addresses: Addresses,
    /// Where to connect instead.
    unix_socket: Option<PathBuf>,
    /// Index of the address to try first: the last one that worked, or the one after an unresponsive one.
    address: usize,
    stop: StopFlag,
    poller: Poller,
    is_precise: bool,
    slots: Vec<Slot>,
    /// Free slots and since when, longest first.
    free: VecDeque<(u32, u64)>,
    /// In order of sending, which is also the order of deadlines.
    in_flight: Order,
    /// Waiting for a connection or opening one, in order of connect deadlines.
    opening: Order,
    /// The members of `opening` whose turn has not come.
    waiting: Order,
    connecting: usize,
    /// Connecting while other addresses remain, in order of when to try the next address.
    attempts: Order,
    /// Slots with a former connection whose end is awaited, longest first; and their number.
    closing: Order,
    closings: usize,
    /// Connections are being opened ahead of requests.
    is_ahead: bool,
    /// Set when no more requests will come.
    is_retired: bool,
    causes: Causes,
    openings: Openings,
    /// Slots that had more to read than one turn allows.
    more: VecDeque<u32>,
    /// Ended, completion not yet handed over.
    ended: Vec<(u32, Completion)>,
    buffer: Box<[u8]>,
    spare: Spare,
}

/// A request as it is sent, and what is known about its responses.
#[derive(Debug)]
struct Message {
    bytes: Vec<u8>,
    /// As sent last on a connection with a limited number of requests.
    last_bytes: Vec<u8>,
    /// If not all requests are the same; then the bytes above are only examples.
    varying: Option<Box<Varying>>,
    is_head: bool,
    known_head: KnownHead,
    checks: Option<Arc<Checks>>,
    failures: Failures,
}

impl Message {
    fn new(request: &Request) -> Message {
        Message {
            bytes: render(request),
            last_bytes: render_last(request),
            varying: None,
            is_head: request.method() == http::Method::HEAD,
            known_head: KnownHead::default(),
            checks: request.checks().cloned(),
            failures: Failures::default(),
        }
    }

    /// Whether the next response is likely to have a large body, judging by the last one on any connection.
    fn expects_much(&self) -> bool {
        self.known_head.meaning().is_some_and(|known| known.body_bytes() >= exchange::DISCARD_FROM)
    }
}

impl NativeClient {
    /// A client that sends `requests`, at least one and all to the same host, over at most `slots`
    /// connections, opened as needed.
    ///
    /// # Errors
    /// If the number of slots is not in 1..=[`MAX_SLOTS`], the certificates in the settings cannot be read,
    /// or no file descriptor is left.
    pub fn new(
        requests: &[Request],
        settings: &Settings,
        slots: usize,
        addresses: Addresses,
        stop: StopFlag,
    ) -> Result<NativeClient, ClientError> {
        if !(1..=MAX_SLOTS).contains(&slots) {
            return Err(ClientError::new(format!("{slots} connections: use 1 to {MAX_SLOTS} per thread")));
        }
        let poller = Poller::new().map_err(unusable)?;
        let request = &requests[0];
        let tls = request.is_https().then(|| TlsClient::new(settings, request.host())).transpose()?;
        let now_ns = clock::now_ns();
        let connect_timeout_ns = clock::to_ns(settings.connect_timeout.min(settings.timeout));
        Ok(NativeClient {
            messages: requests.iter().map(Message::new).collect(),
            max_requests: settings.max_requests_per_connection.unwrap_or(u64::MAX).max(1),
            timeout_ns: clock::to_ns(settings.timeout),
            connect_timeout_ns,
            attempt_ns: addresses.attempt_ns(connect_timeout_ns),
            tls,
            addresses,
            unix_socket: settings.unix_socket.clone(),
            address: 0,
            stop,
            poller,
            is_precise: false,
            slots: std::iter::repeat_with(Slot::new).take(slots).collect(),
            free: (0..slots as u32).map(|slot| (slot, now_ns)).collect(),
            in_flight: Order::new(slots),
            opening: Order::new(slots),
            waiting: Order::new(slots),
            connecting: 0,
            attempts: Order::new(slots),
            closing: Order::new(slots),
            closings: 0,
            is_ahead: false,
            is_retired: false,
            causes: Causes::default(),
            openings: Openings::default(),
            more: VecDeque::with_capacity(slots),
            ended: Vec::with_capacity(slots),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            spare: Spare::default(),
        })
    }

    /// The same client with these values in the requests that vary; `requests` are those that it was made
    /// with.
    #[must_use]
    pub fn with_values(mut self, requests: &[Request], values: &Arc<Values>) -> NativeClient {
        for (index, (message, request)) in self.messages.iter_mut().zip(requests).enumerate() {
            message.varying = Varying::new(values, index, request).map(Box::new);
        }
        self
    }

    /// The same client with waits that a timer ends, as on kernels without `epoll_pwait2`. It must not have
    /// opened connections yet.
    ///
    /// # Errors
    /// If no file descriptor is left.
    pub fn with_timer(mut self) -> Result<NativeClient, ClientError> {
        self.poller = Poller::with_timer().map_err(unusable)?;
        Ok(self)
    }

    /// Ends a slot's request with an error. The next poll hands over the completion and frees the slot.
    fn end(&mut self, slot: u32, kind: ErrorKind, ended_ns: u64) {
        self.end_with(slot, Outcome::Error(kind), Failed::default(), ended_ns);
    }

    /// Ends a slot's request. The next poll hands over the completion and frees the slot.
    #[inline]
    fn end_with(&mut self, slot: u32, outcome: Outcome, failed: Failed, ended_ns: u64) {
        self.in_flight.remove(slot);
        let state = &mut self.slots[slot as usize];
        if let Some(kept) = state.kept.take() {
            self.spare.give(kept);
        }
        let completion = state.end(outcome, failed, ended_ns);
        self.ended.push((slot, completion));
    }

    /// Ends a slot's request with an error and closes its connection.
    fn fail(&mut self, slot: u32, kind: ErrorKind) {
        self.leave_opening(slot);
        self.slots[slot as usize].close();
        self.end(slot, kind, clock::now_ns());
        self.open_waiting();
    }

    /// Like `fail`, with the reason.
    fn fail_for(&mut self, slot: u32, kind: ErrorKind, key: impl Into<Key>, words: impl FnOnce() -> String) {
        self.note(kind, key, words);
        self.fail(slot, kind);
    }

    /// Counts the cause of an error. Failures before there is a request are not counted.
    fn note(&mut self, kind: ErrorKind, key: impl Into<Key>, words: impl FnOnce() -> String) {
        if !self.is_ahead {
            self.causes.count(kind, key, words);
        }
    }

    fn hand_over<F: FnMut(Completion)>(&mut self, sink: &mut F) {
        for (slot, completion) in self.ended.drain(..) {
            self.slots[slot as usize].phase = Phase::Idle;
            self.free.push_back((slot, completion.ended_ns));
            sink(completion);
        }
    }

    /// The next time at which something must be done without an event.
    fn next_deadline_ns(&self) -> u64 {
        let request = self.in_flight.front().map(|s| self.slots[s as usize].sent_ns + self.timeout_ns);
        let connect = self.opening.front().map(|s| self.slots[s as usize].connect_by_ns);
        let attempt = self.attempts.front().map(|s| self.slots[s as usize].attempt_by_ns);
        let others = [connect, attempt, self.closing_by_ns()];
        others.into_iter().flatten().fold(request.unwrap_or(u64::MAX), u64::min)
    }

    /// Fails whatever has timed out, after a last check of each slot: if this process was paused, the awaited
    /// data may have arrived long ago.
    fn expire(&mut self, now_ns: u64) {
        self.expire_closing(now_ns);
        self.expire_attempts(now_ns);
        while let Some(slot) = self.opening.front() {
            if self.slots[slot as usize].connect_by_ns > now_ns {
                break;
            }
            self.look(slot);
            if self.opening.front() != Some(slot) {
                continue;
            }
            let is_tls = self.slots[slot as usize].phase == Phase::Handshaking;
            self.pass_over(slot);
            let (kind, why) = match is_tls {
                true => (ErrorKind::Tls, cause::HANDSHAKE_TIMEOUT),
                false => (ErrorKind::Connect, cause::CONNECT_TIMEOUT),
            };
            self.fail_for(slot, kind, why, || why.to_owned());
        }
        while let Some(slot) = self.in_flight.front() {
            if self.slots[slot as usize].sent_ns.saturating_add(self.timeout_ns) > now_ns {
                break;
            }
            self.look(slot);
            if self.in_flight.front() == Some(slot) {
                if self.slots[slot as usize].phase == Phase::Doubtful {
                    // The slot's next request must not depend on how that connection ends.
                    self.forget_closing(slot);
                }
                self.fail(slot, ErrorKind::Timeout);
            }
        }
    }

    /// Handles one slot as a pending event would.
    fn look(&mut self, slot: u32) {
        let state = &self.slots[slot as usize];
        let Some(stream) = &state.stream else { return };
        let writable = wait_writable(stream.socket(), Duration::ZERO).unwrap_or(false);
        // The socket itself is asked whether a connect has failed.
        self.handle(Readiness {
            key: state.key(slot),
            readable: true,
            writable,
            hangup: false,
            error: writable,
        });
    }

    fn abort_all(&mut self) {
        while let Some(slot) = self.in_flight.front() {
            // Remove it from the queue first: otherwise closing a connection would open one for the next.
            self.waiting.remove(slot);
            self.leave_opening(slot);
            self.forget_closing(slot);
            self.slots[slot as usize].close();
            self.end(slot, ErrorKind::Aborted, clock::now_ns());
        }
    }

    fn handle(&mut self, event: Readiness) {
        let slot = event.key as u32;
        let state = &mut self.slots[slot as usize];
        if state.key(slot) != event.key || state.stream.is_none() {
            return self.closing_event(slot, event.key);
        }
        state.hangup |= event.hangup;
        match state.phase {
            Phase::Connecting => self.connected(slot, event),
            Phase::Handshaking => {
                self.shake_hands(slot);
                self.read(slot);
            }
            Phase::Sending => {
                if event.writable {
                    self.write(slot);
                }
                self.read(slot);
            }
            Phase::Receiving => self.read(slot),
            Phase::Idle | Phase::Ended => self.check_idle(slot),
            Phase::Waiting | Phase::Doubtful => {}
        }
    }

    /// Waits for events, until `until_ns` at the latest, and handles them. Returns what was the next deadline
    /// before the wait.
    #[inline]
    fn turn(&mut self, until_ns: u64) -> u64 {
        let has_work = !self.ended.is_empty() || !self.more.is_empty();
        let now_ns = clock::now_ns();
        let deadline_ns = self.next_deadline_ns();
        let until_ns = until_ns.min(deadline_ns).min(now_ns + STOP_LOOK_NS);
        let left_ns = if has_work { 0 } else { until_ns.saturating_sub(now_ns) };
        let Ok(events) = self.poller.wait(Duration::from_nanos(left_ns)) else {
            // Cannot happen with a valid descriptor; without a pause the loop would spin.
            clock::sleep(Duration::from_nanos(left_ns.min(clock::NS_PER_MS)));
            return deadline_ns;
        };
        for index in 0..events {
            self.handle(self.poller.event(index));
        }
        for _ in 0..self.more.len() {
            self.read_on();
        }
        deadline_ns
    }
}

fn unusable(error: io::Error) -> ClientError {
    ClientError::new(format!("epoll cannot be used: {error}"))
}

impl Client for NativeClient {
    fn free_since_ns(&self) -> Option<u64> {
        self.free.front().map(|(_, since_ns)| *since_ns)
    }

    fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn send(&mut self, ticket: Ticket) -> u64 {
        let now_ns = clock::now_ns();
        let Some((slot, _)) = self.free.pop_front() else {
            debug_assert!(false, "send without a free slot");
            return now_ns;
        };
        if self.slots[slot as usize].is_unused() {
            // The connection may not have been checked since it was opened.
            self.check_idle(slot);
        }
        let message = &self.messages[ticket.request as usize];
        let (is_head, expects_much) = (message.is_head, message.expects_much());
        self.slots[slot as usize].begin(ticket, now_ns, is_head, expects_much);
        self.in_flight.push_back(slot);
        if self.stop.is_stopped() {
            self.fail(slot, ErrorKind::Aborted);
        } else if self.slots[slot as usize].stream.is_some() {
            self.write(slot);
        } else {
            self.want_connection(slot, now_ns);
        }
        now_ns
    }

    fn poll<F: FnMut(Completion)>(&mut self, until_ns: u64, mut sink: F) {
        if !self.is_precise {
            wait_precisely();
            self.is_precise = true;
        }
        loop {
            let deadline_ns = self.turn(until_ns);
            if self.stop.is_stopped() {
                self.abort_all();
            }
            let now_ns = clock::now_ns();
            if now_ns >= deadline_ns {
                self.expire(now_ns);
            }
            if !self.ended.is_empty() {
                return self.hand_over(&mut sink);
            }
            if now_ns >= until_ns {
                return;
            }
        }
    }

    fn retire(&mut self) {
        if !self.is_retired {
            self.is_retired = true;
            self.close_idle();
        }
    }

    fn take_causes(&mut self) -> Causes {
        self.causes.take()
    }

    fn take_failures(&mut self, request: u32) -> Failures {
        self.messages[request as usize].failures.take()
    }

    fn take_openings(&mut self) -> Openings {
        self.openings.take()
    }

    fn abort<F: FnMut(Completion)>(&mut self, mut sink: F) {
        self.abort_all();
        self.hand_over(&mut sink);
    }
}
