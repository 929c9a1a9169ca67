//! What one handle knows of its cluster: brokers, topics, leaders and the controller, from the last metadata.

use super::context::Context;
use super::faults;
use super::responses::{Metadata, TopicId};
use super::settings::Address;
use crate::bus::{BusError, Topic};
use std::collections::BTreeMap;

/// Brokers and leaders.
#[derive(Debug)]
pub struct Directory {
    brokers: BTreeMap<i32, Address>,
    topics: BTreeMap<Topic, Result<Led, BusError>>,
    controller: i32,
    /// Whether the topics must be refreshed.
    stale: bool,
}

/// A topic that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Led {
    /// The leader of each partition; negative for none.
    pub leaders: BTreeMap<i32, i32>,
    /// The topic's id; `None` if the cluster has no ids.
    pub id: Option<TopicId>,
}

impl Directory {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Directory { brokers: BTreeMap::new(), topics: BTreeMap::new(), controller: -1, stale: true }
    }

    /// Number of brokers in the cluster.
    pub fn broker_count(&self) -> usize {
        self.brokers.len()
    }

    /// The address of broker `id`.
    pub fn address(&self, id: i32) -> Option<&Address> {
        self.brokers.get(&id)
    }

    /// The broker that the cluster knows by this address.
    pub fn id_of(&self, address: &Address) -> Option<i32> {
        self.brokers.iter().find(|(_, known)| *known == address).map(|(id, _)| *id)
    }

    /// All addresses to try. The user's brokers come first, since their addresses are known to work; then
    /// those that the cluster named.
    pub fn addresses(&self, bootstrap: &[Address]) -> Vec<Address> {
        let named = self.brokers.values().filter(|known| !bootstrap.contains(known));
        bootstrap.iter().chain(named).cloned().collect()
    }

    /// The broker that creates topics; if it is unknown, any broker, which forwards the request.
    pub fn controller(&self) -> i32 {
        if self.brokers.contains_key(&self.controller) {
            return self.controller;
        }
        self.brokers.keys().next().copied().unwrap_or(-1)
    }

    /// The leaders of `topic`, or why the cluster does not name any; `None` if unknown or stale.
    pub fn fresh(&self, topic: Topic) -> Option<&Result<Led, BusError>> {
        self.topics.get(&topic).filter(|_| !self.stale)
    }

    /// The last known leader of a partition, even if stale.
    pub fn known_leader(&self, topic: Topic, partition: i32) -> Option<i32> {
        self.topics.get(&topic)?.as_ref().ok()?.leaders.get(&partition).copied()
    }

    /// Marks the leaders as stale after a fault.
    pub fn distrust(&mut self) {
        self.stale = true;
    }

    /// Stores the brokers. Those with an impossible port are dropped.
    pub fn note_brokers(&mut self, found: &Metadata) {
        self.controller = found.controller;
        let address = |(id, host, port): &(i32, String, i32)| {
            u16::try_from(*port).ok().map(|port| (*id, Address { host: host.clone(), port }))
        };
        self.brokers = found.brokers.iter().filter_map(address).collect();
    }

    /// Stores the topics, which are then fresh.
    pub fn note_topics(&mut self, found: &Metadata, shared: &Context) {
        self.topics.clear();
        for topic in &found.topics {
            let Some(known) = shared.topic_of(&topic.name) else { continue };
            let led = match topic.error {
                0 => Ok(Led { leaders: topic.leaders.iter().copied().collect(), id: topic.id }),
                code => Err(faults::topic(code, &topic.name, "read the metadata", None)),
            };
            self.topics.insert(known, led);
        }
        self.stale = false;
    }
}

#[cfg(test)]
mod tests {
    use super::super::responses::TopicMetadata;
    use super::super::settings::KafkaSettings;
    use super::*;

    fn context() -> Context {
        let settings = KafkaSettings {
            topic_prefix: "t-".to_owned(),
            ..KafkaSettings::new(vec!["a:1".to_owned(), "b:2".to_owned()])
        };
        Context::new(settings).expect("settings")
    }

    fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    fn topic(name: &str, error: i16, leaders: &[(i32, i32)]) -> TopicMetadata {
        TopicMetadata {
            error,
            name: name.to_owned(),
            id: Some([7; 16]),
            leaders: leaders.to_vec(),
            ..TopicMetadata::default()
        }
    }

    fn brokers(named: &[(i32, &str, i32)]) -> Metadata {
        let brokers = named.iter().map(|(id, host, port)| (*id, (*host).to_owned(), *port)).collect();
        Metadata { brokers, controller: 8, topics: Vec::new() }
    }

    #[test]
    fn the_users_addresses_come_first_and_none_twice() {
        let mut directory = Directory::new();
        let bootstrap = context().bootstrap;
        assert_eq!(directory.addresses(&bootstrap), bootstrap);
        directory.note_brokers(&brokers(&[(1, "c", 3), (2, "b", 2), (3, "a", 1), (4, "a", 9)]));
        assert_eq!(directory.addresses(&bootstrap), ["a:1", "b:2", "c:3", "a:9"].map(address));
    }

    #[test]
    fn brokers_are_replaced_and_impossible_ports_dropped() {
        let mut directory = Directory::new();
        directory.note_brokers(&brokers(&[(1, "c", 3), (2, "d", 70_000), (3, "e", -1)]));
        assert_eq!((directory.broker_count(), directory.address(2)), (1, None));
        directory.note_brokers(&brokers(&[(1, "f", 4)]));
        assert_eq!(directory.address(1), Some(&address("f:4")));
        assert_eq!(directory.id_of(&address("f:4")), Some(1));
        assert_eq!(directory.id_of(&address("c:3")), None);
    }

    #[test]
    fn the_controller_or_else_any_broker_creates_topics() {
        let mut directory = Directory::new();
        assert_eq!(directory.controller(), -1);
        directory.note_brokers(&brokers(&[(7, "c", 3), (8, "d", 4)]));
        assert_eq!(directory.controller(), 8);
        directory.note_brokers(&brokers(&[(7, "c", 3), (9, "d", 4)]));
        assert_eq!(directory.controller(), 7, "broker 8 is gone");
    }

    #[test]
    fn leaders_are_noted_by_topic_and_stale_after_a_fault() {
        let (mut directory, shared) = (Directory::new(), context());
        assert_eq!(directory.fresh(Topic::Metrics), None);
        let found = Metadata {
            topics: vec![topic("t-metrics", 0, &[(0, 4), (1, 5)]), topic("other", 0, &[(0, 9)])],
            ..Metadata::default()
        };
        directory.note_topics(&found, &shared);
        let led = Led { leaders: BTreeMap::from([(0, 4), (1, 5)]), id: Some([7; 16]) };
        assert_eq!(directory.fresh(Topic::Metrics), Some(&Ok(led)));
        assert_eq!(directory.fresh(Topic::Trigger), None, "never named");
        directory.distrust();
        assert_eq!(directory.fresh(Topic::Metrics), None);
        assert_eq!(directory.known_leader(Topic::Metrics, 1), Some(5), "still usable during a backoff");
        assert_eq!(directory.known_leader(Topic::Metrics, 2), None);
        directory.note_topics(&found, &shared);
        assert!(directory.fresh(Topic::Metrics).is_some());
    }

    #[test]
    fn the_error_of_one_topic_spares_the_others() {
        let (mut directory, shared) = (Directory::new(), context());
        let found = Metadata {
            topics: vec![topic("t-trigger", 3, &[]), topic("t-metrics", 0, &[(0, 4)])],
            ..Metadata::default()
        };
        directory.note_topics(&found, &shared);
        assert!(directory.fresh(Topic::Metrics).is_some_and(Result::is_ok));
        let Some(Err(error)) = directory.fresh(Topic::Trigger) else { panic!("it does not exist") };
        assert!(error.to_string().contains("t-trigger") && error.is_transient(), "{error}");
        assert_eq!(directory.known_leader(Topic::Trigger, 0), None);
    }
}
