//! Connections that carry no more requests but are not closed yet.
//!
//! **Lingering.** After `Connection: close` the server closes. The side that closes first keeps the port pair
//! for a minute (`TIME_WAIT`), so the client briefly waits for the server's FIN before closing its side.
//!
//! **In doubt.** A kept-alive connection ended before the response to its next request began. That request
//! may be resent only if the server program cannot have read it, and the kernels can tell. If the client
//! received the FIN first and the server's kernel then sends a reset, the request reached a socket that was
//! already closed. If the server took the bytes, its kernel acknowledges the client's own FIN instead. So the
//! client closes its half and waits one round trip for either. A reset without a FIN proves nothing: a
//! program that read the request may have caused it.

use super::NativeClient;
use super::slot::{Closing, Phase};
use crate::clock::{self, NS_PER_MS};
use crate::http::cause::CLOSED_UNANSWERED;
use crate::http::os::socket::{Fate, fate};
use crate::stats::outcome::ErrorKind;

/// Maximum wait for the end of a connection.
pub(super) const PATIENCE_NS: u64 = 250 * NS_PER_MS;
/// Maximum number of connections per client whose end is awaited; beyond it the oldest is closed.
pub const MAX_CLOSING: usize = 256;

impl NativeClient {
    /// Leaves closing a slot's connection to the server, for a short time.
    pub(super) fn linger(&mut self, slot: u32, now_ns: u64) {
        self.await_end(slot, now_ns, false);
    }

    /// Holds a request back until it is known whether the server can have read it.
    pub(super) fn doubt(&mut self, slot: u32) {
        self.await_end(slot, clock::now_ns(), true);
        self.slots[slot as usize].phase = Phase::Doubtful;
        self.look_at_closing(slot);
    }

    /// Takes a slot's connection away from it, to wait for its end.
    fn await_end(&mut self, slot: u32, now_ns: u64, in_doubt: bool) {
        let state = &mut self.slots[slot as usize];
        let key = state.key(slot);
        let Some(stream) = state.stream.take() else { return };
        let by_ns = now_ns.saturating_add(PATIENCE_NS);
        let former = state.closing.replace(Closing { socket: stream.into_socket(), key, by_ns, in_doubt });
        state.close();
        self.closing.remove(slot);
        self.closing.push_back(slot);
        self.closings += usize::from(former.is_none());
        while self.closings > MAX_CLOSING {
            self.give_up_oldest();
        }
    }

    /// Handles an event of a connection that no longer belongs to its slot.
    pub(super) fn closing_event(&mut self, slot: u32, key: u64) {
        if self.slots[slot as usize].closing.as_ref().is_some_and(|closing| closing.key == key) {
            self.look_at_closing(slot);
        }
    }

    fn look_at_closing(&mut self, slot: u32) {
        let Some(closing) = &self.slots[slot as usize].closing else { return };
        let in_doubt = closing.in_doubt;
        let fate = fate(&closing.socket, &mut self.buffer, in_doubt);
        if fate == Fate::Open {
            return;
        }
        self.forget_closing(slot);
        match fate {
            _ if !in_doubt => {}
            Fate::Refused => self.send_again(slot),
            _ => self.fail_unanswered(slot),
        }
    }

    /// Closes connections whose wait timed out. A request in doubt then counts as lost.
    pub(super) fn expire_closing(&mut self, now_ns: u64) {
        while self.closing_by_ns().is_some_and(|by_ns| by_ns <= now_ns) {
            self.give_up_oldest();
        }
    }

    /// When the next of these waits times out.
    pub(super) fn closing_by_ns(&self) -> Option<u64> {
        let slot = self.closing.front()?;
        self.slots[slot as usize].closing.as_ref().map(|closing| closing.by_ns)
    }

    /// Closes all lingering connections to free their descriptors and ports. Returns whether there were any.
    pub(super) fn let_go(&mut self) -> bool {
        let before = self.closings;
        for slot in 0..self.slots.len() as u32 {
            if self.slots[slot as usize].closing.as_ref().is_some_and(|closing| !closing.in_doubt) {
                self.forget_closing(slot);
            }
        }
        self.closings < before
    }

    fn give_up_oldest(&mut self) {
        let Some(slot) = self.closing.front() else { return };
        self.look_at_closing(slot);
        if self.closing.front() == Some(slot) {
            let in_doubt = self.slots[slot as usize].phase == Phase::Doubtful;
            self.forget_closing(slot);
            if in_doubt {
                self.fail_unanswered(slot);
            }
        }
    }

    fn fail_unanswered(&mut self, slot: u32) {
        self.fail_for(slot, ErrorKind::Closed, CLOSED_UNANSWERED, || CLOSED_UNANSWERED.to_owned());
    }

    /// Closes the connection whose end a slot awaits.
    pub(super) fn forget_closing(&mut self, slot: u32) {
        self.closing.remove(slot);
        self.closings -= usize::from(self.slots[slot as usize].closing.take().is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Client as _, Settings, Ticket};
    use crate::plan::request::Request;
    use crate::stats::outcome::Outcome;
    use crate::threads::StopFlag;
    use std::net::TcpListener;
    use std::time::Duration;

    #[test]
    fn a_timeout_in_doubt_leaves_nothing_behind_for_the_next_request() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = [Request::get(&format!("http://{address}/")).unwrap()];
        let timeout = Duration::from_secs(20);
        let settings = Settings { timeout, connect_timeout: timeout, ..Settings::default() };
        let stop = StopFlag::default();
        let mut client = NativeClient::new(&requests, &settings, 1, vec![address].into(), stop).unwrap();
        client.send(Ticket { number: 1, ..Ticket::default() });
        while client.slots[0].phase != Phase::Receiving {
            client.poll(clock::now_ns() + NS_PER_MS, |completion| panic!("{completion:?}"));
        }
        let (peer, _) = listener.accept().unwrap();
        // As in `doubt`, while the server's kernel has not responded.
        let key = client.slots[0].key(0);
        let late_ns = client.slots[0].sent_ns + client.timeout_ns;
        client.await_end(0, late_ns, true);
        client.slots[0].phase = Phase::Doubtful;
        client.expire(late_ns);
        let mut ended = Vec::new();
        client.hand_over(&mut |completion| ended.push((completion.ticket.number, completion.outcome)));
        assert_eq!(ended, [(1, Outcome::Error(ErrorKind::Timeout))]);
        // The connection's end arrives when the slot carries another request.
        client.send(Ticket { number: 2, ..Ticket::default() });
        drop(peer);
        client.closing_event(0, key);
        assert_eq!((client.ended.len(), client.closings, client.in_flight()), (0, 0, 1));
        ended.clear();
        client.abort(|completion| ended.push((completion.ticket.number, completion.outcome)));
        assert_eq!(ended, [(2, Outcome::Error(ErrorKind::Aborted))]);
        assert_eq!(client.free.len(), 1);
    }
}
