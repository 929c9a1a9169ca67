//! Preparation on a separate thread, so that the control thread can still react to a STOP and to shutdown.

use super::prepare::{ClientSettings, Prepared, prepare};
use super::session::Assignment;
use crate::threads::StopFlag;
use crate::threads::{self, Thread};
use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use std::collections::VecDeque;
use std::time::Duration;

/// Maximum number of cancelled preparations that have not ended.
const MAX_CANCELLED: usize = 8;

/// A preparation in progress.
pub struct Preparing {
    stop: StopFlag,
    result: Receiver<Result<Prepared, String>>,
    thread: Thread,
}

impl Preparing {
    /// Starts to prepare.
    ///
    /// # Errors
    /// If its thread cannot be started.
    pub fn start(assignment: Assignment, settings: ClientSettings) -> Result<Preparing, String> {
        let (stop, (out, result)) = (StopFlag::default(), crossbeam_channel::bounded(1));
        let (its_stop, broken) = (stop.clone(), out.clone());
        let body = move || {
            // Nobody receives the result of a cancelled preparation.
            let _ = out.send(prepare(assignment, &settings, its_stop));
        };
        let on_panic = move |what| {
            let _ = broken.send(Err(what));
        };
        let thread = threads::spawn("prepare", body, on_panic)?;
        Ok(Preparing { stop, result, thread })
    }

    /// The outcome, once available; waits at most `patience` for it.
    pub fn result(&self, patience: Duration) -> Option<Result<Prepared, String>> {
        match self.result.recv_timeout(patience) {
            Ok(result) => Some(result),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err("preparation failed: see the log".to_owned())),
        }
    }

    /// Cancels it without waiting. It ends at once while connections are being opened, else at the end of the
    /// current lookup (at most 5 s) or read of `/metrics` (at most 2 s).
    pub fn cancel(&self) {
        self.stop.stop();
    }

    /// Whether it has ended; loses its outcome.
    fn has_ended(&self) -> bool {
        !matches!(self.result.try_recv(), Err(TryRecvError::Empty))
    }

    /// Waits for its end.
    pub fn join(self) {
        self.thread.join();
    }
}

/// Cancelled preparations that have not ended yet. Nobody waits for them, unless there are too many.
#[derive(Default)]
pub struct Cancelled(VecDeque<Preparing>);

impl Cancelled {
    /// Cancels a preparation.
    pub fn add(&mut self, preparing: Preparing) {
        preparing.cancel();
        self.0.retain(|old| !old.has_ended());
        self.0.push_back(preparing);
        if self.0.len() > MAX_CANCELLED {
            self.0.pop_front().into_iter().for_each(Preparing::join);
        }
    }
}
