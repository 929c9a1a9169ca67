//! Preparation on a separate thread, so that the control thread can still react to a STOP and to shutdown.

use super::prepare::{ClientSettings, Prepared, prepare};
use super::session::Assignment;
use crate::threads::StopFlag;
use crate::threads::{self, Thread};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::time::Duration;

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

    /// Cancels it and waits for its end: at once while connections are being opened, else at the end of the
    /// current lookup (at most 5 s) or read of `/metrics` (at most 2 s).
    pub fn cancel(self) {
        self.stop.stop();
        self.join();
    }

    /// Waits for its end.
    pub fn join(self) {
        self.thread.join();
    }
}
