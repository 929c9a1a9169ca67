//! State shared by all handles of a connector.

use super::access::Access;
use super::security::Protocol;
use super::settings::{Address, KafkaSettings};
use crate::bus::Topic;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The checked settings, and the warnings already logged.
pub struct Context {
    /// The user's settings.
    pub settings: KafkaSettings,
    /// The bootstrap brokers.
    pub bootstrap: Vec<Address>,
    /// TLS and the login.
    pub access: Arc<Access>,
    /// The topics by their full names.
    pub names: BTreeMap<String, Topic>,
    /// What was already said of each topic.
    told: Mutex<BTreeSet<(Topic, Complaint)>>,
    /// Whether a broker has accepted this client.
    let_in: AtomicBool,
}

/// What is wrong with a topic's layout; logged once per topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Complaint {
    NoAppendTime,
    SeveralPartitions,
}

impl Context {
    /// Checks the settings; the error says which one is invalid and what is allowed.
    pub fn new(settings: KafkaSettings) -> Result<Self, String> {
        let bootstrap = settings.checked()?;
        let names = Topic::ALL.iter().map(|topic| (settings.topic_name(*topic), *topic)).collect();
        let access = Arc::new(Access::new(&settings.client_id, settings.security.clone())?);
        Ok(Context {
            settings,
            bootstrap,
            access,
            names,
            told: Mutex::default(),
            let_in: AtomicBool::new(false),
        })
    }

    /// The cluster, for messages.
    pub fn describe(&self) -> String {
        let brokers = self.settings.brokers.join(",");
        match self.settings.security.protocol() {
            Protocol::Plaintext => format!("kafka {brokers}"),
            protocol => format!("kafka {brokers} ({protocol})"),
        }
    }

    /// Notes that a broker accepted this client's certificate and login.
    pub fn note_let_in(&self) {
        self.let_in.store(true, Ordering::Relaxed);
    }

    /// Whether a broker has accepted this client since the start.
    pub fn was_let_in(&self) -> bool {
        self.let_in.load(Ordering::Relaxed)
    }

    /// The topic with this full name.
    pub fn topic_of(&self, name: &str) -> Option<Topic> {
        self.names.get(name).copied()
    }

    /// Warns once per topic that it does not store append times.
    pub fn warn_no_append_time(&self, topic: Topic) {
        if self.is_first(topic, Complaint::NoAppendTime) {
            let name = self.settings.topic_name(topic);
            log::warn!(
                "topic {name} does not store the broker's append time, so it cannot be used to compare \
                 clocks; fix this with kafka-configs.sh --alter --entity-type topics --entity-name {name} \
                 --add-config message.timestamp.type=LogAppendTime"
            );
        }
    }

    /// Warns once per topic that it has several partitions.
    pub fn warn_of_partitions(&self, topic: Topic, count: usize) {
        if let Some(line) = self.partitions_line(topic, count) {
            log::warn!("{line}");
        }
    }

    fn partitions_line(&self, topic: Topic, count: usize) -> Option<String> {
        if count <= 1 || !self.is_first(topic, Complaint::SeveralPartitions) {
            return None;
        }
        let name = self.settings.topic_name(topic);
        Some(format!(
            "topic {name} has {count} partitions: their records have no common order, so the results of several \
             orchestrators can differ; create it with one partition"
        ))
    }

    fn is_first(&self, topic: Topic, complaint: Complaint) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert((topic, complaint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_partitions_are_told_once_per_topic() {
        let settings =
            KafkaSettings { topic_prefix: "t-".to_owned(), ..KafkaSettings::new(vec!["a:1".to_owned()]) };
        let context = Context::new(settings).expect("settings");
        for count in [0, 1] {
            assert_eq!(context.partitions_line(Topic::Metrics, count), None);
        }
        let line = context.partitions_line(Topic::Metrics, 3).expect("a warning");
        for words in ["topic t-metrics has 3 partitions", "orchestrators can differ", "create it with one"] {
            assert!(line.contains(words), "{words:?} is missing in: {line}");
        }
        assert_eq!(context.partitions_line(Topic::Metrics, 3), None, "once");
        assert!(context.partitions_line(Topic::Trigger, 2).is_some());
    }
}
