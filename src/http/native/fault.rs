//! Why a response is refused.

/// What is wrong with a response, or which limit it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Anything that has no name of its own.
    Malformed,
    /// A head beyond [`crate::http::MAX_HEAD_BYTES`].
    Head,
    /// A head with more lines than [`crate::http::MAX_HEADERS`].
    Lines,
    /// A body beyond [`crate::http::MAX_BODY_BYTES`].
    Body,
    /// Too many interim responses.
    Interim,
    /// `101 Switching Protocols`.
    Upgrade,
}

impl Fault {
    /// The same for a reader.
    pub fn words(self) -> &'static str {
        match self {
            Fault::Malformed => "the response is not well-formed HTTP/1.1",
            Fault::Head => "a response head of more than 65,536 bytes",
            Fault::Lines => "a response head of more than 256 lines",
            Fault::Body => "a response body of more than 1 GiB",
            Fault::Interim => "more than 32 interim responses",
            Fault::Upgrade => "the server switched to another protocol (101)",
        }
    }
}
