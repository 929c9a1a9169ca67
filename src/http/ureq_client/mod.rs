//! The client based on the crate `ureq`: one connection, one request at a time, on the calling thread.

pub(crate) mod agent;
mod secure;
mod transport;
mod tunnel;

use crate::check::Failed;
use crate::clock;
use crate::http::capture::{Keeping, Kept, Sink};
use crate::http::os::poller::wait_precisely;
use crate::http::values::Values;
use crate::http::{Addresses, Client, ClientError, Completion, MAX_BODY_BYTES, Settings, Ticket};
use crate::plan::request::Request;
use crate::stats::causes::Causes;
use crate::stats::failures::Failures;
use crate::stats::openings::Openings;
use crate::stats::outcome::{ErrorKind, Outcome};
use crate::threads::StopFlag;
use agent::BoundedAgent;
use std::io::Read;
use std::sync::Arc;

const BUFFER_BYTES: usize = 64 * 1024;

/// One slot. `send` blocks until the response or an error arrives, at most for the timeout or, after a STOP,
/// one check interval; `poll` hands it over.
///
/// A request that fails on a reused connection is resent once, as in [`crate::http::native::NativeClient`].
#[derive(Debug)]
pub struct UreqClient {
    agent: BoundedAgent,
    requests: Arc<[Request]>,
    values: Option<Arc<Values>>,
    done: Option<Completion>,
    free_since_ns: u64,
    is_precise: bool,
    buffer: Box<[u8]>,
    kept: Kept,
    /// The first failed responses to each request.
    failures: Vec<Failures>,
}

impl UreqClient {
    /// A client that sends `requests`, at least one and all to the same host, to `addresses`.
    ///
    /// # Errors
    /// If the certificates in the settings cannot be read.
    pub fn new(
        requests: Arc<[Request]>,
        settings: &Settings,
        addresses: Addresses,
        stop: StopFlag,
    ) -> Result<UreqClient, ClientError> {
        Ok(UreqClient {
            agent: BoundedAgent::new(&requests[0], settings, addresses, stop)?,
            failures: requests.iter().map(|_| Failures::default()).collect(),
            requests,
            kept: Kept::default(),
            values: None,
            done: None,
            free_since_ns: clock::now_ns(),
            is_precise: false,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
        })
    }

    /// The same client with these values in the requests that vary.
    #[must_use]
    pub fn with_values(self, values: Arc<Values>) -> UreqClient {
        UreqClient { values: Some(values), ..self }
    }

    /// How the request ended, and whether it was resent.
    fn exchange(&mut self, ticket: &Ticket, sent_ns: u64) -> (Outcome, bool) {
        let base = &self.requests[ticket.request as usize];
        let own = self.values.as_ref().map_or(Ok(None), |values| values.request(base, ticket, sent_ns));
        let Ok(own) = own else { return (Outcome::Error(ErrorKind::Protocol), false) };
        let request = own.as_ref().unwrap_or(base);
        let mut attempt = Attempt { agent: &mut self.agent, kept: &mut self.kept, buffer: &mut self.buffer };
        let first = attempt.run(request, sent_ns);
        let is_lost = first == Err(ErrorKind::Closed);
        let resent = is_lost && attempt.agent.state().may_repeat();
        let last = if resent { attempt.run(request, sent_ns) } else { first };
        (last.map_or_else(Outcome::Error, Outcome::Status), resent)
    }

    /// Which checks the response fails; notes the first ones.
    fn check(&mut self, ticket: &Ticket, outcome: Outcome, ended_ns: u64) -> Failed {
        let index = ticket.request as usize;
        let checks = self.requests[index].checks().filter(|_| !ticket.warmup);
        let (Some(checks), Outcome::Status(status)) = (checks, outcome) else { return Failed::default() };
        let seen = self.kept.seen(status);
        let failed = checks.failed(&seen);
        if !failed.is_none() {
            self.failures[index].note(ended_ns, failed, &seen);
        }
        failed
    }
}

/// What sending a request changes.
struct Attempt<'a> {
    agent: &'a mut BoundedAgent,
    kept: &'a mut Kept,
    buffer: &'a mut [u8],
}

impl Attempt<'_> {
    /// Sends the request and reads the whole response; returns its status.
    fn run(&mut self, request: &Request, sent_ns: u64) -> Result<u16, ErrorKind> {
        let mut response = self.agent.send(request, sent_ns)?;
        let status = response.status().as_u16();
        self.kept.clear();
        let mut keeping = request.checks().map(|checks| Keeping { kept: &mut *self.kept, checks });
        if let Some(keeping) = &mut keeping {
            let fields = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            keeping.fields(status, fields);
        }
        let mut reader = response.body_mut().as_reader();
        let mut length = 0u64;
        loop {
            match reader.read(self.buffer) {
                Ok(0) => break,
                Ok(count) => {
                    length += count as u64;
                    keeping.iter_mut().for_each(|keeping| keeping.body(&self.buffer[..count]));
                }
                Err(error) => return Err(transport::kind_of(&ureq::Error::from(error), self.agent.state())),
            }
            if length > MAX_BODY_BYTES {
                return Err(ErrorKind::Protocol);
            }
        }
        match status {
            // What follows is another protocol, which no client here speaks.
            101 => Err(ErrorKind::Protocol),
            status => Ok(status),
        }
    }
}

impl Client for UreqClient {
    fn free_since_ns(&self) -> Option<u64> {
        self.done.is_none().then_some(self.free_since_ns)
    }

    fn in_flight(&self) -> usize {
        usize::from(self.done.is_some())
    }

    fn send(&mut self, ticket: Ticket) -> u64 {
        let sent_ns = clock::now_ns();
        if self.done.is_some() {
            debug_assert!(false, "send without a free slot");
            return sent_ns;
        }
        let (outcome, resent) = self.exchange(&ticket, sent_ns);
        let (ended_ns, bytes) = (clock::now_ns(), self.agent.state().received());
        let failed = self.check(&ticket, outcome, ended_ns);
        self.done = Some(Completion { ticket, sent_ns, ended_ns, outcome, bytes, resent, failed });
        sent_ns
    }

    fn poll<F: FnMut(Completion)>(&mut self, until_ns: u64, mut sink: F) {
        if !self.is_precise {
            wait_precisely();
            self.is_precise = true;
        }
        match self.done.take() {
            Some(completion) => {
                self.free_since_ns = completion.ended_ns;
                sink(completion);
            }
            None => {
                clock::sleep_until(until_ns);
                self.agent.state().let_go();
            }
        }
    }

    fn take_causes(&mut self) -> Causes {
        self.agent.state().take_causes()
    }

    fn take_failures(&mut self, request: u32) -> Failures {
        self.failures[request as usize].take()
    }

    fn take_openings(&mut self) -> Openings {
        self.agent.state().take_openings()
    }

    /// Completed requests are handed over unchanged: `send` has already blocked until their end.
    fn abort<F: FnMut(Completion)>(&mut self, sink: F) {
        if self.done.is_some() {
            self.poll(0, sink);
        }
    }
}
