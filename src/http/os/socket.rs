//! TCP sockets: connects that can be waited for, and a look at what lies in a socket.

use super::poller::timespec;
use super::shortage;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Begins to connect a nonblocking socket without delay (`TCP_NODELAY`). It is connected, or has failed, when it
/// becomes writable; [`TcpStream::take_error`] then says which.
///
/// # Errors
/// Where the connect fails at once: no descriptor, no route, no local port left.
pub fn start_connect(address: SocketAddr) -> io::Result<TcpStream> {
    try_connect(address).inspect_err(|error| shortage::say(error, address))
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

/// Reads what there is, up to the size of `buffer`; 0 is the end. (`std` goes through the C library, which prepares for
/// the cancelling of threads around each call: twice the cost in user space.)
///
/// # Errors
/// As `recv(2)` has them.
#[inline]
pub fn receive(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, buffer, RecvFlags::empty())?.0)
}

/// Takes what there is off a TCP socket, up to the size of `room`, and throws it away; 0 is the end. Linux copies nothing
/// then and leaves `room` as it is (`MSG_TRUNC` in tcp(7)).
///
/// # Errors
/// As `recv(2)` has them.
pub fn discard(socket: &TcpStream, room: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, room, RecvFlags::TRUNC)?.0)
}

/// Writes as much of `bytes` as the kernel takes; where the peer is gone that is an error and no signal.
///
/// # Errors
/// As `send(2)` has them.
#[inline]
pub fn transmit(socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)?)
}

/// Waits until the socket is writable, has failed, or `timeout` is over: then false.
///
/// # Errors
/// As `poll(2)` has them; an interruption counts as nothing having happened.
pub fn wait_writable(socket: &TcpStream, timeout: Duration) -> io::Result<bool> {
    let mut polled = [PollFd::new(socket, PollFlags::OUT)];
    match rustix::event::poll(&mut polled, Some(&timespec(timeout))) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A request of this length leaves in one segment: the least MTU of IPv6 (1,280), less headers with options and a TLS
/// record's own bytes. What is one segment is received as a whole or not at all.
pub const ONE_SEGMENT_BYTES: usize = 1_152;

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not known yet.
    Open,
    /// The peer closed, or it has ended without anything being known of what was sent last.
    Ended,
    /// The peer had closed before it received what was sent last: its kernel refused that.
    Refused,
}

/// Looks whether the peer has closed a nonblocking connection; what else arrives is thrown away, `room` at a time. With
/// `asks`, this side is then closed as well, so that the peer's kernel answers to what was sent last: by a reset where
/// its socket had been closed before, by an acknowledgement of everything otherwise.
///
/// The kernel keeps a reset behind a FIN as the socket's error, and one without a FIN comes out of the read; an
/// ended connection has no peer name any more (tcp_reset, tcp_recvmsg and inet_getname of Linux).
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

/// Reads of a connection that should have ended.
const MOST_DISCARDS: usize = 4;

/// Whether the peer neither closed the connection nor sent anything that was not read: fit for another request.
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
    fn what_is_discarded_is_gone_and_was_never_copied() {
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
    fn a_refused_connect_is_told_by_the_socket_or_at_once() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        if let Ok(socket) = start_connect(free) {
            assert!(wait_writable(&socket, Duration::from_secs(5)).unwrap());
            assert!(socket.take_error().unwrap().is_some());
        }
    }
}
