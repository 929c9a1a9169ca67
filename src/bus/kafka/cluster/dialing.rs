//! Opens connections on threads of their own. TLS and a login take several round trips, so over a long
//! distance they outlast a short call: what one call begins, a later one completes. Several addresses are
//! tried in order, each a little after the one before it unless that one fails first.

use crate::bus::BusError;
use crate::bus::kafka::access::Access;
use crate::bus::kafka::connection::{Connection, Stage};
use crate::bus::kafka::settings::Address;
use crate::clock::{self, NS_PER_MS, NS_PER_S};
use crate::threads;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Time for the setup of one connection, however short the call that began it.
const SETUP_NS: u64 = 5 * NS_PER_S;
/// How long an address is tried alone before the next one is tried, too.
const HEAD_START_NS: u64 = 500 * NS_PER_MS;
/// How long the result of a setup that nobody waited for counts.
const KEEP_NS: u64 = 30 * NS_PER_S;
/// After its deadline, an attempt that has not reported by then is forgotten.
const LATE_NS: u64 = NS_PER_S;

/// The attempts in progress of one cluster's handle; at most one for each address.
pub struct Dialing {
    access: Arc<Access>,
    open: BTreeMap<Address, Attempt>,
    ended: (Sender<Ended>, Receiver<Ended>),
    /// What ended while a call waited for other addresses.
    early: Vec<Ended>,
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
        Dialing { access, open: BTreeMap::new(), ended: unbounded(), early: Vec::new() }
    }

    /// A connection to the first of `addresses` that accepts this client. Attempts that are incomplete at the
    /// deadline go on, and a later call with the same address gets their result.
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
        let mut ended = std::mem::take(&mut self.early);
        ended.extend(self.ended.1.try_iter());
        let (mut earlier, mut found) = (Faults::default(), None);
        for one in ended.into_iter().filter(Ended::is_fresh) {
            match found {
                None => found = self.take(one, addresses, &mut earlier),
                Some(_) => self.early.push(one),
            }
        }
        earlier.0.retain(|(_, error)| !error.is_transient());
        *faults = earlier;
        found
    }

    fn take(&mut self, ended: Ended, addresses: &[Address], faults: &mut Faults) -> Option<Connection> {
        if self.open.get(&ended.address).is_some_and(|attempt| attempt.began_ns == ended.began_ns) {
            self.open.remove(&ended.address);
        }
        if !addresses.contains(&ended.address) {
            // A call that needs this address may come.
            self.early.extend(Some(ended).filter(|ended| ended.result.is_some()));
            return None;
        }
        let Ended { address, result, .. } = ended;
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
        let (failed, failed_at) = (ended.clone(), address.clone());
        let dial = move || {
            let opened = Connection::open_noting(&at, &access, until_ns, &own);
            let result = Some(opened).filter(|opened| opened.is_err() || own.is_wanted());
            // Fails only if the handle is gone.
            let _ = ended.send(Ended { address: at, began_ns, result });
        };
        let on_panic = move |what| {
            let result = Some(Err(BusError::Unavailable(what)));
            let _ = failed.send(Ended { address: failed_at, began_ns, result });
        };
        // Not joined: it ends by its deadline, and its result is dropped with the handle.
        threads::spawn("connect", dial, on_panic).map(drop).map_err(BusError::Unavailable)?;
        self.open.insert(address.clone(), Attempt { began_ns, until_ns, stage });
        Ok(())
    }

    fn forget_late(&mut self) {
        let now_ns = clock::now_ns();
        self.open.retain(|_, attempt| now_ns < attempt.until_ns.saturating_add(LATE_NS));
    }

    /// The error of a call whose time is over while attempts go on.
    fn out_of_time(&self, addresses: &[Address], mut faults: Faults) -> BusError {
        let mut goes_on = false;
        for address in addresses {
            if let Some(attempt) = self.open.get(address) {
                faults.note(address.clone(), attempt.stage.late(address, &self.access));
                goes_on = true;
            }
        }
        // Another address may still accept this client.
        if goes_on { faults.passing() } else { faults.sum() }
    }
}

impl Ended {
    /// Whether it was not kept for too long.
    fn is_fresh(&self) -> bool {
        let since_ns = match &self.result {
            Some(Ok(connection)) => connection.used_ns(),
            _ => self.began_ns,
        };
        clock::now_ns().saturating_sub(since_ns) < KEEP_NS
    }
}

impl Faults {
    fn note(&mut self, address: Address, error: BusError) {
        self.0.push((address, error));
    }

    fn has(&self, address: &Address) -> bool {
        self.0.iter().any(|(own, _)| own == address)
    }

    /// All of them, as one that may pass.
    fn passing(&self) -> BusError {
        let all: Vec<String> = self.0.iter().map(|(_, error)| error.to_string()).collect();
        BusError::Unavailable(all.join("; "))
    }

    /// The first that will last, or all of them.
    fn sum(self) -> BusError {
        let passing = self.passing();
        let lasting = self.0.into_iter().map(|(_, error)| error).find(|error| !error.is_transient());
        lasting.unwrap_or(passing)
    }
}
