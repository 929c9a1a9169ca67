//! Programs of the original protocol: what they write is read, and what they read is written.

mod api;
mod fleet;
mod messages;
