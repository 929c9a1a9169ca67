//! Takes new connections off the listener and spreads them over the doors.

use super::shared::{Mailbox, Message};
use crate::clock::{self, NS_PER_MS, NS_PER_S};
use crate::http::os::listener;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// Connections that are taken before those that are open get their turn.
const ACCEPTS: usize = 64;
/// Pause after the system had no descriptor or no memory for a connection.
const SHORTAGE_PAUSE_NS: u64 = 100 * NS_PER_MS;
/// Least time between two lines in the log about the same.
const LOG_PAUSE_NS: u64 = 60 * NS_PER_S;

/// What a look at the listener brought.
pub enum Arrival {
    /// A connection for this door.
    Here(TcpStream),
    /// It is another door's.
    Elsewhere,
    /// The system has no room for another connection.
    Shortage,
    /// None waits.
    Nothing,
}

/// The listener, in the hands of one door.
pub struct Entrance {
    pub listener: Arc<TcpListener>,
    /// The other doors.
    others: Vec<Arc<Mailbox>>,
    next: usize,
    /// A connection may wait, and the kernel will not say so again.
    pub is_pending: bool,
    /// Nothing is taken before.
    resume_ns: u64,
    next_log_ns: u64,
}

impl Entrance {
    pub fn new(listener: Arc<TcpListener>, others: Vec<Arc<Mailbox>>) -> Entrance {
        Entrance { listener, others, next: 0, is_pending: true, resume_ns: 0, next_log_ns: 0 }
    }

    /// When to look at the listener.
    pub fn due_ns(&self) -> u64 {
        if self.is_pending { self.resume_ns } else { u64::MAX }
    }

    /// Most connections to take now.
    pub fn allowance(&self, now_ns: u64) -> usize {
        if self.is_pending && now_ns >= self.resume_ns { ACCEPTS } else { 0 }
    }

    /// Takes one connection.
    pub fn take(&mut self) -> Arrival {
        match listener::accept(&self.listener) {
            Ok(socket) => {
                self.next = (self.next + 1) % (self.others.len() + 1);
                match self.next.checked_sub(1) {
                    None => Arrival::Here(socket),
                    Some(other) => {
                        self.others[other].try_send(Message::Connection(socket));
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
                self.say(&format!(
                    "cannot take a new connection: {error}; trying again (for too many open files: raise `ulimit -n` \
                     or use fewer connections)"
                ));
                Arrival::Shortage
            }
            // One that was gone again before it could be taken.
            Err(_) => Arrival::Elsewhere,
        }
    }

    /// Writes a warning to the log, at most one a minute.
    pub fn say(&mut self, text: &str) {
        let now_ns = clock::now_ns();
        if now_ns >= self.next_log_ns {
            self.next_log_ns = now_ns + LOG_PAUSE_NS;
            log::warn!("{text}");
        }
    }
}
