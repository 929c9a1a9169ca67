//! Listening sockets: what `std` has no word for.

use rustix::net::sockopt::{
    Timeout, set_socket_keepalive, set_socket_linger, set_socket_timeout, set_tcp_nodelay,
};
use rustix::net::{Shutdown, listen, shutdown};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Lets `backlog` connections wait, and makes accepted ones give up a peer that does not read within
/// `send_timeout`, or that is gone. Linux hands these settings on to accepted connections; where one cannot be
/// set, the listener still works.
pub fn prepare(listener: &TcpListener, backlog: i32, send_timeout: Duration) {
    let _ = listen(listener, backlog);
    let _ = set_socket_timeout(listener, Timeout::Send, Some(send_timeout));
    let _ = set_socket_keepalive(listener, true);
    let _ = set_tcp_nodelay(listener, true);
}

/// Ends the listening state for every copy of the socket.
pub fn end(listener: &TcpListener) {
    let _ = shutdown(listener, Shutdown::Read);
}

/// Makes the connection be reset when it is dropped, so that none of its closed halves linger.
pub fn reset_on_drop(stream: &TcpStream) {
    let _ = set_socket_linger(stream, Some(Duration::ZERO));
}
