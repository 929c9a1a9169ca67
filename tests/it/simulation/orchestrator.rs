//! One process of an orchestrator: the real core on the simulated bus, with the shell's steps.

use super::bus::{Outcome, Role, SimulatedBus};
use super::random::Random;
use floodgate::bus::{BusError, Record, Start, Topic};
use floodgate::clock::{NS_PER_MS, NS_PER_S};
use floodgate::message::{TestConfig, encode};
use floodgate::orchestrator::sans_io::{Command, Core, Now, Reached, read};
use floodgate::orchestrator::{ApiError, Configured};
use floodgate::stats::summary::Summary;
use std::collections::VecDeque;

/// How long writing a record is retried.
const WRITE_WITHIN_NS: u64 = 10 * NS_PER_S;
/// Which tests are followed after a start.
const HISTORY_MS: f64 = 86_400_000.0;
/// The topics in the order in which a batch of records is handled.
const ORDER: [Topic; 5] =
    [Topic::TestConfig, Topic::Trigger, Topic::Register, Topic::Heartbeat, Topic::Metrics];
const LEARNED: [Topic; 3] = [Topic::TestConfig, Topic::Trigger, Topic::Register];

enum Joining {
    Heartbeats,
    Ask(usize),
    Learn(usize, Reached),
    Metrics,
    Joined(Option<Reached>),
}

struct Job {
    test_id: String,
    command: Command,
    until_ns: u64,
    /// An attempt, and when its outcome is known.
    attempt: Option<Outcome>,
}

pub struct SimOrchestrator {
    pub roles: [Role; 2],
    pub core: Core,
    /// The answers to what was configured here.
    pub answers: Vec<(String, Result<Configured, ApiError>)>,
    joining: Joining,
    jobs: VecDeque<Job>,
    /// What it believes broker time to be ahead of the simulated clock, in ms.
    zero_ms: f64,
}

impl SimOrchestrator {
    pub fn start(bus: &mut SimulatedBus, mut random: Random) -> SimOrchestrator {
        SimOrchestrator {
            roles: [bus.open(), bus.open()],
            core: Core::starting(),
            answers: Vec::new(),
            joining: Joining::Heartbeats,
            jobs: VecDeque::new(),
            zero_ms: SimulatedBus::broker_ms(0) as f64 + random.up_to(20) as f64 - 10.0,
        }
    }

    pub fn is_joined(&self) -> bool {
        matches!(self.joining, Joining::Joined(None))
    }

    /// Whether nothing is expected to happen soon.
    pub fn is_quiet(&self) -> bool {
        self.is_joined() && self.jobs.is_empty()
    }

    fn now(&self, now_ns: u64) -> Now {
        Now { ns: now_ns, broker_ms: self.zero_ms + now_ns as f64 / NS_PER_MS as f64 }
    }

    /// One turn of its threads.
    pub fn step(&mut self, bus: &mut SimulatedBus, now_ns: u64) {
        let Joining::Joined(_) = self.joining else {
            // A start that fails is tried again from where it was.
            let _ = self.join(bus, now_ns);
            return;
        };
        let polled = bus.poll(self.roles[0], now_ns);
        let away = polled.as_ref().err().map(ToString::to_string);
        let records = polled.unwrap_or_default();
        self.take(&records, now_ns);
        if let Joining::Joined(Some(reached)) = &mut self.joining {
            records.iter().filter(|record| record.topic == Topic::Metrics).for_each(|r| reached.note(r));
            if reached.is_there() {
                self.joining = Joining::Joined(None);
                self.core.caught_up(self.now(now_ns));
            }
        }
        for (test_id, command) in self.core.tick(self.now(now_ns), away) {
            self.enqueue(test_id, command, now_ns);
        }
        self.core.take_lines();
        self.answers.extend(self.core.take_decided());
        self.write(bus, now_ns);
    }

    fn take(&mut self, records: &[Record], now_ns: u64) {
        let now = self.now(now_ns);
        for topic in ORDER {
            for record in records.iter().filter(|record| record.topic == topic) {
                let message = read(record).expect("only valid records are written");
                self.core.message(&message, now);
            }
        }
    }

