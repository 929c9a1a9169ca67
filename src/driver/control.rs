//! The control thread: reads plans and triggers, and executes what the session decides.

use super::clock_offset::SharedOffset;
use super::engine::Engine;
use super::fence::Fence;
use super::latest::LatestSender;
use super::prepare::{ClientSettings, Prepared};
use super::preparing::{Cancelled, Preparing};
use super::registering::Again;
use super::report::Author;
use super::reporter::Reporter;
use super::rivals::{Rival, Rivals};
use super::session::{Action, Beat, Event, Session};
use crate::bus::{Bus, BusError, Connector, Record, Start, Topic};
use crate::clock;
use crate::complaints::Complaints;
use crate::message::{self, DriverState, NodeRef, Register};
use crate::threads::StopFlag;
use crossbeam_channel::{Receiver, Sender};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Maximum wait for a record or for preparation, and so the interval at which the engine and shutdown are
/// checked.
const POLL: Duration = Duration::from_millis(100);
/// How far ahead a start may be; an orchestrator schedules it one second ahead.
const MOST_AHEAD_NS: u64 = 600 * clock::NS_PER_S;
/// Queued events of one engine: it sends three, plus five if a thread panics.
const EVENTS: usize = 8;
/// At shutdown, how long to wait for the end of the test and its last report: for the workers, for reading
/// the target's count, and for the bus.
const LEAVE_PATIENCE: Duration = Duration::from_secs(15);
/// Timeout of the last check of the bus before a load is stopped for lack of it.
const FENCE_CHECK: Duration = Duration::from_secs(1);

/// What a control thread starts with.
pub struct Given {
    /// The driver's identity.
    pub identity: NodeRef,
    /// Asks the heartbeat thread to register the driver again.
    pub again: Again,
    /// Settings of its HTTP clients.
    pub settings: ClientSettings,
    /// Opens the bus of each test's reports.
    pub connector: Arc<dyn Connector>,
    /// The bus as [`ControlThread::join_bus`] left it.
    pub bus: Box<dyn Bus>,
    /// Decides what to do.
    pub session: Session,
    /// Broker time, as estimated by the heartbeat thread.
    pub offset: SharedOffset,
    /// The content of the heartbeats.
    pub beats: LatestSender<Beat>,
    /// Ends a load that could not be stopped.
    pub fence: Fence,
    /// Where the driver's own figures are saved.
    pub data: Option<PathBuf>,
    /// Set when the process shuts down.
    pub leave: StopFlag,
}

/// The state of the control thread.
pub struct ControlThread {
    given: Given,
    preparing: Option<Preparing>,
    /// Whether it has just begun.
    is_fresh: bool,
    cancelled: Cancelled,
    prepared: Option<Prepared>,
    engine: Option<Engine>,
    events: (Sender<Event>, Receiver<Event>),
    complaints: Complaints,
    rivals: Rivals,
}

impl ControlThread {
    /// Joins the bus: subscribes at the ends of `test_config`, `trigger` and `register`, then registers. So
    /// this driver sees everything sent after its registration and ignores anything older.
    pub fn join_bus(
        connector: &dyn Connector,
        register: &Register,
        timeout: Duration,
    ) -> Result<Box<dyn Bus>, BusError> {
        let deadline_ns = clock::deadline(timeout);
        let left = || clock::until(deadline_ns).max(POLL);
        let mut bus = connector.open();
        for topic in [Topic::TestConfig, Topic::Trigger, Topic::Register] {
            let end = bus.end(topic, left())?;
            bus.subscribe(topic, Start::At(end), left())?;
        }
        bus.publish(Topic::Register, &register.node_id, &message::encode(register), left())?;
        Ok(bus)
    }

    /// The initial state.
    pub fn new(given: Given) -> ControlThread {
        ControlThread {
            rivals: Rivals::new(given.identity.clone()),
            given,
            preparing: None,
            is_fresh: false,
            cancelled: Cancelled::default(),
            prepared: None,
            engine: None,
            events: crossbeam_channel::bounded(EVENTS),
            complaints: Complaints::default(),
        }
    }

