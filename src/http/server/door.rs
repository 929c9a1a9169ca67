//! The thread that owns connections. Only this thread reads and writes them, and it never waits for a client
//! or a handler.

use super::connections::{Connection, Connections};
use super::conversation::{Conversation, Next, Reply, Standing};
use super::entrance::{Arrival, Entrance};
use super::head::{Manner, Refusal};
use super::pool::{self, Job, Jobs};
use super::state::{Mailbox, Message, ServerState, Trouble};
use super::types::Response;
use crate::clock::{self, NS_PER_MS, NS_PER_S};
use crate::http::os::poller::{Poller, wait_precisely};
use crate::http::os::socket;
use crossbeam_channel::Receiver;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Maximum bytes per read.
const READ_BYTES: usize = 32 * 1024;
/// How often deadlines are checked.
const SWEEP_NS: u64 = 250 * NS_PER_MS;
/// Maximum time for pending answers when the server shuts down.
const END_NS: u64 = NS_PER_S;
/// When descriptors are short, an arriving request is dropped for a new connection only after this long.
const PATIENCE_NS: u64 = NS_PER_S;

const LISTENER: u64 = u64::MAX;
const WAKER: u64 = u64::MAX - 1;

/// What a door starts with, each time it is opened.
#[derive(Clone)]
pub struct DoorParts {
    pub shared: Arc<ServerState>,
    pub inbox: Receiver<Message>,
    pub mailbox: Arc<Mailbox>,
    /// `None` if the handler is called on this thread.
    pub jobs: Option<Jobs>,
    /// This door's share of the maximum connections and buffered bytes.
    pub max_connections: usize,
    pub max_buffered_bytes: usize,
}

/// A door at work.
pub struct Door {
    parts: DoorParts,
    entrance: Option<Entrance>,
    poller: Poller,
    connections: Connections,
    /// Connections that have something to do now.
    ready: VecDeque<u64>,
    /// Held answers: due time and connection.
    held: BinaryHeap<Reverse<(u64, u64)>>,
    buffered: usize,
    buffer: Box<[u8]>,
    next_sweep_ns: u64,
    is_ending: bool,
}

impl Door {
    /// Opens a door; the one with the entrance accepts connections for all doors.
    pub fn open(parts: DoorParts, entrance: Option<Entrance>) -> io::Result<Door> {
        let poller = Poller::new()?;
        poller.add(&parts.mailbox.waker, WAKER)?;
        if let Some(entrance) = &entrance {
            poller.add(&*entrance.listener, LISTENER)?;
        }
        Ok(Door {
            parts,
            entrance,
            poller,
            connections: Connections::default(),
            ready: VecDeque::new(),
            held: BinaryHeap::new(),
            buffered: 0,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            next_sweep_ns: 0,
            is_ending: false,
        })
    }

    /// Serves until the server stops, then until pending requests are answered.
    pub fn run(&mut self) {
        wait_precisely();
        while !self.parts.shared.is_stopping() {
            self.turn();
        }
        self.is_ending = true;
        self.entrance = None;
        let end_ns = clock::now_ns() + END_NS;
        let keys: Vec<u64> = self.connections.iter().map(|connection| connection.key).collect();
        keys.into_iter().for_each(|key| self.serve(key, clock::now_ns()));
        while self.connections.iter().any(|c| !c.talk.is_quiet()) && clock::now_ns() < end_ns {
            self.next_sweep_ns = self.next_sweep_ns.min(end_ns);
            self.turn();
        }
    }

    /// Waits for something to do and does it.
    fn turn(&mut self) {
        let waited = self.wait();
        let now_ns = clock::now_ns();
        for index in 0..waited {
            let event = self.poller.event(index);
            match event.key {
                LISTENER => self.entrance.iter_mut().for_each(|entrance| entrance.is_pending = true),
                WAKER => self.parts.mailbox.waker.clear(),
                key if event.error => self.close(key),
                key => {
                    if let Some(connection) = self.connections.get_mut(key) {
                        connection.note(event);
                        self.queue(key);
                    }
                }
            }
        }
        self.take_arrivals(now_ns);
        while let Ok(message) = self.parts.inbox.try_recv() {
            self.take_message(message, now_ns);
        }
        for _ in 0..self.ready.len() {
            if let Some(key) = self.ready.pop_front() {
                self.serve(key, now_ns);
            }
        }
        self.release_held(now_ns);
        self.sweep(now_ns);
    }

