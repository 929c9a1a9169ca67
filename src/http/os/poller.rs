//! Readiness of many sockets, with nanosecond waits.
//!
//! Plain `epoll_wait` rounds waits up to a millisecond, which would treble the median latency at 1,000
//! requests/s; `epoll_pwait2` (Linux 5.11) takes nanoseconds. On older kernels a timer in the same epoll ends
//! the waits, at the cost of one more system call for each. Sockets are watched edge-triggered for
//! everything, so a connection is registered once and a request costs no registration.

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use std::io;
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::time::Duration;

/// Maximum events per wait; the rest come with the next. With many more, a due request would wait while all
/// of them are read (some 4 µs each), and a server would receive requests in bursts.
const MAX_EVENTS: usize = 64;
/// The key of the timer; no socket may have it.
const TIMER_KEY: u64 = u64::MAX - 2;
/// Longest time for which the timer is set: 32-bit kernels have no more bits.
const MAX_TIMER: Duration = Duration::from_secs(i32::MAX as u64);

/// An event on one descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Readiness {
    /// As passed to [`Poller::add`].
    pub key: u64,
    /// There is something to read, possibly the end.
    pub readable: bool,
    /// It is writable.
    pub writable: bool,
    /// The peer closed its side, or the connection failed.
    pub hangup: bool,
    /// The connection failed.
    pub error: bool,
}

/// A set of watched sockets; closing a socket removes it.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
    /// Ends the waits on kernels without `epoll_pwait2`.
    timer: Option<OwnedFd>,
    /// The events of the last wait.
    found: Vec<Readiness>,
}

impl Poller {
    /// An empty set.
    ///
    /// # Errors
    /// If no file descriptor is left.
    pub fn new() -> io::Result<Poller> {
        let mut poller = Poller {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(io::Error::from)?,
            timer: None,
            found: Vec::with_capacity(MAX_EVENTS),
        };
        match wait_precise(&poller.epoll.0, &timespec(Duration::ZERO), &mut poller.found) {
            // Some container runtimes refuse system calls that they do not know with this error.
            Err(Errno::NOSYS | Errno::PERM) => poller.on_timer(),
            _ => Ok(poller),
        }
    }

    /// An empty set whose waits are ended by a timer, as on kernels without `epoll_pwait2`.
    ///
    /// # Errors
    /// If no file descriptor is left.
    pub fn with_timer() -> io::Result<Poller> {
        Poller::new()?.on_timer()
    }

    fn on_timer(mut self) -> io::Result<Poller> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // Edge-triggered, an expiry ends one wait without being read; setting the timer again clears it.
        epoll::add(&self.epoll.0, &timer, EventData::new_u64(TIMER_KEY), EventFlags::IN | EventFlags::ET)?;
        self.timer = Some(timer);
        Ok(self)
    }

    /// Watches a socket until it is closed. Each *change* is reported once: read until nothing is left.
    ///
    /// # Errors
    /// As `epoll_ctl(2)` reports them.
    pub fn add(&self, socket: &impl AsFd, key: u64) -> io::Result<()> {
        debug_assert_ne!(key, TIMER_KEY, "the timer's key");
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(&self.epoll.0, socket, EventData::new_u64(key), flags)?)
    }

    /// Waits for events, at most `timeout`, and returns their number. An interruption counts as none.
    ///
    /// # Errors
    /// As `epoll_wait(2)` and `timerfd_settime(2)` report them.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<usize> {
        self.found.clear();
        let result = match &self.timer {
            None => wait_precise(&self.epoll.0, &timespec(timeout), &mut self.found),
            Some(timer) => wait_on_timer(&self.epoll, timer, timeout, &mut self.found),
        };
        match result {
            Ok(()) | Err(Errno::INTR) => Ok(self.found.len()),
            Err(error) => Err(error.into()),
        }
    }

    /// The `index`-th event of the last wait.
    #[inline]
    pub fn event(&self, index: usize) -> Readiness {
        self.found[index]
    }
}

#[inline]
fn wait_precise(epoll: &OwnedFd, timeout: &Timespec, found: &mut Vec<Readiness>) -> Result<(), Errno> {
    let mut room = [const { MaybeUninit::<Event>::uninit() }; MAX_EVENTS];
    let (events, _) = epoll::wait(epoll, &mut room[..], Some(timeout))?;
    found.extend(events.iter().map(|event| {
        let Event { flags, data, .. } = *event;
        readiness(flags, data.u64())
    }));
    Ok(())
}

/// rustix has only one of the two waits, chosen when it is compiled; the other one comes from nix.
fn wait_on_timer(
    epoll: &Epoll,
    timer: &OwnedFd,
    timeout: Duration,
    found: &mut Vec<Readiness>,
) -> Result<(), Errno> {
    let most = if timeout.is_zero() {
        EpollTimeout::ZERO
    } else {
        set_timer(timer, timeout)?;
        EpollTimeout::NONE
    };
    let mut room = [EpollEvent::empty(); MAX_EVENTS];
    let count = epoll.wait(&mut room, most).map_err(|error| Errno::from_raw_os_error(error as i32))?;
    // The timer's own event only ends the wait.
    let sockets = room[..count].iter().filter(|event| event.data() != TIMER_KEY);
    found.extend(sockets.map(|event| {
        let flags = EventFlags::from_bits_retain(event.events().bits() as u32);
        readiness(flags, event.data())
    }));
    Ok(())
}

