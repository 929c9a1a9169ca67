//! One handle's view of the cluster: a directory of brokers and leaders, and one connection to each broker in
//! use. It refreshes stale metadata.

mod dialing;

use self::dialing::Dialing;
use super::connection::Connection;
use super::context::Context;
use super::directory::{Directory, Led};
use super::responses::{self, Metadata, TopicId};
use super::settings::{Address, KafkaSettings};
use super::versions::Api;
use super::{faults, requests};
use crate::bus::{BusError, Topic};
use crate::clock::{self, NS_PER_MS, NS_PER_S};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Connections idle for longer are not reused: brokers close them after ten minutes, firewalls earlier.
const IDLE_NS: u64 = 240 * NS_PER_S;

/// Time for the answer of a broker whose connection was opened at the last moment of a call.
const ANSWER_NS: u64 = 500 * NS_PER_MS;

/// One handle's view of the cluster.
pub struct Cluster {
    shared: Arc<Context>,
    directory: Directory,
    connections: BTreeMap<i32, Connection>,
    dialing: Dialing,
}

impl Cluster {
    /// Knows nothing yet and connects on demand.
    pub fn new(shared: Arc<Context>) -> Self {
        let dialing = Dialing::new(Arc::clone(&shared.access));
        Cluster { shared, directory: Directory::new(), connections: BTreeMap::new(), dialing }
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
        self.directory.broker_count()
    }

    /// After a fault: the leaders are refreshed before they are used again.
    pub fn distrust(&mut self) {
        self.directory.distrust();
    }

    /// The leader of each partition of `topic`, refreshed if unknown or stale.
    pub fn leaders(&mut self, topic: Topic, deadline_ns: u64) -> Result<BTreeMap<i32, i32>, BusError> {
        match self.look_up(&[topic], deadline_ns)?.remove(&topic) {
            Some(Ok(led)) => Ok(led.leaders),
            Some(Err(error)) => {
                self.directory.distrust();
                Err(error)
            }
            None => Ok(BTreeMap::new()),
        }
    }

    /// What the cluster knows of these topics, refreshed if unknown or stale.
    pub fn look_up(
        &mut self,
        topics: &[Topic],
        deadline_ns: u64,
    ) -> Result<BTreeMap<Topic, Result<Led, BusError>>, BusError> {
        if topics.iter().any(|topic| self.directory.fresh(*topic).is_none()) {
            let found = self.ask_metadata(&Topic::ALL, deadline_ns)?;
            self.directory.note_topics(&found, &self.shared);
        }
        let known = |topic: &Topic| Some((*topic, self.directory.fresh(*topic)?.clone()));
        Ok(topics.iter().filter_map(known).collect())
    }

    /// The id of a topic that was just looked up.
    pub fn topic_id(&self, topic: Topic) -> Option<TopicId> {
        self.directory.fresh(topic)?.as_ref().ok()?.id
    }

    /// The last known leader of a partition.
    pub fn known_leader(&self, topic: Topic, partition: i32) -> Option<i32> {
        self.directory.known_leader(topic, partition)
    }

    /// Asks any broker for the cluster's brokers and for `topics`. Stores the brokers and returns everything.
    pub fn ask_metadata(&mut self, topics: &[Topic], deadline_ns: u64) -> Result<Metadata, BusError> {
        let names: Vec<String> = topics.iter().map(|topic| self.settings().topic_name(*topic)).collect();
        let mut connection = self.any_connection(deadline_ns)?;
        let deadline_ns = deadline_ns.max(clock::now_ns().saturating_add(ANSWER_NS));
        let asked = connection.call(Api::Metadata, |head| requests::metadata(head, &names), deadline_ns);
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) if connection.closed_by_peer() => {
                return Err(faults::hint_sasl(error, connection.address(), &self.settings().security));
            }
            Err(error) => {
                // Another connection to a broker that throttles would only use up more of the quota.
                let id = self.directory.id_of(connection.address()).filter(|_| connection.is_resting());
                id.map(|id| self.connections.insert(id, connection));
                return Err(error);
            }
        };
        let found = answer
            .body()
            .and_then(|mut body| responses::metadata(&mut body, answer.version))
            .map_err(|malformed| faults::malformed(connection.address(), malformed))?;
        self.note_brokers(&found);
        let address = connection.address().clone();
        // Keep the connection if the cluster knows this broker by the address we used.
        if let Some(id) = self.directory.id_of(&address) {
            self.connections.entry(id).or_insert(connection);
        }
        Ok(found)
    }

    fn note_brokers(&mut self, found: &Metadata) {
        self.directory.note_brokers(found);
        let directory = &self.directory;
        self.connections.retain(|id, connection| directory.address(*id) == Some(connection.address()));
    }

    /// An open idle connection, best to a broker that does not throttle, or a new one to the first broker
    /// that accepts this client.
    fn any_connection(&mut self, deadline_ns: u64) -> Result<Connection, BusError> {
        let idle = self.connections.iter().filter(|(_, open)| !open.is_busy() && is_fresh(open));
        let idle = idle.min_by_key(|(_, open)| open.rests_until_ns());
        if let Some(connection) = idle.map(|(id, _)| *id).and_then(|id| self.connections.remove(&id)) {
            return Ok(connection);
        }
        let addresses = self.directory.addresses(&self.shared.bootstrap);
        self.reach(&addresses, deadline_ns)
    }

    fn reach(&mut self, addresses: &[Address], deadline_ns: u64) -> Result<Connection, BusError> {
        let reached = self.dialing.reach(addresses, deadline_ns);
        reached.inspect(|_| self.shared.note_let_in())
    }

    /// The open connection to broker `id`, which may be busy, or a new one.
    pub fn connection(&mut self, id: i32, deadline_ns: u64) -> Result<&mut Connection, BusError> {
        let usable = self.connections.get(&id).is_some_and(|open| open.is_busy() || is_fresh(open));
        if !usable {
            self.connections.remove(&id);
            let address = self.directory.address(id).cloned().ok_or_else(|| {
                BusError::Unavailable(format!("the cluster reports broker {id} as leader without an address"))
            })?;
            let opened = self.reach(std::slice::from_ref(&address), deadline_ns);
            let bootstrap = &self.shared.bootstrap;
            let opened = opened.map_err(|error| faults::hint_advertised(error, bootstrap, id, &address))?;
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

    /// Drops the connection to broker `id` after a fault. A broker that throttles is no fault, and another
    /// connection to it would only use up more of the quota.
    pub fn hang_up(&mut self, id: i32) {
        if !self.connections.get(&id).is_some_and(Connection::is_resting) {
            self.connections.remove(&id);
        }
    }

    /// Whether all brokers in use throttle this client at the moment.
    pub fn is_throttled(&self) -> bool {
        !self.connections.is_empty() && self.connections.values().all(Connection::is_resting)
    }

    /// A connection to the broker that creates topics. If none is known, any broker forwards the request.
    pub fn controller(&mut self, deadline_ns: u64) -> Result<(i32, &mut Connection), BusError> {
        let id = self.directory.controller();
        Ok((id, self.connection(id, deadline_ns)?))
    }
}

fn is_fresh(connection: &Connection) -> bool {
    clock::now_ns().saturating_sub(connection.used_ns()) < IDLE_NS
}

#[cfg(test)]
mod tests;
