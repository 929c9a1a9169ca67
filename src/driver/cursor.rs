//! The cursor: hands out the tickets of a driver's share in order to all its workers.

use crate::http::Ticket;
use crate::plan::mix::{Mix, Turns};
use crate::schedule::Share;
use std::sync::atomic::{AtomicU64, Ordering};

/// A claimed ticket; its time is on the process's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its planned start.
    pub planned_ns: u64,
    /// Its number among the driver's tickets, from 0. The warm-up has numbers of its own.
    pub number: u64,
    /// What it sends, as an index into the plan's requests.
    pub request: u32,
    /// Whether it belongs to the warm-up.
    pub warmup: bool,
}

impl Due {
    /// The ticket as a client gets it.
    pub fn ticket(&self, ready_ns: u64) -> Ticket {
        let Due { planned_ns, number, request, warmup } = *self;
        Ticket { planned_ns, ready_ns, number, request, warmup }
    }
}

/// One driver's tickets in one test; shared by its workers.
#[derive(Debug)]
pub struct Cursor {
    share: Share,
    turns: Turns,
    next: AtomicU64,
    /// The next ticket of a closed loop's warm-up.
    next_warmup: AtomicU64,
    warmup_count: u64,
    start_ns: u64,
    origin_ns: u64,
    give_up_ns: u64,
    hard_end_ns: u64,
}

/// After the last `timeout` a driver waits this long for requests in flight, then gives up on them, so that
/// its final report arrives before the orchestrator closes the run.
const HARD_END_GRACE_NS: u64 = 2_000_000_000;

impl Cursor {
    /// A share that begins (with its warm-up) at `start_ns`. Requests still unsent `timeout_ns` after the
    /// planned end are never sent.
    pub fn new(share: Share, start_ns: u64, timeout_ns: u64) -> Cursor {
        let origin_ns = start_ns + share.warmup_ns();
        let end_ns = share.planned_end_ns().map_or(u64::MAX, |end| origin_ns.saturating_add(end));
        let give_up_ns = end_ns.saturating_add(timeout_ns);
        Cursor {
            turns: Mix::single().turns(0, 1),
            next: AtomicU64::new(0),
            next_warmup: AtomicU64::new(0),
            warmup_count: share.warmup_count(),
            share,
            start_ns,
            origin_ns,
            give_up_ns,
            hard_end_ns: give_up_ns.saturating_add(HARD_END_GRACE_NS),
        }
    }

    /// The same tickets, which send different requests.
    #[must_use]
    pub fn taking(self, turns: Turns) -> Cursor {
        Cursor { turns, ..self }
    }

    /// How many requests take turns.
    pub fn requests(&self) -> usize {
        self.turns.requests()
    }

    /// How many requests of each kind are planned before this time, in ns after the origin; 0 in a closed
    /// loop, where sending a request plans it.
    pub fn planned_before(&self, elapsed_ns: u64) -> Vec<u64> {
        self.turns.counts(self.share.planned_before(elapsed_ns).unwrap_or(0))
    }

    /// When the first request may start.
    pub fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// When the measurement begins: the end of the warm-up.
    pub fn origin_ns(&self) -> u64 {
        self.origin_ns
    }

    /// Whether requests start by the schedule, regardless of the target.
    pub fn is_open(&self) -> bool {
        self.share.is_open()
    }

    /// The share whose tickets these are.
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// Whether requests still unsent are given up.
    pub fn gives_up(&self, now_ns: u64) -> bool {
        now_ns >= self.give_up_ns
    }

    /// Whether even requests in flight are given up.
    pub fn is_hard_end(&self, now_ns: u64) -> bool {
        now_ns >= self.hard_end_ns
    }

    /// The next ticket for a slot that has been free since `free_ns`; `None` if there will be no more. Each
    /// call may use up a ticket, so call it only with a free slot.
    #[inline]
    pub fn claim(&self, now_ns: u64, free_ns: u64) -> Option<Due> {
        if self.share.is_open() { self.claim_open() } else { self.claim_closed(now_ns, free_ns) }
    }

    fn claim_open(&self) -> Option<Due> {
        let k = self.next.fetch_add(1, Ordering::Relaxed);
        if k < self.warmup_count {
            let start_ns = self.share.warmup_start_ns(k)?;
            return Some(self.due(k, self.start_ns + start_ns, true));
        }
        let k = k - self.warmup_count;
        let start_ns = self.share.start_ns(k)?;
        Some(self.due(k, self.origin_ns + start_ns, false))
    }

    #[inline]
    fn due(&self, number: u64, planned_ns: u64, warmup: bool) -> Due {
        Due { planned_ns, number, request: self.turns.request(number), warmup }
    }

    /// In a closed loop a request is planned for the time at which its slot became free.
    fn claim_closed(&self, now_ns: u64, free_ns: u64) -> Option<Due> {
        if now_ns < self.origin_ns {
            let k = self.next_warmup.fetch_add(1, Ordering::Relaxed);
            return Some(self.due(k, free_ns.max(self.start_ns), true));
        }
        if self.share.duration_ns().is_some_and(|duration_ns| now_ns >= self.origin_ns + duration_ns) {
            return None;
        }
        let k = self.next.fetch_add(1, Ordering::Relaxed);
        if self.share.requests().is_some_and(|most| k >= most) {
            return None;
        }
        Some(self.due(k, free_ns.max(self.origin_ns), false))
    }
}
