//! The transport under `ureq`: TCP with one deadline for the whole exchange, STOP handling, and counts.
//!
//! `ureq`'s own transport probes a pooled connection twice per request, with three system calls each, and
//! blocks in a read for up to its full timeout. This one checks once, with one call, and wakes up often
//! enough to end a blocked request soon after a STOP.

use crate::clock::{self, NS_PER_MS};
use crate::http::STOP_LOOK_NS;
use crate::http::cause;
use crate::http::os::socket::{Fate, ONE_SEGMENT_BYTES, fate, is_quiet, start_connect, wait_writable};
use crate::stats::causes::{Causes, Key};
use crate::stats::openings::Openings;
use crate::stats::outcome::ErrorKind;
use crate::threads::StopFlag;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

/// Progress of an exchange; determines the kind of its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No TCP connection yet.
    Connect = 0,
    /// TCP is connected, the TLS handshake is not done.
    Handshake = 1,
    /// Request and response.
    Exchange = 2,
}

/// State shared by the transport and its user. `ureq` requires a transport that may move between threads, so
/// these are atomics; only one thread uses them.
#[derive(Debug)]
pub struct TransportState {
    stop: StopFlag,
    deadline_ns: AtomicU64,
    connect_deadline_ns: AtomicU64,
    stage: AtomicU8,
    connects: AtomicU64,
    written: AtomicU64,
    received: AtomicU64,
    /// Whether the connection was closed before the request reached it.
    refused: AtomicBool,
    /// Index of the address to try first.
    address: AtomicUsize,
    /// Maximum time for an address while others remain.
    attempt_ns: u64,
    /// The last connection that ended, until the server closes it too.
    lingering: Mutex<Option<TcpStream>>,
    causes: Mutex<Causes>,
    openings: Mutex<Openings>,
    /// When the TCP connect ended.
    connected_ns: AtomicU64,
    /// Maximum time that one call blocks.
    slice_ns: u64,
}

impl TransportState {
    /// A state for exchanges of at most `timeout`, with at most `attempt_ns` per address while others remain.
    pub fn new(stop: StopFlag, timeout: Duration, attempt_ns: u64) -> TransportState {
        // Half the timeout, so that the slice is the same for every request and needs no call to set it.
        let slice_ns = STOP_LOOK_NS.min(clock::to_ns(timeout) / 2).max(NS_PER_MS);
        TransportState {
            stop,
            deadline_ns: AtomicU64::new(0),
            connect_deadline_ns: AtomicU64::new(0),
            stage: AtomicU8::new(Stage::Connect as u8),
            connects: AtomicU64::new(0),
            written: AtomicU64::new(0),
            received: AtomicU64::new(0),
            refused: AtomicBool::new(false),
            address: AtomicUsize::new(0),
            attempt_ns,
            lingering: Mutex::new(None),
            causes: Mutex::new(Causes::default()),
            openings: Mutex::new(Openings::default()),
            connected_ns: AtomicU64::new(0),
            slice_ns,
        }
    }

    /// Starts an attempt.
    pub fn begin(&self, connect_deadline_ns: u64, deadline_ns: u64) {
        self.deadline_ns.store(deadline_ns, Relaxed);
        self.connect_deadline_ns.store(connect_deadline_ns.min(deadline_ns), Relaxed);
        self.stage.store(Stage::Exchange as u8, Relaxed);
        self.connects.store(0, Relaxed);
        self.written.store(0, Relaxed);
        self.received.store(0, Relaxed);
        self.refused.store(false, Relaxed);
    }

    /// Progress of the attempt.
    pub fn stage(&self) -> Stage {
        match self.stage.load(Relaxed) {
            0 => Stage::Connect,
            1 => Stage::Handshake,
            _ => Stage::Exchange,
        }
    }

    /// Whether the attempt used a connection kept from an earlier one.
    pub fn is_reused(&self) -> bool {
        self.connects.load(Relaxed) == 0
    }

