//! One process of a driver: the real session, heartbeats, fence and reports on the simulated bus.

use super::bus::{Role, SimulatedBus};
use super::load::Load;
use super::random::Random;
use floodgate::bus::{Position, Record, Start, Topic};
use floodgate::clock::{NS_PER_MS, NS_PER_S};
use floodgate::driver::allowed::Allowed;
use floodgate::driver::beating::Beating;
use floodgate::driver::control::opens_ns;
use floodgate::driver::fence::Fence;
use floodgate::driver::reporting::{Hurry, NEXT_PATIENCE_NS, Next};
use floodgate::driver::session::{Action, Event, Session};
use floodgate::message::{self, End, NodeRef, Trigger, Word, decode, decode_config, encode};
use floodgate::plan::Defaults;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// The outage that a load survives.
pub const FENCE_AFTER: Duration = Duration::from_secs(30);
/// The longest time that a driver may go on without the bus: it looks every step.
const FENCED_WITHIN_NS: u64 = 32 * NS_PER_S;
pub const TARGET: &str = "http://127.0.0.1:1/";

/// What a process did, for the checks.
#[derive(Debug, Default)]
pub struct Witnessed {
    /// Each start: the test and its start in broker time.
    pub starts: Vec<(String, f64)>,
    /// The driver's own count behind each report that it sent: by test and number.
    pub reported: BTreeMap<(String, u64), u64>,
    /// When it last sent a request of each test.
    pub last_sends_ns: BTreeMap<String, u64>,
    /// Rules that were broken.
    pub broken: Vec<String>,
}

/// How far the process has come in joining the bus.
#[derive(Debug)]
enum Joining {
    Subscribe(usize),
    Register,
    Joined,
}

pub struct SimDriver {
    pub identity: NodeRef,
    pub witnessed: Witnessed,
    pub roles: [Role; 3],
    joining: Joining,
    ends: BTreeMap<Topic, Position>,
    session: Session,
    beating: Beating,
    fence: Fence,
    load: Option<Load>,
    prepared_ns: Option<u64>,
    assignment: Option<Box<floodgate::driver::session::Assignment>>,
    heart_busy_ns: u64,
    report_busy_ns: u64,
    random: Random,
    /// What the driver believes broker time to be ahead of the simulated clock, in ms.
    zero_ms: f64,
    /// When it learns the broker's time.
    synced_ns: u64,
    last_read_ns: u64,
    stepped_ns: u64,
    unread_ns: u64,
    /// Tests whose STOP or END this process has read.
    stopped: Vec<String>,
    /// When its last load ended, and whether that one's final report was acknowledged.
    ended_ns: u64,
    is_final_sent: bool,
}

impl SimDriver {
    pub fn start(bus: &mut SimulatedBus, node_id: &str, epoch: u64, now_ns: u64, mut random: Random) -> Self {
        let identity = NodeRef { node_id: node_id.to_owned(), epoch };
        let allowed = Allowed::new(Some(TARGET), &[]).expect("a target");
        let defaults = Defaults { target_url: Some(TARGET.to_owned()), ..Defaults::default() };
        let error_ms = random.up_to(10) as f64 - 5.0;
        let synced_ns = now_ns + random.up_to(8) * NS_PER_S;
        SimDriver {
            witnessed: Witnessed::default(),
            roles: [bus.open(), bus.open(), bus.open()],
            joining: Joining::Subscribe(0),
            ends: BTreeMap::new(),
            session: Session::new(identity.clone(), defaults, allowed),
            beating: Beating::new(identity.clone(), now_ns),
            fence: Fence::new(Some(FENCE_AFTER)),
            load: None,
            prepared_ns: None,
            assignment: None,
            heart_busy_ns: 0,
            report_busy_ns: 0,
            random,
            zero_ms: SimulatedBus::broker_ms(0) as f64 + error_ms,
            synced_ns,
            last_read_ns: now_ns,
            stepped_ns: now_ns,
            unread_ns: 0,
            stopped: Vec::new(),
            ended_ns: 0,
            is_final_sent: false,
            identity,
        }
    }

    /// Whether it neither loads nor reports.
    pub fn is_idle(&self) -> bool {
        self.load.is_none()
    }

    /// Whether nothing is expected to happen soon.
    pub fn is_quiet(&self) -> bool {
        self.load.is_none() && self.assignment.is_none()
    }

