//! State shared by all handles of a connector.

use super::settings::{Address, KafkaSettings};
use crate::bus::Topic;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// The checked settings, and the warnings already logged.
pub struct Context {
    /// The user's settings.
    pub settings: KafkaSettings,
    /// The bootstrap brokers.
    pub bootstrap: Vec<Address>,
    /// The topics by their full names.
    pub names: BTreeMap<String, Topic>,
    /// Topics already reported as having no append time.
    told: Mutex<BTreeSet<Topic>>,
}

impl Context {
    /// Checks the settings; the error says which one is invalid and what is allowed.
    pub fn new(settings: KafkaSettings) -> Result<Self, String> {
        let bootstrap = settings.checked()?;
        let names = Topic::ALL.iter().map(|topic| (settings.topic_name(*topic), *topic)).collect();
        Ok(Context { settings, bootstrap, names, told: Mutex::default() })
    }

    /// The cluster, for messages.
    pub fn describe(&self) -> String {
        format!("kafka {}", self.settings.brokers.join(","))
    }

    /// The topic with this full name.
    pub fn topic_of(&self, name: &str) -> Option<Topic> {
        self.names.get(name).copied()
    }

    /// Warns once per topic that it does not store append times.
    pub fn warn_no_append_time(&self, topic: Topic) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(topic) {
            let name = self.settings.topic_name(topic);
            log::warn!(
                "topic {name} does not store the broker's append time, so it cannot be used to compare \
                 clocks; fix this with kafka-configs.sh --alter --entity-type topics --entity-name {name} \
                 --add-config message.timestamp.type=LogAppendTime"
            );
        }
    }
}
