//! The schedule: a pure function from k to the planned start of the k-th request, and when to stop.
//!
//! Each start is computed from k, never by adding gaps, so starts do not drift. A fleet of n drivers has one
//! schedule, at the fleet's rate or at n times the rate of one driver; driver i executes its tickets i, i+n,
//! i+2n…

mod ramp;
pub mod supply;
#[cfg(test)]
mod tests;

use crate::plan::{Amount, Load, Plan, Scope};
use ramp::Ramp;
use std::borrow::Borrow;
use std::sync::Arc;

const NS_PER_US: u64 = 1_000;
const NS_PER_S: u64 = 1_000_000_000;
const NS_PER_S_MICRO: u128 = 1_000_000_000_000_000;

/// Planned starts, in ns after the beginning of the measurement.
#[derive(Clone, Debug, PartialEq)]
enum Starts {
    /// Closed loop: a ticket is due when a slot is free.
    Closed,
    /// The k-th start is floor(k·numerator / (denominator·speed)).
    Even { numerator: u128, denominator: u128 },
    /// A rate that changes linearly.
    Ramp(Ramp),
    /// Those of recorded requests, in µs, in ascending order.
    Recorded(Arc<[u64]>),
}

impl Starts {
    /// When the k-th request of the fleet starts, at `speed` times the rate; `None` in a closed loop or after
    /// the last stage or recorded request.
    fn start_ns(&self, k: u128, speed: u64) -> Option<u64> {
        match self {
            Starts::Closed => None,
            Starts::Even { numerator, denominator } => {
                u64::try_from(k * numerator / (denominator * u128::from(speed))).ok()
            }
            Starts::Ramp(ramp) => ramp.start_ns(k, speed),
            Starts::Recorded(offsets_us) => offsets_us.get(usize::try_from(k).ok()?)?.checked_mul(NS_PER_US),
        }
    }

    /// How many requests of the fleet start before `end_ns`; `None` in a closed loop.
    fn starting_before(&self, end_ns: u64, speed: u64) -> Option<u128> {
        match self {
            Starts::Closed => None,
            // floor(x) < end is x < end for a whole end, so this is the count of k with k·num/den < end.
            Starts::Even { numerator, denominator } => {
                Some((u128::from(end_ns) * denominator * u128::from(speed)).div_ceil(*numerator))
            }
            Starts::Ramp(ramp) => Some(ramp.starting_before(end_ns, speed)),
            Starts::Recorded(offsets_us) => {
                let is_before = |us: &u64| us.saturating_mul(NS_PER_US) < end_ns;
                Some(offsets_us.partition_point(is_before) as u128)
            }
        }
    }
}

/// The schedule of a plan. A fleet of n drivers executes it as n interleaved shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    warmup: Starts,
    main: Starts,
    /// The scope of the rates of `warmup` and `main`.
    scope: Scope,
    warmup_ns: u64,
    requests: Option<Amount>,
    duration_ns: Option<u64>,
}

impl Schedule {
    /// The schedule of a plan, which ends when rows that are used once run out.
    pub fn new(plan: &Plan) -> Schedule {
        Schedule { requests: supply::count(plan), ..Schedule::unlimited(plan) }
    }

    /// The schedule without regard to feeds.
    fn unlimited(plan: &Plan) -> Schedule {
        let even =
            |micro_rps: u64| Starts::Even { numerator: NS_PER_S_MICRO, denominator: u128::from(micro_rps) };
        let (warmup, main, scope) = match plan.load() {
            Load::Closed => (Starts::Closed, Starts::Closed, Scope::Driver),
            Load::Rate { micro_rps, scope } => (even(*micro_rps), even(*micro_rps), *scope),
            Load::Delay { gap_ns } => {
                let starts = Starts::Even { numerator: u128::from(*gap_ns), denominator: 1 };
                (starts.clone(), starts, Scope::Driver)
            }
            Load::Recorded { offsets_us } => {
                // The warm-up has the mean rate of the recording, which is that of a second if it is shorter.
                let last_ns = offsets_us.last().map_or(0, |us| us.saturating_mul(NS_PER_US));
                let (numerator, denominator) = (last_ns.max(NS_PER_S).into(), offsets_us.len() as u128);
                let mean = Starts::Even { numerator, denominator };
                (mean, Starts::Recorded(Arc::clone(offsets_us)), Scope::Fleet)
            }
            Load::Stages { from_micro_rps, stages, scope } => {
                // The warm-up of a ramp that begins at 0 uses its first nonzero rate.
                let rates = std::iter::once(*from_micro_rps).chain(stages.iter().map(|stage| stage.1));
                let rate = rates.into_iter().find(|rate| *rate > 0).unwrap_or(1);
                (even(rate), Starts::Ramp(Ramp::new(*from_micro_rps, stages)), *scope)
            }
        };
        Schedule {
            warmup,
            main,
            scope,
            warmup_ns: ns(plan.warmup()),
            requests: plan.count(),
            duration_ns: plan.duration().map(ns),
        }
    }

    /// How many requests of a fleet of `parts` drivers start before `end_ns`; `None` in a closed loop.
    pub fn fleet_planned_before(&self, end_ns: u64, parts: u64) -> Option<u64> {
        let end_ns = self.duration_ns.map_or(end_ns, |own_ns| own_ns.min(end_ns));
        let started = self.main.starting_before(end_ns, self.speed(parts))?;
        let most = self.requests.map_or(u128::MAX, |most| most.of_all(parts));
        Some(u64::try_from(started.min(most)).unwrap_or(u64::MAX))
    }

