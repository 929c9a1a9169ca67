//! The other end of a driver's bus.

use floodgate::bus::local::LocalConnector;
use floodgate::bus::{Bus, Connector, Record, Start, Topic};
use floodgate::clock;
use floodgate::driver::prepare::ClientSettings;
use floodgate::driver::{self, Driver};
use floodgate::http::ClientKind;
use floodgate::message::*;
use floodgate::plan::Defaults;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub const WAIT: Duration = Duration::from_secs(20);

/// The other end of the bus.
pub struct Stage {
    /// For the driver.
    connector: Arc<dyn Connector>,
    bus: Box<dyn Bus>,
    /// Received but not examined yet.
    pending: VecDeque<Record>,
    pub seen: Vec<(Topic, serde_json::Value)>,
}

impl Stage {
    pub fn new() -> Stage {
        let connector = Arc::new(LocalConnector::default());
        Stage::on(connector.as_ref(), connector.clone())
    }

    /// The driver uses the same bus by a connector of its own, with faults.
    pub fn on(own: &dyn Connector, connector: Arc<dyn Connector>) -> Stage {
        let mut bus = own.open();
        for topic in [Topic::Register, Topic::Heartbeat, Topic::Metrics] {
            bus.subscribe(topic, Start::Beginning, WAIT).expect("subscribes");
        }
        Stage { connector, bus, pending: VecDeque::new(), seen: Vec::new() }
    }

    pub fn driver(&self, node_id: &str, target_url: &str, client: ClientKind) -> Driver {
        self.driver_with(
            node_id,
            target_url,
            ClientSettings { client: Some(client), ..ClientSettings::default() },
        )
    }

    pub fn driver_with(&self, node_id: &str, target_url: &str, clients: ClientSettings) -> Driver {
        self.driver_fenced(node_id, target_url, clients, None)
    }

    pub fn driver_fenced(
        &self,
        node_id: &str,
        target_url: &str,
        clients: ClientSettings,
        fence_after: Option<Duration>,
    ) -> Driver {
        let defaults = Defaults { target_url: Some(target_url.to_owned()), ..Defaults::default() };
        let config = driver::Config {
            node_id: node_id.to_owned(),
            node_ip: "127.0.0.1".to_owned(),
            defaults,
            clients,
            connect_timeout: WAIT,
            fence_after,
            ..driver::Config::default()
        };
        driver::start(Arc::clone(&self.connector), config).expect("starts")
    }

    pub fn publish(&mut self, topic: Topic, bytes: &[u8]) {
        self.bus.publish(topic, "test", bytes, WAIT).expect("published");
    }

    /// Reads until a message of `topic` fulfils the condition. If none arrives, panics with everything that
    /// was read.
    pub fn wait<T: serde::de::DeserializeOwned>(&mut self, topic: Topic, wanted: impl Fn(&T) -> bool) -> T {
        let deadline_ns = clock::now_ns() + clock::to_ns(WAIT);
        while clock::now_ns() < deadline_ns {
            self.pending.extend(self.bus.poll(Duration::from_millis(50)).expect("reads"));
            while let Some(record) = self.pending.pop_front() {
                self.seen.push((record.topic, serde_json::from_slice(&record.value).expect("JSON")));
                let message = decode(&record.value).ok().filter(|_| record.topic == topic);
                if let Some(message) = message.filter(&wanted) {
                    return message;
                }
            }
        }
        panic!("timed out waiting for a message; received so far: {:#?}", self.seen);
    }

    pub fn register(&mut self) -> NodeRef {
        let register: Register = self.wait(Topic::Register, |_| true);
        NodeRef { node_id: register.node_id, epoch: register.epoch.expect("an epoch") }
    }

    pub fn beat(&mut self, state: DriverState) -> Heartbeat {
        self.wait(Topic::Heartbeat, |beat: &Heartbeat| beat.state == Some(state))
    }

    /// Waits for the goodbye, unless already received: there is no order across topics.
    pub fn goodbye(&mut self) {
        let left = |(topic, value): &(Topic, serde_json::Value)| {
            *topic == Topic::Heartbeat && value["state"] == "left"
        };
        if !self.seen.iter().any(left) {
            self.beat(DriverState::Left);
        }
    }

    pub fn start(&mut self, config: &TestConfig) {
        self.publish(Topic::TestConfig, &encode(config));
        let beat = self.beat(DriverState::Ready);
        assert_eq!(beat.plan_hash, Some(config.plan_hash()));
        let at_ms = clock::wall_ms(clock::now_ns()) + 100.0;
        self.publish(Topic::Trigger, &encode(&Trigger::start(&config.test_id, at_ms)));
    }

    pub fn final_report(&mut self) -> Metrics {
        self.wait(Topic::Metrics, |metrics: &Metrics| metrics.is_final)
    }

    pub fn reports(&self) -> Vec<Metrics> {
        let metrics = self.seen.iter().filter(|(topic, _)| *topic == Topic::Metrics);
        metrics.map(|(_, value)| serde_json::from_value(value.clone()).expect("metrics")).collect()
    }
}