    fn wait(&mut self) -> usize {
        let sweep_ns = if self.connections.len() > 0 { self.next_sweep_ns } else { u64::MAX };
        let held_ns = self.held.peek().map_or(u64::MAX, |Reverse((due_ns, _))| *due_ns);
        let accept_ns = self.entrance.as_ref().map_or(u64::MAX, Entrance::due_ns);
        let until_ns = if self.ready.is_empty() { sweep_ns.min(held_ns).min(accept_ns) } else { 0 };
        // The bound of an hour is arbitrary, since every event ends the wait.
        let timeout = clock::until(until_ns).min(Duration::from_secs(3_600));
        self.poller.wait(timeout).unwrap_or_else(|_| {
            // Cannot happen with a valid descriptor; without a pause the loop would spin.
            clock::sleep(Duration::from_millis(1));
            0
        })
    }

    fn take_arrivals(&mut self, now_ns: u64) {
        let allowance = self.entrance.as_ref().map_or(0, |entrance| entrance.allowance(now_ns));
        for _ in 0..allowance {
            let Some(entrance) = &mut self.entrance else { return };
            match entrance.take() {
                Arrival::Here(socket) => self.add(socket, now_ns),
                Arrival::Elsewhere => {}
                Arrival::Nothing => return,
                Arrival::Shortage => {
                    if let Some((Standing::Incomplete(since_ns), key)) =
                        self.connections.most_dispensable(now_ns)
                        && now_ns.saturating_sub(since_ns) >= PATIENCE_NS
                    {
                        self.close(key);
                    }
                    return;
                }
            }
        }
    }

