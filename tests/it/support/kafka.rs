//! Real Kafka brokers for tests: where they are, how to disturb them, and topics that no other test uses.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use floodgate::bus::Connector;
use floodgate::bus::kafka::{KafkaClientKind, KafkaConnector, KafkaSettings};
use floodgate::clock;

use crate::bus_contract::Subject;

/// Names the brokers: `3.9.1=127.0.0.1:19092,4.3.0=127.0.0.1:29092`, as `scripts/kafka env` prints it.
const VARIABLE: &str = "FLOODGATE_TEST_KAFKA";

/// Tests that disturb a broker exclude those that need it in peace.
static PEACE: RwLock<()> = RwLock::new(());

/// Held while a test needs undisturbed brokers.
pub fn in_peace() -> RwLockReadGuard<'static, ()> {
    PEACE.read().unwrap_or_else(PoisonError::into_inner)
}

/// A broker that a test may stop and freeze; it runs again when this is dropped.
pub struct Victim {
    version: String,
    address: String,
    _alone: RwLockWriteGuard<'static, ()>,
}

impl Victim {
    /// Waits until no other test uses the brokers.
    pub fn of(version: &str) -> Self {
        let _alone = PEACE.write().unwrap_or_else(PoisonError::into_inner);
        let victim = Victim { version: version.to_string(), address: broker(version), _alone };
        victim.restore();
        victim
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Ends it in order.
    pub fn stop(&self) {
        script(&["stop", &self.version]);
    }

    /// Starts it at the same address and waits until it answers.
    pub fn start(&self) {
        let port = self.address.rsplit(':').next().expect("a port");
        script(&["start", &self.version, port]);
    }

    /// Holds it still: its connections stay open, nothing is answered.
    pub fn freeze(&self) {
        script(&["freeze", &self.version]);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        script(&["thaw", &self.version]);
    }

    fn restore(&self) {
        self.start();
        self.thaw();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.thaw_quietly();
    }
}

impl Victim {
    /// After a failed test the next one must not find a frozen broker; errors no longer matter then.
    fn thaw_quietly(&self) {
        let _ = run(&["thaw", &self.version]);
        let _ = run(&["start", &self.version, self.address.rsplit(':').next().unwrap_or("")]);
    }
}

fn run(arguments: &[&str]) -> std::io::Result<std::process::Output> {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/kafka")).args(arguments).output()
}

/// Runs `scripts/kafka`; gives what it printed.
pub fn script(arguments: &[&str]) -> String {
    let output = run(arguments).expect("scripts/kafka can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/kafka {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

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

/// Settings with fresh topics.
pub fn settings(brokers: &str, client: KafkaClientKind, case: &str) -> KafkaSettings {
    let brokers = brokers.split(',').map(str::to_string).collect();
    KafkaSettings { topic_prefix: fresh_prefix(case), client, ..KafkaSettings::new(brokers) }
}

/// A connector on fresh topics, not prepared.
pub fn connector(brokers: &str, client: KafkaClientKind, case: &str) -> KafkaConnector {
    KafkaConnector::new(settings(brokers, client, case)).expect("settings")
}

/// What the bus contract runs on.
pub fn subject(version: &str, client: KafkaClientKind, case: &str) -> Subject {
    subject_at(&broker(version), client, case)
}

/// The same at an address.
pub fn subject_at(address: &str, client: KafkaClientKind, case: &str) -> Subject {
    let peace = in_peace();
    let connector = connector(address, client, case);
    connector.prepare(Duration::from_secs(30)).expect("prepare");
    let append_time = client == KafkaClientKind::Modern;
    Subject { connector: Box::new(connector), append_time, held: Box::new(peace) }
}
