//! One exchange on an open connection: the request out, the response in.

use super::slot::Phase;
use super::stream::Stream;
use super::{BUFFER_BYTES, NativeClient};
use crate::clock;
use crate::http::capture::{Keeping, Kept};
use crate::http::cause::{self, HANDSHAKE_CLOSED};
use crate::http::os::socket::{ONE_SEGMENT_BYTES, discard};
use crate::stats::outcome::{ErrorKind, Outcome};
use std::io::{self, Read, Write};

/// Maximum reads of one connection per turn, so that an endless body does not starve the others.
const READS_PER_TURN: usize = 8;

/// If at least this much of a body is left, the kernel discards it instead of copying it out.
pub(super) const DISCARD_FROM: u64 = 32 * 1024;
/// Size of the first read if such a body is expected: enough for the head.
const HEAD_READ_BYTES: usize = 4 * 1024;

impl NativeClient {
    /// Writes as much of the request as the kernel accepts.
    pub(super) fn write(&mut self, slot: u32) {
        let state = &mut self.slots[slot as usize];
        let message = &mut self.messages[state.request()];
        let is_last = state.carried + 1 >= self.max_requests;
        let request = match &mut message.varying {
            None if is_last => &message.last_bytes[..],
            None => &message.bytes[..],
            // If only a part was written before, the rest is of the same bytes.
            Some(varying) => varying.render(state.ticket(), state.sent_ns, is_last),
        };
        let Some(stream) = state.stream.as_mut() else { return };
        state.phase = Phase::Sending;
        loop {
            let rest = &request[state.written..];
            match if rest.is_empty() { stream.flush().map(|()| 0) } else { stream.write(rest) } {
                Ok(_) if rest.is_empty() => break,
                Ok(written) => state.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The server may have answered before it closed: the response decides.
                Err(_) => {
                    state.hangup = true;
                    return self.read(slot);
                }
            }
        }
        state.phase = Phase::Receiving;
    }

