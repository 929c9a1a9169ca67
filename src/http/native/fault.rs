//! Why a response was rejected.

/// What is wrong with a response, or which limit it exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Anything not listed below.
    Malformed,
    /// A TLS alert in reply to plain HTTP.
    Tls,
    /// A head larger than [`crate::http::MAX_HEAD_BYTES`].
    Head,
    /// A head with more than [`crate::http::MAX_HEADERS`] lines.
    Lines,
    /// A body larger than [`crate::http::MAX_BODY_BYTES`].
    Body,
    /// Too many interim responses.
    Interim,
    /// `101 Switching Protocols`.
    Upgrade,
}

impl Fault {
    /// What bytes that do not parse are. A TLS record begins with its type, 21 for an alert, and version 3.
    pub fn of_unreadable(bytes: &[u8]) -> Fault {
        if bytes.starts_with(&[21, 3]) { Fault::Tls } else { Fault::Malformed }
    }

    /// The fault as text.
    pub fn words(self) -> &'static str {
        match self {
            Fault::Malformed => "malformed HTTP/1.1 response",
            Fault::Tls => "the server's reply is a TLS alert; this port may expect https",
            Fault::Head => "the response head is larger than 65,536 bytes",
            Fault::Lines => "the response head has more than 256 lines",
            Fault::Body => "the response body is larger than 1 GiB",
            Fault::Interim => "the server sent more than 32 interim responses",
            Fault::Upgrade => "the server switched to another protocol (101)",
        }
    }
}
