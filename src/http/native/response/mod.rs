//! An incremental parser for one response: bytes in, progress out. No socket, no clock, no allocation.
//!
//! Framing follows RFC 9112, section 6.3. `httparse` parses the head in place, so the head must be
//! contiguous: until it is complete, nothing is consumed and the caller presents it again with more bytes.

use super::chunked::Chunked;
use super::fault::Fault;
use super::known::Known;
use crate::http::capture::{Dropped, Sink};
use crate::http::{MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_HEADERS};
use crate::stats::outcome::ErrorKind;
use httparse::Header;
use std::mem::MaybeUninit;

/// Maximum interim responses (1xx) before the final one; more are a protocol error.
pub const MAX_INTERIM: u8 = 32;

/// The result of [`Response::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes at the front of the input that are no longer needed.
    pub consumed: usize,
    /// Whether the response is complete. Anything after `consumed` is then not part of it.
    pub done: bool,
}

/// What a final head means: the status, whether the connection may be kept, and how the body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    status: u16,
    keep_alive: bool,
    state: State,
}

impl Meaning {
    /// Length of the body if the head states it, else 0.
    pub fn body_bytes(&self) -> u64 {
        self.state.counted_bytes()
    }
}

/// The last final head among responses to requests with the same method.
pub type KnownHead = Known<Meaning>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    Done,
}

impl State {
    /// Bytes left of a body of known length, else 0.
    fn counted_bytes(self) -> u64 {
        if let State::Length(left) = self { left } else { 0 }
    }
}

/// The state of one response.
#[derive(Clone, Debug)]
pub struct Response {
    state: State,
    status: u16,
    to_head_request: bool,
    keep_alive: bool,
    interim: u8,
    /// Length of the incomplete head when it was last parsed.
    tried: u32,
    /// How much of the incomplete head was searched for its end.
    searched: u32,
    bytes: u64,
    body: u64,
    fault: Fault,
}

impl Response {
    /// Expects the response to a request; `to_head_request` if that is a `HEAD`.
    pub fn new(to_head_request: bool) -> Response {
        Response {
            state: State::Head,
            status: 0,
            to_head_request,
            keep_alive: false,
            interim: 0,
            tried: 0,
            searched: 0,
            bytes: 0,
            body: 0,
            fault: Fault::Malformed,
        }
    }

