//! The threads around the core: one reads the bus and keeps the time, one writes to the bus.

mod control;
mod reader;
mod writer;

use super::core::Core;
use super::runs::Command;
use crate::bus::{Appended, Bus, Connector, Start, Topic};
use crate::clock;
use crate::threads::{self, Failure, Thread};
pub use control::Control;
use crossbeam_channel::{Sender, bounded};
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
    Record(Topic, String, Vec<u8>, Sender<Result<Appended, String>>),
}

/// What all threads share.
pub struct Shared {
    core: Mutex<Core>,
    jobs: Sender<Job>,
    stopping: AtomicBool,
    failure: Failure,
}

impl Shared {
    /// The core. If a thread panicked while holding the lock, its partial state is still the best available.
    pub fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes commands to the writer. Commands that do not fit are immediately reported as not written.
    fn enqueue(&self, core: &mut Core, test_id: &str, commands: Vec<Command>) {
        for command in commands {
            if self.jobs.try_send(Job::Command(test_id.to_owned(), command.clone())).is_err() {
                let now = core.moment(clock::now_ns());
                let why = format!("{MAX_QUEUED} records are already waiting: Kafka accepts them too slowly");
                core.written(test_id, &command, Err(why), now);
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
    /// Connects, reads the used test ids, and starts the threads.
    pub fn start(connector: Arc<dyn Connector>, connect_timeout: Duration) -> Result<Shell, String> {
        let deadline_ns = clock::now_ns().saturating_add(clock::to_ns(connect_timeout));
        let away = |e: crate::bus::BusError| format!("{}: {e}", connector.describe());
        connector.prepare(connect_timeout).map_err(away)?;
        let mut core = Core::default();
        let configs = reader::learn_ids(connector.open(), &mut core, deadline_ns).map_err(away)?;
        let mut reading = connector.open();
        let starts = [
            (Topic::Register, Start::Beginning),
            (Topic::Heartbeat, Start::End),
            (Topic::Metrics, Start::End),
            (Topic::TestConfig, Start::At(configs)),
        ];
        for (topic, start) in starts {
            reading.subscribe(topic, start, clock::until(deadline_ns).max(TICK)).map_err(away)?;
        }
        let (jobs, queue) = bounded(MAX_QUEUED);
        let shared = Arc::new(Shared {
            core: Mutex::new(core),
            jobs,
            stopping: AtomicBool::new(false),
            failure: Failure::default(),
        });
        let mut shell = Shell { shared, threads: Vec::new() };
        shell.spawn("orchestrator-read", move |shared| reader::run(shared, reading))?;
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
        let _ = self.control().stop(None, "the orchestrator shut down");
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.threads.drain(..).for_each(Thread::join);
    }
}

/// A handle on the bus that belongs to one thread.
type Handle = Box<dyn Bus>;
