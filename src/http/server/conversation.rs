//! One connection without its socket: (bytes, now) → handler calls, bytes to write, and when to give up.
//!
//! Requests are processed and answered in order, however long each answer is held.

use super::head::{Framing, Manner, Refusal};
use super::intake::{Intake, Limits, Step};
use super::outbox::Outbox;
use super::render::{CONTINUE, render};
use super::types::{Options, Request, Response};
use crate::clock::to_ns;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Maximum unanswered requests per connection; no more are read until some are answered.
const MAX_TURNS: usize = 64;
/// Maximum unread output in bytes; no more requests are read until the client catches up.
const MAX_UNREAD: usize = 64 * 1024;
/// Maximum capacity that an empty buffer keeps.
const MAX_SPARE_ROOM: usize = 1024;
/// A client that accepts no byte for this long may be closed to make room for a new one.
const STALLED_NS: u64 = crate::clock::NS_PER_S;

/// A request for the handler.
#[derive(Debug)]
pub struct Call {
    /// Its number on this connection.
    pub turn: u64,
    /// The request.
    pub request: Request,
    /// How to render its answer.
    pub manner: Manner,
}

/// An answer, ready to be written.
#[derive(Debug)]
pub struct Reply {
    /// All of its bytes.
    pub bytes: Vec<u8>,
    /// When to write it, at the earliest.
    pub due_ns: u64,
    /// Counter to increment once it is written.
    pub counter: Option<Arc<AtomicU64>>,
    /// Whether to close the connection afterwards.
    pub closes: bool,
}

impl Reply {
    /// Renders `response` to a request of this manner; due at `now_ns` plus its hold.
    pub fn new(name: &'static str, response: Response, manner: Manner, now_ns: u64) -> Reply {
        Reply {
            due_ns: now_ns.saturating_add(to_ns(response.hold)),
            counter: response.written.clone(),
            closes: manner.closes,
            bytes: render(name, response, manner),
        }
    }
}

#[derive(Debug)]
enum Turn {
    /// With the handler.
    Asked,
    Ready(Reply),
}

/// The state of the client's sending side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    /// It closed its side.
    Ended,
    /// Its input is discarded.
    Ignored,
}

/// What to do with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on.
    Keep,
    /// Close the sending side and discard input, so that the client reads the answer instead of a reset.
    Linger,
    /// Close it.
    Close,
}

/// How dispensable a connection is, most dispensable first, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It has not sent a complete request yet, does not read its response, or only waits to be closed.
    Incomplete(u64),
    /// Kept alive and idle.
    Idle(u64),
    /// A request is being answered.
    Busy(u64),
}

/// The state of one connection.
#[derive(Debug)]
pub struct Conversation {
    intake: Intake,
    /// Received bytes; those from `at` on are not parsed yet.
    rest: Vec<u8>,
    at: usize,
    turns: VecDeque<Turn>,
    /// Number of the first of `turns`.
    first: u64,
    /// Number of turns that are with the handler.
    asked: usize,
    outbox: Outbox,
    input: Input,
    /// Everything received has been parsed as far as possible.
    is_hungry: bool,
    /// A request has arrived only in part.
    is_incomplete: bool,
    /// No complete request yet.
    is_new: bool,
    /// The last answer is in the outbox or written; nothing follows it.
    is_closing: bool,
    lingers: bool,
    /// When the current request began to arrive, or since when there is none.
    since_ns: u64,
    /// When the client last accepted a byte.
    moved_ns: u64,
}

impl Conversation {
    /// A connection accepted at `now_ns`.
    pub fn new(options: &Options, now_ns: u64) -> Conversation {
        Conversation {
            intake: Intake::new(Limits {
                head_bytes: options.max_head_bytes,
                body_bytes: options.max_body_bytes,
                keeps_body: options.keeps_body,
            }),
            rest: Vec::new(),
            at: 0,
            turns: VecDeque::new(),
            first: 0,
            asked: 0,
            outbox: Outbox::default(),
            input: Input::Open,
            is_hungry: true,
            is_incomplete: false,
            is_new: true,
            is_closing: false,
            lingers: false,
            since_ns: now_ns,
            moved_ns: now_ns,
        }
    }

    /// Whether to read now: not while too much is pending for this client.
    pub fn wants_input(&self) -> bool {
        match self.input {
            Input::Open => self.is_hungry && self.has_room(),
            Input::Ended => false,
            Input::Ignored => self.lingers,
        }
    }

    /// Whether arriving bytes are discarded.
    pub fn discards(&self) -> bool {
        self.input == Input::Ignored
    }