    /// The share of driver `part` (from 0) of `parts`, with its own copy of the schedule.
    pub fn share(&self, part: u64, parts: u64) -> Share {
        let Share { part, parts, speed, requests, .. } = self.view(part, parts);
        Share { schedule: self.clone(), part, parts, speed, requests }
    }

    /// Like [`Schedule::share`], but borrows the schedule.
    pub fn view(&self, part: u64, parts: u64) -> Share<&Schedule> {
        let parts = parts.max(1);
        let part = part.min(parts - 1);
        let requests = self.requests.map(|most| most.of(part, parts));
        Share { schedule: self, part, parts, speed: self.speed(parts), requests }
    }

    /// By which factor `parts` drivers together exceed the rate of the plan.
    fn speed(&self, parts: u64) -> u64 {
        match self.scope {
            Scope::Driver => parts,
            Scope::Fleet => 1,
        }
    }
}

impl Share {
    /// What one of `sides` URLs gets of this share: all of it, or of two URLs every other ticket. A has the
    /// first one on the drivers 0, 2, 4…, B on the others, so that in the fleet's order both come first
    /// equally often.
    pub fn side(&self, side: u64, sides: u64) -> Share {
        if sides == 1 { self.clone() } else { self.half((side + self.part) % 2) }
    }

    /// Every other ticket of this share: with `which` 0 its tickets 0, 2, 4…, with 1 the tickets 1, 3, 5…
    pub fn half(&self, which: u64) -> Share {
        let which = which.min(1);
        Share {
            part: self.part + which * self.parts,
            parts: 2 * self.parts,
            requests: self.requests.map(|all| (all + 1 - which) / 2),
            ..self.clone()
        }
    }
}

/// One driver's share of the fleet's schedule. Its tickets are numbered j = 0, 1, 2…
#[derive(Clone, Debug, PartialEq)]
pub struct Share<S = Schedule> {
    schedule: S,
    part: u64,
    parts: u64,
    speed: u64,
    requests: Option<u64>,
}

impl<S: Borrow<Schedule>> Share<S> {
    fn schedule(&self) -> &Schedule {
        self.schedule.borrow()
    }

    /// Whether requests start by the schedule, regardless of the target.
    pub fn is_open(&self) -> bool {
        self.schedule().main != Starts::Closed
    }

    /// Length of the warm-up, in ns.
    pub fn warmup_ns(&self) -> u64 {
        self.schedule().warmup_ns
    }

    /// No request is planned at or after this time, in ns after the beginning of the measurement.
    pub fn duration_ns(&self) -> Option<u64> {
        self.schedule().duration_ns
    }

    /// Maximum number of requests of this driver.
    pub fn requests(&self) -> Option<u64> {
        self.requests
    }

    /// Planned start of this driver's j-th request, in ns after the beginning of the measurement; `None` in a
    /// closed loop and after the end.
    #[inline]
    pub fn start_ns(&self, j: u64) -> Option<u64> {
        if self.requests.is_some_and(|most| j >= most) {
            return None;
        }
        let start_ns = self.schedule().main.start_ns(self.ticket(j), self.speed)?;
        self.schedule().duration_ns.is_none_or(|end_ns| start_ns < end_ns).then_some(start_ns)
    }

    /// Planned start of this driver's j-th warm-up request, in ns after the beginning of the warm-up; `None`
    /// in a closed loop and after its end.
    pub fn warmup_start_ns(&self, j: u64) -> Option<u64> {
        let start_ns = self.schedule().warmup.start_ns(self.ticket(j), self.speed)?;
        (start_ns < self.schedule().warmup_ns).then_some(start_ns)
    }

    /// Planned requests of this driver's warm-up; 0 in a closed loop, whose warm-up is limited only by time.
    pub fn warmup_count(&self) -> u64 {
        self.own_part(
            self.schedule().warmup.starting_before(self.schedule().warmup_ns, self.speed).unwrap_or(0),
        )
    }

    /// How many requests of this driver are planned before `end_ns`; `None` in a closed loop, where sending a
    /// request plans it.
    pub fn planned_before(&self, end_ns: u64) -> Option<u64> {
        let end_ns = self.schedule().duration_ns.map_or(end_ns, |own_ns| own_ns.min(end_ns));
        let fleet = self.schedule().main.starting_before(end_ns, self.speed)?;
        Some(self.own_part(fleet).min(self.requests.unwrap_or(u64::MAX)))
    }

    /// How many of the fleet's first `fleet` tickets belong to this driver: those with part + j·parts <
    /// fleet.
    fn own_part(&self, fleet: u128) -> u64 {
        let own = fleet.saturating_sub(u128::from(self.part)).div_ceil(u128::from(self.parts));
        u64::try_from(own).unwrap_or(u64::MAX)
    }

    /// An upper bound on the last planned start of an open loop, in ns after the beginning of the
    /// measurement; `None` if only responses end the test.
    pub fn planned_end_ns(&self) -> Option<u64> {
        let after_last = self.schedule().requests.zip(self.requests).map(|(most, own)| match most.scope {
            Scope::Driver => self.ticket(own),
            Scope::Fleet => u128::from(most.value),
        });
        let of_count = after_last.and_then(|k| self.schedule().main.start_ns(k, self.speed));
        match (of_count, self.schedule().duration_ns) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Planned start of this driver's first request, in ns after the beginning of the measurement; 0 in a
    /// closed loop.
    pub fn phase_ns(&self) -> u64 {
        self.start_ns(0).unwrap_or(0)
    }

    fn ticket(&self, j: u64) -> u128 {
        u128::from(self.part) + u128::from(j) * u128::from(self.parts)
    }
}

fn ns(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
