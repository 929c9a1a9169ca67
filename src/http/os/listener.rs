//! Operations on listening sockets that `std` lacks.

use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_keepalive, set_socket_linger, set_tcp_nodelay};
use rustix::net::{SocketFlags, accept_with, listen};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Sets the backlog, nonblocking mode, and keepalive to detect dead peers. On Linux, accepted connections
/// inherit these settings. If one cannot be set, the listener still works.
///
/// # Errors
/// If the listener cannot be made nonblocking.
pub fn prepare(listener: &TcpListener, backlog: i32) -> io::Result<()> {
    let _ = listen(listener, backlog);
    let _ = set_socket_keepalive(listener, true);
    let _ = set_tcp_nodelay(listener, true);
    listener.set_nonblocking(true)
}

/// Accepts the next connection, also nonblocking.
///
/// # Errors
/// As `accept(2)` reports them; [`io::ErrorKind::WouldBlock`] if none is waiting.
pub fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    Ok(accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?.into())
}

/// Whether an error of [`accept`] means exhausted descriptors or memory, not one failed connection.
pub fn is_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// Makes dropping the connection reset it, so that no half-closed connection lingers.
pub fn reset_on_drop(stream: &TcpStream) {
    let _ = set_socket_linger(stream, Some(Duration::ZERO));
}
