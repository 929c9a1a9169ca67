//! Connections that carry nothing any more, and whose end says something or should come from the server.
//!
//! **Lingering.** After a `Connection: close` the server closes. Who closes first keeps the port pair for a minute
//! (`TIME_WAIT`), so the client waits a moment for the server's FIN before it closes its own side.
//!
//! **In doubt.** A kept connection ended before the response to its next request began. That request may be sent again
//! only if the server's program cannot have read it. The kernels know: one that received the FIN first and is then told
//! "reset" by the server's kernel has sent its bytes to a socket that was closed already; where the bytes were taken in,
//! the client's own FIN is acknowledged instead. So the client closes its half and waits for the one or the other, one
//! round trip. A reset without a FIN tells nothing: a program that read the request may have caused it.

use super::NativeClient;
use super::slot::{Closing, Phase};
use crate::clock::{self, NS_PER_MS};
use crate::http::cause::CLOSED_UNANSWERED;
use crate::http::os::socket::{Fate, fate};
use crate::stats::outcome::ErrorKind;

/// Longest wait for the end of a connection.
pub(super) const PATIENCE_NS: u64 = 250 * NS_PER_MS;
/// Most connections of one client whose end is awaited; beyond it the oldest is closed.
pub const MAX_CLOSING: usize = 256;

impl NativeClient {
    /// Leaves the closing of a slot's connection to the server, for a moment.
    pub(super) fn linger(&mut self, slot: u32, now_ns: u64) {
        self.retire(slot, now_ns, false);
    }

    /// Holds a request back until it is known whether the server can have read it.
    pub(super) fn doubt(&mut self, slot: u32) {
        self.retire(slot, clock::now_ns(), true);
        self.slots[slot as usize].phase = Phase::Doubtful;
        self.look_at_closing(slot);
    }

    fn retire(&mut self, slot: u32, now_ns: u64, in_doubt: bool) {
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

    /// An event of a connection that is not its slot's any more.
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

    /// Closes what was closing for too long; a request in doubt is then taken for lost.
    pub(super) fn expire_closing(&mut self, now_ns: u64) {
        while self.closing_by_ns().is_some_and(|by_ns| by_ns <= now_ns) {
            self.give_up_oldest();
        }
    }

    /// When the next of them is given up.
    pub(super) fn closing_by_ns(&self) -> Option<u64> {
        let slot = self.closing.front()?;
        self.slots[slot as usize].closing.as_ref().map(|closing| closing.by_ns)
    }

    /// Closes all that linger, for the sake of their descriptors and ports; whether there were any.
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

    /// Closes the connection whose end a slot awaited.
    pub(super) fn forget_closing(&mut self, slot: u32) {
        self.closing.remove(slot);
        self.closings -= usize::from(self.slots[slot as usize].closing.take().is_some());
    }
}
