//! The connections of one door, each with its socket and its state.

use super::conversation::{Conversation, Standing};
use crate::http::os::poller::Readiness;
use crate::http::os::socket;
use std::io::{self, ErrorKind};
use std::net::TcpStream;

/// Maximum reads of discarded data per turn.
const DISCARDS: usize = 16;

/// One connection.
pub struct Connection {
    pub key: u64,
    pub socket: TcpStream,
    pub talk: Conversation,
    /// There may be something to read that the kernel will not report again.
    readable: bool,
    writable: bool,
    hangup: bool,
    /// Whether it is already queued for its turn.
    pub is_queued: bool,
    /// The time for which its timer was last set.
    pub timer_ns: u64,
    /// Its contribution to the door's buffered bytes.
    pub counted: usize,
}

impl Connection {
    pub fn new(key: u64, socket: TcpStream, talk: Conversation) -> Connection {
        let (readable, writable, hangup, is_queued) = (true, true, false, false);
        Connection { key, socket, talk, readable, writable, hangup, is_queued, timer_ns: 0, counted: 0 }
    }

    /// Records an event from the kernel.
    pub fn note(&mut self, event: Readiness) {
        self.readable |= event.readable || event.hangup;
        self.writable |= event.writable;
        self.hangup |= event.hangup;
    }

    /// Whether a read may return wanted data.
    pub fn has_more(&self) -> bool {
        self.readable && self.talk.wants_input()
    }

    pub fn wants_write(&self) -> bool {
        !self.talk.output().is_empty()
    }

    /// Reads once; the rest follows in its next turn, after other connections. An error ends the connection.
    pub fn read(&mut self, buffer: &mut [u8], now_ns: u64) -> io::Result<()> {
        if !self.has_more() {
            return Ok(());
        }
        if self.talk.discards() {
            return self.discard(buffer);
        }
        match socket::receive(&self.socket, buffer) {
            Ok(0) => {
                self.readable = false;
                self.talk.ended();
            }
            Ok(count) => {
                // The kernel reports further data, but not an end that it has already reported.
                self.readable = count == buffer.len() || self.hangup;
                self.talk.received(&buffer[..count], now_ns);
            }
            Err(error) => self.readable = passes(error)?,
        }
        Ok(())
    }

    fn discard(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        for _ in 0..DISCARDS {
            match socket::discard(&self.socket, buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) => {
                    self.readable = passes(error)?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Writes what the kernel accepts. An error ends the connection.
    pub fn write(&mut self, now_ns: u64) -> io::Result<()> {
        while self.writable && self.wants_write() {
            match socket::transmit(&self.socket, self.talk.output()) {
                Ok(count) => self.talk.wrote(count, now_ns),
                Err(error) => self.writable = passes(error)?,
            }
        }
        Ok(())
    }
}

/// Whether to retry at once (true) or when the kernel reports readiness; any other error is returned.
fn passes(error: io::Error) -> io::Result<bool> {
    match error.kind() {
        ErrorKind::Interrupted => Ok(true),
        ErrorKind::WouldBlock => Ok(false),
        _ => Err(error),
    }
}

/// Connections by key: a place, and a number that distinguishes it from former occupants.
#[derive(Default)]
pub struct Connections {
    places: Vec<Option<Connection>>,
    free: Vec<u32>,
}

impl Connections {
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// The key that a connection with this number would get now.
    pub fn next_key(&self, number: u32) -> u64 {
        let place = self.free.last().copied().unwrap_or(self.places.len() as u32);
        u64::from(number) << 32 | u64::from(place)
    }

    /// Adds a connection under the next key.
    pub fn insert(&mut self, connection: Connection) {
        match self.free.pop() {
            Some(place) => self.places[place as usize] = Some(connection),
            None => self.places.push(Some(connection)),
        }
    }

    pub fn get_mut(&mut self, key: u64) -> Option<&mut Connection> {
        let place = self.places.get_mut((key & u64::from(u32::MAX)) as usize)?;
        place.as_mut().filter(|connection| connection.key == key)
    }

    pub fn remove(&mut self, key: u64) -> Option<Connection> {
        self.get_mut(key)?;
        let place = (key & u64::from(u32::MAX)) as u32;
        self.free.push(place);
        self.places[place as usize].take()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.places.iter().flatten()
    }

    /// The most dispensable connection and its standing.
    pub fn most_dispensable(&self, now_ns: u64) -> Option<(Standing, u64)> {
        self.iter().map(|c| (c.talk.standing(now_ns), c.key)).min()
    }
}
