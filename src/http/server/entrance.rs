//! Accepts new connections and distributes them among the doors.

use super::state::{Mailbox, Message, ServerState, Trouble};
use crate::clock::{self, NS_PER_MS};
use crate::http::os::listener;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// Maximum connections accepted before the open ones get their turn.
const ACCEPTS: usize = 64;
/// Pause after the system ran out of descriptors or memory for a connection.
const SHORTAGE_PAUSE_NS: u64 = 100 * NS_PER_MS;

/// The result of an accept.
pub enum Arrival {
    /// A connection for this door.
    Here(TcpStream),
    /// Another door got it, or it is gone.
    Elsewhere,
    /// The system has no resources for another connection.
    Shortage,
    /// No connection is waiting.
    Nothing,
}

/// The listener, owned by one door.
pub struct Entrance {
    pub listener: Arc<TcpListener>,
    /// Mailboxes of the other doors.
    others: Vec<Arc<Mailbox>>,
    next: usize,
    /// A connection may be waiting that the kernel will not report again.
    pub is_pending: bool,
    /// When to accept again, at the earliest.
    resume_ns: u64,
    shared: Arc<ServerState>,
}

impl Entrance {
    pub fn new(listener: Arc<TcpListener>, others: Vec<Arc<Mailbox>>, shared: Arc<ServerState>) -> Entrance {
        Entrance { listener, others, next: 0, is_pending: true, resume_ns: 0, shared }
    }

    /// When to check the listener.
    pub fn due_ns(&self) -> u64 {
        if self.is_pending { self.resume_ns } else { u64::MAX }
    }

    /// Maximum connections to accept now.
    pub fn allowance(&self, now_ns: u64) -> usize {
        if self.is_pending && now_ns >= self.resume_ns { ACCEPTS } else { 0 }
    }

    /// Accepts one connection.
    pub fn take(&mut self) -> Arrival {
        match listener::accept(&self.listener) {
            Ok(socket) => {
                self.next = (self.next + 1) % (self.others.len() + 1);
                match self.next.checked_sub(1) {
                    None => Arrival::Here(socket),
                    Some(other) => {
                        if !self.others[other].try_send(Message::Connection(socket)) {
                            self.shared.warn(Trouble::Crowd, || {
                                "closing new connections unanswered: too many arrive at once".to_owned()
                            });
                        }
                        Arrival::Elsewhere
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.is_pending = false;
                Arrival::Nothing
            }
            Err(error) if listener::is_shortage(&error) => {
                self.resume_ns = clock::now_ns() + SHORTAGE_PAUSE_NS;
                self.shared.warn(Trouble::Shortage, || {
                    format!(
                        "cannot accept a connection: {error}; will retry (if too many files are open: raise \
                         `ulimit -n` or use fewer connections)"
                    )
                });
                Arrival::Shortage
            }
            // The client disconnected before it could be accepted.
            Err(_) => Arrival::Elsewhere,
        }
    }
}
