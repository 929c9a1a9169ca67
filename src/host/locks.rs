//! Locks that a process holds on a file or folder until it ends, however it ends.

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::File;

/// What an attempt to lock found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// It is locked until the file is closed.
    Taken,
    /// Another process holds it.
    Held,
    /// The file system has no locks.
    Unknown,
}

/// Locks an open file or folder for this process, without waiting.
pub fn try_lock(file: &File) -> Lock {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Lock::Taken,
        Err(Errno::WOULDBLOCK) => Lock::Held,
        Err(_) => Lock::Unknown,
    }
}
