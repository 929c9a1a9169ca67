//! Opening connections: a bounded number at a time, trying addresses in turn until one answers.

use super::slot::Phase;
use super::stream::Stream;
use super::{MAX_CONNECTING, NativeClient};
use crate::clock;
use crate::http::cause;
use crate::http::os::poller::Readiness;
use crate::http::os::socket::{connect_unix, start_connect};
use crate::stats::outcome::ErrorKind;
use std::io;
use std::net::{SocketAddr, TcpStream};

impl NativeClient {
    /// Opens a connection for a slot, at once or when its turn comes.
    pub(super) fn want_connection(&mut self, slot: u32, now_ns: u64) {
        if let Err(kind) = self.addresses.get() {
            return self.fail_for(slot, kind, cause::NO_ADDRESS, || cause::NO_ADDRESS.to_owned());
        }
        let state = &mut self.slots[slot as usize];
        state.connect_by_ns = now_ns.saturating_add(self.connect_timeout_ns);
        (state.first_address, state.tried) = (self.address, 0);
        state.phase = Phase::Waiting;
        self.opening.push_back(slot);
        if self.connecting < MAX_CONNECTING {
            self.open(slot);
        } else {
            self.waiting.push_back(slot);
        }
    }

    /// Opens waiting connections, up to the limit.
    pub(super) fn open_waiting(&mut self) {
        // While opening ahead, the first failure ends the attempt.
        let is_over = self.is_ahead && !self.ended.is_empty();
        while !is_over && self.connecting < MAX_CONNECTING {
            let Some(slot) = self.waiting.pop_front() else { break };
            self.open(slot);
        }
    }

    /// Removes a slot from all connection queues.
    pub(super) fn leave_opening(&mut self, slot: u32) {
        self.opening.remove(slot);
        self.waiting.remove(slot);
        self.attempts.remove(slot);
        if self.slots[slot as usize].phase == Phase::Connecting {
            self.connecting -= 1;
            self.slots[slot as usize].phase = Phase::Waiting;
        }
    }

    /// Starts a connect to the next address; fails the slot if none is left.
    fn open(&mut self, slot: u32) {
        loop {
            let Some(address) = self.next_address(slot) else {
                return self.fail_unopened(slot);
            };
            self.slots[slot as usize].tried += 1;
            match self.begin_connect(slot, address) {
                Ok(()) => break,
                Err(error) => self.slots[slot as usize].connect_error = error.raw_os_error(),
            }
        }
        if self.next_address(slot).is_some() {
            self.slots[slot as usize].attempt_by_ns = clock::now_ns().saturating_add(self.attempt_ns);
            self.attempts.push_back(slot);
        }
    }

    /// Moves on to the next address if the current one did not answer in time.
    pub(super) fn expire_attempts(&mut self, now_ns: u64) {
        while let Some(slot) = self.attempts.front() {
            if self.slots[slot as usize].attempt_by_ns > now_ns {
                break;
            }
            self.look(slot);
            if self.attempts.front() == Some(slot) {
                self.pass_over(slot);
                self.attempts.remove(slot);
                self.connecting -= 1;
                self.slots[slot as usize].phase = Phase::Waiting;
                self.slots[slot as usize].close();
                self.open(slot);
                self.open_waiting();
            }
        }
    }

    /// Makes later attempts skip the address that this slot waits for.
    pub(super) fn pass_over(&mut self, slot: u32) {
        let count = self.addresses.get().map_or(1, <[_]>::len);
        let state = &self.slots[slot as usize];
        if state.phase == Phase::Connecting && self.address == state.address_index(count) {
            self.address = (self.address + 1) % count;
        }
    }

    /// Like `fail`, but opens no connections for other slots: the caller's loop does that.
    fn fail_unopened(&mut self, slot: u32) {
        self.leave_opening(slot);
        let number = self.slots[slot as usize].connect_error.take().unwrap_or_default();
        let error = io::Error::from_raw_os_error(number);
        self.note(ErrorKind::Connect, cause::key(&error), || cause::words(&error));
        self.slots[slot as usize].close();
        self.end(slot, ErrorKind::Connect, clock::now_ns());
    }

    fn start_connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        match &self.unix_socket {
            Some(path) => connect_unix(path),
            None => start_connect(address),
        }
    }

    fn begin_connect(&mut self, slot: u32, address: SocketAddr) -> io::Result<()> {
        let began_ns = clock::now_ns();
        let stream = match self.start_connect(address) {
            // Lingering connections hold descriptors and ports.
            Err(_) if self.let_go() => self.start_connect(address)?,
            begun => begun?,
        };
        let state = &mut self.slots[slot as usize];
        state.close();
        self.poller.add(&stream, state.key(slot))?;
        state.stream = Some(Stream::new(stream, self.tls.as_ref())?);
        (state.phase, state.step_ns) = (Phase::Connecting, began_ns);
        self.connecting += 1;
        Ok(())
    }

    /// The address that a slot tries next. Each slot counts from its own start, because other slots change
    /// the client's index.
    fn next_address(&self, slot: u32) -> Option<SocketAddr> {
        let addresses = self.addresses.get().ok()?;
        let state = &self.slots[slot as usize];
        let index = (state.first_address + state.tried) % addresses.len();
        (state.tried < addresses.len()).then(|| addresses[index])
    }

    /// Handles the end of a connect, successful or not.
    pub(super) fn connected(&mut self, slot: u32, event: Readiness) {
        let state = &self.slots[slot as usize];
        let socket = state.stream.as_ref().map(Stream::socket);
        let error = socket.filter(|_| event.error).map(|s| s.take_error().unwrap_or_else(Some));
        let failed = event.error && !matches!(error, Some(None));
        let number = error.flatten().and_then(|error| error.raw_os_error());
        if !failed && !event.writable {
            return;
        }
        self.attempts.remove(slot);
        self.connecting -= 1;
        self.slots[slot as usize].phase = Phase::Waiting;
        if failed {
            self.slots[slot as usize].connect_error = number;
            self.slots[slot as usize].close();
            self.open(slot);
        } else {
            let count = self.addresses.get().map_or(1, <[_]>::len);
            self.address = self.slots[slot as usize].address_index(count);
            let now_ns = clock::now_ns();
            let began_ns = std::mem::replace(&mut self.slots[slot as usize].step_ns, now_ns);
            self.openings.connect.record_ns(now_ns.saturating_sub(began_ns));
            self.shake_hands(slot);
            // If the server speaks first, that is reported only once.
            if event.readable {
                self.read(slot);
            }
        }
        self.open_waiting();
    }
}