    /// Bytes of the response so far, including the head, without TLS overhead.
    pub fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Whether the attempt used a reused connection and may be repeated: nothing came back, and the request
    /// was either not sent or cannot have been read.
    pub fn may_repeat(&self) -> bool {
        let is_unread = self.written.load(Relaxed) == 0 || self.refused.load(Relaxed);
        self.is_reused() && self.received() == 0 && is_unread
    }

    /// Why attempts failed since the last call.
    pub fn take_causes(&self) -> Causes {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// How long connections took to open since the last call.
    pub fn take_openings(&self) -> Openings {
        self.openings.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn count_connect(&self, began_ns: u64) {
        let now_ns = clock::now_ns();
        self.connected_ns.store(now_ns, Relaxed);
        let mut openings = self.openings.lock().unwrap_or_else(PoisonError::into_inner);
        openings.connect.record_ns(now_ns.saturating_sub(began_ns));
    }

    fn count_handshake(&self) {
        let took_ns = clock::now_ns().saturating_sub(self.connected_ns.load(Relaxed));
        self.openings.lock().unwrap_or_else(PoisonError::into_inner).tls.record_ns(took_ns);
    }

    /// Counts a cause, unless the request will be resent.
    pub fn note(&self, kind: ErrorKind, key: impl Into<Key>, words: impl FnOnce() -> String) {
        if kind != ErrorKind::Closed || !self.may_repeat() {
            self.causes.lock().unwrap_or_else(PoisonError::into_inner).count(kind, key, words);
        }
    }

    /// Closes the lingering connection.
    pub fn let_go(&self) {
        *self.lingering.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Retires a connection. If it ended before a response began, finds out whether the request can have been
    /// read (see [`crate::http::native::closing`]); if there was a response, waits for the server to close
    /// first.
    fn retire(&self, stream: TcpStream) {
        if self.received() > 0 {
            *self.lingering.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
        } else if self.is_reused() && (1..=ONE_SEGMENT_BYTES as u64).contains(&self.written.load(Relaxed)) {
            self.refused.store(is_refused(&stream), Relaxed);
        }
    }

    /// Whether STOP was requested.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_stopped()
    }

    /// Begins a stage.
    pub fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Relaxed);
    }

    /// How long the next call may block. A STOP ends the time, too; `io::ErrorKind::Interrupted` would not
    /// do, since `rustls` and `std` retry after it.
    fn slice(&self) -> Result<u64, Error> {
        let deadline_ns = match self.stage() {
            Stage::Exchange => &self.deadline_ns,
            _ => &self.connect_deadline_ns,
        };
        let left_ns = deadline_ns.load(Relaxed).saturating_sub(clock::now_ns());
        if self.is_stopped() || left_ns == 0 {
            return Err(Error::Timeout(Timeout::Global));
        }
        Ok(left_ns.min(self.slice_ns))
    }

