//! The state shared by a server's threads.

use super::conversation::Reply;
use super::types::{Handler, Options};
use crate::clock::{self, NS_PER_S};
use crate::http::os::waker::Waker;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Maximum messages waiting for one door; a connection has at most one pending reply.
const MAX_MESSAGES: usize = 4_096;

/// Minimum time between two warnings about the same kind of trouble.
const WARN_PAUSE_NS: u64 = 60 * NS_PER_S;

/// State shared by all threads of one server.
pub struct ServerState {
    pub options: Options,
    pub handler: Arc<dyn Handler>,
    stopping: AtomicBool,
    connections: AtomicU32,
    /// When the next warning about each kind of trouble may be logged.
    warn_ns: [AtomicU64; Trouble::COUNT],
}

/// Why a server turns connections away; operators must know, though clients may see nothing of it.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// The system has no descriptor or memory for another connection.
    Shortage,
    /// The threads do not keep up with new connections.
    Crowd,
    /// The maximum number of connections is open.
    Full,
}

impl Trouble {
    const COUNT: usize = 3;
}

impl ServerState {
    pub fn new(options: Options, handler: Arc<dyn Handler>) -> ServerState {
        let (stopping, connections) = (AtomicBool::new(false), AtomicU32::new(0));
        let warn_ns = [const { AtomicU64::new(0) }; Trouble::COUNT];
        ServerState { options, handler, stopping, connections, warn_ns }
    }

    /// Logs a warning, at most once a minute for each kind of trouble. Returns whether it did.
    pub fn warn(&self, trouble: Trouble, text: impl FnOnce() -> String) -> bool {
        let now_ns = clock::now_ns();
        let is_due = |next_ns: u64| (now_ns >= next_ns).then_some(now_ns + WARN_PAUSE_NS);
        let is_first =
            self.warn_ns[trouble as usize].fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_due).is_ok();
        if is_first {
            log::warn!("{}", text());
        }
        is_first
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// A connection number, unique within the next four billion.
    pub fn number(&self) -> u32 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }
}

/// A message to a door from another thread.
pub enum Message {
    /// A connection to serve.
    Connection(TcpStream),
    /// The handler's answer to a request of the connection with this key.
    Reply { key: u64, turn: u64, reply: Reply },
}

/// Where other threads leave messages for a door.
pub struct Mailbox {
    sender: Sender<Message>,
    pub waker: Waker,
}

impl Mailbox {
    pub fn new() -> io::Result<(Mailbox, Receiver<Message>)> {
        let (sender, receiver) = bounded(MAX_MESSAGES);
        Ok((Mailbox { sender, waker: Waker::new()? }, receiver))
    }

    /// Delivers a message; waits while the mailbox is full.
    pub fn send(&self, message: Message) {
        if self.sender.send(message).is_ok() {
            self.waker.wake();
        }
    }

    /// Delivers a message, or drops it if the mailbox is full.
    pub fn try_send(&self, message: Message) -> bool {
        let sent = self.sender.try_send(message).is_ok();
        self.waker.wake();
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::server::types::{Request, Response};

    struct Nothing;

    impl Handler for Nothing {
        fn answer(&self, _: &Request) -> Response {
            Response::error(404, "nothing")
        }
    }

    #[test]
    fn a_warning_is_not_repeated_and_does_not_hide_another() {
        let state = ServerState::new(Options::new("test"), Arc::new(Nothing));
        let warned = [Trouble::Full, Trouble::Full, Trouble::Crowd, Trouble::Shortage, Trouble::Crowd]
            .map(|trouble| state.warn(trouble, || format!("{trouble:?}")));
        assert_eq!(warned, [true, false, true, true, false]);
    }
}
