//! What to write next: the gate's opening, a STOP, the END.
//!
//! The process that wrote the plan acts at once; every other orchestrator on the log stands in a little
//! later, in case that process is gone. Records that are written twice do no harm: the first one counts.

use super::closing::patience_ms;
use super::originals::READ_PLAN_MS;
use super::{Command, Lost, Member, Now, Phase, READY_WITHIN_MS, Run, START_AHEAD_NS};
use crate::clock::{NS_PER_MS, NS_PER_S};
use crate::message::{OnDriverLoss, Trigger};
use crate::plan::Fixed;

/// How much later an orchestrator acts on a test that another one configured.
pub const STAND_IN_NS: u64 = 3 * NS_PER_S;
/// How long a driver may report doing something else before it is given up.
const AWAY_WITHIN_NS: u64 = 10 * NS_PER_S;
/// How long an orchestrator that has just begun to read the bus, or can read it again, waits for drivers and
/// reports before it ends a run.
pub const HEAR_WITHIN_NS: u64 = 10 * NS_PER_S;
/// How long drivers of the original protocol that are active have to report after our drivers have finished,
/// and how long a STOP is waited for that would explain why these finished early: it stands in another topic
/// than their reports.
const SETTLED_WITHIN_NS: u64 = 3 * NS_PER_S;
/// How long after its deadline a run is ended even if the bus can be read only now and then, in ms.
const LATEST_MS: f64 = 60_000.0;
/// When a record that was written but not read back is written again.
const AGAIN_NS: u64 = 15 * NS_PER_S;
/// When a record that could not be written is tried again.
const RETRY_NS: u64 = NS_PER_S;

/// What a run needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Open,
    Stop,
    Close,
}

/// What this process is about to write, and has written.
#[derive(Debug)]
pub struct Pending {
    /// Whether it wrote the plan.
    pub own: bool,
    /// When it first saw the run.
    seen_ns: u64,
    /// Why a user of this process asked for a STOP.
    asked: Option<String>,
    /// What is needed, and since when.
    need: Option<(Need, u64)>,
    /// Before these times, nothing of its kind is written again.
    again_ns: [u64; 3],
    /// Why the trigger could not be written.
    trouble: Option<String>,
    /// Since when nothing more is expected from our drivers.
    settled_ns: Option<u64>,
}

impl Pending {
    /// Nothing yet.
    pub fn new(own: bool, now: Now) -> Pending {
        Pending {
            own,
            seen_ns: now.ns,
            asked: None,
            need: None,
            again_ns: [0; 3],
            trouble: None,
            settled_ns: None,
        }
    }

    /// Whether to write now what is needed.
    fn is_turn(&mut self, need: Need, now: Now) -> bool {
        let since_ns = self.need.filter(|(known, _)| *known == need).map_or(now.ns, |(_, since_ns)| since_ns);
        self.need = Some((need, since_ns));
        let is_asked = need == Need::Stop && self.asked.is_some();
        let wait_ns = if self.own || is_asked { 0 } else { STAND_IN_NS };
        now.ns >= since_ns + wait_ns && now.ns >= self.again_ns[need as usize]
    }
}

impl Run {
    /// Evaluates the state; returns what must be written. `heard_since_ns` is when this process began, or
    /// began again, to read the bus without errors.
    pub fn tick(&mut self, now: Now, heard_since_ns: u64) -> Vec<Command> {
        if self.end.is_some() {
            return Vec::new();
        }
        self.advance(now, heard_since_ns);
        let Some(need) = self.need(now, heard_since_ns) else {
            self.pending.need = None;
            return Vec::new();
        };
        if !self.pending.is_turn(need, now) {
            return Vec::new();
        }
        self.pending.again_ns[need as usize] = now.ns + AGAIN_NS;
        vec![match need {
            Need::Open => Command::Start(Trigger::start(&self.config.test_id, self.opening_ms(now))),
            Need::Stop => {
                let asked = self.pending.asked.clone();
                let why = asked.or_else(|| self.loss()).or_else(|| self.breached.clone()).unwrap_or_default();
                Command::Stop(Trigger::stop(&self.config.test_id, &why))
            }
            Need::Close => Command::End(Box::new(self.to_end(now))),
        }]
    }

