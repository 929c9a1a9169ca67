//! Opens connections on threads of their own. TLS and a login take several round trips, so over a long
//! distance they outlast a short call: what one call begins, a later one completes. Several addresses are
//! tried in order, each a little after the one before it unless that one fails first.

use crate::bus::BusError;
use crate::bus::kafka::access::Access;
use crate::bus::kafka::connection::{Connection, Stage};
use crate::bus::kafka::settings::Address;
use crate::clock::{self, NS_PER_MS, NS_PER_S};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

/// Time for the setup of one connection, however short the call that began it.
const SETUP_NS: u64 = 5 * NS_PER_S;
/// How long an address is tried alone before the next one is tried, too.
const HEAD_START_NS: u64 = 500 * NS_PER_MS;
/// How long a connection that nobody waited for may be used.
const KEEP_NS: u64 = 30 * NS_PER_S;
/// After its deadline, an attempt that has not reported by then is forgotten.
const LATE_NS: u64 = NS_PER_S;

/// The attempts in progress of one cluster's handle; at most one for each address.
pub struct Dialing {
    access: Arc<Access>,
    open: BTreeMap<Address, Attempt>,
    ended: (Sender<Ended>, Receiver<Ended>),
}

/// One attempt.
struct Attempt {
    began_ns: u64,
    until_ns: u64,
    stage: Arc<Stage>,
}

/// The end of an attempt.
struct Ended {
    address: Address,
    began_ns: u64,
    /// `None` if nobody wanted the connection any more.
    result: Option<Result<Connection, BusError>>,
}

/// What a call has found out so far.
#[derive(Default)]
struct Faults(Vec<(Address, BusError)>);

impl Dialing {
    /// Nothing in progress.
    pub fn new(access: Arc<Access>) -> Self {
        Dialing { access, open: BTreeMap::new(), ended: unbounded() }
    }

    /// A connection to the first of `addresses` that lets us in. Attempts that are incomplete at the deadline
    /// go on, and a later call with the same address gets their result.
    ///
    /// # Errors
    /// Why none of them did; lasting only if no other address may still do so.
    pub fn reach(&mut self, addresses: &[Address], deadline_ns: u64) -> Result<Connection, BusError> {
        self.want(addresses, true);
        let reached = self.first(addresses, deadline_ns);
        if reached.is_ok() {
            self.want(addresses, false);
        }
        reached
    }

    /// Whether the connections to these addresses are kept if their setup completes.
    fn want(&self, addresses: &[Address], is_wanted: bool) {
        for attempt in addresses.iter().filter_map(|address| self.open.get(address)) {
            attempt.stage.want(is_wanted);
        }
    }

    fn first(&mut self, addresses: &[Address], deadline_ns: u64) -> Result<Connection, BusError> {
        let mut faults = Faults::default();
        self.forget_late();
        if let Some(connection) = self.collect(addresses, &mut faults) {
            return Ok(connection);
        }
        loop {
            let next_ns = self.begin_due(addresses, deadline_ns, &mut faults);
            if addresses.iter().all(|address| faults.has(address)) {
                return Err(faults.sum());
            }
            let until_ns = next_ns.map_or(deadline_ns, |next_ns| next_ns.min(deadline_ns));
            match self.ended.1.recv_timeout(clock::until(until_ns)) {
                Ok(ended) => {
                    if let Some(connection) = self.take(ended, addresses, &mut faults) {
                        return Ok(connection);
                    }
                }
                Err(RecvTimeoutError::Timeout) if clock::now_ns() < deadline_ns => {}
                Err(_) => return Err(self.out_of_time(addresses, faults)),
            }
        }
    }

    /// The attempts that ended since the last call. Passing faults are old by now; refusals are not.
    fn collect(&mut self, addresses: &[Address], faults: &mut Faults) -> Option<Connection> {
        let mut earlier = Faults::default();
        while let Ok(ended) = self.ended.1.try_recv() {
            let connection = self.take(ended, addresses, &mut earlier);
            let is_fresh = |open: &Connection| clock::now_ns().saturating_sub(open.used_ns()) < KEEP_NS;
            if let Some(connection) = connection.filter(is_fresh) {
                return Some(connection);
            }
        }
        earlier.0.retain(|(_, error)| !error.is_transient());
        *faults = earlier;
        None
    }

    fn take(&mut self, ended: Ended, addresses: &[Address], faults: &mut Faults) -> Option<Connection> {
        let Ended { address, began_ns, result } = ended;
        if self.open.get(&address).is_some_and(|attempt| attempt.began_ns == began_ns) {
            self.open.remove(&address);
        }
        if !addresses.contains(&address) {
            return None;
        }
        result?.map_err(|error| faults.note(address, error)).ok()
    }

    /// Begins with each address whose turn it is. Returns when the next one's turn will be.
    fn begin_due(&mut self, addresses: &[Address], deadline_ns: u64, faults: &mut Faults) -> Option<u64> {
        for address in addresses {
            if faults.has(address) {
                continue;
            }
            if !self.open.contains_key(address)
                && let Err(why) = self.begin(address, deadline_ns)
            {
                faults.note(address.clone(), why);
                continue;
            }
            let turn_ns = self.open.get(address).map_or(0, |open| open.began_ns + HEAD_START_NS);
            if clock::now_ns() < turn_ns {
                return Some(turn_ns);
            }
        }
        None
    }

    fn begin(&mut self, address: &Address, deadline_ns: u64) -> Result<(), BusError> {
        let began_ns = clock::now_ns();
        let until_ns = deadline_ns.max(began_ns.saturating_add(SETUP_NS));
        let stage = Arc::new(Stage::default());
        let (access, ended, own) = (Arc::clone(&self.access), self.ended.0.clone(), Arc::clone(&stage));
        let at = address.clone();
        let dial = move || {
            let opened = Connection::open_noting(&at, &access, until_ns, &own);
            let result = Some(opened).filter(|opened| opened.is_err() || own.is_wanted());
            // Fails only if the handle is gone.
            let _ = ended.send(Ended { address: at, began_ns, result });
        };
        let begun = thread::Builder::new().name("connect".to_owned()).spawn(dial);
        begun.map_err(|e| BusError::Unavailable(format!("cannot start a thread to connect: {e}")))?;
        self.open.insert(address.clone(), Attempt { began_ns, until_ns, stage });
        Ok(())
    }

    fn forget_late(&mut self) {
        let now_ns = clock::now_ns();
        self.open.retain(|_, attempt| now_ns < attempt.until_ns.saturating_add(LATE_NS));
    }

    /// The error of a call whose time is over while attempts go on.
    fn out_of_time(&self, addresses: &[Address], mut faults: Faults) -> BusError {
        for address in addresses {
            if let Some(attempt) = self.open.get(address) {
                faults.note(address.clone(), attempt.stage.late(address, &self.access));
            }
        }
        faults.sum()
    }
}

impl Faults {
    fn note(&mut self, address: Address, error: BusError) {
        self.0.push((address, error));
    }

    fn has(&self, address: &Address) -> bool {
        self.0.iter().any(|(own, _)| own == address)
    }

    /// The first that will last, or all of them.
    fn sum(self) -> BusError {
        let all: Vec<String> = self.0.iter().map(|(_, error)| error.to_string()).collect();
        let lasting = self.0.into_iter().map(|(_, error)| error).find(|error| !error.is_transient());
        lasting.unwrap_or_else(|| BusError::Unavailable(all.join("; ")))
    }
}
