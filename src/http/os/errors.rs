//! The errors of the system that connections meet, in words.

use crate::stats::causes::{NO_DESCRIPTOR, NO_PORT};
use rustix::io::Errno;
use std::io;

/// What an error means for a connection, where it is one of the usual ones.
pub fn words(error: &io::Error) -> Option<&'static str> {
    Some(match Errno::from_io_error(error)? {
        Errno::CONNREFUSED => "connection refused",
        Errno::TIMEDOUT => "no answer to the connect in time",
        Errno::NETUNREACH => "network unreachable",
        Errno::HOSTUNREACH => "host unreachable",
        Errno::ADDRNOTAVAIL => NO_PORT,
        Errno::MFILE | Errno::NFILE => NO_DESCRIPTOR,
        Errno::CONNRESET | Errno::PIPE => "the server reset the connection",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_host_lacks_and_what_the_server_does_are_told_apart() {
        let of = |errno: Errno| words(&errno.into());
        assert_eq!(of(Errno::CONNREFUSED), Some("connection refused"));
        assert_eq!(of(Errno::ADDRNOTAVAIL), Some("no free local port"));
        assert_eq!(of(Errno::MFILE), Some("no free file descriptor"));
        assert_eq!(of(Errno::NOENT), None);
    }
}