    /// The STOP that a user asked for; `None` if there is one already, or one is being written. One that
    /// cannot be written is tried again by [`Run::tick`].
    pub fn stop(&mut self, reason: &str, now: Now) -> Option<Command> {
        if self.stopped.is_some() || self.end.is_some() {
            return None;
        }
        self.pending.asked.get_or_insert_with(|| reason.to_owned());
        let again_ns = &mut self.pending.again_ns[Need::Stop as usize];
        if now.ns < *again_ns {
            return None;
        }
        *again_ns = now.ns + AGAIN_NS;
        Some(Command::Stop(Trigger::stop(&self.config.test_id, reason)))
    }

    /// Handles the result of writing a command; an error says why it could not be written.
    pub fn written(&mut self, command: &Command, result: Result<(), String>, now: Now) {
        let need = match command {
            Command::Start(_) => Need::Open,
            Command::Stop(_) => Need::Stop,
            Command::End(_) => Need::Close,
            Command::Config(_) | Command::Index(_) => return,
        };
        let Err(why) = result else { return };
        self.pending.again_ns[need as usize] = now.ns + RETRY_NS;
        match need {
            Need::Open => self.pending.trouble = Some(format!("the trigger could not be written: {why}")),
            Need::Stop => {
                let what = "The STOP could not be written, so drivers may have kept sending: ";
                if !self.notes.iter().any(|note| note.starts_with(what)) {
                    self.notes.push(format!("{what}{why}"));
                }
            }
            Need::Close => {}
        }
    }

    /// Whether this process has written an END, or tried to.
    pub fn has_written_end(&self) -> bool {
        self.pending.again_ns[Need::Close as usize] > 0
    }

    fn advance(&mut self, now: Now, heard_since_ns: u64) {
        if self.started_at_ms.is_none() {
            return;
        }
        // What could not be read may say that the driver is at work.
        let is_long = |since_ns: u64| now.ns > since_ns.max(heard_since_ns).saturating_add(AWAY_WITHIN_NS);
        for member in self.members.iter_mut().filter(|member| member.is_at_work()) {
            if member.away_ns.is_some_and(is_long) {
                let what = "it is not running this test and sent no final report".to_owned();
                member.lost = Some(Lost { what, permanently: false, since_ns: 0 });
            }
        }
        let settled = !self.is_original_only()
            && self.members.iter().all(|member| member.is_settled(now, heard_since_ns));
        self.pending.settled_ns = self.pending.settled_ns.filter(|_| settled).or(settled.then_some(now.ns));
        let past_end = self.planned_end_ms().is_some_and(|end_ms| now.broker_ms >= end_ms);
        let sent_all = !self.is_original_only() && self.have_all_sent();
        if self.phase == Phase::Running && (sent_all || past_end) {
            self.phase = Phase::Finishing;
        }
    }

    fn planned_end_ms(&self) -> Option<f64> {
        self.closing.and_then(|closing| closing.planned_end_ms)
    }

    fn need(&self, now: Now, heard_since_ns: u64) -> Option<Need> {
        // After an outage, what stands in the log comes first.
        let has_heard = now.ns >= heard_since_ns.saturating_add(HEAR_WITHIN_NS);
        if self.started_at_ms.is_none() {
            return self.need_before_start(now, has_heard);
        }
        let overdue = self.closing.filter(|closing| {
            let late_ms = now.broker_ms - closing.at_ms;
            late_ms >= LATEST_MS || (late_ms >= 0.0 && has_heard)
        });
        let closes = match self.is_original_only() {
            true => self.stopped.is_some() || overdue.is_some() || self.are_originals_quiet(now),
            false => {
                let extended = |m: &Member| m.is_at_work() && m.is_busy();
                let extended = overdue.is_some_and(|c| !c.hard) && self.members.iter().any(extended);
                self.is_settled(now) || (overdue.is_some() && !extended)
            }
        };
        if closes {
            return Some(Need::Close);
        }
        let must_stop = self.pending.asked.is_some() || self.loss().is_some() || self.breached.is_some();
        (self.stopped.is_none() && must_stop).then_some(Need::Stop)
    }

    /// Whether nothing more is expected from our drivers, and others have had time to report.
    fn is_settled(&self, now: Now) -> bool {
        let waited = |since_ns: u64| now.ns >= since_ns.saturating_add(SETTLED_WITHIN_NS);
        let is_clear = self.originals.have_reported() && !self.has_finished_early();
        self.pending.settled_ns.is_some_and(|since_ns| is_clear || waited(since_ns))
    }