    fn take_message(&mut self, message: Message, now_ns: u64) {
        match message {
            Message::Connection(socket) => self.add(socket, now_ns),
            Message::Reply { key, turn, reply } => {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.talk.answered(turn, reply);
                    self.serve(key, now_ns);
                }
            }
        }
    }

    /// Adds a connection, replacing the most dispensable one if necessary.
    fn add(&mut self, socket: TcpStream, now_ns: u64) {
        if self.is_ending {
            return;
        }
        let options = &self.parts.shared.options;
        if self.connections.len() >= self.parts.max_connections {
            let most = options.max_connections;
            self.parts.shared.warn(Trouble::Full, || {
                format!("all {most} connections are in use: closing the oldest idle ones")
            });
            match self.connections.most_dispensable(now_ns) {
                Some((Standing::Incomplete(_) | Standing::Idle(_), key)) => self.close(key),
                _ => return self.turn_away(&socket),
            }
        }
        let key = self.connections.next_key(self.parts.shared.number());
        if self.poller.add(&socket, key).is_ok() {
            let talk = Conversation::new(&self.parts.shared.options, now_ns);
            self.connections.insert(Connection::new(key, socket, talk));
            self.queue(key);
        }
    }

    /// Reports that there is no room, if the client reads it at once.
    fn turn_away(&self, socket: &TcpStream) {
        let response = Response::error(503, "all connections are busy: try again later");
        let manner = Manner { minor: 1, is_head: false, closes: true };
        let reply = Reply::new(self.parts.shared.options.name, response, manner, 0);
        let _ = socket::transmit(socket, &reply.bytes);
    }

    fn queue(&mut self, key: u64) {
        if let Some(connection) = self.connections.get_mut(key)
            && !connection.is_queued
        {
            connection.is_queued = true;
            self.ready.push_back(key);
        }
    }

    fn close(&mut self, key: u64) {
        if let Some(connection) = self.connections.remove(key) {
            self.buffered -= connection.counted;
        }
    }

    /// Reads, calls, answers and writes for one connection, as far as possible without waiting.
    fn serve(&mut self, key: u64, now_ns: u64) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.is_queued = false;
        let worked = if self.is_ending {
            connection.talk.release(now_ns, true);
            connection.write(now_ns)
        } else {
            connection.read(&mut self.buffer, now_ns).and_then(|()| converse(&self.parts, connection, now_ns))
        };
        match connection.talk.next_step() {
            _ if worked.is_err() => return self.close(key),
            Next::Close => return self.close(key),
            Next::Linger => {
                let _ = connection.socket.shutdown(Shutdown::Write);
                connection.talk.linger(now_ns);
            }
            Next::Keep => {}
        }
        if let Some(due_ns) = connection.talk.next_due_ns()
            && due_ns != connection.timer_ns
        {
            connection.timer_ns = due_ns;
            self.held.push(Reverse((due_ns, key)));
        }
        let (has_more, held) = (connection.has_more(), connection.talk.held_bytes());
        self.buffered = self.buffered - connection.counted + held;
        connection.counted = held;
        if has_more && !self.is_ending {
            self.queue(key);
        }
        if self.buffered > self.parts.max_buffered_bytes {
            self.relieve(now_ns);
        }
    }

    /// Drops the connections that buffer most, until all connections except the largest fit within the limit.
    fn relieve(&mut self, now_ns: u64) {
        // Among connections of equal size within a factor of two, the most dispensable one.
        let weight = |c: &&Connection| (c.counted.max(1).ilog2(), Reverse(c.talk.standing(now_ns)));
        while let Some(largest) = self.connections.iter().max_by_key(weight)
            && self.buffered - largest.counted > self.parts.max_buffered_bytes
        {
            let key = largest.key;
            log::debug!("dropping a connection that buffers {} bytes: too much is buffered", largest.counted);
            let Some(connection) = self.connections.get_mut(key).filter(|c| c.talk.is_receiving()) else {
                self.close(key);
                continue;
            };
            let refusal = Refusal::new(503, "too much data is being received: try again later");
            connection.talk.refuse(&self.parts.shared.options, refusal, now_ns);
            let held = connection.talk.held_bytes();
            self.buffered = self.buffered - connection.counted + held;
            connection.counted = held;
            self.queue(key);
        }
    }

    fn release_held(&mut self, now_ns: u64) {
        while let Some(Reverse((due_ns, key))) = self.held.peek().copied() {
            if due_ns > now_ns {
                return;
            }
            self.held.pop();
            self.serve(key, now_ns);
        }
    }

    /// Checks the deadlines of all connections.
    fn sweep(&mut self, now_ns: u64) {
        if now_ns < self.next_sweep_ns {
            return;
        }
        self.next_sweep_ns = now_ns + SWEEP_NS;
        let options = &self.parts.shared.options;
        let late = |c: &&Connection| c.talk.deadline_ns(options) <= now_ns;
        let late: Vec<u64> = self.connections.iter().filter(late).map(|c| c.key).collect();
        for key in late {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            match connection.talk.expire(&self.parts.shared.options, now_ns) {
                true => self.close(key),
                false => self.serve(key, now_ns),
            }
        }
    }
}

/// Calls the handler for every request whose turn has come, and writes due answers.
fn converse(parts: &DoorParts, connection: &mut Connection, now_ns: u64) -> io::Result<()> {
    let (shared, key) = (&parts.shared, connection.key);
    let admit = |head: &_| shared.handler.admit(head);
    loop {
        while let Some(call) = connection.talk.next_call(&shared.options, now_ns, admit) {
            let turn = call.turn;
            let reply = match &parts.jobs {
                None => pool::answer(shared, &call),
                Some(jobs) => {
                    let job = Job { mailbox: Arc::clone(&parts.mailbox), key, call };
                    let Err(manner) = jobs.submit(job) else { continue };
                    let response = Response::error(503, "too many requests are waiting: try again later");
                    Reply::new(shared.options.name, response, manner, now_ns)
                }
            };
            connection.talk.answered(turn, reply);
            connection.talk.release(now_ns, false);
        }
        connection.talk.release(now_ns, false);
        connection.write(now_ns)?;
        if connection.wants_write() || !connection.talk.has_work() {
            return Ok(());
        }
    }
}