    /// Runs until the process shuts down; then stops the load, waits for its final report and lets the
    /// heartbeat thread say goodbye.
    pub fn run(mut self) {
        let mut away = false;
        while !self.given.leave.is_stopped() {
            let records = self.given.bus.poll(POLL);
            if records.is_err() != away {
                away = records.is_err();
                match &records {
                    Ok(_) => log::info!("{} is available again", self.given.connector.describe()),
                    Err(error) => log::warn!("Kafka is unavailable, cannot read plans or triggers: {error}"),
                }
            }
            self.guard(records.is_ok());
            records.unwrap_or_default().iter().for_each(|record| self.take_record(record));
            self.take_engine_events();
            // Usually preparation takes no time, and the next check would come only after another wait for a
            // record.
            let patience = if std::mem::take(&mut self.is_fresh) { POLL } else { Duration::ZERO };
            if let Some(event) = self.end_of_preparing(patience) {
                self.take(event);
            }
            self.prepared.iter_mut().for_each(|prepared| prepared.release(clock::now_ns()));
        }
        self.leave();
    }

    fn leave(mut self) {
        self.preparing.iter().for_each(Preparing::cancel);
        self.take_engine_events();
        if let Some(engine) = self.engine.take() {
            self.given.session.leave().into_iter().for_each(|beat| self.given.beats.put(beat));
            engine.stop();
            if !engine.join_within(LEAVE_PATIENCE) {
                log::error!("the test did not end within {} s; giving up on it", LEAVE_PATIENCE.as_secs());
            }
        }
    }

    fn take_record(&mut self, record: &Record) {
        self.look_for_rivals(record);
        match read(record) {
            Some(Ok(event)) => {
                // Engine events from before this record must be handled before it.
                self.take_engine_events();
                self.take(event);
            }
            Some(Err(why)) => self.complaints.warn(record.topic.name(), &why),
            None => {}
        }
    }

    /// Stops a load that could not be stopped from outside. A poll also fails if only another topic cannot be
    /// read, and this process may just have been resumed: so the bus gets a last chance.
    fn guard(&mut self, is_readable: bool) {
        let is_loaded = self.given.session.is_loaded();
        if !self.given.fence.read(is_readable, is_loaded, clock::now_ns()) {
            return;
        }
        if self.given.bus.end(Topic::Trigger, FENCE_CHECK).is_ok() {
            self.given.fence.read(true, is_loaded, clock::now_ns());
            return;
        }
        let seconds = self.given.fence.unread().as_secs();
        log::warn!(
            "the load is stopped: {} could not be read for {seconds} s",
            self.given.connector.describe()
        );
        self.take(Event::Fenced(format!("it could not reach Kafka for {seconds} s and stopped its load")));
    }

    /// Warns if another process uses this driver's name, and lets that process know about this one.
    fn look_for_rivals(&mut self, record: &Record) {
        let register = Some(record).filter(|record| record.topic == Topic::Register);
        let register = register.and_then(|record| message::decode::<Register>(&record.value).ok());
        match register.and_then(|register| self.rivals.registered(&register)) {
            Some(Rival::Newer(warning)) => {
                log::warn!("{warning}");
                self.given.again.ask();
            }
            Some(Rival::Older(warning)) => log::warn!("{warning}"),
            None => {}
        }
    }

    fn take_engine_events(&mut self) {
        while let Ok(event) = self.events.1.try_recv() {
            let ended = event == Event::Reported;
            self.take(event);
            if let Some(engine) = self.engine.take_if(|_| ended) {
                // It has nothing left to do.
                engine.join_within(LEAVE_PATIENCE);
            }
        }
    }

    fn take(&mut self, event: Event) {
        let mut actions = self.given.session.handle(event);
        while !actions.is_empty() {
            let follow_ups = actions.into_iter().filter_map(|action| self.act(action)).collect::<Vec<_>>();
            actions = follow_ups.into_iter().flat_map(|event| self.given.session.handle(event)).collect();
        }
    }