/// Makes the timer expire after `timeout`, which is not zero: that would switch it off.
fn set_timer(timer: &OwnedFd, timeout: Duration) -> Result<(), Errno> {
    let once =
        Itimerspec { it_interval: timespec(Duration::ZERO), it_value: timespec(timeout.min(MAX_TIMER)) };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &once).map(drop)
}

#[inline]
fn readiness(flags: EventFlags, key: u64) -> Readiness {
    Readiness {
        key,
        readable: flags.intersects(EventFlags::IN | EventFlags::RDHUP),
        writable: flags.contains(EventFlags::OUT),
        hangup: flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR),
        error: flags.intersects(EventFlags::ERR | EventFlags::HUP),
    }
}

/// Makes the calling thread's waits end on time: by default Linux may end them up to 50 µs late, to coalesce
/// them with others. No effect on other systems or if refused.
pub fn wait_precisely() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

/// A duration in the kernel's format.
pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use rustix::time::timerfd_gettime;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_micros(300);

    /// One for new kernels and one for old kernels.
    fn both() -> [Poller; 2] {
        let new = Poller::new().unwrap();
        assert!(new.timer.is_none(), "this host's kernel is too old to test the path of new ones");
        [new, Poller::with_timer().unwrap()]
    }

    /// A watched end and its peer.
    fn pair(poller: &Poller, key: u64) -> (UnixStream, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        poller.add(&near, key).unwrap();
        (near, far)
    }

    fn keys(poller: &Poller, count: usize) -> Vec<u64> {
        (0..count).map(|index| poller.event(index).key).collect()
    }

    #[test]
    fn each_change_is_reported_once() {
        for mut poller in both() {
            let (mut near, mut far) = pair(&poller, 7);
            assert_eq!(poller.wait(LONG).unwrap(), 1);
            let event = poller.event(0);
            assert!(event.key == 7 && event.writable && !event.readable && !event.hangup);
            assert_eq!(poller.wait(SHORT).unwrap(), 0, "{poller:?}");
            far.write_all(b"x").unwrap();
            assert_eq!(poller.wait(LONG).unwrap(), 1);
            assert!(poller.event(0).readable);
            assert_eq!(poller.wait(Duration::ZERO).unwrap(), 0, "unread, but reported");
            assert_eq!(near.read(&mut [0; 2]).unwrap(), 1);
            drop(far);
            assert_eq!(poller.wait(LONG).unwrap(), 1);
            assert!(poller.event(0).hangup);
        }
    }

    #[test]
    fn a_wait_without_events_ends_after_its_timeout_every_time() {
        for mut poller in both() {
            for round in 0..50 {
                let began_ns = clock::now_ns();
                assert_eq!(poller.wait(SHORT).unwrap(), 0);
                let took_ns = clock::now_ns() - began_ns;
                assert!(took_ns >= clock::to_ns(SHORT), "{took_ns} ns in round {round}: {poller:?}");
            }
        }
    }

    #[test]
    fn a_timer_that_expired_before_a_wait_does_not_end_it() {
        let mut poller = Poller::with_timer().unwrap();
        let (_near, mut far) = pair(&poller, 7);
        assert_eq!(poller.wait(LONG).unwrap(), 1);
        set_timer(poller.timer.as_ref().unwrap(), Duration::from_nanos(1)).unwrap();
        clock::sleep(SHORT);
        let writer = std::thread::spawn(move || {
            clock::sleep(Duration::from_millis(20));
            far.write_all(b"x").unwrap();
            far
        });
        assert_eq!(poller.wait(LONG).unwrap(), 1);
        assert!(poller.event(0).readable);
        drop(writer.join().unwrap());
    }

    #[test]
    fn an_expired_timer_is_no_event() {
        let mut poller = Poller::with_timer().unwrap();
        set_timer(poller.timer.as_ref().unwrap(), Duration::from_nanos(1)).unwrap();
        clock::sleep(SHORT);
        let _sockets: Vec<_> = (0..3).map(|key| pair(&poller, key)).collect();
        let count = poller.wait(Duration::ZERO).unwrap();
        assert_eq!(keys(&poller, count), [0, 1, 2]);
    }

    #[test]
    fn the_timer_is_set_to_the_nanosecond() {
        let poller = Poller::with_timer().unwrap();
        let timer = poller.timer.as_ref().unwrap();
        // Rounded up to a millisecond, more than this would be left.
        let timeout = Duration::new(5, 1_000);
        set_timer(timer, timeout).unwrap();
        let left = timerfd_gettime(timer).unwrap().it_value;
        assert!((left.tv_sec, left.tv_nsec) <= (5, 1_000), "{left:?}");
        set_timer(timer, Duration::MAX).unwrap();
        assert!(timerfd_gettime(timer).unwrap().it_value.tv_sec > 1_000_000_000);
    }

    #[test]
    fn events_beyond_the_maximum_come_with_the_next_wait() {
        for mut poller in both() {
            let total = 2 * MAX_EVENTS + 2;
            let _sockets: Vec<_> = (0..total as u64).map(|key| pair(&poller, key)).collect();
            let mut all = Vec::new();
            while all.len() < total {
                let count = poller.wait(LONG).unwrap();
                assert!((1..=MAX_EVENTS).contains(&count), "{count}");
                all.extend(keys(&poller, count));
            }
            all.sort_unstable();
            assert_eq!(all, (0..total as u64).collect::<Vec<_>>());
        }
    }
}
