//! The data waiting to be written to one connection, and the counters to increment afterwards.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes in order, with the counters of their responses.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    at: usize,
    /// Total bytes written on the connection.
    written: u64,
    /// Where each response ends, on the same scale.
    ends: VecDeque<(u64, Arc<AtomicU64>)>,
}

impl Outbox {
    /// Adds one response. `counter` is incremented when its last byte is written.
    pub fn push(&mut self, bytes: Vec<u8>, counter: Option<Arc<AtomicU64>>) {
        if self.is_empty() {
            (self.bytes, self.at) = (bytes, 0);
        } else {
            self.bytes.extend_from_slice(&bytes);
        }
        let end = self.written + self.left().len() as u64;
        self.ends.extend(counter.map(|counter| (end, counter)));
    }

    /// The bytes to write.
    pub fn left(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Records that `count` bytes of [`Outbox::left`] were written.
    pub fn wrote(&mut self, count: usize) {
        self.at += count;
        self.written += count as u64;
        while let Some((end, counter)) = self.ends.front()
            && *end <= self.written
        {
            counter.fetch_add(1, Ordering::SeqCst);
            self.ends.pop_front();
        }
        if self.is_empty() {
            (self.bytes, self.at) = (Vec::new(), 0);
        }
    }

    /// Memory used, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_counts_when_its_last_byte_is_written() {
        let counter = Arc::new(AtomicU64::new(0));
        let mut outbox = Outbox::default();
        outbox.push(b"first".to_vec(), Some(Arc::clone(&counter)));
        outbox.push(b"--".to_vec(), None);
        outbox.push(b"second".to_vec(), Some(Arc::clone(&counter)));
        let counts: Vec<u64> = [4, 1, 7, 1]
            .map(|count| {
                outbox.wrote(count);
                counter.load(Ordering::SeqCst)
            })
            .to_vec();
        assert_eq!(counts, [0, 1, 1, 2]);
        assert!(outbox.is_empty() && outbox.held_bytes() == 0);
    }
}
