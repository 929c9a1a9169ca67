//! One handle's view of the cluster: brokers, leaders and one connection to each broker in use. It refreshes
//! stale metadata and backs off after faults.

use super::backoff::Backoff;
use super::connection::Connection;
use super::context::Context;
use super::responses::{self, Metadata};
use super::settings::{Address, KafkaSettings};
use super::versions::Api;
use super::{faults, requests};
use crate::bus::{BusError, Topic};
use crate::clock::{self, NS_PER_S};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Longest single attempt: a hung broker must not use up the time in which another one could be found.
pub const ATTEMPT: Duration = Duration::from_secs(5);
/// Connections idle for longer are not reused: brokers close them after ten minutes, firewalls earlier.
const IDLE_NS: u64 = 240 * NS_PER_S;

/// One handle's view of the cluster.
pub struct Cluster {
    shared: Arc<Context>,
    brokers: BTreeMap<i32, Address>,
    leaders: BTreeMap<Topic, BTreeMap<i32, i32>>,
    controller: i32,
    connections: BTreeMap<i32, Connection>,
    /// Whether the leaders must be refreshed.
    stale: bool,
    backoff: Backoff,
    last_fault: Option<BusError>,
}

impl Cluster {
    /// Knows nothing yet and connects on demand.
    pub fn new(shared: Arc<Context>) -> Self {
        Cluster {
            shared,
            brokers: BTreeMap::new(),
            leaders: BTreeMap::new(),
            controller: -1,
            connections: BTreeMap::new(),
            stale: true,
            backoff: Backoff::new(),
            last_fault: None,
        }
    }

    /// The user's settings.
    pub fn settings(&self) -> &KafkaSettings {
        &self.shared.settings
    }

    /// The state shared by all handles of a connector.
    pub fn shared(&self) -> &Context {
        &self.shared
    }

    /// Number of brokers in the cluster.
    pub fn broker_count(&self) -> usize {
        self.brokers.len()
    }

    /// Retries until it succeeds, fails permanently or the deadline passes.
    pub fn attempt<T>(
        &mut self,
        deadline_ns: u64,
        mut once: impl FnMut(&mut Cluster, u64) -> Result<T, BusError>,
    ) -> Result<T, BusError> {
        loop {
            clock::sleep_until(self.next_attempt_ns().min(deadline_ns));
            let now_ns = clock::now_ns();
            if now_ns >= deadline_ns {
                let none =
                    || BusError::Unavailable(format!("no time left to contact {}", self.shared.describe()));
                return Err(self.last_fault.clone().unwrap_or_else(none));
            }
            match once(self, deadline_ns.min(now_ns.saturating_add(clock::to_ns(ATTEMPT)))) {
                Ok(done) => {
                    self.succeeded();
                    return Ok(done);
                }
                Err(error) if error.is_transient() => self.failed(error),
                Err(error) => {
                    // A rejected record does not mean that the cluster is faulty.
                    if matches!(error, BusError::Unsupported(_)) {
                        self.failed(error.clone());
                    }
                    return Err(error);
                }
            }
        }
    }

    /// When the next attempt is due after a fault.
    pub fn next_attempt_ns(&self) -> u64 {
        self.backoff.not_before_ns()
    }

    /// Records that the cluster works.
    pub fn succeeded(&mut self) {
        self.backoff.succeeded();
        self.last_fault = None;
    }

    /// Records a fault: the leaders are refreshed after a backoff.
    pub fn failed(&mut self, error: BusError) {
        self.stale = true;
        self.backoff.failed(clock::now_ns());
        self.last_fault = Some(error);
    }

    /// The leader of each partition of `topic`, refreshed if unknown or stale.
    pub fn leaders(&mut self, topic: Topic, deadline_ns: u64) -> Result<BTreeMap<i32, i32>, BusError> {
        if self.stale || !self.leaders.contains_key(&topic) {
            let found = self.ask_metadata(&Topic::ALL, deadline_ns)?;
            self.note_leaders(&found, topic)?;
            self.stale = false;
        }
        Ok(self.leaders.get(&topic).cloned().unwrap_or_default())
    }

    /// The last known leader of a partition.
    pub fn known_leader(&self, topic: Topic, partition: i32) -> Option<i32> {
        self.leaders.get(&topic)?.get(&partition).copied()
    }

    fn note_leaders(&mut self, found: &Metadata, wanted: Topic) -> Result<(), BusError> {
        self.leaders.clear();
        for topic in &found.topics {
            let Some(known) = self.shared.topic_of(&topic.name) else { continue };
            if topic.error == 0 {
                self.leaders.insert(known, topic.leaders.iter().copied().collect());
            } else if known == wanted {
                return Err(faults::topic(topic.error, &topic.name, "read the metadata", None));
            }
        }
        Ok(())
    }