    /// Whether [`Conversation::next_call`] has input to examine.
    pub fn has_work(&self) -> bool {
        self.input != Input::Ignored && !self.is_hungry && self.has_room()
    }

    fn has_room(&self) -> bool {
        self.asked == 0 && self.turns.len() < MAX_TURNS && self.outbox.left().len() < MAX_UNREAD
    }

    /// Adds bytes that arrived.
    pub fn received(&mut self, bytes: &[u8], now_ns: u64) {
        if self.input != Input::Open {
            return;
        }
        if self.rest.is_empty() && !self.is_incomplete && !self.is_new {
            self.since_ns = now_ns;
        }
        self.rest.extend_from_slice(bytes);
        self.is_hungry = false;
    }

    /// The client closed its side.
    pub fn ended(&mut self) {
        if self.input == Input::Open {
            (self.input, self.is_hungry) = (Input::Ended, false);
        }
    }

    /// The next request for the handler, if complete and its turn has come. `admit` is called for every head.
    pub fn next_call(
        &mut self,
        options: &Options,
        now_ns: u64,
        admit: impl Fn(&Request) -> Result<(), Response>,
    ) -> Option<Call> {
        while self.has_work() {
            let (used, step) = self.intake.advance(&self.rest[self.at..]);
            self.at += used;
            match step {
                Step::Wait if used > 0 && self.at < self.rest.len() => {}
                Step::Wait => {
                    self.wait_for_more(options, now_ns);
                    return None;
                }
                Step::Head => self.check_head(options, now_ns, &admit),
                Step::Request(request, manner) => return Some(self.call(request, manner, now_ns)),
                Step::Refuse(refusal) => self.refuse(options, refusal, now_ns),
            }
        }
        None
    }

    fn call(&mut self, request: Request, manner: Manner, now_ns: u64) -> Call {
        (self.is_new, self.is_incomplete, self.since_ns) = (false, false, now_ns);
        self.compact();
        if manner.closes {
            self.ignore_input();
        }
        self.turns.push_back(Turn::Asked);
        self.asked += 1;
        Call { turn: self.first + self.turns.len() as u64 - 1, request, manner }
    }

    fn wait_for_more(&mut self, options: &Options, now_ns: u64) {
        self.compact();
        self.is_hungry = true;
        self.is_incomplete = !self.rest.is_empty() || self.intake.head().is_some();
        if self.input != Input::Ended {
            return;
        }
        if self.intake.head().is_some() {
            self.refuse(options, Refusal::new(400, "the body is shorter than announced"), now_ns);
        }
        self.ignore_input();
    }

    /// Discards parsed input.
    fn compact(&mut self) {
        if self.at == self.rest.len() {
            self.rest.clear();
            self.rest.shrink_to(MAX_SPARE_ROOM);
            self.at = 0;
        } else if self.at > self.rest.len() / 2 {
            self.rest.drain(..self.at);
            self.at = 0;
        }
    }

    fn check_head(
        &mut self,
        options: &Options,
        now_ns: u64,
        admit: &impl Fn(&Request) -> Result<(), Response>,
    ) {
        let Some(head) = self.intake.head() else { return };
        let is_bodiless = head.framing == Framing::Length(0);
        let expects = head.expects_continue && !is_bodiless && self.at == self.rest.len();
        match admit(&head.request) {
            Ok(()) if expects => {
                let bytes = CONTINUE.to_vec();
                self.say(Reply { bytes, due_ns: now_ns, counter: None, closes: false });
            }
            Ok(()) => {}
            Err(response) => {
                let manner = head.manner;
                let goes_on = self.intake.skip() && !manner.closes;
                (self.is_new, self.is_incomplete) = (false, false);
                self.say(Reply::new(options.name, response, Manner { closes: !goes_on, ..manner }, now_ns));
                if !goes_on {
                    self.ignore_input();
                }
            }
        }
    }

    /// Answers in place of the handler, closes after that answer, and accepts no more input.
    pub fn refuse(&mut self, options: &Options, refusal: Refusal, now_ns: u64) {
        let response = Response::error(refusal.status, &refusal.message);
        let manner = Manner { minor: 1, is_head: false, closes: true };
        self.say(Reply::new(options.name, response, manner, now_ns));
        self.ignore_input();
    }

    fn say(&mut self, reply: Reply) {
        self.turns.push_back(Turn::Ready(reply));
    }

    fn ignore_input(&mut self) {
        self.input = Input::Ignored;
        self.is_incomplete = false;
        self.intake.end();
        (self.rest, self.at) = (Vec::new(), 0);
    }