    /// Whether a driver planned less than its share, although no STOP is known.
    fn has_finished_early(&self) -> bool {
        let Fixed { paced, counted, timed } = Fixed::by(&self.config);
        if self.stopped.is_some() || !paced || !(counted || timed) {
            return false;
        }
        let parts = self.members.len() as u64;
        let share = |part: usize| self.schedule.view(part as u64, parts).planned_before(u64::MAX);
        let mut members = self.members.iter().enumerate();
        members.any(|(part, member)| member.done && share(part).is_some_and(|all| member.planned < all))
    }

    /// Whether it will end without having started.
    pub fn ends_unstarted(&self) -> bool {
        self.started_at_ms.is_none() && (self.stopped.is_some() || self.pending.asked.is_some())
    }

    fn are_originals_quiet(&self, now: Now) -> bool {
        let (opened_ms, end_ms) = (self.started_at_ms.unwrap_or(now.broker_ms), self.planned_end_ms());
        self.originals.are_quiet(now.broker_ms, opened_ms, end_ms, patience_ms(&self.config))
    }

    /// Whether the loss of a driver means that the test has failed.
    pub(super) fn fails_by_loss(&self) -> bool {
        self.config.on_driver_loss == Some(OnDriverLoss::Fail) && self.started_at_ms.is_some()
    }

    /// Why the test must fail: a driver was lost, and the plan says so.
    pub(super) fn loss(&self) -> Option<String> {
        let fails = self.fails_by_loss();
        let gone = |member: &Member| {
            let what = member.lost.as_ref().map(|lost| lost.what.clone()).or_else(|| member.left.clone())?;
            Some(lost(&member.node.node_id, &what))
        };
        self.members.iter().find_map(gone).filter(|_| fails)
    }

    fn need_before_start(&self, now: Now, has_heard: bool) -> Option<Need> {
        // Another orchestrator may have started it, unless one of these prevented that.
        let prevents = |m: &Member| m.refused.is_some() || m.lost.as_ref().is_some_and(|l| l.permanently);
        let may_fail = has_heard || self.members.iter().any(prevents);
        if self.stopped.is_some() || (may_fail && !self.objections(now).is_empty()) {
            return Some(Need::Close);
        }
        if self.pending.asked.is_some() {
            return Some(Need::Stop);
        }
        let agreed = self.members.iter().all(|member| member.ready);
        let read = self.originals.is_empty() || now.broker_ms >= self.configured_ms + READ_PLAN_MS;
        (agreed && read).then_some(Need::Open)
    }

    /// Why the gate cannot open.
    pub(super) fn objections(&self, now: Now) -> Vec<String> {
        if self.started_at_ms.is_some() || self.stopped.is_some() {
            return Vec::new();
        }
        // An orchestrator that started later has not heard from the drivers before.
        let waited_ms = now.ns.saturating_sub(self.pending.seen_ns) as f64 / NS_PER_MS as f64;
        let late = now.broker_ms >= self.configured_ms + READY_WITHIN_MS
            && (self.pending.own || waited_ms >= READY_WITHIN_MS / 2.0);
        let reasons = self.members.iter().filter_map(|member| objection(member, late));
        reasons.chain(self.pending.trouble.clone().filter(|_| late)).collect()
    }

    /// When the gate opens. Drivers of the original protocol start when they read the trigger.
    fn opening_ms(&self, now: Now) -> f64 {
        let ahead_ns = if self.is_original_only() { 0 } else { START_AHEAD_NS };
        now.broker_ms + (ahead_ns / NS_PER_MS) as f64
    }
}

/// Why a test failed that must not lose a driver.
pub(super) fn lost(name: &str, what: &str) -> String {
    format!("driver {name} was lost: {what} (on_driver_loss is fail)")
}

/// Why this driver prevents the gate from opening.
fn objection(member: &Member, late: bool) -> Option<String> {
    let name = &member.node.node_id;
    if let Some(why) = &member.refused {
        return Some(format!("driver {name} refused the plan: {why}"));
    }
    if let Some(Lost { what, .. }) = &member.lost {
        return Some(format!("driver {name} was lost before the start: {what}"));
    }
    let within = READY_WITHIN_MS / 1_000.0;
    (late && !member.ready).then(|| format!("driver {name} was not ready within {within} s"))
}
