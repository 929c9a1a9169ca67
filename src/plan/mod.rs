//! What to send, how fast, how much.
pub mod request;
