//! One TCP connection to one broker: one request at a time, every call with a deadline.

mod login;
mod stage;
mod throttle;
mod transport;

pub use self::stage::Stage;
use self::stage::Step;
use self::transport::{LEAST_WAIT, Transport, is_hang_up, is_wait};
use super::access::Access;
use super::conversation::{Answer, Breach, Conversation};
use super::requests::{self, Head};
use super::responses;
use super::settings::Address;
use super::tls_faults;
use super::versions::{Agreed, Api, BrokerVersions, Unusable};
use super::wire::Malformed;
use crate::bus::BusError;
use crate::clock::{self, NS_PER_MS, NS_PER_S};
use crate::dns;
use bytes::BytesMut;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// Bytes kept of one response. Fetches ask for less; only a single larger batch exceeds it.
pub const KEEP_BYTES: usize = 6 << 20;
/// Longest response that is read at all; bytes beyond [`KEEP_BYTES`] are dropped.
const LONGEST_FRAME: i32 = 1 << 30;
/// Longest first response: enough for any list of versions, and less than the first bytes of other protocols
/// (`HTTP`, a TLS alert) interpreted as a length.
const LONGEST_FIRST_FRAME: i32 = 1 << 20;
/// Time for the name's lookup and TCP's handshake. The system repeats a lost packet after 1, 3 and 7 s; a new
/// attempt is sooner.
const TCP_WITHIN_NS: u64 = 3 * NS_PER_S;
/// Time for another login on an open connection, however short the call.
const RENEW_WITHIN_NS: u64 = 2 * NS_PER_S;
/// Time for a request after such a login.
const ANSWER_NS: u64 = 500 * NS_PER_MS;
/// The broker's error code for an unknown version of ApiVersions.
const UNSUPPORTED_VERSION: i16 = 35;

/// An open connection to a broker whose versions are known.
#[derive(Debug)]
pub struct Connection {
    stream: Transport,
    address: Address,
    access: Arc<Access>,
    agreed: Agreed,
    conversation: Conversation,
    scratch: Vec<u8>,
    used_ns: u64,
    /// When to log in again.
    renew_ns: u64,
    /// When the broker reads requests again, if it throttles.
    rests_until_ns: u64,
    closed_by_peer: bool,
}

impl Connection {
    /// Connects, agrees on versions and logs in; notes in `stage` how far it has come.
    pub fn open_noting(
        address: &Address,
        access: &Arc<Access>,
        deadline_ns: u64,
        stage: &Stage,
    ) -> Result<Self, BusError> {
        let mut connection = Self::dial(address, access, deadline_ns, stage)?;
        stage.reached(Step::Versions);
        let broker = connection.ask_versions(deadline_ns)?;
        connection.agreed = Agreed::with(&broker).map_err(|unusable| connection.unusable(&unusable))?;
        connection.log_in(deadline_ns, stage)?;
        connection.conversation.set_limits(KEEP_BYTES, LONGEST_FRAME);
        Ok(connection)
    }

