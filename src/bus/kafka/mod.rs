//! The bus over Apache Kafka.
//!
//! `settings` says where the cluster is. A handle of the modern client has two `cluster::Cluster`s: one
//! publishes and queries (`writer`), the other reads by long polls (`poll`), so that neither waits for the
//! other. Below them, only `connection` opens sockets. `reading` decides what `poll` does, `retry` when a
//! call is repeated, `directory` whom `cluster` asks and `conversation` which response belongs to which
//! request; these and `frame`, `gaps`, `wire`, `requests`, `responses`, `batches`, `compression`,
//! `transactions`, `versions`, `partition` and `backoff` are pure. `legacy` is the same bus over the crate
//! `kafka`.

mod access;
mod backoff;
mod batches;
mod cluster;
mod compression;
mod connection;
mod context;
mod conversation;
mod directory;
mod faults;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod gaps;
mod legacy;
mod offsets;
mod partition;
mod poll;
mod publish;
mod reading;
mod requests;
mod responses;
mod retry;
mod rights;
mod sasl;
#[cfg(test)]
mod scripted;
pub mod security;
mod settings;
#[cfg(feature = "tls")]
mod tls_errors;
#[cfg(not(feature = "tls"))]
mod tls_errors {
    pub fn told(
        error: &crate::tls::Error,
        _: &super::settings::Address,
        _: &super::security::Security,
    ) -> super::BusError {
        error.never()
    }
}
mod tls_faults;
mod tokens;
mod told;
mod topics;
mod transactions;
mod versions;
mod wire;
mod writer;

use self::context::Context;
use self::legacy::LegacyBus;
use self::poll::Fetcher;
use self::writer::Writer;
use super::{Appended, Bus, BusError, Connector, Position, Record, Start, Topic, check_size};
use crate::clock;
pub use settings::{Address, KafkaClientKind, KafkaSettings, Right};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Opens handles on one Kafka cluster; clones share the settings.
///
/// If a broker hangs, a call may take up to three seconds longer than its timeout. A connection whose setup
/// takes longer than a call is completed by a later one.
#[derive(Clone)]
pub struct KafkaConnector {
    shared: Arc<Context>,
}

impl KafkaConnector {
    /// Checks the settings without connecting. The error says which setting is invalid and what is allowed.
    pub fn new(settings: KafkaSettings) -> Result<Self, String> {
        Ok(KafkaConnector { shared: Arc::new(Context::new(settings)?) })
    }
}

impl Connector for KafkaConnector {
    fn open(&self) -> Box<dyn Bus> {
        let shared = || Arc::clone(&self.shared);
        match self.shared.settings.client {
            KafkaClientKind::Modern => {
                Box::new(ModernBus { writer: Writer::new(shared()), reader: Fetcher::new(shared()) })
            }
            KafkaClientKind::Legacy => Box::new(LegacyBus::new(shared())),
        }
    }

    fn prepare(&self, timeout: Duration) -> Result<(), BusError> {
        let shared = Arc::clone(&self.shared);
        let prepared = match self.shared.settings.client {
            KafkaClientKind::Modern => topics::prepare(shared, clock::deadline(timeout)),
            KafkaClientKind::Legacy => legacy::prepare(shared, clock::deadline(timeout)),
        };
        prepared.map_err(|error| match error {
            BusError::Unavailable(text) => {
                let seconds = timeout.as_secs_f64();
                BusError::Unavailable(format!("{text} (gave up after the {seconds} s of --connect-timeout)"))
            }
            other => other,
        })
    }

    fn describe(&self) -> String {
        self.shared.describe()
    }
}

/// A handle of the modern client.
struct ModernBus {
    writer: Writer,
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
        self.writer.attempt(clock::deadline(timeout), |cluster, attempt_ns| {
            publish::once(cluster, topic, key, value, attempt_ns)
        })
    }

    fn end(&mut self, topic: Topic, timeout: Duration) -> Result<Position, BusError> {
        Ok(Position(self.offsets(topic, requests::LATEST, clock::deadline(timeout))?))
    }

    fn subscribe(&mut self, topic: Topic, start: Start, timeout: Duration) -> Result<(), BusError> {
        let deadline_ns = clock::deadline(timeout);
        let offsets = offsets::of_start(&start, |which| self.offsets(topic, which, deadline_ns))?;
        self.reader.start(topic, offsets);
        self.reader.connect(topic, deadline_ns);
        Ok(())
    }

    fn poll(&mut self, timeout: Duration) -> Result<Vec<Record>, BusError> {
        self.reader.poll(timeout)
    }
}