    /// The status; 0 until the head of the final response is parsed.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the connection may carry another request after this response.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Bytes consumed so far, including heads, interim responses and framing.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Why the response was rejected, if it was.
    pub fn fault(&self) -> &'static str {
        self.fault.words()
    }

    /// Sets the bytes of a rejected response to everything received of it.
    pub fn count_refused(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    fn refuse<T>(&mut self, fault: Fault) -> Result<T, ErrorKind> {
        self.fault = fault;
        Err(ErrorKind::Protocol)
    }

    /// Bytes left of the body if its length is known, else 0.
    pub fn body_left(&self) -> u64 {
        self.state.counted_bytes()
    }

    /// Counts body bytes that were discarded unseen: `count`, at most [`Response::body_left`].
    pub fn skip(&mut self, count: usize) {
        if let State::Length(left) = self.state {
            self.bytes += self.counted(count, left) as u64;
        }
    }

    /// Parses the bytes not consumed before, followed by new ones.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] if they are not HTTP or exceed a limit. The response is then over.
    pub fn advance(&mut self, input: &[u8]) -> Result<Step, ErrorKind> {
        self.advance_knowing(input, &mut KnownHead::default())
    }

    /// Like [`Response::advance`], using a cached head. That only saves time and never changes the result.
    ///
    /// # Errors
    /// As [`Response::advance`].
    pub fn advance_knowing(&mut self, input: &[u8], known: &mut KnownHead) -> Result<Step, ErrorKind> {
        self.advance_into(input, known, &mut Dropped)
    }

    /// Like [`Response::advance_knowing`], and passes the final head and the unframed body to `sink`.
    ///
    /// # Errors
    /// As [`Response::advance`].
    pub fn advance_into(
        &mut self,
        input: &[u8],
        known: &mut KnownHead,
        sink: &mut impl Sink,
    ) -> Result<Step, ErrorKind> {
        let mut consumed = 0;
        while !self.is_done() {
            let rest = &input[consumed..];
            let taken = match self.state {
                State::Head => self.head(rest, known, sink)?,
                State::Length(left) => {
                    let taken = self.counted(rest.len(), left);
                    sink.body(&rest[..taken]);
                    taken
                }
                State::Chunked(state) => self.chunked(rest, state, sink)?,
                State::UntilClose => {
                    sink.body(rest);
                    self.limited(rest.len())?
                }
                State::Done => 0,
            };
            consumed += taken;
            self.bytes += taken as u64;
            if taken == 0 || (consumed == input.len() && !self.is_done()) {
                break;
            }
        }
        Ok(Step { consumed, done: self.is_done() })
    }

    fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The server closed its side; `rest` is what [`Response::advance`] left. `Ok` if that ends the response.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] if something is missing, [`ErrorKind::Protocol`] if the input is not HTTP.
    pub fn finish(&mut self, rest: &[u8]) -> Result<(), ErrorKind> {
        match self.state {
            State::UntilClose | State::Done => {
                self.state = State::Done;
                Ok(())
            }
            State::Head if !rest.is_empty() => {
                self.parse_head(rest)?;
                Err(ErrorKind::Closed)
            }
            _ => Err(ErrorKind::Closed),
        }
    }

    fn counted(&mut self, there: usize, left: u64) -> usize {
        let taken = there.min(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - taken as u64;
        self.state = if left == 0 { State::Done } else { State::Length(left) };
        taken
    }

    fn chunked(&mut self, rest: &[u8], mut state: Chunked, sink: &mut impl Sink) -> Result<usize, ErrorKind> {
        let taken = state.advance_into(rest, sink)?;
        self.state = if state.is_done() { State::Done } else { State::Chunked(state) };
        self.limited(taken)
    }

    /// Counts bytes of a body whose length is not known in advance.
    fn limited(&mut self, taken: usize) -> Result<usize, ErrorKind> {
        self.body += taken as u64;
        if self.body > MAX_BODY_BYTES { self.refuse(Fault::Body) } else { Ok(taken) }
    }

    /// Consumes the head if it is complete, otherwise nothing.
    fn head(&mut self, rest: &[u8], known: &mut KnownHead, sink: &mut impl Sink) -> Result<usize, ErrorKind> {
        if let Some((length, meaning)) = known.recall(rest) {
            (self.status, self.keep_alive, self.state) = (meaning.status, meaning.keep_alive, meaning.state);
            sink.head(self.status, &rest[..length]);
            return Ok(length);
        }
        if !self.is_worth_parsing(rest) {
            return if rest.len() > MAX_HEAD_BYTES { self.refuse(Fault::Head) } else { Ok(0) };
        }
        self.tried = rest.len() as u32;
        match self.parse_head(rest)? {
            Some(length) if length <= MAX_HEAD_BYTES => {
                (self.tried, self.searched) = (0, 0);
                if !matches!(self.state, State::Head) {
                    let Response { status, keep_alive, state, .. } = *self;
                    known.learn(&rest[..length], Meaning { status, keep_alive, state });
                    sink.head(status, &rest[..length]);
                }
                Ok(length)
            }
            None if rest.len() <= MAX_HEAD_BYTES => Ok(0),
            _ => self.refuse(Fault::Head),
        }
    }

    /// Parsing again after every byte would take quadratic time. So it is tried when an empty line arrived,
    /// which ends a head, and whenever the input has doubled, so that malformed input is detected early.
    fn is_worth_parsing(&mut self, rest: &[u8]) -> bool {
        if rest.is_empty() {
            return false;
        }
        let from = (self.searched as usize).saturating_sub(2).min(rest.len());
        self.searched = rest.len().min(u32::MAX as usize) as u32;
        rest.len() >= 2 * self.tried as usize || has_empty_line(&rest[from..])
    }

    /// The length of the head if it is complete; sets how the body is framed.
    fn parse_head(&mut self, rest: &[u8]) -> Result<Option<usize>, ErrorKind> {
        // Left uninitialised: writing 4 KB of empty headers would cost more than parsing.
        let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut []);
        let parser = httparse::ParserConfig::default();
        let length = match parser.parse_response_with_uninit_headers(&mut parsed, rest, &mut headers) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return self.refuse(Fault::Lines),
            Err(_) => return self.refuse(Fault::of_unreadable(rest)),
        };
        let (Some(status), Some(minor)) = (parsed.code, parsed.version) else {
            return Err(ErrorKind::Protocol);
        };
        if status < 100 {
            return Err(ErrorKind::Protocol);
        }
        let fields = Fields::read(parsed.headers)?;
        self.frame(status, minor, &fields)?;
        Ok(Some(length))
    }

    fn frame(&mut self, status: u16, minor: u8, fields: &Fields) -> Result<(), ErrorKind> {
        if status == 101 {
            // What follows is another protocol, which no client here speaks: the exchange fails.
            return self.refuse(Fault::Upgrade);
        }
        if status < 200 {
            self.interim += 1;
            return if self.interim > MAX_INTERIM { self.refuse(Fault::Interim) } else { Ok(()) };
        }
        self.status = status;
        self.keep_alive = !fields.close && (minor >= 1 || fields.keep_alive);
        let has_no_body = self.to_head_request || matches!(status, 204 | 304);
        self.state = match (has_no_body, fields.encoding, fields.length) {
            (true, _, _) => State::Done,
            (_, Encoding::Chunked, _) => {
                // HTTP/1.0 has no chunks: the framing is faulty and the connection unusable (RFC 9112 6.1).
                self.keep_alive &= minor >= 1;
                State::Chunked(Chunked::default())
            }
            (_, Encoding::None, Some(0)) => State::Done,
            (_, Encoding::None, Some(length)) if length > MAX_BODY_BYTES => return self.refuse(Fault::Body),
            (_, Encoding::None, Some(length)) => State::Length(length),
            _ => {
                self.keep_alive = false;
                State::UntilClose
            }
        };
        Ok(())
    }
}

fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|w| w == b"\n\n") || bytes.windows(3).any(|w| w == b"\n\r\n")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    None,
    Chunked,
    /// A transfer coding that ends when the connection closes.
    Other,
}

/// The few header fields that determine framing and reuse.
struct Fields {
    length: Option<u64>,
    encoding: Encoding,
    close: bool,
    keep_alive: bool,
}

impl Fields {
    fn read(headers: &[Header<'_>]) -> Result<Fields, ErrorKind> {
        let mut fields = Fields { length: None, encoding: Encoding::None, close: false, keep_alive: false };
        let mut conflict = false;
        for header in headers {
            // Most names have other lengths and cost one comparison.
            match header.name.len() {
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    conflict |= !fields.add_length(header.value);
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    fields.set_encoding(header.value)
                }
                10 if header.name.eq_ignore_ascii_case("connection") => fields.add_connection(header.value),
                _ => {}
            }
        }
        // Transfer-Encoding overrides Content-Length, whatever its value (RFC 9112 6.3).
        if conflict && fields.encoding == Encoding::None {
            return Err(ErrorKind::Protocol);
        }
        Ok(fields)
    }

    /// Equal values, in several lines or one list, count as one; else false (RFC 9112 6.3, point 5).
    fn add_length(&mut self, value: &[u8]) -> bool {
        value.split(|b| *b == b',').all(|item| match decimal(item.trim_ascii()) {
            Some(length) => *self.length.get_or_insert(length) == length,
            None => false,
        })
    }

    fn set_encoding(&mut self, value: &[u8]) {
        let last = value.rsplit(|b| *b == b',').next().unwrap_or_default().trim_ascii();
        self.encoding =
            if last.eq_ignore_ascii_case(b"chunked") { Encoding::Chunked } else { Encoding::Other };
    }

    fn add_connection(&mut self, value: &[u8]) {
        for token in value.split(|b| *b == b',') {
            self.close |= token.trim_ascii().eq_ignore_ascii_case(b"close");
            self.keep_alive |= token.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
        }
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits.iter().try_fold(0u64, |n, d| n.checked_mul(10)?.checked_add(u64::from(d - b'0')))
}

#[cfg(test)]
mod tests;