    /// Connects, asks for the broker's versions and disconnects. `None` if the broker closed the connection
    /// instead, as brokers before 0.10 do.
    pub fn probe(
        address: &Address,
        access: &Arc<Access>,
        deadline_ns: u64,
    ) -> Result<Option<BrokerVersions>, BusError> {
        let mut connection = Self::dial(address, access, deadline_ns, &Stage::default())?;
        match connection.ask_versions(deadline_ns) {
            Ok(versions) => Ok(Some(versions)),
            Err(_) if connection.closed_by_peer => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn dial(
        address: &Address,
        access: &Arc<Access>,
        deadline_ns: u64,
        stage: &Stage,
    ) -> Result<Self, BusError> {
        let tcp_ns = deadline_ns.min(clock::now_ns().saturating_add(TCP_WITHIN_NS));
        let stream = dial(address, tcp_ns).map_err(|why| unreachable(address, &why))?;
        stage.reached(Step::Tls);
        // Otherwise a small request could wait for the ACK of an earlier one. A failure only costs speed.
        let _ = stream.set_nodelay(true);
        let stream = match &access.tls {
            None => Transport::Plain(stream),
            Some(config) => Transport::secure(stream, config, &address.host, deadline_ns)
                .map_err(|error| tls_faults::handshake(&error, address, &access.security))?,
        };
        Ok(Connection {
            stream,
            address: address.clone(),
            access: Arc::clone(access),
            agreed: Agreed::default(),
            conversation: Conversation::new(KEEP_BYTES, LONGEST_FIRST_FRAME),
            scratch: vec![0; 64 << 10],
            used_ns: clock::now_ns(),
            renew_ns: u64::MAX,
            rests_until_ns: 0,
            closed_by_peer: false,
        })
    }

    fn ask_versions(&mut self, deadline_ns: u64) -> Result<BrokerVersions, BusError> {
        for version in [3, 0] {
            self.send_version(Api::Versions, version, requests::api_versions, deadline_ns)?;
            let mut answer = self.first_answer(deadline_ns)?;
            // An older broker always answers in version 0.
            let mut read = answer.body().and_then(|mut body| responses::api_versions(&mut body));
            if version > 0 && !matches!(read, Ok((0, _))) {
                answer.version = 0;
                read = answer.body().and_then(|mut body| responses::api_versions(&mut body));
            }
            match read {
                Ok((0, apis)) => return Ok(apis),
                Ok((UNSUPPORTED_VERSION, _)) => continue,
                Ok((code, _)) => return Err(self.foreign(&format!("it answered with error {code}"))),
                Err(Malformed(why)) => return Err(self.foreign(why)),
            }
        }
        Err(self.foreign("it supports no known version of ApiVersions"))
    }

    fn first_answer(&mut self, deadline_ns: u64) -> Result<Answer, BusError> {
        match self.receive(deadline_ns) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(Self::silent_at_first(&self.address)),
            Err(BusError::Unavailable(why)) => Err(BusError::Unavailable(format!(
                "{why} at the first request: {}",
                tls_faults::first_request(&self.access.security)
            ))),
            Err(other) => Err(other),
        }
    }

    fn silent_at_first(address: &Address) -> BusError {
        BusError::Unavailable(format!(
            "{address} accepts connections but does not answer Kafka's first request in time: is it a Kafka \
             broker, and is it running?"
        ))
    }

    fn foreign(&self, why: &str) -> BusError {
        BusError::Unsupported(format!("{} is not a Kafka broker: {why}; check host and port", self.address))
    }

    fn unusable(&self, unusable: &Unusable) -> BusError {
        BusError::Unsupported(match unusable {
            Unusable::TooOld(api) => format!(
                "Kafka broker {} is too old for the modern client (it supports no usable version of \
                 {api:?}, so it is older than 0.11): use --kafka-client legacy",
                self.address
            ),
            Unusable::TooNew(api) => format!(
                "Kafka broker {} is too new: it no longer supports any version of {api:?} that this program \
                 uses; use a newer floodgate or a 4.x broker",
                self.address
            ),
        })
    }

    /// Whether the broker closed the connection.
    pub fn closed_by_peer(&self) -> bool {
        self.closed_by_peer
    }

    /// The broker's address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether a request is in flight.
    pub fn is_busy(&self) -> bool {
        self.conversation.is_busy()
    }

    /// When it was last used.
    pub fn used_ns(&self) -> u64 {
        self.used_ns
    }

    /// The version agreed for `api`.
    pub fn version(&self, api: Api) -> i16 {
        self.agreed.version(api)
    }

    /// Sends a request and waits for its response. After an error the connection must be dropped.
    pub fn call(
        &mut self,
        api: Api,
        write: impl FnOnce(Head<'_>) -> Result<BytesMut, BusError>,
        deadline_ns: u64,
    ) -> Result<Answer, BusError> {
        let deadline_ns = self.ready(deadline_ns)?;
        self.exchange(api, write, deadline_ns)
    }

    /// Like [`Connection::call`], for the requests of a login itself.
    fn exchange(
        &mut self,
        api: Api,
        write: impl FnOnce(Head<'_>) -> Result<BytesMut, BusError>,
        deadline_ns: u64,
    ) -> Result<Answer, BusError> {
        self.send_version(api, self.agreed.version(api), write, deadline_ns)?;
        self.receive(deadline_ns)?.ok_or_else(|| self.silent())
    }

    /// The error for a broker that did not answer in time.
    pub fn silent(&self) -> BusError {
        BusError::Unavailable(format!("Kafka broker {} does not answer in time: is it hung?", self.address))
    }

    /// Sends a request; [`Connection::receive`] returns its response.
    pub fn send(
        &mut self,
        api: Api,
        write: impl FnOnce(Head<'_>) -> Result<BytesMut, BusError>,
        deadline_ns: u64,
    ) -> Result<(), BusError> {
        let deadline_ns = self.ready(deadline_ns)?;
        self.send_version(api, self.agreed.version(api), write, deadline_ns)
    }

    /// Waits until the broker reads requests, and logs in again if it is time. Returns the deadline of the
    /// request: what a login took is not taken from its time.
    fn ready(&mut self, deadline_ns: u64) -> Result<u64, BusError> {
        self.rest(deadline_ns)?;
        if clock::now_ns() < self.renew_ns {
            return Ok(deadline_ns);
        }
        // A renewal that is cut off costs the connection, whose setup takes longer.
        self.renew_login(deadline_ns.max(clock::now_ns().saturating_add(RENEW_WITHIN_NS)))?;
        Ok(deadline_ns.max(clock::now_ns().saturating_add(ANSWER_NS)))
    }

    fn send_version(
        &mut self,
        api: Api,
        version: i16,
        write: impl FnOnce(Head<'_>) -> Result<BytesMut, BusError>,
        deadline_ns: u64,
    ) -> Result<(), BusError> {
        let correlation = self.conversation.next_number();
        let frame = write(Head { api, version, correlation, client_id: &self.access.client_id })?;
        self.used_ns = clock::now_ns();
        self.conversation.ask(api, version, self.used_ns);
        self.write_all(&frame, deadline_ns)
    }

    fn write_all(&mut self, mut bytes: &[u8], deadline_ns: u64) -> Result<(), BusError> {
        while !bytes.is_empty() || self.stream.has_unsent() {
            let left = self.time_left(deadline_ns)?;
            match self.stream.write(bytes, left) {
                Ok(count) => bytes = &bytes[count..],
                Err(e) if is_wait(e.kind()) => {}
                Err(e) => return Err(self.failed(&e)),
            }
        }
        Ok(())
    }

    fn time_left(&self, deadline_ns: u64) -> Result<Duration, BusError> {
        let left = clock::until(deadline_ns);
        if left.is_zero() { Err(self.silent()) } else { Ok(left.max(LEAST_WAIT)) }
    }

    /// The response to the request in flight; `None` if incomplete at the deadline (a later call continues).
    pub fn receive(&mut self, deadline_ns: u64) -> Result<Option<Answer>, BusError> {
        loop {
            // Read at least once, so that data already received is never missed.
            let wait = clock::until(deadline_ns).max(LEAST_WAIT);
            match self.stream.read(&mut self.scratch, wait) {
                Ok(0) => return Err(self.closed()),
                Ok(count) => {
                    if let Some(answer) = self.accept(count)? {
                        return Ok(Some(answer));
                    }
                }
                Err(e) if is_wait(e.kind()) => {}
                Err(e) => return Err(self.failed(&e)),
            }
            if clock::now_ns() >= deadline_ns {
                return Ok(None);
            }
        }
    }

    fn accept(&mut self, count: usize) -> Result<Option<Answer>, BusError> {
        let now_ns = clock::now_ns();
        match self.conversation.receive(&self.scratch[..count], now_ns) {
            Ok(answer) => {
                if let Some(answer) = &answer {
                    self.used_ns = now_ns;
                    self.note_throttle(answer);
                }
                Ok(answer)
            }
            Err(Breach::Foreign(why)) => Err(self.foreign(&why)),
            Err(Breach::Tls) => Err(tls_faults::unexpected(&self.address, &self.access.security)),
            Err(Breach::Lost(why)) => Err(self.lost(why)),
        }
    }

    fn failed(&mut self, error: &io::Error) -> BusError {
        if is_hang_up(error.kind()) {
            return self.closed();
        }
        tls_faults::later(error, &self.address, &self.access.security)
            .unwrap_or_else(|| self.lost(&error.to_string()))
    }

    fn closed(&mut self) -> BusError {
        self.closed_by_peer = true;
        self.lost("closed by the broker")
    }

    fn lost(&self, why: &str) -> BusError {
        BusError::Unavailable(format!("the connection to Kafka broker {} was lost ({why})", self.address))
    }
}

fn unreachable(address: &Address, why: &str) -> BusError {
    BusError::Unavailable(format!(
        "Kafka broker {address} cannot be reached ({why}): check the address and that the broker is running"
    ))
}

fn dial(address: &Address, deadline_ns: u64) -> Result<TcpStream, String> {
    let resolved = dns::look_up(&address.host, address.port, clock::until(deadline_ns))
        .map_err(|why| format!("cannot resolve {}: {why}", address.host))?;
    let mut why = format!("{} has no address", address.host);
    for (done, socket) in resolved.iter().enumerate() {
        let left = clock::until(deadline_ns) / (resolved.len() - done) as u32;
        if left.is_zero() {
            return Err("timed out".to_string());
        }
        match TcpStream::connect_timeout(socket, left) {
            Ok(stream) => return Ok(stream),
            Err(e) if is_wait(e.kind()) => why = "timed out".to_string(),
            Err(e) => why = e.to_string(),
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests;
