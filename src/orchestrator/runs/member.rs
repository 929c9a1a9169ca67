//! One driver of a run, as its heartbeats, its reports and its silence show it.

use super::{GRACE_NS, Now, Phase};
use crate::message::{DriverEnd, DriverState, Fate, Heartbeat, NodeRef};

/// Maximum length of a driver's reason, in characters.
const MAX_REASON_CHARS: usize = 1_000;

/// That a driver is no longer heard from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// What happened.
    pub what: String,
    /// Whether its process cannot come back.
    pub permanently: bool,
    /// When this was noticed, on the process's monotonic clock.
    pub since_ns: u64,
}

/// One named driver of the run.
#[derive(Clone, Debug)]
pub struct Member {
    /// Which process.
    pub node: NodeRef,
    /// Whether it read the plan correctly and is ready.
    pub ready: bool,
    /// Why it refused the plan.
    pub refused: Option<String>,
    /// Whether its final report is in.
    pub done: bool,
    /// Requests that it had planned, by its final report.
    pub planned: u64,
    /// Why the bus did not accept its final report, as the driver reported it: it ended normally, and only
    /// its earlier reports are known.
    pub report_refused: Option<String>,
    /// What happened to it.
    pub lost: Option<Lost>,
    /// Why it cut its load short, as the driver reported it; its final report still counts.
    pub left: Option<String>,
    /// Its last reported state on this test; `None` if it reported another test or none.
    pub state: Option<DriverState>,
    /// When its newest report was read, on the process's monotonic clock.
    pub reported_ns: Option<u64>,
    /// The highest number of its reports.
    pub last_sequence: u64,
    /// Since when it has not been running this test.
    pub away_ns: Option<u64>,
}

impl Member {
    /// A driver of which nothing was heard yet.
    pub fn new(node: &NodeRef) -> Member {
        Member {
            node: node.clone(),
            ready: false,
            refused: None,
            done: false,
            planned: 0,
            report_refused: None,
            lost: None,
            left: None,
            state: None,
            reported_ns: None,
            last_sequence: 0,
            away_ns: None,
        }
    }

    /// Whether its final report is still pending and may come.
    pub fn is_at_work(&self) -> bool {
        !self.done && self.report_refused.is_none() && self.lost.is_none()
    }

    /// Whether nothing more is expected from it: a silent driver is waited for a little longer, since its
    /// process may only have been stopped, or its messages could not be read.
    pub fn is_settled(&self, now: Now, heard_since_ns: u64) -> bool {
        let waited = |lost: &Lost| now.ns >= lost.since_ns.max(heard_since_ns).saturating_add(GRACE_NS);
        let gone = |lost: &Lost| lost.permanently || waited(lost);
        self.done || self.report_refused.is_some() || self.lost.as_ref().is_some_and(gone)
    }

    /// Whether its load is running or being reported.
    pub fn is_busy(&self) -> bool {
        matches!(self.state, Some(DriverState::Running | DriverState::Finishing))
    }

    /// Handles its heartbeat; `ours` says whether it is about this test, whose plan has this hash.
    pub fn heartbeat(&mut self, message: &Heartbeat, ours: bool, phase: Phase, hash: &str, now: Now) {
        self.state = message.state.filter(|_| ours);
        if let Some(DriverState::Finishing | DriverState::Left) = self.state {
            self.left = self.left.take().or(short(message.reason.as_deref()));
        }
        match self.state {
            Some(DriverState::Refused) => {
                let reason = short(message.reason.as_deref()).unwrap_or_else(|| "no reason given".to_owned());
                if phase != Phase::Ready && !self.done {
                    let what = format!("it refused to start: {reason}");
                    self.lost = Some(Lost { what, permanently: true, since_ns: now.ns });
                }
                self.refused = Some(reason);
            }
            Some(DriverState::Ready) if phase == Phase::Ready => match message.plan_hash.as_deref() {
                Some(theirs) if theirs == hash => {
                    self.ready = true;
                    self.lost = self.lost.take().filter(|lost| lost.permanently);
                }
                theirs => {
                    let theirs = theirs.unwrap_or("no hash");
                    self.refused = Some(format!(
                        "it read a different plan ({theirs}, not {hash}); run the same version everywhere"
                    ));
                }
            },
            Some(DriverState::Running | DriverState::Finishing) => {
                self.away_ns = None;
                self.lost = self.lost.take().filter(|lost| lost.permanently);
                return;
            }
            Some(DriverState::Idle) if message.reason.is_some() && !self.done => {
                self.report_refused = short(message.reason.as_deref());
                self.lost = None;
            }
            _ => {}
        }
        self.away_ns = self.away_ns.or(Some(now.ns));
    }

    /// Its entry in an END; `else_lost` says why it counts as lost if its final report is still pending.
    pub fn to_end(&self, else_lost: Option<&str>) -> DriverEnd {
        let lost = self.lost.as_ref().map(|lost| lost.what.clone());
        let (fate, reason) = if self.refused.is_some() {
            (Fate::Refused, lost.or_else(|| self.refused.clone()))
        } else if self.left.is_some() {
            (Fate::Left, self.left.clone())
        } else if self.done {
            (Fate::Done, None)
        } else if self.report_refused.is_some() {
            (Fate::Unreported, self.report_refused.clone())
        } else if lost.is_some() {
            (Fate::Lost, lost)
        } else if let Some(why) = else_lost {
            (Fate::Lost, Some(why.to_owned()))
        } else {
            (Fate::Done, None)
        };
        DriverEnd { node: self.node.clone(), fate, last_sequence: self.last_sequence, reason }
    }
}

/// A driver's reason, truncated.
fn short(reason: Option<&str>) -> Option<String> {
    reason.map(|reason| reason.chars().take(MAX_REASON_CHARS).collect())
}
