//! The threads around the core: one reads the bus and keeps the time, one writes to the bus.

mod control;
mod reader;
mod writer;

use super::core::{Core, Decided};
use super::runs::Command;
use super::saving::{Before, Saving};
use super::{ApiError, Configured};
use crate::bus::{Appended, Bus, BusError, Connector, Topic};
use crate::clock;
use crate::threads::{self, Failure, Thread};
pub use control::Control;
use crossbeam_channel::{Sender, bounded};
pub use reader::Reached;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the core checks the time, and the longest wait of a read.
pub const TICK: Duration = Duration::from_millis(100);
/// Maximum number of records waiting to be written.
const MAX_QUEUED: usize = 64;

/// One record to write, and who is notified.
pub enum Job {
    /// For a test.
    Command(String, Command),
    /// For a waiting caller.
    Record(Topic, String, Vec<u8>, Sender<Result<Appended, BusError>>),
}

/// A caller that waits for the answer to its plan.
type Waiting = (String, Sender<Result<Configured, ApiError>>);

/// What all threads share.
pub struct Shared {
    core: Mutex<Core>,
    jobs: Sender<Job>,
    waiting: Mutex<Vec<Waiting>>,
    stopping: AtomicBool,
    failure: Failure,
    saving: Option<Arc<Saving>>,
}

impl Shared {
    /// The core. If a thread panicked while holding the lock, its partial state is still the best available.
    pub fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes a command to the writer. One that does not fit is immediately reported as not written.
    fn enqueue(&self, core: &mut Core, test_id: &str, command: Command) {
        if self.jobs.try_send(Job::Command(test_id.to_owned(), command.clone())).is_err() {
            let now = core.moment(clock::now_ns());
            let why = format!("{MAX_QUEUED} records are already waiting: Kafka accepts them too slowly");
            core.written(test_id, &command, Err(BusError::Unavailable(why)), now);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes answers to the callers that wait for them.
    fn answer(&self, decided: Vec<Decided>) {
        for (test_id, answer) in decided {
            let mut waiting = self.waiting();
            if let Some(index) = waiting.iter().position(|(id, _)| *id == test_id) {
                // The caller may have stopped waiting.
                let _ = waiting.swap_remove(index).1.try_send(answer);
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// The running threads.
pub struct Shell {
    shared: Arc<Shared>,
    threads: Vec<Thread>,
}

impl Shell {
    /// Connects, reads which tests there were during `history`, and starts the threads.
    pub fn start(
        connector: Arc<dyn Connector>,
        connect_timeout: Duration,
        history: Duration,
        saving: Option<Arc<Saving>>,
    ) -> Result<Shell, String> {
        let deadline_ns = clock::now_ns().saturating_add(clock::to_ns(connect_timeout));
        let away = |e: crate::bus::BusError| format!("{}: {e}", connector.describe());
        connector.prepare(connect_timeout).map_err(away)?;
        let (mut core, mut reading) = (Core::starting(), connector.open());
        let mut before = Before::new(saving.as_deref());
        let end = reader::join(&mut reading, &mut core, &mut before, history, deadline_ns).map_err(away)?;
        before.record(&core);
        if saving.is_some() {
            core.keep_finished();
        }
        let (jobs, queue) = bounded(MAX_QUEUED);
        let shared = Arc::new(Shared {
            core: Mutex::new(core),
            jobs,
            waiting: Mutex::new(Vec::new()),
            stopping: AtomicBool::new(false),
            failure: Failure::default(),
            saving,
        });
        let mut shell = Shell { shared, threads: Vec::new() };
        shell.spawn("orchestrator-read", move |shared| reader::run(shared, reading, end))?;
        let writing = connector.open();
        shell.spawn("orchestrator-write", move |shared| writer::run(shared, writing, &queue))?;
        Ok(shell)
    }

    /// A handle for other threads.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.shared))
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce(&Shared) + Send + 'static) -> Result<(), String> {
        let shared = Arc::clone(&self.shared);
        let failure = shared.failure.clone();
        let on_panic = move |what| {
            failure.set(what);
        };
        self.threads.push(threads::spawn(name, move || body(&shared), on_panic)?);
        Ok(())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // A test of another orchestrator goes on.
        let own = self.shared.core().own_test();
        if let Some(test_id) = own {
            let _ = self.control().stop(Some(&test_id), "the orchestrator shut down");
        }
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.threads.drain(..).for_each(Thread::join);
        if let Some(saving) = &self.shared.saving {
            saving.flush();
        }
    }
}

/// A handle on the bus that belongs to one thread.
type Handle = Box<dyn Bus>;
