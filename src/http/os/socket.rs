//! TCP sockets: nonblocking connects and socket inspection.

use super::poller::timespec;
use crate::host::shortage;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::sockopt::Timeout as SocketTimeout;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// Starts to connect a nonblocking socket with `TCP_NODELAY`. It is connected or has failed when it becomes
/// writable; [`TcpStream::take_error`] tells which.
///
/// # Errors
/// If the connect fails at once: no descriptor, no route, or no local port left. A host without any address
/// of this family has no route, also to the loopback address.
pub fn start_connect(address: SocketAddr) -> io::Result<TcpStream> {
    try_connect(address).map_err(|error| {
        if shortage::has_no_source(&error, address) {
            return Errno::NETUNREACH.into();
        }
        shortage::say(&error, address);
        error
    })
}

fn try_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}

/// Maximum time that a connect to a Unix socket waits while the server's queue is full.
const UNIX_CONNECT_TIMEOUT: Duration = Duration::from_millis(100);

/// Connects a nonblocking socket to a Unix socket. Such a connect ends at once, unless the server's queue
/// is full: then this call waits, because a nonblocking connect would fail. The rest of the client sees a
/// TCP stream, which is the same to the system calls that it uses.
///
/// # Errors
/// As `connect(2)` reports them, or if the path is too long.
pub fn connect_unix(path: &Path) -> io::Result<TcpStream> {
    let address = SocketAddrUnix::new(path)?;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::sockopt::set_socket_timeout(&socket, SocketTimeout::Send, Some(UNIX_CONNECT_TIMEOUT))?;
    rustix::net::connect(&socket, &address)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(TcpStream::from(socket))
}

/// Reads what is available, up to the size of `buffer`; 0 means the end. (`std` goes through the C library,
/// which prepares for thread cancellation on each call: twice the user-space cost.)
///
/// # Errors
/// As `recv(2)` reports them.
#[inline]
pub fn receive(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, buffer, RecvFlags::empty())?.0)
}

/// Discards what is available on a TCP socket, up to the size of `room`; 0 means the end. Linux then copies
/// nothing and leaves `room` untouched (`MSG_TRUNC` in tcp(7)).
///
/// # Errors
/// As `recv(2)` reports them.
pub fn discard(socket: &TcpStream, room: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, room, RecvFlags::TRUNC)?.0)
}

/// Writes as much of `bytes` as the kernel accepts; a closed peer causes an error and no signal.
///
/// # Errors
/// As `send(2)` reports them.
#[inline]
pub fn transmit(socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)?)
}

/// Waits until the socket is writable or has failed; returns false if `timeout` expires first.
///
/// # Errors
/// As `poll(2)` reports them. An interruption returns false.
pub fn wait_writable(socket: &TcpStream, timeout: Duration) -> io::Result<bool> {
    let mut polled = [PollFd::new(socket, PollFlags::OUT)];
    match rustix::event::poll(&mut polled, Some(&timespec(timeout))) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A request of up to this length fits in one segment: the minimum MTU of IPv6 (1,280), minus headers with
/// options and TLS record overhead. One segment is received completely or not at all.
pub const ONE_SEGMENT_BYTES: usize = 1_152;

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not known yet.
    Open,
    /// The peer closed, or the connection ended and the fate of the last bytes sent is unknown.
    Ended,
    /// The peer had closed before it received the last bytes sent: its kernel refused them.
    Refused,
}

/// Checks whether the peer has closed a nonblocking connection; anything else that arrives is discarded, up
/// to `room` at a time. With `asks`, this side then closes as well, so that the peer's kernel responds to
/// the last bytes sent: with a reset if its socket was already closed, otherwise with an acknowledgement.
///
/// The kernel keeps a reset after a FIN as the socket's error, while the read reports a reset without a
/// FIN; an ended connection no longer has a peer name (tcp_reset, tcp_recvmsg and inet_getname in Linux).
pub fn fate(socket: &TcpStream, room: &mut [u8], asks: bool) -> Fate {
    for _ in 0..MOST_DISCARDS {
        match receive(socket, room) {
            Ok(0) if asks => {
                let _ = socket.shutdown(std::net::Shutdown::Write);
                let is_over = socket.peer_addr().is_err();
                return match socket.take_error() {
                    Ok(None) if is_over => Fate::Ended,
                    Ok(None) => Fate::Open,
                    _ => Fate::Refused,
                };
            }
            Ok(0) => return Fate::Ended,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Fate::Open,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Fate::Ended,
        }
    }
    Fate::Ended
}

/// Maximum reads from a connection that should have ended.
const MOST_DISCARDS: usize = 4;

/// Whether the connection can carry another request: the peer has not closed it, and nothing is unread.
pub fn is_quiet(socket: &TcpStream) -> bool {
    let mut byte = [0u8; 1];
    let peeked = rustix::net::recv(socket, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    matches!(peeked, Err(Errno::AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = start_connect(listener.local_addr().unwrap()).unwrap();
        let far = listener.accept().unwrap().0;
        assert!(wait_writable(&near, Duration::from_secs(5)).unwrap());
        assert!(near.take_error().unwrap().is_none());
        (near, far)
    }

    #[test]
    fn a_connection_is_quiet_until_bytes_or_the_end_arrive() {
        let (near, mut far) = pair();
        assert!(is_quiet(&near));
        far.write_all(b"x").unwrap();
        near.set_nonblocking(false).unwrap();
        near.peek(&mut [0]).unwrap();
        assert!(!is_quiet(&near));
    }

    #[test]
    fn a_closed_connection_is_not_quiet() {
        let (near, far) = pair();
        drop(far);
        near.set_nonblocking(false).unwrap();
        near.peek(&mut [0]).unwrap();
        assert!(!is_quiet(&near));
    }

    #[test]
    fn discarded_bytes_are_gone_and_never_copied() {
        let (near, mut far) = pair();
        far.write_all(b"body and more").unwrap();
        near.set_nonblocking(false).unwrap();
        near.peek(&mut [0]).unwrap();
        let mut room = [b'-'; 9];
        assert_eq!(discard(&near, &mut room).unwrap(), 9);
        assert_eq!(room, [b'-'; 9]);
        let mut rest = [0; 9];
        assert_eq!((receive(&near, &mut rest).unwrap(), &rest[..4]), (4, &b"more"[..]));
        drop(far);
        assert_eq!(discard(&near, &mut room).unwrap(), 0, "the end");
    }

    #[test]
    fn a_connect_to_a_unix_socket_waits_for_room_in_the_queue_but_not_long() {
        let path = std::env::temp_dir().join(format!("floodgate-queue-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
                .unwrap();
        rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let first = connect_unix(&path).unwrap();
        // The queue has room for one connection.
        let full = connect_unix(&path).map(|_| ()).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        let far = rustix::net::accept(&listener).unwrap();
        assert!(connect_unix(&path).is_ok());
        assert_eq!(transmit(&first, b"x").unwrap(), 1);
        assert_eq!(rustix::net::recv(&far, &mut [0u8; 9][..], RecvFlags::empty()).unwrap().0, 1);
        assert!(receive(&first, &mut [0]).is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_refused_connect_is_reported_by_the_socket_or_at_once() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        if let Ok(socket) = start_connect(free) {
            assert!(wait_writable(&socket, Duration::from_secs(5)).unwrap());
            assert!(socket.take_error().unwrap().is_some());
        }
    }
}
