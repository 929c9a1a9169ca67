//! Bytes of a connection → requests. Pure: no socket, no clock, and memory only for bytes that arrived.
//!
//! [`read_all`] runs it over any bytes in pieces of any size, for fuzzing: the result must not depend on
//! where the bytes were cut.

use super::chunks::{Chunks, Piece};
use super::head::{self, Framing, Head, Manner, Refusal};
use super::types::Request;

/// Body buffers grow in steps of this size, so that no more is reserved than the client sends.
const BODY_STEP: usize = 64 * 1024;
/// Maximum empty lines before a request (RFC 9112, section 2.2).
const MAX_BLANK_LINES: u8 = 2;

/// Limits for one request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest head, in bytes; a larger one is answered 431.
    pub head_bytes: usize,
    /// Largest body, in bytes; a larger one is answered 413.
    pub body_bytes: usize,
    /// Whether bodies are kept for the handler or discarded.
    pub keeps_body: bool,
}

/// The result of [`Intake::advance`].
#[derive(Debug)]
pub enum Step {
    /// More bytes are needed.
    Wait,
    /// A head is complete, see [`Intake::head`]: refuse it now or continue with its body.
    Head,
    /// A request is complete.
    Request(Request, Manner),
    /// The request is rejected; nothing after it is parsed.
    Refuse(Refusal),
}

#[derive(Debug)]
enum State {
    /// In a head, whose end was searched for up to this offset.
    Head(usize),
    Body(Head, Body),
    /// After a refusal: everything is discarded.
    Over,
}

#[derive(Debug)]
enum Body {
    Length(u64),
    /// The decoder, and the total size of the chunks announced so far.
    Chunked(Chunks, u64),
}

/// What parsing found.
enum Found {
    Nothing,
    Head,
    End,
}

/// The request parser of one connection.
#[derive(Debug)]
pub struct Intake {
    limits: Limits,
    state: State,
    blank_lines: u8,
}

impl Intake {
    /// A parser at the start of a connection.
    pub fn new(limits: Limits) -> Intake {
        Intake { limits, state: State::Head(0), blank_lines: 0 }
    }

    /// Returns how many bytes were consumed. The others must be passed again, followed by new bytes.
    pub fn advance(&mut self, input: &[u8]) -> (usize, Step) {
        let advanced = match &mut self.state {
            State::Head(from) => {
                let from = *from;
                self.advance_head(input, from)
            }
            State::Body(head, body) => advance_body(head, body, input, self.limits),
            State::Over => Ok((input.len(), Found::Nothing)),
        };
        match advanced {
            Ok((used, Found::Nothing)) => (used, Step::Wait),
            Ok((used, Found::Head)) => (used, Step::Head),
            Ok((used, Found::End)) => (used, self.take_request()),
            Err(refusal) => {
                self.state = State::Over;
                (input.len(), Step::Refuse(refusal))
            }
        }
    }

    fn advance_head(&mut self, input: &[u8], from: usize) -> Result<(usize, Found), Refusal> {
        if input.first().is_some_and(|byte| !head::may_begin(*byte)) {
            return Err(Refusal::new(400, "this is not an HTTP request: use plain http://, without TLS"));
        }
        if from == 0 && input.starts_with(b"\r\n") {
            self.blank_lines += 1;
            return match self.blank_lines > MAX_BLANK_LINES {
                true => Err(Refusal::new(400, "malformed request: too many empty lines")),
                // Consumed; the caller parses the rest.
                false => Ok((2, Found::Nothing)),
            };
        }
        let most = self.limits.head_bytes;
        let looked_at = &input[..input.len().min(most)];
        let Some(end) = head::find_end(looked_at, from.min(looked_at.len()))? else {
            if input.len() >= most {
                return Err(Refusal::new(
                    431,
                    format!("the head is too large: at most {most} bytes are allowed"),
                ));
            }
            self.state = State::Head(input.len().saturating_sub(1));
            return Ok((0, Found::Nothing));
        };
        let head = head::parse(&input[..end])?;
        let body = match head.framing {
            Framing::Length(length) if length > self.limits.body_bytes as u64 => {
                return Err(too_large(self.limits));
            }
            Framing::Length(length) => Body::Length(length),
            Framing::Chunked => Body::Chunked(Chunks::new(), 0),
        };
        self.blank_lines = 0;
        self.state = State::Body(head, body);
        Ok((end, Found::Head))
    }

    fn take_request(&mut self) -> Step {
        match std::mem::replace(&mut self.state, State::Head(0)) {
            State::Body(head, _) => Step::Request(head.request, head.manner),
            _ => Step::Wait,
        }
    }

    /// The head whose body is being read.
    pub fn head(&self) -> Option<&Head> {
        match &self.state {
            State::Body(head, _) => Some(head),
            _ => None,
        }
    }

    /// Skips the body of the current request. Returns whether the next request can be parsed, because this
    /// one has no body.
    pub fn skip(&mut self) -> bool {
        let is_bare = matches!(&self.state, State::Body(_, Body::Length(0)));
        self.state = if is_bare { State::Head(0) } else { State::Over };
        is_bare
    }

    /// Stops parsing.
    pub fn end(&mut self) {
        self.state = State::Over;
    }

    /// Memory used by the body, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.head().map_or(0, |head| head.request.body.capacity())
    }
}

