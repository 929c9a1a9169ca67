//! Simulated drivers: one loop that writes what all of them would write.

use crate::SECONDS;
use crate::producer::Producer;
use crate::story::{State, Story};
use floodgate::bus::kafka::{KafkaConnector, KafkaSettings};
use floodgate::bus::{Bus, Connector, Start, Topic};
use floodgate::clock;
use floodgate::message::{
    DriverState, Heartbeat, Metrics, Register, TestConfig, Trigger, decode, decode_config, encode,
};
use floodgate::stats::counts::Counts;
use floodgate::stats::generator::Generator;
use floodgate::stats::histogram::Histogram;
use std::time::Duration;

/// How many different stories there are.
const STORIES: usize = 8;
/// How often the loop looks what is due; each driver sends a heartbeat in one of the looks of a second.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS_PER_S: usize = 20;
const PATIENCE: Duration = Duration::from_secs(60);
const HALF_MS: f64 = 500.0;
/// How much later than planned the last request ends, in ms.
const LAST_MS: f64 = 4.0;

pub struct Fleet {
    producer: Producer,
    bus: Box<dyn Bus>,
    names: Vec<String>,
    epoch: u64,
    stories: Vec<Story>,
    looks: usize,
    state: DriverState,
    plan: Option<TestConfig>,
    plan_hash: Option<String>,
    start_at_ms: Option<f64>,
    reports: usize,
    bytes: usize,
}

impl Fleet {
    /// Connects and registers.
    pub fn join(kafka: &str, prefix: &str, drivers: usize) -> Result<Fleet, String> {
        let brokers = kafka.split(',').map(str::to_owned).collect();
        let settings = KafkaSettings { topic_prefix: prefix.to_owned(), ..KafkaSettings::new(brokers) };
        let mut bus = KafkaConnector::new(settings)?.open();
        for topic in [Topic::TestConfig, Topic::Trigger] {
            bus.subscribe(topic, Start::End, PATIENCE).map_err(|e| e.to_string())?;
        }
        let mut fleet = Fleet {
            producer: Producer::connect(kafka, prefix)?,
            bus,
            names: (0..drivers).map(|n| format!("driver-{n:04}")).collect(),
            epoch: clock::wall_ms(clock::now_ns()) as u64,
            stories: (0..STORIES as u64).map(Story::new).collect::<Result<_, _>>()?,
            looks: 0,
            state: DriverState::Idle,
            plan: None,
            plan_hash: None,
            start_at_ms: None,
            reports: 0,
            bytes: 0,
        };
        let records = fleet.names.iter().map(|name| (name.as_str(), encode(&fleet.register(name))));
        let records: Vec<_> = records.collect();
        fleet.producer.append("register", &records)?;
        Ok(fleet)
    }

    /// Stays alive until something is so.
    pub fn until(&mut self, what: &str, mut is: impl FnMut() -> Result<bool, String>) -> Result<(), String> {
        let deadline_ns = clock::deadline(PATIENCE);
        while !is()? {
            if clock::now_ns() > deadline_ns {
                return Err(format!("not within {PATIENCE:?}: {what}"));
            }
            (0..LOOKS_PER_S / 4).try_for_each(|_| self.look())?;
        }
        Ok(())
    }

    /// Gets ready for the plan and waits for the start.
    pub fn until_started(&mut self) -> Result<(), String> {
        let deadline_ns = clock::deadline(PATIENCE);
        while self.start_at_ms.is_none() {
            if clock::now_ns() > deadline_ns {
                return Err("the test was not started".to_owned());
            }
            self.look()?;
        }
        self.state = DriverState::Running;
        Ok(())
    }

