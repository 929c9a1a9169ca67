//! The cursor: hands out the tickets of a driver's share in order to all its workers.

use crate::schedule::Share;
use std::sync::atomic::{AtomicU64, Ordering};

/// A claimed ticket; its time is on the process's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its planned start.
    pub planned_ns: u64,
    /// Whether it belongs to the warm-up.
    pub warmup: bool,
}

/// One driver's tickets in one test; shared by its workers.
#[derive(Debug)]
pub struct Cursor {
    share: Share,
    next: AtomicU64,
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
            next: AtomicU64::new(0),
            warmup_count: share.warmup_count(),
            share,
            start_ns,
            origin_ns,
            give_up_ns,
            hard_end_ns: give_up_ns.saturating_add(HARD_END_GRACE_NS),
        }
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
            return Some(Due { planned_ns: self.start_ns + start_ns, warmup: true });
        }
        let start_ns = self.share.start_ns(k - self.warmup_count)?;
        Some(Due { planned_ns: self.origin_ns + start_ns, warmup: false })
    }

    /// In a closed loop a request is planned for the time at which its slot became free.
    fn claim_closed(&self, now_ns: u64, free_ns: u64) -> Option<Due> {
        if now_ns < self.origin_ns {
            return Some(Due { planned_ns: free_ns.max(self.start_ns), warmup: true });
        }
        if self.share.duration_ns().is_some_and(|duration_ns| now_ns >= self.origin_ns + duration_ns) {
            return None;
        }
        let k = self.next.fetch_add(1, Ordering::Relaxed);
        if self.share.requests().is_some_and(|most| k >= most) {
            return None;
        }
        Some(Due { planned_ns: free_ns.max(self.origin_ns), warmup: false })
    }
}
