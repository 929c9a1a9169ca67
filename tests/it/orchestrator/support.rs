//! Scripted drivers, and a bus that can become unavailable.

use floodgate::bus::local::LocalConnector;
use floodgate::bus::{Appended, Bus, BusError, Connector, Position, Record, Start, Topic};
use floodgate::clock;
use floodgate::message::{End, TestConfig, Trigger, decode};
use floodgate::orchestrator::{Config, Control, Orchestrator, start};
use floodgate::stats::histogram::Histogram;
use floodgate::stats::summary::Summary;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Far longer than anything that works takes.
pub const SOON: Duration = Duration::from_secs(20);

/// An orchestrator without HTTP on this bus.
pub fn orchestrator(connector: &Arc<dyn Connector>) -> Orchestrator {
    start(Arc::clone(connector), Config { connect_timeout: SOON, ..Config::default() }).expect("starts")
}

/// A new in-process bus.
pub fn local() -> Arc<dyn Connector> {
    Arc::new(LocalConnector::new())
}

/// Waits until `found` returns something.
pub fn wait<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline_ns = clock::now_ns() + clock::to_ns(SOON);
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(clock::now_ns() < deadline_ns, "timed out waiting for: {what}");
        clock::sleep(Duration::from_millis(5));
    }
}

/// Waits until the test has this state, and returns its result.
pub fn wait_state(control: &Control, test_id: &str, state: &str) -> Summary {
    wait(&format!("{test_id} {state}"), || control.summary(test_id).filter(|s| s.state == state))
}

/// Waits until this many drivers can be named.
pub fn wait_alive(control: &Control, drivers: usize) {
    wait("drivers alive", || (control.fleet_alive() == drivers).then_some(()));
}

/// A scripted driver.
pub struct Driver {
    pub name: String,
    pub epoch: u64,
    bus: Box<dyn Bus>,
    kept: Vec<Record>,
}

impl Driver {
    /// Registers and sends a first heartbeat.
    pub fn join(connector: &Arc<dyn Connector>, name: &str, epoch: u64) -> Driver {
        let mut bus = connector.open();
        for topic in [Topic::TestConfig, Topic::Trigger] {
            bus.subscribe(topic, Start::End, SOON).expect("subscribes");
        }
        let mut driver = Driver { name: name.to_owned(), epoch, bus, kept: Vec::new() };
        driver.publish(
            Topic::Register,
            &json!({"node_id": name, "node_IP": "127.0.0.1", "message_type": "DRIVER_NODE_REGISTER",
                "epoch": epoch, "version": "0.1.0", "cores": 2, "max_connections": 1000}),
        );
        driver.say(json!({"state": "idle"}));
        driver
    }

    pub fn publish(&mut self, topic: Topic, value: &Value) {
        let bytes = serde_json::to_vec(value).expect("json");
        self.bus.publish(topic, &self.name.clone(), &bytes, SOON).expect("publishes");
    }

    /// Sends a heartbeat with these additional fields.
    pub fn say(&mut self, more: Value) {
        let mut message = json!({"node_id": self.name, "heartbeat": "YES", "timestamp": 1.0,
            "epoch": self.epoch, "clock_offset_ms": 0.1, "clock_error_ms": 0.2});
        for (key, value) in more.as_object().expect("object") {
            message[key] = value.clone();
        }
        self.publish(Topic::Heartbeat, &message);
    }

    /// Reports its state on this test.
    pub fn state(&mut self, test_id: &str, state: &str) {
        self.say(json!({"state": state, "test_id": test_id}));
    }

    fn next<T>(&mut self, topic: Topic, read: impl Fn(&Record) -> Option<T>) -> T {
        let deadline_ns = clock::now_ns() + clock::to_ns(SOON);
        loop {
            if let Some(at) = self.kept.iter().position(|record| record.topic == topic) {
                if let Some(value) = read(&self.kept.remove(at)) {
                    return value;
                }
                continue;
            }
            assert!(clock::now_ns() < deadline_ns, "received nothing on {}", topic.name());
            let records = self.bus.poll(Duration::from_millis(100)).expect("polls");
            self.kept.extend(records);
        }
    }

    /// The next plan.
    pub fn plan(&mut self) -> TestConfig {
        self.next(Topic::TestConfig, |record| decode(&record.value).ok())
    }

    /// The next trigger of this test.
    pub fn trigger(&mut self, test_id: &str) -> Trigger {
        let wanted = test_id.to_owned();
        self.next(Topic::Trigger, move |record| {
            decode::<Trigger>(&record.value).ok().filter(|trigger| trigger.test_id == wanted)
        })
    }

    /// The number of triggers that have not been read yet, without copies of an END.
    pub fn triggers_waiting(&mut self) -> usize {
        let records = self.bus.poll(Duration::from_millis(300)).expect("polls");
        self.kept.extend(records);
        let is_end = |record: &Record| decode::<End>(&record.value).is_ok();
        self.kept.iter().filter(|record| record.topic == Topic::Trigger && !is_end(record)).count()
    }

    /// The number of copies of this test's END that have not been read yet.
    pub fn ends_waiting(&mut self, test_id: &str) -> usize {
        let records = self.bus.poll(Duration::from_millis(50)).expect("polls");
        self.kept.extend(records);
        let ends = self.kept.iter().filter_map(|record| decode::<End>(&record.value).ok());
        ends.filter(|end| end.test_id == test_id).count()
    }

    /// Reads the plan and accepts it.
    pub fn agree(&mut self) -> TestConfig {
        let plan = self.plan();
        self.say(json!({"state": "ready", "test_id": plan.test_id, "plan_hash": plan.plan_hash()}));
        plan
    }