    /// Reports every half second until the end, and then finally.
    pub fn run(&mut self) -> Result<(), String> {
        let start_at_ms = self.start_at_ms.ok_or("not started")?;
        let mut reported = 0;
        while reported < 2 * SECONDS {
            let passed_ms = clock::wall_ms(clock::now_ns()) - start_at_ms;
            if passed_ms >= (reported + 1) as f64 * HALF_MS {
                reported += 1;
                self.report(reported, false)?;
            }
            self.look()?;
        }
        self.state = DriverState::Finishing;
        self.report(2 * SECONDS + 1, true)?;
        self.state = DriverState::Idle;
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn reports(&self) -> usize {
        self.reports
    }

    /// Mean size of a report.
    pub fn report_bytes(&self) -> usize {
        self.bytes / self.reports.max(1)
    }

    /// What all drivers have counted, and their latencies.
    pub fn totals(&self) -> (Counts, Histogram) {
        let (mut counts, mut latency) = (Counts::default(), Histogram::new());
        for driver in 0..self.names.len() {
            let tally = &self.stories[driver % STORIES].tally;
            counts.merge(&tally.counts(tally.sent, 0));
            latency.merge(&tally.latency.histogram());
        }
        (counts, latency)
    }

    /// Reads the plan and the trigger, and sends the heartbeats that are due.
    fn look(&mut self) -> Result<(), String> {
        let begun_ns = clock::now_ns();
        let records = self.bus.poll(LOOK).map_err(|e| e.to_string())?;
        for record in records {
            match record.topic {
                Topic::TestConfig => self.take(decode_config(&record.value)?),
                Topic::Trigger => self.start_at_ms = decode::<Trigger>(&record.value)?.start_at_ms,
                _ => {}
            }
        }
        let due = self.looks % LOOKS_PER_S;
        self.looks += 1;
        self.heartbeats(|driver| driver % LOOKS_PER_S == due)?;
        clock::sleep_until(begun_ns + clock::to_ns(LOOK));
        Ok(())
    }

    fn take(&mut self, plan: TestConfig) {
        self.plan_hash = Some(plan.plan_hash());
        self.plan = Some(plan);
        self.state = DriverState::Ready;
        // A change of state is reported at once.
        let _ = self.heartbeats(|_| true);
    }

    fn heartbeats(&mut self, is_due: impl Fn(usize) -> bool) -> Result<(), String> {
        let due = self.names.iter().enumerate().filter(|(driver, _)| is_due(*driver));
        let records: Vec<_> = due.map(|(_, name)| (name.as_str(), encode(&self.heartbeat(name)))).collect();
        self.producer.append("heartbeat", &records)
    }

    fn report(&mut self, number: u64, is_final: bool) -> Result<(), String> {
        let state = (number as usize).min(2 * SECONDS as usize) - 1;
        let reports = self.names.iter().enumerate().map(|(driver, name)| {
            let state = &self.stories[driver % STORIES].states[state];
            (name.as_str(), encode(&self.metrics(name, number, state, is_final)))
        });
        let records: Vec<_> = reports.collect();
        self.reports += records.len();
        self.bytes += records.iter().map(|(_, value)| value.len()).sum::<usize>();
        self.producer.append("metrics", &records)
    }

    fn register(&self, name: &str) -> Register {
        Register {
            node_id: name.to_owned(),
            node_ip: "127.0.0.1".to_owned(),
            epoch: Some(self.epoch),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            cores: Some(2),
            max_connections: Some(1_000),
        }
    }

    fn heartbeat(&self, name: &str) -> Heartbeat {
        Heartbeat {
            node_id: name.to_owned(),
            heartbeat: "YES".to_owned(),
            timestamp: clock::wall_ms(clock::now_ns()).round(),
            epoch: Some(self.epoch),
            state: Some(self.state),
            reason: None,
            test_id: self.plan.as_ref().map(|plan| plan.test_id.clone()),
            plan_hash: self.plan_hash.clone(),
            clock_offset_ms: Some(0.0),
            clock_error_ms: Some(0.5),
        }
    }

    fn metrics(&self, name: &str, number: u64, state: &State, is_final: bool) -> Metrics {
        let start_at_ms = self.start_at_ms.unwrap_or(0.0);
        let last_ms = if is_final { LAST_MS - HALF_MS } else { 0.0 };
        Metrics {
            node_id: name.to_owned(),
            test_id: self.plan.as_ref().map(|plan| plan.test_id.clone()).unwrap_or_default(),
            report_id: format!("{name}-{number}-6ba7b810-9dad-11d1-80b4-00c04"),
            metrics: state.metrics.clone(),
            epoch: Some(self.epoch),
            sequence: Some(number),
            is_final,
            origin_ms: Some(start_at_ms),
            first_send_ms: Some(start_at_ms + 0.02),
            elapsed_ms: Some(number as f64 * HALF_MS + last_ms),
            counts: Some(state.counts.clone()),
            histograms: Some(state.histograms.clone()),
            by_name: Default::default(),
            generator: Some(Generator { busy: Some(0.05), cpu_wait: Some(0.001), ..Generator::default() }),
            error_samples: Vec::new(),
            check_samples: Vec::new(),
            target_seen: None,
            target_restarted: false,
        }
    }
}
