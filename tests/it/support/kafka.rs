//! Real Kafka brokers for tests: their addresses, ways to disturb them, and unique topics.

use crate::bus_contract::Subject;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use floodgate::bus::Connector;
use floodgate::bus::kafka::security::{Given, Mechanism, Protocol, Secret};
use floodgate::bus::kafka::{KafkaClientKind, KafkaConnector, KafkaSettings};
use floodgate::clock;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// Lists the brokers: `3.9.1=127.0.0.1:19092,4.3.0=127.0.0.1:29092`, as `scripts/kafka env` prints it.
const VARIABLE: &str = "FLOODGATE_TEST_KAFKA";
/// Names the cluster: `4.3.0=127.0.0.1:29192,127.0.0.1:29202,127.0.0.1:29212`.
const CLUSTER_VARIABLE: &str = "FLOODGATE_TEST_CLUSTER";

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
            "{VARIABLE}={list:?} contains no Kafka {version}: run scripts/kafka secure {version}, then \
             eval \"$(scripts/kafka env)\""
        )
    })
}

/// The cluster of three nodes that `scripts/kafka cluster` starts.
pub struct ThreeNodes {
    /// Kafka's version.
    pub version: String,
    /// The plaintext listeners.
    pub addresses: String,
}

impl ThreeNodes {
    /// Panics if there is none.
    pub fn running() -> Self {
        let list = std::env::var(CLUSTER_VARIABLE).unwrap_or_default();
        let (version, addresses) = list.split_once('=').unwrap_or_else(|| {
            panic!(
                "{CLUSTER_VARIABLE}={list:?} names no cluster: run scripts/kafka cluster 4.3.0, then \
                 eval \"$(scripts/kafka env)\""
            )
        });
        ThreeNodes { version: version.to_owned(), addresses: addresses.to_owned() }
    }

    /// The numbers of its nodes.
    pub fn nodes(&self) -> impl Iterator<Item = u16> + use<> {
        1..=3
    }

    /// The listeners with TLS and logins.
    pub fn sasl_ssl_addresses(&self) -> String {
        let secure = |address| beside(address, Listener::SaslSsl(Mechanism::Plain));
        self.addresses.split(',').map(secure).collect::<Vec<_>>().join(",")
    }

    /// The folder of its certificates and passwords.
    pub fn secure_folder(&self) -> PathBuf {
        secure_folder(&format!("{}/cluster", self.version))
    }

    /// Shuts a node down, starts it again and waits until it is in sync.
    pub fn restart(&self, node: u16) {
        script(&["restart", &self.version, &node.to_string()]);
    }
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

/// A listener that `scripts/kafka secure` adds to a broker, and how a test connects to it.
#[derive(Clone, Copy, Debug)]
pub enum Listener {
    /// TLS.
    Ssl,
    /// TLS and a login by this mechanism.
    SaslSsl(Mechanism),
    /// A login by this mechanism.
    SaslPlaintext(Mechanism),
    /// TLS with a client certificate.
    Mtls,
}

/// The folder of a broker's certificates and passwords.
pub fn secure_folder(version: &str) -> PathBuf {
    let root = std::env::var_os("FLOODGATE_KAFKA_DIR").map(PathBuf::from);
    let root = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".kafka"));
    let folder = root.join(version).join("secure");
    assert!(folder.join("ready").exists(), "no {}: run scripts/kafka secure {version}", folder.display());
    folder
}

/// The address of a secure listener.
pub fn secure_address(version: &str, listener: Listener) -> String {
    beside(&broker(version), listener)
}

/// The address of a secure listener of the broker at this plaintext address.
fn beside(plain: &str, listener: Listener) -> String {
    let (host, port) = plain.rsplit_once(':').expect("HOST:PORT");
    let port: u16 = port.parse().expect("a port");
    let offset = match listener {
        Listener::Ssl => 1,
        Listener::SaslSsl(_) => 2,
        Listener::SaslPlaintext(_) => 3,
        Listener::Mtls => 4,
    };
    format!("{host}:{}", port + offset)
}

/// The settings of alice, who may do everything.
pub fn given(version: &str, listener: Listener) -> Given {
    let folder = secure_folder(version);
    let pem = |name: &str| Some(Given::read_pem("test", &folder.join(name), true).expect("PEM"));
    let tls = Given { ca: pem("ca.pem"), ..Given::default() };
    let login = |mechanism: Mechanism| Given {
        mechanism: Some(mechanism),
        user: (mechanism != Mechanism::OauthBearer).then(|| "alice".to_owned()),
        password: (mechanism != Mechanism::OauthBearer).then(|| Secret::new("alice-secret")),
        token_file: (mechanism == Mechanism::OauthBearer).then(|| token_file(&folder, 3_600)),
        ..Given::default()
    };
    match listener {
        Listener::Ssl => tls,
        Listener::Mtls => Given { cert: pem("alice.pem"), key: pem("alice.key"), ..tls },
        Listener::SaslSsl(mechanism) => login(mechanism).or(tls),
        Listener::SaslPlaintext(mechanism) => {
            Given { protocol: Some(Protocol::SaslPlaintext), ..login(mechanism) }
        }
    }
}

/// A token that is over.
pub fn expired_token(version: &str) -> PathBuf {
    token_file(&secure_folder(version), -100)
}

/// A token for alice as Kafka's validator for tests accepts it: without a signature (RFC 7519, section 6).
fn token_file(folder: &Path, life_s: i64) -> PathBuf {
    let now_s = clock::wall_ms(clock::now_ns()) as i64 / 1_000;
    let claims = format!(r#"{{"sub":"alice","iat":{},"exp":{}}}"#, now_s - 200, now_s + life_s);
    let [head, claims] = [r#"{"alg":"none"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let path = folder.join(format!("{}.token", fresh_prefix("alice")));
    std::fs::write(&path, format!("{head}.{claims}.")).expect("written");
    path
}

/// The subject of the bus contract tests, over a secure listener.
pub fn secure_subject(version: &str, listener: Listener, case: &str) -> Subject {
    let peace = in_peace();
    let security = given(version, listener).check().expect("settings");
    let plain = settings(&secure_address(version, listener), KafkaClientKind::Modern, case);
    let connector = KafkaConnector::new(KafkaSettings { security, ..plain }).expect("settings");
    connector.prepare(Duration::from_secs(30)).expect("prepare");
    Subject { connector: Box::new(connector), append_time: true, held: Box::new(peace) }
}
