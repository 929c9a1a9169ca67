//! Real Kafka brokers for tests: where they are, and topics that no other test uses.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use floodgate::bus::Connector;
use floodgate::bus::kafka::{KafkaClientKind, KafkaConnector, KafkaSettings};
use floodgate::clock;

use crate::bus_contract::Subject;

/// Names the brokers: `3.9.1=127.0.0.1:19092,4.3.0=127.0.0.1:29092`, as `scripts/kafka env` prints it.
const VARIABLE: &str = "FLOODGATE_TEST_KAFKA";

/// The address of the broker of this version. A test that was asked for and finds none fails.
pub fn broker(version: &str) -> String {
    let list = std::env::var(VARIABLE).unwrap_or_default();
    let found = list.split(',').find_map(|entry| entry.trim().strip_prefix(version)?.strip_prefix('='));
    found.map(str::to_string).unwrap_or_else(|| {
        panic!(
            "{VARIABLE}={list:?} names no Kafka {version}: run scripts/kafka start {version}, then \
             eval \"$(scripts/kafka env)\""
        )
    })
}

/// A prefix that no other test and no earlier run uses.
pub fn fresh_prefix(case: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now_ms = clock::wall_ms(clock::now_ns()) as u64;
    format!("t{now_ms}-{}-{count}-{case}-", std::process::id())
}

/// A connector on fresh topics, not prepared.
pub fn connector(brokers: &str, client: KafkaClientKind, case: &str) -> KafkaConnector {
    let brokers = brokers.split(',').map(str::to_string).collect();
    let settings = KafkaSettings { topic_prefix: fresh_prefix(case), client, ..KafkaSettings::new(brokers) };
    KafkaConnector::new(settings).expect("settings")
}

/// What the bus contract runs on.
pub fn subject(version: &str, client: KafkaClientKind, case: &str) -> Subject {
    let connector = connector(&broker(version), client, case);
    connector.prepare(Duration::from_secs(30)).expect("prepare");
    Subject { connector: Box::new(connector), append_time: client == KafkaClientKind::Modern }
}