    /// One turn of its threads.
    pub fn step(&mut self, bus: &mut SimulatedBus, now_ns: u64) {
        if !matches!(self.joining, Joining::Joined) {
            self.join(bus, now_ns);
            return;
        }
        self.control(bus, now_ns);
        self.run_load(now_ns);
        self.report(bus, now_ns);
        self.beat(bus, now_ns);
        self.watch(now_ns);
    }

    fn join(&mut self, bus: &mut SimulatedBus, now_ns: u64) {
        let topics = [Topic::TestConfig, Topic::Trigger];
        match self.joining {
            Joining::Subscribe(index) if index < topics.len() => {
                let topic = topics[index];
                let Ok(end) = bus.end(self.roles[0], topic, now_ns) else { return };
                self.ends.insert(topic, end.clone());
                if bus.subscribe(self.roles[0], topic, Start::At(end), now_ns).is_ok() {
                    self.joining = Joining::Subscribe(index + 1);
                }
            }
            Joining::Subscribe(_) => self.joining = Joining::Register,
            Joining::Register => {
                let register = json!({"node_id": self.identity.node_id, "node_IP": "10.0.0.1",
                    "message_type": "DRIVER_NODE_REGISTER", "epoch": self.identity.epoch});
                let bytes = serde_json::to_vec(&register).expect("JSON");
                let sent =
                    bus.publish(self.roles[0], Topic::Register, &self.identity.node_id, &bytes, now_ns);
                if sent.result.is_ok() {
                    self.joining = Joining::Joined;
                    (self.last_read_ns, self.stepped_ns) = (now_ns, now_ns);
                }
            }
            Joining::Joined => {}
        }
    }

    fn control(&mut self, bus: &mut SimulatedBus, now_ns: u64) {
        let polled = bus.poll(self.roles[0], now_ns);
        let step_ns = (now_ns - self.stepped_ns).min(NS_PER_S);
        self.stepped_ns = now_ns;
        self.unread_ns = if polled.is_ok() { 0 } else { self.unread_ns + step_ns };
        if self.fence.read(polled.is_ok(), self.session.is_loaded(), now_ns)
            && bus.end(self.roles[0], Topic::Trigger, now_ns).is_err()
        {
            self.take(Event::Fenced("it could not reach Kafka".to_owned()), now_ns);
        }
        for record in polled.unwrap_or_default() {
            self.note_stop(&record);
            let event = match record.topic {
                Topic::TestConfig => {
                    decode_config(&record.value).map(|config| Event::Config(Box::new(config)))
                }
                _ => decode::<Trigger>(&record.value).map(Event::Trigger),
            };
            self.take(event.expect("only valid records are written"), now_ns);
        }
        if self.prepared_ns.is_some_and(|at_ns| now_ns >= at_ns) {
            self.prepared_ns = None;
            self.take(Event::Prepared(Ok(())), now_ns);
        }
    }

    /// Independently of the session: this process can know now that the test must not be loaded.
    fn note_stop(&mut self, record: &Record) {
        let stop = decode::<Trigger>(&record.value).ok().filter(|trigger| trigger.trigger != Word::Yes);
        let end = decode::<End>(&record.value).ok();
        let id = stop.map(|trigger| trigger.test_id).or(end.map(|end| end.test_id));
        self.stopped.extend(id.filter(|_| record.topic == Topic::Trigger));
    }

    fn take(&mut self, event: Event, now_ns: u64) {
        let mut actions = self.session.handle(event);
        while !actions.is_empty() {
            let events: Vec<Event> =
                actions.into_iter().filter_map(|action| self.act(action, now_ns)).collect();
            actions = events.into_iter().flat_map(|event| self.session.handle(event)).collect();
        }
    }

    fn act(&mut self, action: Action, now_ns: u64) -> Option<Event> {
        match action {
            Action::Announce(beat) => self.beating.announce(beat, now_ns),
            Action::Prepare(assignment) => {
                self.assignment = Some(assignment);
                // Some names take long to resolve.
                let most_ms = if self.random.chance(150) { 6_000 } else { 400 };
                self.prepared_ns = Some(now_ns + self.random.up_to(most_ms) * NS_PER_MS);
            }
            Action::Start { start_at_ms } => return self.open(start_at_ms, now_ns),
            Action::Stop => self.load.iter_mut().for_each(|load| load.stop(now_ns)),
            Action::Hurry => {
                self.load.iter_mut().for_each(|load| load.reporting.hurry(Hurry::NextPlan, now_ns));
            }
            Action::Discard => (self.assignment, self.prepared_ns) = (None, None),
        }
        None
    }

