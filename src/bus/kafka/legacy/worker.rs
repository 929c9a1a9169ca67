//! A thread that adds deadlines to calls without them.
//!
//! The crate `kafka` connects without a timeout and waits up to 120 s for a response. So its calls run on a
//! worker thread, and the caller waits for the result until its deadline. A late call keeps the worker busy,
//! and the next call waits for it first, which preserves the order. A worker that is stuck for long is
//! abandoned and replaced.

use crate::bus::BusError;
use crate::clock::{self, NS_PER_S};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::thread::{self, JoinHandle};

/// How long a call may block its worker before it is replaced. At most 120 s / 10 s workers are abandoned.
const STUCK_NS: u64 = 10 * NS_PER_S;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A thread that owns a state `S`.
pub struct Worker<S> {
    name: &'static str,
    /// The cluster, for messages.
    whom: String,
    jobs: Option<Sender<Job<S>>>,
    done: Option<Receiver<()>>,
    thread: Option<JoinHandle<()>>,
    busy_since_ns: Option<u64>,
}

impl<S: Default + 'static> Worker<S> {
    /// Starts its thread on the first call.
    pub fn new(name: &'static str, whom: String) -> Self {
        Worker { name, whom, jobs: None, done: None, thread: None, busy_since_ns: None }
    }

    /// Runs `job` on the thread and waits for its result until the deadline.
    pub fn run<T: Send + 'static>(
        &mut self,
        deadline_ns: u64,
        job: impl FnOnce(&mut S) -> Result<T, BusError> + Send + 'static,
    ) -> Result<T, BusError> {
        self.wait_for_earlier(deadline_ns)?;
        let jobs = self.started()?;
        let (reply, result) = bounded(1);
        let boxed: Job<S> = Box::new(move |state| {
            let _ = reply.send(job(state));
        });
        if jobs.send(boxed).is_err() {
            return Err(self.died());
        }
        self.busy_since_ns = Some(clock::now_ns());
        match result.recv_timeout(clock::until(deadline_ns)) {
            Ok(result) => {
                self.wait_for_earlier(u64::MAX)?;
                result
            }
            Err(RecvTimeoutError::Timeout) => Err(self.hangs()),
            Err(RecvTimeoutError::Disconnected) => Err(self.died()),
        }
    }

    fn wait_for_earlier(&mut self, deadline_ns: u64) -> Result<(), BusError> {
        let (Some(since_ns), Some(done)) = (self.busy_since_ns, &self.done) else { return Ok(()) };
        let stuck_ns = since_ns.saturating_add(STUCK_NS).min(deadline_ns);
        match done.recv_timeout(clock::until(stuck_ns)) {
            Ok(()) => {
                self.busy_since_ns = None;
                Ok(())
            }
            Err(RecvTimeoutError::Timeout) if clock::now_ns() < since_ns.saturating_add(STUCK_NS) => {
                Err(self.hangs())
            }
            Err(RecvTimeoutError::Timeout) => {
                self.abandon();
                Ok(())
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.died()),
        }
    }

    fn started(&mut self) -> Result<Sender<Job<S>>, BusError> {
        if let Some(jobs) = &self.jobs {
            return Ok(jobs.clone());
        }
        let (jobs, queue) = bounded::<Job<S>>(1);
        let (finished, done) = bounded(1);
        let body = move || {
            let mut state = S::default();
            for job in queue {
                job(&mut state);
                if finished.send(()).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name(self.name.to_string()).spawn(body);
        let thread = thread
            .map_err(|e| BusError::Unavailable(format!("cannot start a thread for the Kafka client: {e}")))?;
        self.jobs = Some(jobs.clone());
        self.done = Some(done);
        self.thread = Some(thread);
        self.busy_since_ns = None;
        Ok(jobs)
    }

    fn fresh(&self) -> Self {
        Worker::new(self.name, self.whom.clone())
    }

    fn abandon(&mut self) {
        *self = self.fresh();
    }

    fn hangs(&self) -> BusError {
        BusError::Unavailable(format!("{} does not answer in time: is a broker hung?", self.whom))
    }

    fn died(&mut self) -> BusError {
        self.abandon();
        BusError::Unavailable(
            "the legacy Kafka client panicked on a response that it could not read".to_string(),
        )
    }
}

impl<S> Drop for Worker<S> {
    fn drop(&mut self) {
        self.jobs = None;
        // A worker in the middle of a call ends later by itself; waiting here could take two minutes.
        if let (Some(thread), None) = (self.thread.take(), self.busy_since_ns) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> u64 {
        clock::now_ns() + 5 * NS_PER_S
    }

    #[test]
    fn calls_share_the_state_in_order() {
        let mut worker = Worker::<Vec<u32>>::new("test", "kafka".to_string());
        for n in 0..3 {
            let count = worker.run(soon(), move |seen| {
                seen.push(n);
                Ok(seen.len())
            });
            assert_eq!(count, Ok(n as usize + 1));
        }
    }

    #[test]
    fn a_slow_call_returns_at_its_deadline_and_the_next_one_waits_for_it() {
        let mut worker = Worker::<u32>::new("test", "kafka".to_string());
        let late = worker.run(clock::now_ns() + 20_000_000, |state| {
            clock::sleep(Duration::from_millis(300));
            *state += 1;
            Ok(())
        });
        assert!(matches!(late, Err(BusError::Unavailable(_))));
        assert!(worker.run(clock::now_ns() + 20_000_000, |_| Ok(())).is_err(), "still busy");
        assert_eq!(worker.run(soon(), |state| Ok(*state)), Ok(1));
    }

    #[test]
    fn a_panic_is_an_error_and_the_next_call_gets_a_new_thread() {
        let mut worker = Worker::<u32>::new("test", "kafka".to_string());
        let broken =
            worker.run(soon(), |_| -> Result<(), BusError> { panic!("as a malformed response may cause") });
        assert!(matches!(broken, Err(BusError::Unavailable(_))));
        assert_eq!(worker.run(soon(), |state| Ok(*state)), Ok(0));
    }
}
