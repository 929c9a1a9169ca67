//! Listening sockets: what `std` has no word for.

use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_keepalive, set_socket_linger, set_tcp_nodelay};
use rustix::net::{SocketFlags, accept_with, listen};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Lets `backlog` connections wait, does not block, and has accepted connections notice a peer that is gone. Linux hands
/// these settings on to accepted connections; where one cannot be set, the listener still works.
///
/// # Errors
/// Where the listener cannot be made nonblocking.
pub fn prepare(listener: &TcpListener, backlog: i32) -> io::Result<()> {
    let _ = listen(listener, backlog);
    let _ = set_socket_keepalive(listener, true);
    let _ = set_tcp_nodelay(listener, true);
    listener.set_nonblocking(true)
}

/// Takes the next connection, which does not block either.
///
/// # Errors
/// As `accept(2)` has them; [`io::ErrorKind::WouldBlock`] if none waits.
pub fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    Ok(accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?.into())
}

/// Whether an error of [`accept`] means that descriptors or memory are used up, not that one connection failed.
pub fn is_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// Makes the connection be reset when it is dropped, so that none of its closed halves linger.
pub fn reset_on_drop(stream: &TcpStream) {
    let _ = set_socket_linger(stream, Some(Duration::ZERO));
}
