//! What is read of a test before its plan: the topics are read independently.

use crate::message::{End, Trigger, encode};
use crate::orchestrator::aggregate::Report;
use std::collections::VecDeque;

/// Maximum number of messages kept.
pub(super) const MAX_EARLY: usize = 256;
/// Maximum memory of all of them, roughly. A record of a few kilobytes may hold histograms of megabytes.
pub(super) const MAX_EARLY_BYTES: usize = 4 << 20;

/// A message about a test that is not known yet.
#[derive(Debug)]
pub(super) enum Early {
    Report(Box<Report>, Option<i64>),
    Trigger(Trigger, Option<i64>),
    Index(Box<End>),
    End(Box<End>),
}

impl Early {
    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        match self {
            Early::Report(report, _) => report.bytes(),
            Early::Trigger(trigger, _) => encode(trigger).len(),
            Early::Index(end) | Early::End(end) => encode(end).len(),
        }
    }
}

/// The newest of these messages.
#[derive(Debug, Default)]
pub(super) struct Earlies {
    /// Each with the id of its test and its size.
    kept: VecDeque<(String, usize, Early)>,
    bytes: usize,
}

impl Earlies {
    /// Keeps a message and drops the oldest ones that there is no room for.
    pub fn keep(&mut self, test_id: &str, message: Early) {
        let bytes = test_id.len() + message.bytes();
        if bytes > MAX_EARLY_BYTES {
            return;
        }
        while self.kept.len() >= MAX_EARLY || self.bytes + bytes > MAX_EARLY_BYTES {
            let Some((_, dropped, _)) = self.kept.pop_front() else { break };
            self.bytes -= dropped;
        }
        self.bytes += bytes;
        self.kept.push_back((test_id.to_owned(), bytes, message));
    }

    /// Removes and returns what is known of a test, in the order in which it was read.
    pub fn take(&mut self, test_id: &str) -> Vec<Early> {
        let kept = std::mem::take(&mut self.kept).into_iter();
        let (own, others): (VecDeque<_>, _) = kept.partition(|(id, ..)| id == test_id);
        self.kept = others;
        self.bytes -= own.iter().map(|(_, bytes, _)| bytes).sum::<usize>();
        own.into_iter().map(|(.., message)| message).collect()
    }

    #[cfg(test)]
    pub fn size(&self) -> (usize, usize) {
        (self.kept.len(), self.bytes)
    }
}
