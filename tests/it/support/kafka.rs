//! Real Kafka brokers for tests: their addresses, ways to disturb them, and unique topics.

use crate::bus_contract::Subject;
use floodgate::bus::Connector;
use floodgate::bus::kafka::{KafkaClientKind, KafkaConnector, KafkaSettings};
use floodgate::clock;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// Lists the brokers: `3.9.1=127.0.0.1:19092,4.3.0=127.0.0.1:29092`, as `scripts/kafka env` prints it.
const VARIABLE: &str = "FLOODGATE_TEST_KAFKA";

/// Tests that disturb a broker exclude those that need it undisturbed.
static PEACE: RwLock<()> = RwLock::new(());

/// Held while a test needs undisturbed brokers.
pub fn in_peace() -> RwLockReadGuard<'static, ()> {
    PEACE.read().unwrap_or_else(PoisonError::into_inner)
}

/// A broker that a test may stop and freeze. It is restarted on drop if the test fails.
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

    /// Shuts it down.
    pub fn stop(&self) {
        script(&["stop", &self.version]);
    }

    /// Starts it at the same address and waits until it answers.
    pub fn start(&self) {
        let port = self.address.rsplit(':').next().expect("a port");
        script(&["start", &self.version, port]);
    }

    /// Suspends it: its connections stay open, but it does not answer.
    pub fn freeze(&self) {
        script(&["freeze", &self.version]);
    }

    /// Resumes it.
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
    /// Keeps a failed test from leaving a frozen broker for the next one; ignores errors.
    fn thaw_quietly(&self) {
        let _ = run(&["thaw", &self.version]);
        let _ = run(&["start", &self.version, self.address.rsplit(':').next().unwrap_or("")]);
    }
}

fn run(arguments: &[&str]) -> std::io::Result<std::process::Output> {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/kafka")).args(arguments).output()
}

/// Runs `scripts/kafka` and returns its output.
pub fn script(arguments: &[&str]) -> String {
    let output = run(arguments).expect("scripts/kafka can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/kafka {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The address of the broker of this version; panics if there is none.
pub fn broker(version: &str) -> String {
    let list = std::env::var(VARIABLE).unwrap_or_default();
    let found = list.split(',').find_map(|entry| entry.trim().strip_prefix(version)?.strip_prefix('='));
    found.map(str::to_string).unwrap_or_else(|| {
        panic!(
            "{VARIABLE}={list:?} contains no Kafka {version}: run scripts/kafka start {version}, then \
             eval \"$(scripts/kafka env)\""
        )
    })
}

/// A prefix used by no other test or earlier run.
pub fn fresh_prefix(case: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now_ms = clock::wall_ms(clock::now_ns()) as u64;
    format!("t{now_ms}-{}-{count}-{case}-", std::process::id())
}

/// Settings with unique topics.
pub fn settings(brokers: &str, client: KafkaClientKind, case: &str) -> KafkaSettings {
    let brokers = brokers.split(',').map(str::to_string).collect();
    KafkaSettings { topic_prefix: fresh_prefix(case), client, ..KafkaSettings::new(brokers) }
}

/// An unprepared connector with unique topics.
pub fn connector(brokers: &str, client: KafkaClientKind, case: &str) -> KafkaConnector {
    KafkaConnector::new(settings(brokers, client, case)).expect("settings")
}

/// The subject of the bus contract tests.
pub fn subject(version: &str, client: KafkaClientKind, case: &str) -> Subject {
    subject_at(&broker(version), client, case)
}

/// The same for an address.
pub fn subject_at(address: &str, client: KafkaClientKind, case: &str) -> Subject {
    let peace = in_peace();
    let connector = connector(address, client, case);
    connector.prepare(Duration::from_secs(30)).expect("prepare");
    let append_time = client == KafkaClientKind::Modern;
    Subject { connector: Box::new(connector), append_time, held: Box::new(peace) }
}