    /// Tries the addresses in turn, the last working one first. Only the final one may use up the time.
    fn connect_any(&self, addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
        let first = self.address.load(Relaxed);
        let mut last = Error::ConnectionFailed;
        for tried in 0..addresses.len() {
            let index = (first + tried) % addresses.len();
            let is_last = tried + 1 == addresses.len();
            let by_ns = if is_last { u64::MAX } else { clock::now_ns().saturating_add(self.attempt_ns) };
            match self.connect(addresses[index], by_ns) {
                Ok(stream) => {
                    self.address.store(index, Relaxed);
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
            if matches!(last, Error::Timeout(_)) {
                self.address.store((index + 1) % addresses.len(), Relaxed);
            }
        }
        Err(last)
    }

    fn connect(&self, address: SocketAddr, by_ns: u64) -> Result<TcpStream, Error> {
        let began_ns = clock::now_ns();
        let stream = start_connect(address)?;
        loop {
            let left_ns = by_ns.saturating_sub(clock::now_ns());
            if wait_writable(&stream, Duration::from_nanos(self.slice()?.min(left_ns)))? {
                break;
            }
            if left_ns == 0 {
                return Err(Error::Timeout(Timeout::Connect));
            }
        }
        if let Some(error) = stream.take_error()? {
            return Err(error.into());
        }
        self.count_connect(began_ns);
        stream.set_nonblocking(false)?;
        Ok(stream)
    }
}

/// Opens TCP connections for a [`TransportState`].
#[derive(Debug)]
pub struct BoundedConnector(pub Arc<TransportState>);

impl Connector for BoundedConnector {
    type Out = BoundedTransport;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<BoundedTransport>, Error> {
        let state = &self.0;
        state.enter(Stage::Connect);
        state.connects.fetch_add(1, Relaxed);
        let stream = Some(state.connect_any(&details.addrs)?);
        state.enter(Stage::Handshake);
        let (input, output) = (details.config.input_buffer_size(), details.config.output_buffer_size());
        let (buffers, state) = (LazyBuffers::new(input, output), Arc::clone(state));
        Ok(Some(BoundedTransport { stream, buffers, state, read_ns: 0, write_ns: 0 }))
    }
}

/// A TCP connection whose calls block for one slice at a time, until the deadline or a STOP.
pub struct BoundedTransport {
    /// Present until it is dropped.
    stream: Option<TcpStream>,
    buffers: LazyBuffers,
    state: Arc<TransportState>,
    /// The timeouts set on the socket; unchanged ones cost no call.
    read_ns: u64,
    write_ns: u64,
}

impl BoundedTransport {
    fn write_some(&mut self, from: usize, to: usize) -> Result<usize, Error> {
        let Some(stream) = &mut self.stream else { return Err(Error::ConnectionFailed) };
        loop {
            let slice_ns = self.state.slice()?;
            if slice_ns != self.write_ns {
                stream.set_write_timeout(Some(Duration::from_nanos(slice_ns)))?;
                self.write_ns = slice_ns;
            }
            match stream.write(&self.buffers.output()[from..to]) {
                Err(error) if is_pause(&error) => {}
                result => return Ok(result?),
            }
        }
    }
}

impl Drop for BoundedTransport {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.state.retire(stream);
        }
    }
}

/// Whether the server had closed the connection before the unanswered request arrived. Waits for the answer
/// only if the connection has ended.
fn is_refused(stream: &TcpStream) -> bool {
    let is_at_end = stream.set_nonblocking(true).is_ok() && stream.peek(&mut [0]).is_ok();
    let until_ns = clock::now_ns() + DOUBT_NS;
    let mut room = [0; 512];
    is_at_end
        && loop {
            match fate(stream, &mut room, true) {
                Fate::Open if clock::now_ns() < until_ns => clock::sleep(Duration::from_nanos(NS_PER_MS)),
                known => break known == Fate::Refused,
            }
        }
}

/// Maximum wait for a reply from the server's kernel.
const DOUBT_NS: u64 = 250 * NS_PER_MS;

/// Whether the error only means that time passed.
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

impl fmt::Debug for BoundedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedTransport").field("stream", &self.stream).finish()
    }
}