    /// Stores the handler's answer.
    pub fn answered(&mut self, turn: u64, reply: Reply) {
        let index = turn.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(place) = index.and_then(|index| self.turns.get_mut(index)) {
            *place = Turn::Ready(reply);
            self.asked = self.asked.saturating_sub(1);
        }
    }

    /// Moves due answers to the outbox. With `at_once`, all ready answers are due.
    pub fn release(&mut self, now_ns: u64, at_once: bool) {
        while let Some(Turn::Ready(reply)) = self.turns.front()
            && (at_once || reply.due_ns <= now_ns)
            && !self.is_closing
        {
            let Some(Turn::Ready(reply)) = self.turns.pop_front() else { return };
            self.first += 1;
            if self.outbox.is_empty() {
                self.moved_ns = now_ns;
            }
            self.is_closing = reply.closes;
            self.outbox.push(reply.bytes, reply.counter);
            if !self.is_incomplete {
                self.since_ns = now_ns;
            }
        }
    }

    /// When the next held answer is due, if any.
    pub fn next_due_ns(&self) -> Option<u64> {
        match self.turns.front() {
            Some(Turn::Ready(reply)) if !self.is_closing => Some(reply.due_ns),
            _ => None,
        }
    }

    /// The bytes to write.
    pub fn output(&self) -> &[u8] {
        self.outbox.left()
    }

    /// Records that `count` bytes of the output were written.
    pub fn wrote(&mut self, count: usize, now_ns: u64) {
        self.outbox.wrote(count);
        self.moved_ns = now_ns;
    }

    /// What to do with the connection now.
    pub fn next_step(&self) -> Next {
        if !self.outbox.is_empty()
            || (!self.is_closing && (!self.turns.is_empty() || self.input == Input::Open))
        {
            return Next::Keep;
        }
        match (self.is_closing, self.lingers) {
            (true, false) => Next::Linger,
            (true, true) => Next::Keep,
            (false, _) => Next::Close,
        }
    }

    /// Records that the sending side was closed at `now_ns`.
    pub fn linger(&mut self, now_ns: u64) {
        (self.lingers, self.since_ns) = (true, now_ns);
        self.ignore_input();
        self.turns.clear();
    }

    /// Whether no answers are outstanding.
    pub fn is_quiet(&self) -> bool {
        self.outbox.is_empty() && (self.turns.is_empty() || self.is_closing)
    }

    /// The latest time for the next [`Conversation::expire`].
    pub fn deadline_ns(&self, options: &Options) -> u64 {
        let sending =
            if self.outbox.is_empty() { u64::MAX } else { self.moved_ns + to_ns(options.send_timeout) };
        let receiving = match () {
            () if self.lingers || self.is_incomplete || self.is_new => {
                self.since_ns + to_ns(options.request_timeout)
            }
            () if self.turns.is_empty() && self.outbox.is_empty() => {
                self.since_ns + to_ns(options.idle_timeout)
            }
            () => u64::MAX,
        };
        sending.min(receiving)
    }

    /// Handles the deadline: answers 408 to an incomplete request. Returns whether to close at once.
    pub fn expire(&mut self, options: &Options, now_ns: u64) -> bool {
        if self.lingers || !self.is_incomplete || !self.outbox.is_empty() {
            return true;
        }
        let seconds = options.request_timeout.as_secs_f64();
        let message = format!("the request did not arrive within {seconds} s");
        self.refuse(options, Refusal::new(408, message), now_ns);
        false
    }

    /// How dispensable the connection is.
    pub fn standing(&self, now_ns: u64) -> Standing {
        match () {
            () if self.lingers => Standing::Incomplete(self.since_ns),
            () if !self.outbox.is_empty() => match now_ns.saturating_sub(self.moved_ns) >= STALLED_NS {
                true => Standing::Incomplete(self.moved_ns),
                false => Standing::Busy(self.moved_ns),
            },
            () if !self.turns.is_empty() => Standing::Busy(self.since_ns),
            () if self.is_new || self.is_incomplete => Standing::Incomplete(self.since_ns),
            () => Standing::Idle(self.since_ns),
        }
    }

    /// Whether a request is arriving.
    pub fn is_receiving(&self) -> bool {
        self.is_incomplete
    }

    /// Memory for received and unsent data, in bytes.
    pub fn held_bytes(&self) -> usize {
        let turn = |turn: &Turn| match turn {
            Turn::Asked => 0,
            Turn::Ready(reply) => reply.bytes.capacity(),
        };
        let turns: usize = self.turns.iter().map(turn).sum();
        self.rest.capacity() + self.intake.held_bytes() + self.outbox.held_bytes() + turns
    }
}
