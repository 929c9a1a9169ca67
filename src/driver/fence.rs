//! The fence: a driver that cannot be told to stop, because it cannot read the bus, stops its load by itself.
//! Pure.

use crate::clock::{self, NS_PER_S};
use std::time::Duration;

/// A pause of our own (a frozen process, a slow read) counts as at most this much of an outage.
const MAX_STEP_NS: u64 = NS_PER_S;

/// How long the bus has been unreadable while this process was running.
#[derive(Debug)]
pub struct Fence {
    /// The longest outage that a load survives; `None` if it survives every one.
    after_ns: Option<u64>,
    unread_ns: u64,
    stepped_ns: Option<u64>,
    is_closed: bool,
}

impl Fence {
    /// A fence that stops a load after an outage of this duration; `None`: never.
    pub fn new(after: Option<Duration>) -> Fence {
        Fence { after_ns: after.map(clock::to_ns), unread_ns: 0, stepped_ns: None, is_closed: false }
    }

    /// A read of the bus succeeded or failed at `now_ns`, while a load was running or not. Returns whether to
    /// stop the load: once for each load, unless the bus is readable in between.
    pub fn read(&mut self, succeeded: bool, is_loaded: bool, now_ns: u64) -> bool {
        let step_ns = now_ns.saturating_sub(self.stepped_ns.unwrap_or(now_ns)).min(MAX_STEP_NS);
        self.stepped_ns = Some(now_ns);
        self.unread_ns = if succeeded { 0 } else { self.unread_ns.saturating_add(step_ns) };
        self.is_closed &= is_loaded && !succeeded;
        let is_due = is_loaded && self.after_ns.is_some_and(|after_ns| self.unread_ns >= after_ns);
        is_due && !std::mem::replace(&mut self.is_closed, true)
    }

    /// How long the bus has been unreadable.
    pub fn unread(&self) -> Duration {
        Duration::from_nanos(self.unread_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock, NS_PER_MS};

    const AFTER: Duration = Duration::from_secs(30);

    struct Scene {
        fence: Fence,
        clock: ManualClock,
    }

    impl Scene {
        fn new(after: Option<Duration>) -> Scene {
            let (mut fence, clock) = (Fence::new(after), ManualClock::default());
            assert!(!fence.read(true, false, clock.now_ns()));
            Scene { fence, clock }
        }

        /// Reads every 100 ms; returns the times of the fence, in ms since the first of these reads.
        fn reads(&mut self, seconds: u64, succeeds: bool, is_loaded: bool) -> Vec<u64> {
            let mut fenced = Vec::new();
            for read in 1..=seconds * 10 {
                self.clock.advance_ns(100 * NS_PER_MS);
                if self.fence.read(succeeds, is_loaded, self.clock.now_ns()) {
                    fenced.push(read * 100);
                }
            }
            fenced
        }
    }

    #[test]
    fn a_load_is_stopped_once_after_an_outage_of_that_duration() {
        let mut scene = Scene::new(Some(AFTER));
        assert_eq!(scene.reads(60, true, true), [0; 0]);
        assert_eq!(scene.reads(100, false, true), [30_000]);
        assert_eq!(scene.fence.unread(), Duration::from_secs(100));
        assert_eq!(scene.reads(10, true, true), [0; 0]);
        assert_eq!(scene.reads(29, false, true), [0; 0], "shorter");
        assert_eq!(scene.reads(1, true, true), [0; 0]);
        assert_eq!(scene.reads(31, false, true), [30_000], "the next outage");
    }

    #[test]
    fn without_a_load_nothing_is_stopped_and_a_load_that_begins_in_an_outage_is() {
        let mut scene = Scene::new(Some(AFTER));
        assert_eq!(scene.reads(100, false, false), [0; 0]);
        assert_eq!(scene.reads(5, false, true), [100], "it could not be stopped for 100 s");
        assert_eq!(scene.reads(5, false, false), [0; 0]);
        assert_eq!(scene.reads(5, false, true), [100], "another load");
    }

    #[test]
    fn a_pause_of_the_process_is_not_an_outage() {
        let mut scene = Scene::new(Some(AFTER));
        assert_eq!(scene.reads(5, false, true), [0; 0]);
        scene.clock.advance_ns(3_600 * NS_PER_S);
        assert!(!scene.fence.read(false, true, scene.clock.now_ns()), "it must try to read first");
        assert_eq!(scene.fence.unread(), Duration::from_secs(6));
        assert_eq!(scene.reads(30, false, true), [24_000]);
    }

    #[test]
    fn a_driver_without_a_fence_never_stops() {
        let mut scene = Scene::new(None);
        assert_eq!(scene.reads(4_000, false, true), [0; 0]);
    }
}