    /// Reads what has arrived. Readiness is reported once per change, so this reads until nothing is left. A
    /// read that does not fill the buffer shows that as well as another would, unless a hang-up was reported.
    pub(super) fn read(&mut self, slot: u32) {
        for _ in 0..READS_PER_TURN {
            if !matches!(self.slots[slot as usize].phase, Phase::Sending | Phase::Receiving) {
                return;
            }
            match self.read_once(slot) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.lost(slot, &error),
            }
        }
        let state = &mut self.slots[slot as usize];
        if !state.has_more {
            state.has_more = true;
            self.more.push_back(slot);
        }
    }

    /// One read; returns true if the response has ended or nothing is left to read.
    fn read_once(&mut self, slot: u32) -> io::Result<bool> {
        let state = &mut self.slots[slot as usize];
        let Some(stream) = state.stream.as_mut() else { return Ok(true) };
        let (left, reads_in_full) = (state.response.body_left(), stream.reads_in_full());
        if left >= DISCARD_FROM && reads_in_full && state.kept.as_ref().is_none_or(Kept::is_full) {
            // The last byte is read, so that anything after the body is seen.
            return self.discard_once(slot, left - 1);
        }
        let held = state.held.len();
        if held > 0 {
            self.buffer[..held].copy_from_slice(&state.held);
        }
        let is_first = held == 0 && state.response.status() == 0;
        let end =
            if is_first && state.expects_much && reads_in_full { HEAD_READ_BYTES } else { BUFFER_BYTES };
        let count = stream.read(&mut self.buffer[held..end])?;
        if count == 0 {
            self.ended_by_server(slot);
            return Ok(true);
        }
        let is_full = held + count == end;
        let is_drained = !is_full && !state.hangup && reads_in_full;
        let has_ended = self.take(slot, held + count);
        if has_ended && is_full {
            // More may follow the response.
            self.check_idle(slot);
        }
        Ok(has_ended || is_drained)
    }

    /// Like a read of up to `most` bytes, but discards them.
    fn discard_once(&mut self, slot: u32, most: u64) -> io::Result<bool> {
        let state = &mut self.slots[slot as usize];
        let Some(Stream::Plain(tcp)) = &state.stream else { return Ok(true) };
        let room = usize::try_from(most).unwrap_or(usize::MAX).min(BUFFER_BYTES);
        let count = discard(tcp, &mut self.buffer[..room])?;
        if count == 0 {
            self.ended_by_server(slot);
            return Ok(true);
        }
        state.response.skip(count);
        state.kept.iter_mut().for_each(|kept| kept.skip(count));
        Ok(count < room && !state.hangup)
    }

    /// Continues the TLS handshake, and sends the request when it is done.
    pub(super) fn shake_hands(&mut self, slot: u32) {
        let Some(stream) = self.slots[slot as usize].stream.as_mut() else { return };
        match stream.handshake() {
            Ok(false) => self.slots[slot as usize].phase = Phase::Handshaking,
            Ok(true) => {
                if stream.is_tls() {
                    let began_ns = self.slots[slot as usize].step_ns;
                    self.openings.tls.record_ns(clock::now_ns().saturating_sub(began_ns));
                }
                self.opening.remove(slot);
                self.opened(slot);
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.fail_for(slot, ErrorKind::Tls, HANDSHAKE_CLOSED, || HANDSHAKE_CLOSED.to_owned())
            }
            Err(error) => self.fail_for(slot, ErrorKind::Tls, cause::key(&error), || cause::words(&error)),
        }
    }

    /// A connection is open: sends its request, if any.
    fn opened(&mut self, slot: u32) {
        if self.is_ahead {
            let state = &mut self.slots[slot as usize];
            (state.is_ahead, state.phase) = (true, Phase::Idle);
        } else {
            self.write(slot);
        }
    }

    /// Continues a connection that had more to read than its last turn allowed.
    pub(super) fn read_on(&mut self) {
        let Some(slot) = self.more.pop_front() else { return };
        if std::mem::take(&mut self.slots[slot as usize].has_more) {
            self.read(slot);
        }
    }

    /// Parses the first `length` bytes of the buffer; returns true if that ends the request.
    #[inline]
    fn take(&mut self, slot: u32, length: usize) -> bool {
        let state = &mut self.slots[slot as usize];
        let input = &self.buffer[..length];
        let before = state.response.bytes();
        let message = &mut self.messages[state.request()];
        let advanced = match &message.checks {
            None => state.response.advance_knowing(input, &mut message.known_head),
            Some(checks) => {
                let kept = state.kept.get_or_insert_with(|| self.spare.take());
                let mut keeping = Keeping { kept, checks };
                state.response.advance_into(input, &mut message.known_head, &mut keeping)
            }
        };
        match advanced {
            Err(kind) => {
                state.held.clear();
                state.response.count_refused(before + length as u64);
                let why = state.response.fault();
                self.fail_for(slot, kind, why, || why.to_owned());
                true
            }
            Ok(step) if step.done => {
                state.held.clear();
                let is_clean = step.consumed == length && state.phase == Phase::Receiving && !state.hangup;
                self.complete(slot, is_clean);
                true
            }
            Ok(step) => {
                state.held.clear();
                state.held.extend_from_slice(&input[step.consumed..]);
                false
            }
        }
    }

    /// The response is complete. The connection is kept only if nothing prevents its reuse.
    #[inline]
    fn complete(&mut self, slot: u32, is_clean: bool) {
        let ended_ns = clock::now_ns();
        let state = &mut self.slots[slot as usize];
        let status = state.response.status();
        state.carried += 1;
        if !is_clean || self.is_retired {
            state.close();
        } else if !state.response.keep_alive() || state.carried >= self.max_requests {
            self.linger(slot, ended_ns);
        }
        let failed = self.check(slot, ended_ns);
        self.end_with(slot, Outcome::Status(status), failed, ended_ns);
    }

    fn ended_by_server(&mut self, slot: u32) {
        let state = &mut self.slots[slot as usize];
        match state.response.finish(&state.held) {
            Ok(()) => self.complete(slot, false),
            Err(ErrorKind::Closed) => self.lost(slot, &io::ErrorKind::UnexpectedEof.into()),
            Err(kind) => {
                let why = state.response.fault();
                self.fail_for(slot, kind, why, || why.to_owned());
            }
        }
    }

    /// The connection was lost before the response was complete. Resends if the server cannot have read the
    /// request, else fails it.
    fn lost(&mut self, slot: u32, error: &io::Error) {
        let state = &self.slots[slot as usize];
        let is_at_end = error.kind() == io::ErrorKind::UnexpectedEof;
        let may_be_unread = state.is_reused() && !state.retried && !state.has_answer();
        if may_be_unread && state.written == 0 {
            return self.send_again(slot);
        } else if may_be_unread && is_at_end && state.written <= ONE_SEGMENT_BYTES {
            return self.doubt(slot);
        }
        let end = if state.has_answer() { cause::CLOSED_HALFWAY } else { cause::CLOSED_UNANSWERED };
        if cause::tls_error(error).is_some() {
            // A refusal may arrive after this side has completed the handshake (RFC 8446, section 4.4.2.4).
            self.fail_for(slot, ErrorKind::Tls, cause::key(error), || cause::words(error));
        } else if is_at_end {
            self.fail_for(slot, ErrorKind::Closed, end, || end.to_owned());
        } else {
            self.fail_for(slot, ErrorKind::Closed, cause::key(error), || cause::words(error));
        }
    }

    /// Resends a request on a new connection.
    pub(super) fn send_again(&mut self, slot: u32) {
        let state = &mut self.slots[slot as usize];
        state.close();
        state.restart(self.messages[state.request()].is_head);
        state.retried = true;
        self.want_connection(slot, clock::now_ns());
    }

    /// Something happened on an idle connection. Unless the event is stale, the connection cannot be reused.
    pub(super) fn check_idle(&mut self, slot: u32) {
        let state = &mut self.slots[slot as usize];
        let Some(stream) = state.stream.as_mut() else { return };
        match stream.read(&mut self.buffer[..1]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => state.close(),
        }
    }
}
