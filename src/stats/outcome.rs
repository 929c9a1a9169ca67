//! How a request ended: a status, or one of a few kinds of error. Countable data, never a string.

use serde::{Deserialize, Serialize};

/// What went wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// No TCP connection: refused, unreachable, or no free local port.
    Connect,
    /// The host name has no address.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// The response was not complete in time.
    Timeout,
    /// The server closed the connection before the response was complete.
    Closed,
    /// The response is not HTTP, or exceeds a limit.
    Protocol,
    /// Given up because the test was stopped.
    Aborted,
}

impl ErrorKind {
    /// All kinds, in the order of their discriminants.
    pub const ALL: [ErrorKind; 7] = [
        ErrorKind::Connect,
        ErrorKind::Dns,
        ErrorKind::Tls,
        ErrorKind::Timeout,
        ErrorKind::Closed,
        ErrorKind::Protocol,
        ErrorKind::Aborted,
    ];

    /// The name in messages and results.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Connect => "connect",
            ErrorKind::Dns => "dns",
            ErrorKind::Tls => "tls",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Closed => "closed",
            ErrorKind::Protocol => "protocol",
            ErrorKind::Aborted => "aborted",
        }
    }

    /// Whether the request failed before a connection was established, so that nothing reached a server.
    pub fn is_before_send(self) -> bool {
        matches!(self, ErrorKind::Connect | ErrorKind::Dns | ErrorKind::Tls)
    }
}

/// How one request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A complete response with this status; any status is data, not an error.
    Status(u16),
    /// No complete response.
    Error(ErrorKind),
}
