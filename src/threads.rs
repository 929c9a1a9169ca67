//! Threads whose panic is noticed: it is logged with the thread's name, and somebody is told.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::clock;
use crate::units::clip;

/// Between two looks at a thread that is waited for.
const LOOK: Duration = Duration::from_millis(10);
/// Most of a panic's text that is told, in characters.
const MAX_CHARS: usize = 300;

/// A running thread.
#[derive(Debug)]
pub struct Thread(JoinHandle<()>);

/// Starts a thread. If `body` panics, `on_panic` is called on the same thread with what happened, in words.
///
/// # Errors
/// The system has no thread left.
pub fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
    on_panic: impl FnOnce(String) + Send + 'static,
) -> Result<Thread, String> {
    let own_name = name.to_owned();
    // What a panic left halfway is not used again but behind locks, whose users know of it.
    let guarded = move || {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
            let what = format!("thread {own_name} panicked: {}", words(payload.as_ref()));
            log::error!("{what}");
            on_panic(what);
        }
    };
    let started = Builder::new().name(name.to_owned()).spawn(guarded);
    started.map(Thread).map_err(|e| format!("thread {name} cannot be started: {e}"))
}

impl Thread {
    /// Waits for its end.
    pub fn join(self) {
        // Its panic, if there was one, has been told.
        let _ = self.0.join();
    }

    /// Waits for its end, but no longer than `patience`; whether it came.
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
    clip(text.unwrap_or("without words"), MAX_CHARS)
}

/// Why a role cannot go on; clones share it, and the first reason stays.
#[derive(Clone, Debug, Default)]
pub struct Failure(Arc<OnceLock<String>>);

impl Failure {
    /// Notes a reason; whether it is the first.
    pub fn set(&self, why: String) -> bool {
        self.0.set(why).is_ok()
    }

    /// The reason, if there is one.
    pub fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;

    #[test]
    fn a_panic_is_told_with_its_words_and_its_thread() {
        let cases: [(fn(), &str); 3] = [
            (|| panic!("at once"), "thread t7 panicked: at once"),
            (|| panic!("{}", "ab\n".repeat(500)), "thread t7 panicked: ab\\nab"),
            (|| std::panic::panic_any(7), "thread t7 panicked: without words"),
        ];
        for (body, words) in cases {
            let (tell, told) = bounded(1);
            spawn("t7", body, move |what| tell.send(what).expect("waits")).expect("starts").join();
            let what = told.recv().expect("told");
            assert!(what.starts_with(words) && what.len() < 600, "{what}");
        }
    }

    #[test]
    fn who_ends_in_order_tells_nothing_and_is_waited_for_within_bounds() {
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
    fn the_first_failure_stays() {
        let failure = Failure::default();
        assert_eq!(failure.get(), None);
        assert!(failure.clone().set("one".to_owned()) && !failure.set("two".to_owned()));
        assert_eq!(failure.get(), Some("one"));
    }
}
