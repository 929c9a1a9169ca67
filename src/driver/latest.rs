//! A channel of capacity one, in which a newer value replaces one that was not received yet.

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use std::time::Duration;

/// The writing end. Only one thread may write.
pub struct LatestSender<T> {
    sender: Sender<T>,
    receiver: Receiver<T>,
}

/// The reading end.
pub struct LatestReceiver<T>(Receiver<T>);

/// A new empty slot.
pub fn latest<T>() -> (LatestSender<T>, LatestReceiver<T>) {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    (LatestSender { sender, receiver: receiver.clone() }, LatestReceiver(receiver))
}

impl<T> LatestSender<T> {
    /// Stores `value`, replacing any previous one. Never blocks.
    pub fn put(&self, mut value: T) {
        while let Err(TrySendError::Full(back)) = self.sender.try_send(value) {
            let _ = self.receiver.try_recv();
            value = back;
        }
    }
}

/// The outcome of a wait on a slot.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<T> {
    /// The newest value.
    Value(T),
    /// The wait timed out.
    Nothing,
    /// The sender was dropped and the slot is empty.
    Closed,
}

impl<T> LatestReceiver<T> {
    /// Waits up to `timeout` for a value.
    pub fn take(&self, timeout: Duration) -> Taken<T> {
        match self.0.recv_timeout(timeout) {
            Ok(value) => Taken::Value(value),
            Err(RecvTimeoutError::Timeout) => Taken::Nothing,
            Err(RecvTimeoutError::Disconnected) => Taken::Closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_wins_and_the_end_is_seen() {
        let (sender, receiver) = latest();
        assert_eq!(receiver.take(Duration::ZERO), Taken::Nothing);
        (1..=3).for_each(|value| sender.put(value));
        assert_eq!(receiver.take(Duration::ZERO), Taken::Value(3));
        sender.put(4);
        drop(sender);
        assert_eq!(receiver.take(Duration::ZERO), Taken::Value(4));
        assert_eq!(receiver.take(Duration::ZERO), Taken::Closed);
    }
}
