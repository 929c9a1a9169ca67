//! Readiness of many sockets, with nanosecond waits if the kernel supports them.
//!
//! Plain `epoll_wait` rounds waits up to a millisecond, which would treble the median latency at 1,000
//! requests/s; `epoll_pwait2` (Linux 5.11) takes nanoseconds. Sockets are watched edge-triggered for
//! everything, so a connection is registered once and a request costs no registration.

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Maximum events per wait; the rest come with the next. With many more, a due request would wait while all
/// of them are read (some 4 µs each), and a server would receive requests in bursts.
const MAX_EVENTS: usize = 64;

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

/// A watched socket for `poll(2)`.
#[derive(Debug)]
pub struct Watched<'a> {
    /// The socket or other descriptor to watch.
    pub socket: BorrowedFd<'a>,
    /// As passed to [`Poller::add`].
    pub key: u64,
    /// Whether to watch for readability.
    pub wants_read: bool,
    /// Whether to watch for writability.
    pub wants_write: bool,
}

/// A set of watched sockets; closing a socket removes it.
///
/// Linux before 5.11 has no `epoll_pwait2`. There each wait is a `poll(2)` over all sockets: equally precise,
/// but slower with every socket.
pub struct Poller {
    /// `None` on an old kernel.
    epoll: Option<OwnedFd>,
    /// The events of the last wait.
    found: Vec<Readiness>,
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.epoll.is_some() { "Poller(epoll)" } else { "Poller(poll)" })
    }
}

impl Poller {
    /// An empty set.
    ///
    /// # Errors
    /// If no file descriptor is left.
    pub fn new() -> io::Result<Poller> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut found = Vec::with_capacity(MAX_EVENTS);
        match wait_epoll(&epoll, &timespec(Duration::ZERO), &mut found) {
            Err(Errno::NOSYS) => Ok(Poller::without_epoll()),
            _ => Ok(Poller { epoll: Some(epoll), found }),
        }
    }

    /// An empty set that uses `poll(2)`, as on an old kernel.
    pub fn without_epoll() -> Poller {
        Poller { epoll: None, found: Vec::new() }
    }

    /// Watches a socket until it is closed. Each *change* is reported once: read until nothing is left.
    ///
    /// # Errors
    /// As `epoll_ctl(2)` reports them.
    pub fn add(&self, socket: &impl AsFd, key: u64) -> io::Result<()> {
        let Some(epoll) = &self.epoll else { return Ok(()) };
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(epoll, socket, EventData::new_u64(key), flags)?)
    }

    /// Waits for events, at most `timeout`, and returns their number. An interruption counts as none.
    /// `watched` lists the sockets, for use without epoll.
    ///
    /// # Errors
    /// As `epoll_wait(2)` and `poll(2)` report them.
    pub fn wait<'a, W>(&mut self, timeout: Duration, watched: impl FnOnce() -> W) -> io::Result<usize>
    where
        W: Iterator<Item = Watched<'a>>,
    {
        let timeout = timespec(timeout);
        self.found.clear();
        let result = match &self.epoll {
            Some(epoll) => wait_epoll(epoll, &timeout, &mut self.found),
            None => poll_all(watched(), &timeout, &mut self.found),
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
fn wait_epoll(epoll: &OwnedFd, timeout: &Timespec, found: &mut Vec<Readiness>) -> Result<(), Errno> {
    let mut room = [const { MaybeUninit::<Event>::uninit() }; MAX_EVENTS];
    let (events, _) = epoll::wait(epoll, &mut room[..], Some(timeout))?;
    found.extend(events.iter().map(|event| {
        let Event { flags, data, .. } = *event;
        Readiness {
            key: data.u64(),
            readable: flags.intersects(EventFlags::IN | EventFlags::RDHUP),
            writable: flags.contains(EventFlags::OUT),
            hangup: flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR),
            error: flags.intersects(EventFlags::ERR | EventFlags::HUP),
        }
    }));
    Ok(())
}

fn poll_all<'a>(
    watched: impl Iterator<Item = Watched<'a>>,
    timeout: &Timespec,
    found: &mut Vec<Readiness>,
) -> Result<(), Errno> {
    let (mut keys, mut polled) = (Vec::new(), Vec::new());
    for Watched { socket, key, wants_read, wants_write } in watched {
        let read = if wants_read { PollFlags::IN } else { PollFlags::empty() };
        let write = if wants_write { PollFlags::OUT } else { PollFlags::empty() };
        keys.push(key);
        polled.push(PollFd::from_borrowed_fd(socket, read | write));
    }
    rustix::event::poll(&mut polled, Some(timeout))?;
    for (key, seen) in keys.into_iter().zip(polled.iter().map(PollFd::revents)) {
        if !seen.is_empty() {
            found.push(Readiness {
                key,
                readable: seen.intersects(PollFlags::IN | PollFlags::HUP),
                writable: seen.contains(PollFlags::OUT),
                hangup: seen.intersects(PollFlags::HUP | PollFlags::ERR),
                error: seen.intersects(PollFlags::HUP | PollFlags::ERR),
            });
        }
    }
    Ok(())
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
