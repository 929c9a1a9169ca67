//! Spare connection threads, so that a burst of new connections finds a thread for each.
//!
//! `tiny_http` 0.12 gives every connection a thread of its pool, and starts a new thread only where it counts no
//! idle one. It counts a thread as idle until that thread has really woken up; of several connections in a burst
//! that are given to one idle thread, all but the first then wait until some other connection is closed, which
//! with kept-alive connections may be never (seen with 9 connections). So a server keeps more threads idle than a burst
//! has connections, by short connections to itself: `tiny_http` ends threads that were idle for 5 s, and each
//! short connection wakes the one that has been idle longest. Where a burst was larger after all, the same short
//! connections free what waits, since a thread that finishes one takes the next in the queue.

use crate::clock;
use crate::http::os;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Every spare thread is woken once in this time; less than the 5 s after which `tiny_http` ends it.
const ROUND: Duration = Duration::from_secs(4);
/// Longest pause between two short connections.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Keeps `count` threads idle behind the listener at `addr` until `stopping`.
pub(super) fn keep(addr: SocketAddr, count: usize, stopping: &AtomicBool) {
    let pause = (ROUND / count.max(1) as u32).min(LONGEST_PAUSE);
    while !stopping.load(Ordering::SeqCst) {
        clock::sleep(pause);
        drop(open(addr));
    }
}

/// Makes `count` idle threads at once: as many connections are opened together and closed together.
pub(super) fn grow(addr: SocketAddr, count: usize) {
    let opened: Vec<_> = (0..count).map_while(|_| open(addr)).collect();
    drop(opened);
}

/// A connection that is reset when it is dropped, so that none of its closed halves linger.
fn open(addr: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&own(addr), CONNECT_TIMEOUT).ok()?;
    os::listener::reset_on_drop(&stream);
    Some(stream)
}

/// Where a listener can be reached from its own machine.
fn own(addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, addr.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, addr.port()).into(),
        _ => addr,
    }
}