impl Transport for BoundedTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let mut at = 0;
        while at < amount {
            let written = self.write_some(at, amount)?;
            if written == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            at += written;
            self.state.written.fetch_add(written as u64, Relaxed);
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let Some(stream) = &mut self.stream else { return Err(Error::ConnectionFailed) };
        loop {
            let slice_ns = self.state.slice()?;
            if slice_ns != self.read_ns {
                stream.set_read_timeout(Some(Duration::from_nanos(slice_ns)))?;
                self.read_ns = slice_ns;
            }
            match stream.read(self.buffers.input_append_buf()) {
                Ok(count) => {
                    self.buffers.input_appended(count);
                    return Ok(count > 0);
                }
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.stream.as_ref().is_some_and(is_quiet)
    }
}

/// Wraps the output of TCP or TLS, to count a response's bytes and to check a kept connection only once.
#[derive(Debug)]
pub struct MeterConnector(pub Arc<TransportState>);

impl<In: Transport> Connector<In> for MeterConnector {
    type Out = Meter<In>;

    fn connect(&self, _: &ConnectionDetails, inner: Option<In>) -> Result<Option<Meter<In>>, Error> {
        self.0.enter(Stage::Exchange);
        if inner.as_ref().is_some_and(Transport::is_tls) {
            self.0.count_handshake();
        }
        Ok(inner.map(|inner| Meter { inner, state: Arc::clone(&self.0), is_kept: false }))
    }
}

/// See [`MeterConnector`].
#[derive(Debug)]
pub struct Meter<In> {
    inner: In,
    state: Arc<TransportState>,
    is_kept: bool,
}

impl<In: Transport> Transport for Meter<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let before = self.inner.buffers().input().len();
        let result = self.inner.await_input(timeout);
        let after = self.inner.buffers().input().len();
        self.state.received.fetch_add(after.saturating_sub(before) as u64, Relaxed);
        result
    }

    /// `ureq` asks after a response, before it keeps the connection, and again before the next request. Only
    /// the second answer is useful.
    fn is_open(&mut self) -> bool {
        self.is_kept = !self.is_kept;
        self.is_kept || self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// The error kind of a `ureq` error at the state's current stage; counts its cause.
pub fn kind_of(error: &Error, state: &TransportState) -> ErrorKind {
    let kind = classify(error, state);
    let is_tls = matches!(error, Error::Io(e) if cause::tls_error(e).is_some());
    let fixed = match (kind, error) {
        (ErrorKind::Aborted | ErrorKind::Timeout, _) => return kind,
        (ErrorKind::Dns, _) => Some(cause::NO_ADDRESS),
        (ErrorKind::Connect, Error::Timeout(_)) => Some(cause::CONNECT_TIMEOUT),
        (ErrorKind::Tls, Error::Timeout(_)) => Some(cause::HANDSHAKE_TIMEOUT),
        (ErrorKind::Tls, Error::Io(_)) if !is_tls => Some(cause::HANDSHAKE_CLOSED),
        (ErrorKind::Closed, _) if state.received() > 0 => Some(cause::CLOSED_HALFWAY),
        (ErrorKind::Closed, Error::Io(e)) if e.raw_os_error().is_none() => Some(cause::CLOSED_UNANSWERED),
        (ErrorKind::Protocol, _) => Some("malformed HTTP/1.1 response, or a limit of ureq exceeded"),
        _ => None,
    };
    match (fixed, error) {
        (_, Error::ConnectProxyFailed(why)) => state.note(kind, "proxy", || why.clone()),
        (Some(text), _) => state.note(kind, text, || text.to_owned()),
        (None, Error::Io(e)) => state.note(kind, cause::key(e), || cause::words(e)),
        (None, other) => state.note(kind, "other", || other.to_string()),
    }
    kind
}

fn classify(error: &Error, state: &TransportState) -> ErrorKind {
    if state.is_stopped() {
        return ErrorKind::Aborted;
    }
    match (state.stage(), error) {
        (_, Error::HostNotFound) => ErrorKind::Dns,
        (Stage::Connect, _) | (_, Error::ConnectProxyFailed(_)) => ErrorKind::Connect,
        (Stage::Handshake, _) => ErrorKind::Tls,
        (_, Error::Timeout(_)) => ErrorKind::Timeout,
        (_, Error::ConnectionFailed) => ErrorKind::Connect,
        (_, Error::Io(e)) if cause::tls_error(e).is_some() => ErrorKind::Tls,
        (_, Error::Io(_)) => ErrorKind::Closed,
        _ => ErrorKind::Protocol,
    }
}