    /// Executes one action; returns an event if the session must know the outcome.
    fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Announce(beat) => {
                if let Some(reason) = &beat.reason {
                    let test_id = beat.test_id.as_deref().unwrap_or_default();
                    let what = if beat.state == DriverState::Refused { " refused" } else { "" };
                    self.complaints.warn("refused", &format!("test {test_id:?}{what}: {reason}"));
                }
                self.given.beats.put(beat);
                None
            }
            Action::Prepare(assignment) => {
                log::info!("test {:?}: plan received", assignment.test_id);
                match Preparing::start(*assignment, self.given.settings.clone()) {
                    Ok(preparing) => {
                        (self.preparing, self.is_fresh) = (Some(preparing), true);
                        None
                    }
                    Err(error) => Some(Event::Prepared(Err(error))),
                }
            }
            Action::Start { start_at_ms } => self.start(start_at_ms),
            Action::Stop => {
                log::info!("the test is stopped");
                self.engine.iter().for_each(Engine::stop);
                None
            }
            Action::Hurry => {
                self.engine.iter().for_each(Engine::hurry);
                None
            }
            Action::Discard => {
                self.prepared = None;
                self.preparing.take().into_iter().for_each(|preparing| self.cancelled.add(preparing));
                None
            }
        }
    }

    /// The outcome of preparation, if it ends within `patience`.
    fn end_of_preparing(&mut self, patience: Duration) -> Option<Event> {
        let result = self.preparing.as_ref()?.result(patience)?;
        self.preparing.take().into_iter().for_each(Preparing::join);
        Some(Event::Prepared(result.map(|prepared| self.prepared = Some(prepared))))
    }

    fn start(&mut self, start_at_ms: Option<f64>) -> Option<Event> {
        let prepared = self.prepared.take()?;
        let offset_ms = self.given.offset.get().map_or(0.0, |offset| offset.offset_ms);
        let now_ns = clock::now_ns();
        let start_ns = match opens_ns(start_at_ms, clock::wall_ms(now_ns) + offset_ms, now_ns) {
            Ok(start_ns) => start_ns,
            Err(reason) => return Some(Event::NotStarted(reason)),
        };
        let author = Author {
            identity: self.given.identity.clone(),
            test_id: prepared.assignment.test_id.clone(),
            target_on: prepared.target_on,
            unverified: prepared.unverified,
            proxied: self.given.settings.proxy.is_some(),
        };
        log::info!("test {:?}: starts in {} ms", author.test_id, (start_ns - now_ns) / clock::NS_PER_MS);
        let (offset, leave) = (self.given.offset.clone(), self.given.leave.clone());
        let data = self.given.data.clone();
        let reporter = Reporter { author, offset, leave, next_plan: StopFlag::default(), data };
        match Engine::start(prepared, start_ns, reporter, self.given.connector.open(), self.events.0.clone())
        {
            Ok(engine) => {
                self.engine = Some(engine);
                None
            }
            Err(error) => Some(Event::NotStarted(error)),
        }
    }
}

/// When the gate opens, on the process's clock, which shows `now_ns` while broker time is `now_ms`: never
/// before now. A start too far ahead is refused, since the driver would just appear to be busy indefinitely.
///
/// # Errors
/// Too far ahead; how far, and what to check.
pub fn opens_ns(start_at_ms: Option<f64>, now_ms: f64, now_ns: u64) -> Result<u64, String> {
    let Some(at_ms) = start_at_ms else { return Ok(now_ns) };
    let ahead_ns = ((at_ms - now_ms).max(0.0) * clock::NS_PER_MS as f64) as u64;
    let start_ns = now_ns.saturating_add(ahead_ns);
    if start_ns - now_ns > MOST_AHEAD_NS {
        let seconds = (start_ns - now_ns) / clock::NS_PER_S;
        return Err(format!(
            "start_at_ms {at_ms} is {seconds} s ahead of this host's clock, but at most {} s are allowed: \
             check the clocks of the hosts, or the trigger",
            MOST_AHEAD_NS / clock::NS_PER_S
        ));
    }
    Ok(start_ns)
}

/// Decodes a record of `test_config` or `trigger`; the error says why it is ignored.
fn read(record: &Record) -> Option<Result<Event, String>> {
    let event = match record.topic {
        Topic::TestConfig => {
            message::decode_config(&record.value).map(|config| Event::Config(Box::new(config)))
        }
        Topic::Trigger => message::decode(&record.value).map(Event::Trigger),
        _ => return None,
    };
    let ignored = |e| {
        format!("topic {}, offset {}: not understood and ignored: {e}", record.topic.name(), record.offset)
    };
    Some(event.map_err(ignored))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_now_or_soon_and_never_too_far_ahead() {
        let (now_ms, now_ns) = (1.8e12, 5 * clock::NS_PER_S);
        assert_eq!(opens_ns(None, now_ms, now_ns), Ok(now_ns));
        for past in [-1.0, -1e300, 0.0, now_ms - 1.0] {
            assert_eq!(opens_ns(Some(past), now_ms, now_ns), Ok(now_ns), "{past}");
        }
        assert_eq!(opens_ns(Some(now_ms + 1_500.0), now_ms, now_ns), Ok(now_ns + 1_500 * clock::NS_PER_MS));
        for far in [now_ms + 601_000.0, now_ms + 3.2e10, 1e300, f64::MAX] {
            let error = opens_ns(Some(far), now_ms, now_ns).expect_err("too far");
            assert!(error.contains("ahead"), "{error}");
        }
    }
}