    /// Asks any broker for the cluster's brokers and for `topics`. Stores the brokers and returns everything.
    pub fn ask_metadata(&mut self, topics: &[Topic], deadline_ns: u64) -> Result<Metadata, BusError> {
        let names: Vec<String> = topics.iter().map(|topic| self.settings().topic_name(*topic)).collect();
        let mut connection = self.any_connection(deadline_ns)?;
        let asked = connection.call(Api::Metadata, |head| requests::metadata(head, &names), deadline_ns);
        let answer = asked.map_err(|error| match connection.closed_by_peer() {
            true => faults::hint_sasl(error, connection.address()),
            false => error,
        })?;
        let found = answer
            .body()
            .and_then(|mut body| responses::metadata(&mut body, answer.version))
            .map_err(|malformed| faults::malformed(connection.address(), malformed))?;
        self.note_brokers(&found);
        let address = connection.address().clone();
        // Keep the connection if the cluster knows this broker by the address we used.
        if let Some(id) = self.brokers.iter().find(|(_, known)| **known == address).map(|(id, _)| *id) {
            self.connections.entry(id).or_insert(connection);
        }
        Ok(found)
    }

    fn note_brokers(&mut self, found: &Metadata) {
        self.controller = found.controller;
        let address = |(id, host, port): &(i32, String, i32)| {
            u16::try_from(*port).ok().map(|port| (*id, Address { host: host.clone(), port }))
        };
        self.brokers = found.brokers.iter().filter_map(address).collect();
        let brokers = &self.brokers;
        self.connections.retain(|id, connection| brokers.get(id) == Some(connection.address()));
    }

    /// An open idle connection, or a new one to the first broker that answers. The user's brokers come first,
    /// since their addresses are known to work; then those that the cluster named.
    fn any_connection(&mut self, deadline_ns: u64) -> Result<Connection, BusError> {
        let idle = self.connections.iter().find(|(_, open)| !open.is_busy() && is_fresh(open));
        if let Some(connection) = idle.map(|(id, _)| *id).and_then(|id| self.connections.remove(&id)) {
            return Ok(connection);
        }
        let mut addresses = self.shared.bootstrap.clone();
        addresses
            .extend(self.brokers.values().filter(|known| !self.shared.bootstrap.contains(known)).cloned());
        let mut faults = Vec::new();
        for (tried, address) in addresses.iter().enumerate() {
            let share = clock::until(deadline_ns) / (addresses.len() - tried) as u32;
            let share_ns = clock::now_ns().saturating_add(clock::to_ns(share));
            match Connection::open(address, &self.settings().client_id, share_ns) {
                Ok(connection) => return Ok(connection),
                Err(error) if error.is_transient() => faults.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Err(BusError::Unavailable(faults.join("; ")))
    }

    /// The open connection to broker `id`, which may be busy, or a new one.
    pub fn connection(&mut self, id: i32, deadline_ns: u64) -> Result<&mut Connection, BusError> {
        let usable = self.connections.get(&id).is_some_and(|open| open.is_busy() || is_fresh(open));
        if !usable {
            self.connections.remove(&id);
            let address = self.brokers.get(&id).cloned().ok_or_else(|| {
                BusError::Unavailable(format!("the cluster reports broker {id} as leader without an address"))
            })?;
            let opened = Connection::open(&address, &self.settings().client_id, deadline_ns);
            let opened = opened.map_err(|error| self.hint_advertised(error, id, &address))?;
            self.connections.insert(id, opened);
        }
        self.connections
            .get_mut(&id)
            .ok_or_else(|| BusError::Unavailable(format!("no connection to broker {id}")))
    }

    /// The connection to broker `id`, if one is open.
    pub fn open_connection(&mut self, id: i32) -> Option<&mut Connection> {
        self.connections.get_mut(&id)
    }

    /// Drops the connection to broker `id` after a fault.
    pub fn hang_up(&mut self, id: i32) {
        self.connections.remove(&id);
    }

    /// A connection to the broker that creates topics. If none is known, any broker forwards the request.
    pub fn controller(&mut self, deadline_ns: u64) -> Result<(i32, &mut Connection), BusError> {
        let any = self.brokers.keys().next().copied().unwrap_or(-1);
        let id = if self.brokers.contains_key(&self.controller) { self.controller } else { any };
        Ok((id, self.connection(id, deadline_ns)?))
    }

    /// Explains a fault at an unreachable address that came from the cluster and not from the user.
    fn hint_advertised(&self, error: BusError, id: i32, address: &Address) -> BusError {
        if self.shared.bootstrap.contains(address) || !error.is_transient() {
            return error;
        }
        let bootstrap: Vec<String> = self.shared.bootstrap.iter().map(Address::to_string).collect();
        BusError::Unavailable(format!(
            "{error}. The cluster at {} answers, but says that broker {id} is at {address}, which this host \
             cannot reach: set advertised.listeners of that broker to an address that this host can reach",
            bootstrap.join(",")
        ))
    }
}

fn is_fresh(connection: &Connection) -> bool {
    clock::now_ns().saturating_sub(connection.used_ns()) < IDLE_NS
}
