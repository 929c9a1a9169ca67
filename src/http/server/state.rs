//! The state shared by a server's threads.

use super::conversation::Reply;
use super::types::{Handler, Options};
use crate::http::os::waker::Waker;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Maximum messages waiting for one door; a connection has at most one pending reply.
const MAX_MESSAGES: usize = 4_096;

/// State shared by all threads of one server.
pub struct ServerState {
    pub options: Options,
    pub handler: Arc<dyn Handler>,
    stopping: AtomicBool,
    connections: AtomicU32,
}

impl ServerState {
    pub fn new(options: Options, handler: Arc<dyn Handler>) -> ServerState {
        ServerState { options, handler, stopping: AtomicBool::new(false), connections: AtomicU32::new(0) }
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