    fn join(&mut self, bus: &mut SimulatedBus, now_ns: u64) -> Result<(), BusError> {
        match &mut self.joining {
            Joining::Heartbeats => {
                bus.subscribe(self.roles[0], Topic::Heartbeat, Start::End, now_ns)?;
                self.joining = Joining::Ask(0);
            }
            Joining::Ask(index) if *index < LEARNED.len() => {
                let index = *index;
                let end = bus.end(self.roles[0], LEARNED[index], now_ns)?;
                bus.subscribe(self.roles[0], LEARNED[index], Start::Beginning, now_ns)?;
                self.joining = Joining::Learn(index, Reached::new(end));
            }
            Joining::Ask(_) => self.joining = Joining::Metrics,
            Joining::Learn(index, reached) => {
                let index = *index;
                let records = bus.poll(self.roles[0], now_ns)?;
                records.iter().filter(|r| r.topic == LEARNED[index]).for_each(|record| reached.note(record));
                let is_there = reached.is_there();
                self.take(&records, now_ns);
                if is_there {
                    self.joining = Joining::Ask(index + 1);
                }
            }
            Joining::Metrics => {
                let end = bus.end(self.roles[0], Topic::Metrics, now_ns)?;
                let now = self.now(now_ns);
                match self.core.follow(HISTORY_MS, now) {
                    Some(from_ms) => {
                        // Asked once; a real process fails its start if this fails.
                        while bus
                            .subscribe(self.roles[0], Topic::Metrics, Start::Since(from_ms), now_ns)
                            .is_err()
                        {}
                        self.joining = Joining::Joined(Some(Reached::new(end)));
                    }
                    None => {
                        self.core.caught_up(now);
                        while bus
                            .subscribe(self.roles[0], Topic::Metrics, Start::At(end.clone()), now_ns)
                            .is_err()
                        {}
                        self.joining = Joining::Joined(None);
                    }
                }
            }
            Joining::Joined(_) => {}
        }
        Ok(())
    }

    fn enqueue(&mut self, test_id: String, command: Command, now_ns: u64) {
        self.jobs.push_back(Job { test_id, command, until_ns: now_ns + WRITE_WITHIN_NS, attempt: None });
    }

    fn write(&mut self, bus: &mut SimulatedBus, now_ns: u64) {
        let now = self.now(now_ns);
        let Some(job) = self.jobs.front_mut() else { return };
        let attempt = job.attempt.get_or_insert_with(|| {
            let (topic, value) = match &job.command {
                Command::Config(config) => (Topic::TestConfig, encode(config)),
                Command::Start(trigger) | Command::Stop(trigger) => (Topic::Trigger, encode(trigger)),
                Command::End(end) => (Topic::Metrics, encode(end)),
                Command::Index(end) => (Topic::Trigger, encode(end)),
            };
            bus.publish(self.roles[1], topic, &job.test_id, &value, now_ns)
        });
        if attempt.at_ns > now_ns {
            return;
        }
        let failed = attempt.result.is_err();
        if failed && now_ns < job.until_ns {
            job.attempt = None;
            return;
        }
        let job = self.jobs.pop_front().expect("the one in hand");
        let result = job.attempt.expect("made").result;
        self.core.written(&job.test_id, &job.command, result, now);
    }

    pub fn configure(&mut self, config: TestConfig, now_ns: u64) {
        let test_id = config.test_id.clone();
        match self.core.propose(config, self.now(now_ns)) {
            Ok((test_id, command)) => self.enqueue(test_id, command, now_ns),
            Err(error) => self.answers.push((test_id, Err(error))),
        }
    }

    pub fn stop(&mut self, now_ns: u64) {
        if let Ok((configured, Some(command))) = self.core.stop(None, "a user", self.now(now_ns)) {
            self.enqueue(configured.test_id, command, now_ns);
        }
    }

    pub fn summary(&self, test_id: &str) -> Option<Summary> {
        self.core.summary(test_id)
    }
}