    /// Accepts the plan, waits for the gate, and reports running; returns the plan and its start.
    pub fn run(&mut self) -> (TestConfig, f64) {
        let plan = self.agree();
        let start_at_ms = self.trigger(&plan.test_id).start_at_ms.expect("a start");
        self.state(&plan.test_id, "running");
        (plan, start_at_ms)
    }

    /// Sends a cumulative report: `responses` of `latency_ms` each at `elapsed_ms`, from a start at
    /// `origin_ms`.
    pub fn report(&mut self, test_id: &str, figures: Figures) {
        let message = figures.message(&self.name, self.epoch, test_id);
        self.publish(Topic::Metrics, &message);
    }
}

/// The figures of a report.
#[derive(Clone, Copy, Default)]
pub struct Figures {
    pub sequence: u64,
    pub origin_ms: f64,
    pub elapsed_ms: f64,
    pub responses: u64,
    pub latency_ms: u64,
    pub is_final: bool,
    pub seen: Option<(u64, u64)>,
}

impl Figures {
    pub fn message(&self, name: &str, epoch: u64, test_id: &str) -> Value {
        let mut histogram = Histogram::new();
        (0..self.responses).for_each(|_| histogram.record_us(self.latency_ms * 1_000));
        let mut lag = Histogram::new();
        (0..self.responses).for_each(|_| lag.record_us(50));
        let n = self.responses;
        let mut message = json!({
            "node_id": name, "test_id": test_id, "report_id": format!("{name}-{}", self.sequence),
            "metrics": {"mean_latency": 2.0, "median_latency": 2.0, "min_latency": 2.0, "max_latency": 2.0},
            "epoch": epoch, "sequence": self.sequence, "final": self.is_final, "origin_ms": self.origin_ms,
            "first_send_ms": self.origin_ms, "elapsed_ms": self.elapsed_ms,
            "counts": {"planned": n, "sent": n, "never_sent": 0, "queued": 0, "responses": n, "errors": {},
                "status": {"200": n}, "bytes_received": 10 * n, "warmup_sent": 0},
            "histograms": {
                "latency": histogram.encode().expect("encodes"), "lag": lag.encode().expect("encodes"),
            },
        });
        if self.is_final {
            message["histograms"]["service"] = json!(histogram.encode().expect("encodes"));
        }
        if let Some((before, after)) = self.seen {
            message["target_seen"] = json!({"before": before, "after": after});
        }
        message
    }
}

/// A bus that can become unavailable.
#[derive(Clone)]
pub struct Fragile {
    inner: LocalConnector,
    away: Arc<AtomicBool>,
}

impl Fragile {
    pub fn new() -> Fragile {
        Fragile { inner: LocalConnector::new(), away: Arc::new(AtomicBool::new(false)) }
    }

    /// The same bus, with a switch of its own.
    pub fn with_own_switch(&self) -> Fragile {
        Fragile { inner: self.inner.clone(), away: Arc::new(AtomicBool::new(false)) }
    }

    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// A connector on the same bus that never fails.
    pub fn sound(&self) -> Arc<dyn Connector> {
        Arc::new(self.inner.clone())
    }
}

impl Connector for Fragile {
    fn open(&self) -> Box<dyn Bus> {
        Box::new(FragileBus { inner: self.inner.open(), away: Arc::clone(&self.away) })
    }

    fn prepare(&self, timeout: Duration) -> Result<(), BusError> {
        check(&self.away)?;
        self.inner.prepare(timeout)
    }

    fn describe(&self) -> String {
        "fragile bus".to_owned()
    }
}

struct FragileBus {
    inner: Box<dyn Bus>,
    away: Arc<AtomicBool>,
}

fn check(away: &AtomicBool) -> Result<(), BusError> {
    match away.load(Ordering::SeqCst) {
        true => Err(BusError::Unavailable("nobody answers".to_owned())),
        false => Ok(()),
    }
}

impl Bus for FragileBus {
    fn publish(
        &mut self,
        topic: Topic,
        key: &str,
        value: &[u8],
        within: Duration,
    ) -> Result<Appended, BusError> {
        let deadline_ns = clock::now_ns() + clock::to_ns(within.min(Duration::from_secs(1)));
        while let Err(e) = check(&self.away) {
            if clock::now_ns() > deadline_ns {
                return Err(e);
            }
            clock::sleep(Duration::from_millis(10));
        }
        self.inner.publish(topic, key, value, within)
    }

    fn end(&mut self, topic: Topic, timeout: Duration) -> Result<Position, BusError> {
        check(&self.away)?;
        self.inner.end(topic, timeout)
    }

    fn subscribe(&mut self, topic: Topic, start: Start, timeout: Duration) -> Result<(), BusError> {
        check(&self.away)?;
        self.inner.subscribe(topic, start, timeout)
    }

    fn poll(&mut self, timeout: Duration) -> Result<Vec<Record>, BusError> {
        check(&self.away)?;
        self.inner.poll(timeout)
    }
}

/// An orchestrator that listens on a free port, with this token if there is one.
pub fn serve(bus: Arc<dyn Connector>, token: Option<&str>) -> (Orchestrator, SocketAddr) {
    let config = Config {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        token: token.map(str::to_owned),
        connect_timeout: SOON,
        ..Config::default()
    };
    let orchestrator = start(bus, config).expect("starts");
    let addr = orchestrator.addr().expect("listens");
    (orchestrator, addr)
}
