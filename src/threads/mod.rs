//! Threads whose panics are reported: logged with the thread's name and passed to a callback.

mod stop;

use crate::clock;
use crate::units::clip;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
pub use stop::StopFlag;

/// Interval between two checks of a thread being joined.
const LOOK: Duration = Duration::from_millis(10);
/// Maximum length of a reported panic message, in characters.
const MAX_CHARS: usize = 300;

/// A running thread.
#[derive(Debug)]
pub struct Thread(JoinHandle<()>);

/// Starts a thread. If `body` panics, `on_panic` is called on the same thread with a description.
///
/// # Errors
/// The system cannot start another thread.
pub fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
    on_panic: impl FnOnce(String) + Send + 'static,
) -> Result<Thread, String> {
    let own_name = name.to_owned();
    // State left inconsistent by a panic is only used again behind locks, whose users handle poisoning.
    let guarded = move || {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
            let what = format!("thread {own_name} panicked: {}", words(payload.as_ref()));
            log::error!("{what}");
            on_panic(what);
        }
    };
    let started = Builder::new().name(name.to_owned()).spawn(guarded);
    started.map(Thread).map_err(|e| format!("cannot start thread {name}: {}", why_not(&e)))
}

/// Why the system started no thread, and what to do: it has one error for a limit of threads and for too
/// little memory for the stack.
pub fn why_not(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock => format!(
            "{error}: raise the limit of threads (ulimit -u, TasksMax= of systemd, pids.max of the container) \
             or of memory"
        ),
        _ => error.to_string(),
    }
}

impl Thread {
    /// Waits until it ends.
    pub fn join(self) {
        // A panic has already been reported.
        let _ = self.0.join();
    }

    /// Waits until it ends, but at most `patience`; returns whether it ended.
    pub fn join_within(self, patience: Duration) -> bool {
        let deadline_ns = clock::deadline(patience);
        while !self.0.is_finished() {
            if clock::now_ns() >= deadline_ns {
                return false;
            }
            clock::sleep(LOOK);
        }
        self.join();
        true
    }
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    clip(text.unwrap_or("no message"), MAX_CHARS)
}

/// Why a role cannot continue. Clones share it; the first reason is kept.
#[derive(Clone, Debug, Default)]
pub struct Failure(Arc<OnceLock<String>>);

impl Failure {
    /// Sets the reason unless there is one; returns whether it was set.
    pub fn set(&self, why: String) -> bool {
        self.0.set(why).is_ok()
    }

    /// The reason, if any.
    pub fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;

    #[test]
    fn a_panic_is_reported_with_its_message_and_thread() {
        let cases: [(fn(), &str); 3] = [
            (|| panic!("at once"), "thread t7 panicked: at once"),
            (|| panic!("{}", "ab\n".repeat(500)), "thread t7 panicked: ab\\nab"),
            (|| std::panic::panic_any(7), "thread t7 panicked: no message"),
        ];
        for (body, words) in cases {
            let (tell, told) = bounded(1);
            spawn("t7", body, move |what| tell.send(what).expect("waits")).expect("starts").join();
            let what = told.recv().expect("told");
            assert!(what.starts_with(words) && what.len() < 600, "{what}");
        }
    }

    #[test]
    fn a_normal_end_reports_nothing_and_joins_are_bounded() {
        let (go, gone) = bounded::<()>(1);
        let quiet = |what: String| unreachable!("{what}");
        let body = move || {
            let _ = gone.recv();
        };
        let stuck = spawn("stuck", body, quiet).expect("starts");
        assert!(!stuck.join_within(Duration::from_millis(30)));
        drop(go);
        assert!(spawn("quick", || {}, quiet).expect("starts").join_within(Duration::from_secs(20)));
    }

    #[test]
    fn a_host_without_threads_says_which_limits_to_raise() {
        let text = why_not(&io::Error::from_raw_os_error(11));
        assert!(text.contains("os error 11") && text.contains("ulimit -u"), "{text}");
        assert_eq!(why_not(&io::ErrorKind::InvalidInput.into()), "invalid input parameter");
    }

    #[test]
    fn the_first_failure_is_kept() {
        let failure = Failure::default();
        assert_eq!(failure.get(), None);
        assert!(failure.clone().set("one".to_owned()) && !failure.set("two".to_owned()));
        assert_eq!(failure.get(), Some("one"));
    }
}
