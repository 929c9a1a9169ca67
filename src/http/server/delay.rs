//! Responses that are due later: one thread writes them all, however many wait.

use super::{Response, exchange};
use crate::clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Held responses at one time; more are written at once. Far more than connections, which hold one each.
const MAX_HELD: usize = 100_000;

type Held = (&'static str, tiny_http::Request, Response);

#[derive(Default)]
struct State {
    /// By the moment they are due (ns), then in the order in which they came.
    waiting: BTreeMap<(u64, u64), Held>,
    count: u64,
    stopping: bool,
    thread: Option<JoinHandle<()>>,
}

/// The responses that wait, and the thread that writes them; it starts with the first one.
#[derive(Clone, Default)]
pub(super) struct Delayer(Arc<(Mutex<State>, Condvar)>);

impl Delayer {
    /// Has `response` written when its hold is over; at once where the server stops or too many wait.
    pub(super) fn hold(&self, name: &'static str, request: tiny_http::Request, response: Response) {
        let due_ns = clock::now_ns().saturating_add(clock::to_ns(response.hold));
        let mut state = self.lock();
        if state.thread.is_none() && !state.stopping {
            let theirs = self.clone();
            let builder = std::thread::Builder::new().name("http-held".to_owned()).stack_size(256 * 1024);
            state.thread = builder.spawn(move || theirs.run()).ok();
        }
        if state.stopping || state.thread.is_none() || state.waiting.len() >= MAX_HELD {
            drop(state);
            return exchange::send(name, request, response);
        }
        let key = (due_ns, state.count);
        state.count += 1;
        let is_next = state.waiting.first_key_value().is_none_or(|(first, _)| key < *first);
        state.waiting.insert(key, (name, request, response));
        drop(state);
        if is_next {
            self.0.1.notify_one();
        }
    }

    /// Writes everything that waits at once and joins the thread.
    pub(super) fn shutdown(&self) {
        let thread = {
            let mut state = self.lock();
            state.stopping = true;
            state.thread.take()
        };
        self.0.1.notify_all();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        while let Some((name, request, response)) = self.next() {
            exchange::send(name, request, response);
        }
    }

    /// Waits for the next response that is due; none when the server stops and nothing waits.
    fn next(&self) -> Option<Held> {
        let mut state = self.lock();
        loop {
            let now_ns = clock::now_ns();
            match state.waiting.first_key_value().map(|(key, _)| *key) {
                Some((due_ns, _)) if due_ns <= now_ns || state.stopping => {
                    return state.waiting.pop_first().map(|(_, held)| held);
                }
                Some((due_ns, _)) => {
                    let left = clock::until(due_ns);
                    let woken = self.0.1.wait_timeout(state, left);
                    state = woken.map_or_else(|e| e.into_inner().0, |(state, _)| state);
                }
                None if state.stopping => return None,
                None => state = self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}