fn too_large(limits: Limits) -> Refusal {
    Refusal::new(413, format!("the body is too large: at most {} bytes are allowed", limits.body_bytes))
}

/// Reads as much of the body as is available.
fn advance_body(
    head: &mut Head,
    body: &mut Body,
    input: &[u8],
    limits: Limits,
) -> Result<(usize, Found), Refusal> {
    match body {
        Body::Length(left) => {
            let taken = input.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= taken as u64;
            keep(&mut head.request.body, &input[..taken], limits);
            Ok((taken, if *left == 0 { Found::End } else { Found::Nothing }))
        }
        Body::Chunked(chunks, announced) => {
            let mut at = 0;
            loop {
                match chunks.next(&input[at..], limits.head_bytes)? {
                    Piece::Wait => return Ok((at, Found::Nothing)),
                    Piece::Done => return Ok((at, Found::End)),
                    Piece::Frame(count) => at += count,
                    Piece::Announced(size, count) => {
                        at += count;
                        *announced = announced.saturating_add(size);
                        if *announced > limits.body_bytes as u64 {
                            return Err(too_large(limits));
                        }
                    }
                    Piece::Data(count) => {
                        keep(&mut head.request.body, &input[at..at + count], limits);
                        at += count;
                    }
                }
            }
        }
    }
}

fn keep(body: &mut Vec<u8>, bytes: &[u8], limits: Limits) {
    if !limits.keeps_body {
        return;
    }
    if body.capacity() - body.len() < bytes.len() {
        body.reserve_exact(if body.is_empty() { bytes.len() } else { bytes.len().max(BODY_STEP) });
    }
    body.extend_from_slice(bytes);
}

/// Reads `bytes` in pieces of at most `piece` bytes. Returns the complete requests, and the status of the
/// refusal that ended it, if any.
pub fn read_all(bytes: &[u8], piece: usize, limits: Limits) -> (Vec<Request>, Option<u16>) {
    let (mut intake, mut requests, mut at) = (Intake::new(limits), Vec::new(), 0);
    for end in (0..=bytes.len()).step_by(piece.max(1)).chain([bytes.len()]) {
        loop {
            let (used, step) = intake.advance(&bytes[at..end.max(at)]);
            at += used;
            match step {
                Step::Wait if used == 0 || at >= end => break,
                Step::Wait | Step::Head => {}
                Step::Request(request, _) => requests.push(request),
                Step::Refuse(refusal) => return (requests, Some(refusal.status)),
            }
        }
    }
    (requests, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { head_bytes: 200, body_bytes: 30, keeps_body: true };

    const SAMPLES: [&str; 8] = [
        "GET /a?b=c HTTP/1.1\r\nHost: t\r\n\r\nGET /d HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: t\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: v\r\n\r\nGET",
        "\r\n\r\nGET http://u:1/p HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 31\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n",
        "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: t\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\
         yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\
         yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n\r\n",
    ];

    #[test]
    fn requests_end_at_their_stated_length() {
        let read = |sample: &str| read_all(sample.as_bytes(), 7, LIMITS);
        let bodies = |sample: &str| -> Vec<String> {
            let text = |request: Request| String::from_utf8(request.body).expect("text");
            read(sample).0.into_iter().map(text).collect()
        };
        assert_eq!(bodies(SAMPLES[0]), ["", ""]);
        assert_eq!(bodies(SAMPLES[1]), ["hello", ""]);
        assert_eq!(bodies(SAMPLES[2]), ["abcde"]);
        assert_eq!(read(SAMPLES[3]).0[0].header("host"), Some("u:1"));
        let refused: Vec<_> = SAMPLES[4..].iter().map(|sample| read(sample).1).collect();
        assert_eq!(refused, [Some(413), Some(413), Some(413), Some(431)]);
    }

    #[test]
    fn splitting_the_input_changes_nothing() {
        let mut state = 1u64;
        let mut random = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % most
        };
        for round in 0..20_000 {
            let mut bytes = SAMPLES[random(SAMPLES.len())].as_bytes().to_vec();
            bytes.extend_from_slice(SAMPLES[random(SAMPLES.len())].as_bytes());
            for _ in 0..round % 4 {
                let at = random(bytes.len());
                bytes[at] = b"\r\n :;,0a\0\xff"[random(10)];
            }
            let whole = read_all(&bytes, usize::MAX, LIMITS);
            let piece = 1 + random(20);
            assert_eq!(
                read_all(&bytes, piece, LIMITS),
                whole,
                "{piece}: {:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }

    #[test]
    fn a_body_uses_no_memory_before_it_arrives() {
        let limits = Limits { body_bytes: 1 << 30, ..LIMITS };
        let mut intake = Intake::new(limits);
        let head = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000000\r\n\r\n";
        assert!(matches!(intake.advance(head), (56, Step::Head)));
        assert!(matches!(intake.advance(b"0123456789"), (10, Step::Wait)));
        assert!(intake.held_bytes() < 100, "{}", intake.held_bytes());
        let mut thrifty = Intake::new(Limits { keeps_body: false, ..limits });
        thrifty.advance(head);
        assert!(matches!(thrifty.advance(&[b'x'; 100_000]), (100_000, Step::Wait)));
        assert_eq!(thrifty.held_bytes(), 0);
    }
}
