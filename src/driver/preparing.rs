//! Getting ready on a thread of its own, so that the control thread hears a STOP and the end of its process meanwhile.

use super::prepare::{ClientSettings, Prepared, prepare};
use super::session::Assignment;
use crate::http::StopFlag;
use crate::threads::{self, Thread};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// A preparation under way.
pub struct Preparing {
    stop: StopFlag,
    result: Receiver<Result<Prepared, String>>,
    thread: Thread,
}

impl Preparing {
    /// Begins to prepare.
    ///
    /// # Errors
    /// Where there is no thread for it.
    pub fn start(assignment: Assignment, settings: ClientSettings) -> Result<Preparing, String> {
        let (stop, (out, result)) = (StopFlag::default(), crossbeam_channel::bounded(1));
        let (its_stop, broken) = (stop.clone(), out.clone());
        let body = move || {
            // Who has given it up does not listen any more.
            let _ = out.send(prepare(assignment, &settings, its_stop));
        };
        let on_panic = move |what| {
            let _ = broken.send(Err(what));
        };
        let thread = threads::spawn("prepare", body, on_panic)?;
        Ok(Preparing { stop, result, thread })
    }

    /// What came of it, once it is there; waits for that `patience` at the most.
    pub fn result(&self, patience: Duration) -> Option<Result<Prepared, String>> {
        match self.result.recv_timeout(patience) {
            Ok(result) => Some(result),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err("getting ready failed: see the log".to_owned())),
        }
    }

    /// Gives it up and waits for its end: that comes at once where connections are being opened, else with the end of
    /// the look-up (5 s at the most) or the wait for `/metrics` (2 s) that is under way.
    pub fn cancel(self) {
        self.stop.stop();
        self.join();
    }

    /// Waits for its end.
    pub fn join(self) {
        self.thread.join();
    }
}
