//! Time: the only file that reads a clock or sleeps.
//!
//! All times inside a process are nanoseconds on one monotonic clock, counted from the first use of this
//! module. Wall time is read once, at that moment, so it never jumps while the process runs.

#![allow(clippy::disallowed_methods)]

mod cpu;

pub use cpu::CpuTimes;
use nix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds in a millisecond.
pub const NS_PER_MS: u64 = 1_000_000;
/// Nanoseconds in a second.
pub const NS_PER_S: u64 = 1_000_000_000;

struct Origin {
    monotonic_ns: u64,
    wall_ms: f64,
}

fn origin() -> &'static Origin {
    static ORIGIN: OnceLock<Origin> = OnceLock::new();
    ORIGIN.get_or_init(|| {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Origin { monotonic_ns: monotonic_ns(), wall_ms: since_epoch.as_secs_f64() * 1_000.0 }
    })
}

/// A source of monotonic nanoseconds.
pub trait Clock: Clone + Send + 'static {
    /// Nanoseconds since the clock's origin.
    fn now_ns(&self) -> u64;

    /// Sleeps for `ns` and returns the time that actually passed. Does nothing for 0.
    fn rest(&self, ns: u64) -> u64;

    /// The calling thread's CPU times; `None` if unknown.
    fn cpu_times(&self) -> Option<CpuTimes>;
}

/// The machine's monotonic clock; all copies in a process share one origin.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[inline]
    fn now_ns(&self) -> u64 {
        now_ns()
    }

    #[inline]
    fn rest(&self, ns: u64) -> u64 {
        if ns == 0 {
            return 0;
        }
        let began_ns = now_ns();
        sleep(Duration::from_nanos(ns));
        now_ns() - began_ns
    }

    fn cpu_times(&self) -> Option<CpuTimes> {
        cpu::of_this_thread()
    }
}

/// Nanoseconds since the process first asked for the time.
#[inline]
pub fn now_ns() -> u64 {
    monotonic_ns().saturating_sub(origin().monotonic_ns)
}

/// The clock of [`std::time::Instant`], whose arithmetic costs four times as much as this reading; a request
/// without company takes five of them. Every Linux has the clock, so that reading it never fails.
#[inline]
fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |now| now.tv_sec() as u64 * NS_PER_S + now.tv_nsec() as u64)
}

/// The wall-clock time, in ms since 1970, of a time on this process's monotonic clock.
pub fn wall_ms(at_ns: u64) -> f64 {
    origin().wall_ms + at_ns as f64 / NS_PER_MS as f64
}

/// A duration in nanoseconds, saturating after 584 years.
pub fn to_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The time `timeout` from now.
pub fn deadline(timeout: Duration) -> u64 {
    now_ns().saturating_add(to_ns(timeout))
}

/// Time left until `deadline_ns`; zero if it has passed.
pub fn until(deadline_ns: u64) -> Duration {
    Duration::from_nanos(deadline_ns.saturating_sub(now_ns()))
}

/// Blocks the calling thread for `duration`.
pub fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// Blocks the calling thread until `deadline_ns`; returns immediately if it has passed.
pub fn sleep_until(deadline_ns: u64) {
    let left = until(deadline_ns);
    if !left.is_zero() {
        sleep(left);
    }
}

/// A manually advanced clock, for tests.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Moves the clock forward by `ns`.
    pub fn advance_ns(&self, ns: u64) {
        self.0.fetch_add(ns, Ordering::SeqCst);
    }

    /// Moves the clock forward to `at_ns`; does nothing if that is in the past.
    pub fn advance_to_ns(&self, at_ns: u64) {
        self.0.fetch_max(at_ns, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn rest(&self, ns: u64) -> u64 {
        self.advance_ns(ns);
        ns
    }

    fn cpu_times(&self) -> Option<CpuTimes> {
        None
    }
}
