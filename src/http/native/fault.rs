//! Why a response was rejected.

/// What is wrong with a response, or which limit it exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Anything not listed below.
    Malformed,
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
    /// The fault as text.
    pub fn words(self) -> &'static str {
        match self {
            Fault::Malformed => "malformed HTTP/1.1 response",
            Fault::Head => "the response head is larger than 65,536 bytes",
            Fault::Lines => "the response head has more than 256 lines",
            Fault::Body => "the response body is larger than 1 GiB",
            Fault::Interim => "the server sent more than 32 interim responses",
            Fault::Upgrade => "the server switched to another protocol (101)",
        }
    }
}