    fn open(&mut self, start_at_ms: Option<f64>, now_ns: u64) -> Option<Event> {
        let Some(assignment) = self.assignment.take() else {
            self.witnessed.broken.push("a load was started without being prepared".to_owned());
            return None;
        };
        let now_ms = self.zero_ms + now_ns as f64 / NS_PER_MS as f64;
        match opens_ns(start_at_ms, now_ms, now_ns) {
            Ok(start_ns) => {
                self.witnessed.starts.push((assignment.test_id.clone(), start_at_ms.unwrap_or(0.0)));
                if self.load.is_some() {
                    self.witnessed.broken.push("a second load was started".to_owned());
                }
                let random = Random::new(self.random.next());
                self.load = Some(Load::new(&self.identity, &assignment, start_ns, self.zero_ms, random));
                None
            }
            Err(why) => Some(Event::NotStarted(why)),
        }
    }

    fn run_load(&mut self, now_ns: u64) {
        let ended = self.load.as_mut().is_some_and(|load| load.step(now_ns));
        if ended {
            self.ended_ns = now_ns;
            self.is_final_sent = false;
            self.take(Event::LoadEnded, now_ns);
        }
    }

    fn report(&mut self, bus: &mut SimulatedBus, now_ns: u64) {
        let Some(load) = &mut self.load else { return };
        if now_ns < self.report_busy_ns {
            return;
        }
        match load.reporting.next(now_ns) {
            Next::Send(report) => {
                let sequence = report.sequence.expect("numbered");
                let elapsed_ns = (report.elapsed_ms.unwrap_or(0.0) * 1e6).round() as u64;
                let own = load.own_counts[&(elapsed_ns * 2 + u64::from(report.is_final))];
                let bytes = message::encode(report);
                let is_final = report.is_final;
                let key = &self.identity.node_id;
                let outcome = bus.publish(self.roles[2], Topic::Metrics, key, &bytes, now_ns);
                self.report_busy_ns = outcome.at_ns;
                self.witnessed.reported.insert((load.test_id.clone(), sequence), own);
                self.is_final_sent |= is_final && outcome.result.is_ok();
                load.reporting.outcome(outcome.result.map(drop), now_ns);
            }
            Next::Wait { .. } => {}
            Next::Over(refused) => {
                let patience_ns = now_ns - self.ended_ns;
                if !self.is_final_sent && (refused.is_none() || patience_ns < NEXT_PATIENCE_NS) {
                    let what = format!("its final report was given up after {patience_ns} ns: {refused:?}");
                    self.witnessed.broken.push(what);
                }
                self.load = None;
                if let Some(why) = refused {
                    self.take(Event::ReportRefused(why), now_ns);
                }
                self.take(Event::Reported, now_ns);
            }
        }
    }

    fn beat(&mut self, bus: &mut SimulatedBus, now_ns: u64) {
        if now_ns < self.heart_busy_ns || now_ns < self.beating.due_ns() {
            return;
        }
        let wall_ms = self.zero_ms + now_ns as f64 / NS_PER_MS as f64;
        let offset = floodgate::broker_time::Offset { offset_ms: 0.0, error_ms: 1.0 };
        let bytes = encode(&self.beating.message(wall_ms, Some(offset).filter(|_| now_ns >= self.synced_ns)));
        let outcome = bus.publish(self.roles[1], Topic::Heartbeat, &self.identity.node_id, &bytes, now_ns);
        self.heart_busy_ns = outcome.at_ns;
        self.beating.outcome(outcome.result.is_ok(), now_ns);
    }

    /// The rules that no driver may break.
    fn watch(&mut self, now_ns: u64) {
        let Some(load) = self.load.as_ref().filter(|load| load.last_send_ns == Some(now_ns)) else { return };
        self.witnessed.last_sends_ns.insert(load.test_id.clone(), now_ns);
        if self.stopped.contains(&load.test_id) {
            self.witnessed
                .broken
                .push(format!("{} sends for {} after its STOP", self.identity.node_id, load.test_id));
        }
        if self.unread_ns > FENCED_WITHIN_NS {
            self.witnessed.broken.push(format!("{} sends after its fence", self.identity.node_id));
        }
    }
}
