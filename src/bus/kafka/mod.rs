//! The bus over Apache Kafka.
//!
//! `settings` says where the cluster is. A handle of the modern client is two [`cluster::Cluster`]s: one publishes
//! and asks, the other one reads by long polls, so that neither waits for the other. Below them, `connection` is the
//! only file that opens sockets; `frame`, `wire`, `requests`, `responses`, `batches`, `versions`, `partition` and
//! `backoff` are pure. `legacy` is the same bus over the crate `kafka`.

mod backoff;
mod batches;
mod cluster;
mod connection;
mod faults;
mod frame;
mod legacy;
mod offsets;
mod partition;
mod poll;
mod publish;
mod requests;
mod responses;
mod settings;
mod topics;
mod versions;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use settings::{Address, KafkaClientKind, KafkaSettings};

use self::cluster::Cluster;
use self::legacy::LegacyBus;
use self::poll::Fetcher;
use super::{Appended, Bus, BusError, Connector, Position, Record, Start, Topic, check_size};
use crate::clock;

/// Opens handles on one Kafka cluster; clones share what they learned.
#[derive(Clone)]
pub struct KafkaConnector {
    shared: Arc<Shared>,
}

impl KafkaConnector {
    /// Checks the settings; connects nowhere yet. The error says which setting is wrong and what is allowed.
    pub fn new(settings: KafkaSettings) -> Result<Self, String> {
        let bootstrap = settings.checked()?;
        let names = Topic::ALL.iter().map(|topic| (settings.topic_name(*topic), *topic)).collect();
        let shared = Shared { settings, bootstrap, names, told: Mutex::default() };
        Ok(KafkaConnector { shared: Arc::new(shared) })
    }
}

impl Connector for KafkaConnector {
    fn open(&self) -> Box<dyn Bus> {
        let shared = || Arc::clone(&self.shared);
        match self.shared.settings.client {
            KafkaClientKind::Modern => {
                Box::new(ModernBus { writer: Cluster::new(shared()), reader: Fetcher::new(shared()) })
            }
            KafkaClientKind::Legacy => Box::new(LegacyBus::new(shared())),
        }
    }

    fn prepare(&self, timeout: Duration) -> Result<(), BusError> {
        let shared = Arc::clone(&self.shared);
        match self.shared.settings.client {
            KafkaClientKind::Modern => topics::prepare(&mut Cluster::new(shared), deadline(timeout)),
            KafkaClientKind::Legacy => legacy::prepare(shared, deadline(timeout)),
        }
    }

    fn describe(&self) -> String {
        self.shared.describe()
    }
}

/// What all handles of one connector share.
struct Shared {
    settings: KafkaSettings,
    bootstrap: Vec<Address>,
    names: BTreeMap<String, Topic>,
    /// Topics of which it was told that they have no append time.
    told: Mutex<BTreeSet<Topic>>,
}

impl Shared {
    fn describe(&self) -> String {
        format!("kafka {}", self.settings.brokers.join(","))
    }

    /// The topic of a full name.
    fn topic_of(&self, name: &str) -> Option<Topic> {
        self.names.get(name).copied()
    }

    /// Says once for each topic that it does not keep append times.
    fn warn_no_append_time(&self, topic: Topic) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(topic) {
            let name = self.settings.topic_name(topic);
            log::warn!(
                "topic {name} does not keep the broker's append time, so clocks cannot be compared over it; mend it by \
                 kafka-configs.sh --alter --entity-type topics --entity-name {name} \
                 --add-config message.timestamp.type=LogAppendTime"
            );
        }
    }
}

fn deadline(timeout: Duration) -> u64 {
    clock::now_ns().saturating_add(clock::to_ns(timeout))
}

/// A handle of the modern client.
struct ModernBus {
    writer: Cluster,
    reader: Fetcher,
}

impl ModernBus {
    fn offsets(
        &mut self,
        topic: Topic,
        which: i64,
        deadline_ns: u64,
    ) -> Result<BTreeMap<i32, i64>, BusError> {
        self.writer
            .attempt(deadline_ns, |cluster, attempt_ns| offsets::ask(cluster, topic, which, attempt_ns))
    }
}

impl Bus for ModernBus {
    fn publish(
        &mut self,
        topic: Topic,
        key: &str,
        value: &[u8],
        timeout: Duration,
    ) -> Result<Appended, BusError> {
        check_size(topic, key, value)?;
        self.writer.attempt(deadline(timeout), |cluster, attempt_ns| {
            publish::once(cluster, topic, key, value, attempt_ns)
        })
    }

    fn end(&mut self, topic: Topic, timeout: Duration) -> Result<Position, BusError> {
        Ok(Position(self.offsets(topic, requests::LATEST, deadline(timeout))?))
    }

    fn subscribe(&mut self, topic: Topic, start: Start, timeout: Duration) -> Result<(), BusError> {
        let deadline_ns = deadline(timeout);
        let offsets = match start {
            Start::End => self.offsets(topic, requests::LATEST, deadline_ns)?,
            Start::Beginning => self.offsets(topic, requests::EARLIEST, deadline_ns)?,
            Start::At(Position(noted)) => {
                let mut offsets = self.offsets(topic, requests::EARLIEST, deadline_ns)?;
                for (partition, offset) in &mut offsets {
                    *offset = noted.get(partition).copied().unwrap_or(*offset);
                }
                offsets
            }
        };
        self.reader.start(topic, offsets);
        Ok(())
    }

    fn poll(&mut self, timeout: Duration) -> Result<Vec<Record>, BusError> {
        self.reader.poll(timeout)
    }
}
