//! When a driver's heartbeats are due and what they contain. Pure: announcements, times and outcomes go in,
//! messages come out.

use super::session::Beat;
use crate::broker_time::Offset;
use crate::clock::{NS_PER_MS, NS_PER_S};
use crate::message::{DriverState, Heartbeat, NodeRef};
use crate::stats::histogram::round_ms;

/// Interval between heartbeats.
pub const INTERVAL_NS: u64 = NS_PER_S;
/// Interval while a test is about to start: each heartbeat improves the clock offset.
const INTERVAL_READY_NS: u64 = 100 * NS_PER_MS;
/// How many heartbeats a new driver sends at the short interval, for the same reason.
const QUICK_BEATS: u32 = 10;
/// How many a ready driver sends: for longer than an orchestrator waits for the others, but not indefinitely.
const QUICK_BEATS_READY: u32 = 150;

/// The heartbeats of one driver.
#[derive(Debug)]
pub struct Beating {
    identity: NodeRef,
    beat: Beat,
    quick: u32,
    due_ns: u64,
    is_away: bool,
}

/// The bus has become unavailable, or available again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The first failed attempt.
    Away,
    /// The first successful one after that.
    Back,
}

impl Beating {
    /// An idle driver, whose first heartbeat is due at once.
    pub fn new(identity: NodeRef, now_ns: u64) -> Beating {
        Beating { identity, beat: Beat::idle(), quick: QUICK_BEATS, due_ns: now_ns, is_away: false }
    }

    /// A new content, due at once.
    pub fn announce(&mut self, beat: Beat, now_ns: u64) {
        self.quick = if beat.state == DriverState::Ready { QUICK_BEATS_READY } else { 0 };
        (self.beat, self.due_ns) = (beat, now_ns);
    }

    /// When the next heartbeat is due.
    pub fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// The heartbeat to publish when the driver's wall clock shows `wall_ms`.
    pub fn message(&self, wall_ms: f64, offset: Option<Offset>) -> Heartbeat {
        message(&self.identity, &self.beat, wall_ms, offset)
    }

    /// The outcome of an attempt to publish it. A failed one is not retried before the next is due, since a
    /// newer one is more useful.
    pub fn outcome(&mut self, is_sent: bool, now_ns: u64) -> Option<Turn> {
        if is_sent && let Some(next) = self.beat.next.take() {
            self.beat = *next;
        }
        self.due_ns = now_ns + if self.quick > 0 { INTERVAL_READY_NS } else { INTERVAL_NS };
        self.quick = self.quick.saturating_sub(1);
        let was_away = std::mem::replace(&mut self.is_away, !is_sent);
        match (was_away, self.is_away) {
            (false, true) => Some(Turn::Away),
            (true, false) => Some(Turn::Back),
            _ => None,
        }
    }

    /// The last heartbeat, when the process ends. If a load was cut off, it repeats that.
    pub fn goodbye(self, wall_ms: f64, offset: Option<Offset>) -> Heartbeat {
        let last = match self.beat.state {
            DriverState::Finishing => self.beat,
            // An orderly shutdown announces `finishing` first.
            DriverState::Running => {
                Beat { reason: Some("it crashed mid-run: see its log".to_owned()), ..self.beat }
            }
            _ => Beat::idle(),
        };
        message(&self.identity, &Beat { state: DriverState::Left, ..last }, wall_ms, offset)
    }
}

fn message(identity: &NodeRef, beat: &Beat, wall_ms: f64, offset: Option<Offset>) -> Heartbeat {
    Heartbeat {
        node_id: identity.node_id.clone(),
        heartbeat: "YES".to_owned(),
        timestamp: round_ms(wall_ms),
        epoch: Some(identity.epoch),
        state: Some(beat.state),
        reason: beat.reason.clone(),
        test_id: beat.test_id.clone(),
        plan_hash: beat.plan_hash.clone(),
        clock_offset_ms: offset.map(|offset| round_ms(offset.offset_ms)),
        clock_error_ms: offset.map(|offset| round_ms(offset.error_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beating() -> Beating {
        Beating::new(NodeRef { node_id: "a".to_owned(), epoch: 7 }, 5)
    }

    fn beat(state: DriverState) -> Beat {
        Beat { state, test_id: Some("t".to_owned()), ..Beat::idle() }
    }

    /// Sends this many heartbeats when they are due; returns the intervals in ms.
    fn intervals(beating: &mut Beating, count: usize) -> Vec<u64> {
        let next = |_| {
            let at_ns = beating.due_ns();
            beating.outcome(true, at_ns);
            (beating.due_ns() - at_ns) / NS_PER_MS
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn heartbeats_are_frequent_while_the_clock_offset_matters() {
        let mut beating = beating();
        assert_eq!(beating.due_ns(), 5);
        assert_eq!(intervals(&mut beating, 13), [[100; 10].as_slice(), &[1_000; 3]].concat());
        let now_ns = beating.due_ns() - 1;
        beating.announce(beat(DriverState::Ready), now_ns);
        assert_eq!(beating.due_ns(), now_ns, "at once");
        assert_eq!(intervals(&mut beating, 152)[148..], [100, 100, 1_000, 1_000]);
        beating.announce(beat(DriverState::Ready), now_ns);
        beating.announce(beat(DriverState::Running), now_ns);
        assert_eq!(intervals(&mut beating, 1), [1_000]);
    }

    #[test]
    fn a_beat_is_replaced_by_its_next_one_only_after_it_was_sent() {
        let mut beating = beating();
        let next = Some(Box::new(beat(DriverState::Running)));
        beating.announce(Beat { reason: Some("no".to_owned()), next, ..beat(DriverState::Refused) }, 0);
        assert_eq!(beating.outcome(false, 1), Some(Turn::Away));
        assert_eq!(beating.outcome(false, 2), None);
        let message = beating.message(1.0, None);
        assert_eq!((message.state, message.reason.as_deref()), (Some(DriverState::Refused), Some("no")));
        assert_eq!(beating.outcome(true, 3), Some(Turn::Back));
        assert_eq!(beating.outcome(true, 4), None);
        let offset = Some(Offset { offset_ms: 2.0, error_ms: 0.5 });
        let message = beating.message(1.0, offset);
        assert_eq!(
            (message.state, message.reason, message.epoch),
            (Some(DriverState::Running), None, Some(7))
        );
        assert_eq!((message.clock_offset_ms, message.clock_error_ms), (Some(2.0), Some(0.5)));
    }

    #[test]
    fn the_goodbye_repeats_that_a_load_was_cut_off() {
        let goodbye = |last: Option<Beat>| {
            let mut beating = beating();
            last.into_iter().for_each(|beat| beating.announce(beat, 0));
            beating.goodbye(1.0, None)
        };
        let idle = goodbye(None);
        assert_eq!((idle.state, idle.test_id), (Some(DriverState::Left), None));
        assert_eq!(goodbye(Some(beat(DriverState::Ready))).test_id, None);
        let cut =
            goodbye(Some(Beat { reason: Some("shut down".to_owned()), ..beat(DriverState::Finishing) }));
        assert_eq!((cut.state, cut.reason.as_deref()), (Some(DriverState::Left), Some("shut down")));
        let crashed = goodbye(Some(beat(DriverState::Running)));
        assert!(crashed.reason.is_some_and(|reason| reason.contains("crashed")));
    }
}
