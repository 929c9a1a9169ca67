//! The thread that writes to the store, so that no role waits for a disk.

use super::Store;
use super::recording::Recording;
use super::saving::{Outcome, Saved};
use crate::bus::Record;
use crate::clock;
use crate::threads::{self, Thread};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::Duration;

/// Maximum number of jobs waiting for the disk.
const MAX_JOBS: usize = 8_192;
/// Jobs for which records leave room: those that save a test.
const RESERVED_JOBS: usize = 64;
/// Maximum size of the records waiting for the disk, in bytes.
const MAX_QUEUED_BYTES: usize = 64 << 20;
/// Maximum number of tests that are recorded at once. The oldest is given up first.
const MAX_RECORDINGS: usize = 8;
/// Maximum number of outcomes kept.
const MAX_OUTCOMES: usize = 100;
/// How long the end of the process waits for the disk, in all.
const LAST_WITHIN: Duration = Duration::from_secs(10);

enum Job {
    /// Answers once everything before it is done.
    Flush(Sender<()>),
    Record(String, Record),
    Save(Box<Saved>),
}

#[derive(Default)]
struct Shared {
    queued_bytes: AtomicUsize,
    /// Tests of which records were lost because the disk was too slow.
    overrun: Mutex<BTreeSet<String>>,
    outcomes: Mutex<VecDeque<(String, Outcome)>>,
}

impl Shared {
    fn overrun(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.overrun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcomes(&self) -> MutexGuard<'_, VecDeque<(String, Outcome)>> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcome(&self, test_id: &str) -> Option<Outcome> {
        self.outcomes().iter().find(|(id, _)| id == test_id).map(|(_, outcome)| outcome.clone())
    }

    fn finish(&self, test_id: String, outcome: Outcome) {
        match &outcome.folder {
            Some(folder) => log::info!("test {test_id:?} saved in {}", folder.display()),
            None => log::warn!("test {test_id:?} was not saved"),
        }
        outcome.problems.iter().for_each(|problem| log::warn!("store: {problem}"));
        let mut outcomes = self.outcomes();
        outcomes.push_front((test_id, outcome));
        outcomes.truncate(MAX_OUTCOMES);
    }
}

/// Records and saves tests on a thread of its own. No call waits for the disk, except those at the end:
/// [`Recorder::flush`] and the drop, which wait at most `LAST_WITHIN` together.
pub struct Recorder {
    jobs: Option<Sender<Job>>,
    shared: Arc<Shared>,
    thread: Option<Thread>,
    /// When the wait at the end is over; set when it begins.
    last_by_ns: OnceLock<u64>,
    warned: Once,
}

impl Recorder {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub fn start(store: Arc<Store>) -> Result<Recorder, String> {
        let (jobs, queue) = bounded(MAX_JOBS);
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let writer = move || Writer { store, shared: own, recordings: VecDeque::new() }.run(&queue);
        let thread = threads::spawn("store", writer, |_| {})?;
        let (last_by_ns, warned) = (OnceLock::new(), Once::new());
        Ok(Recorder { jobs: Some(jobs), shared, thread: Some(thread), last_by_ns, warned })
    }

    /// Records a record of this test. Records may come in any order of topics, and repeatedly.
    pub fn record(&self, test_id: &str, record: &Record) {
        let Some(jobs) = &self.jobs else { return };
        let bytes = size(record);
        let waiting = self.shared.queued_bytes.load(Ordering::Relaxed);
        if jobs.len() + RESERVED_JOBS >= MAX_JOBS || waiting + bytes > MAX_QUEUED_BYTES {
            return self.lose(test_id);
        }
        self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        if jobs.try_send(Job::Record(test_id.to_owned(), record.clone())).is_err() {
            self.lose(test_id);
        }
    }

    fn lose(&self, test_id: &str) {
        let mut overrun = self.shared.overrun();
        if overrun.len() >= MAX_OUTCOMES {
            overrun.pop_first();
        }
        overrun.insert(test_id.to_owned());
    }

    /// Saves a finished test with the records that were recorded before; see [`Recorder::outcome`].
    pub fn save(&self, saved: Saved) {
        let test_id = saved.summary.test_id.clone();
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(Job::Save(Box::new(saved))).is_ok());
        if !sent {
            let why =
                format!("test {test_id:?} was not saved: the disk is too slow, or the store has failed");
            self.shared.finish(test_id, Outcome { folder: None, problems: vec![why] });
        }
    }

    /// Waits at the end of the process until everything is saved that was passed before.
    pub fn flush(&self) {
        let (done, is_done) = bounded(1);
        let send = |jobs: &Sender<Job>| jobs.send_timeout(Job::Flush(done), self.last_wait()).is_ok();
        let sent = self.jobs.as_ref().is_some_and(send);
        if !sent || is_done.recv_timeout(self.last_wait()).is_err() {
            self.warn_of_loss();
        }
    }

    /// What is left of the wait at the end, which begins with the first call.
    fn last_wait(&self) -> Duration {
        clock::until(*self.last_by_ns.get_or_init(|| clock::deadline(LAST_WITHIN)))
    }

    fn warn_of_loss(&self) {
        self.warned.call_once(|| {
            log::warn!("store: the disk is too slow: what was not written within 10 s is lost");
        });
    }

    /// What became of a test; `None` while it is being saved.
    pub fn outcome(&self, test_id: &str) -> Option<Outcome> {
        self.shared.outcome(test_id)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && !thread.join_within(self.last_wait())
        {
            self.warn_of_loss();
        }
    }
}

/// Memory that a waiting record takes.
fn size(record: &Record) -> usize {
    size_of::<Job>() + record.key.len() + record.value.len()
}

/// The thread's own state.
struct Writer {
    store: Arc<Store>,
    shared: Arc<Shared>,
    recordings: VecDeque<(String, Recording)>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Job>) {
        for job in queue {
            match job {
                Job::Record(test_id, record) => {
                    self.shared.queued_bytes.fetch_sub(size(&record), Ordering::Relaxed);
                    self.record(test_id, &record);
                }
                Job::Flush(done) => drop(done.try_send(())),
                Job::Save(saved) => self.save(*saved),
            }
        }
        while let Some((_, recording)) = self.recordings.pop_front() {
            super::discard(recording.folder());
        }
    }

    fn record(&mut self, test_id: String, record: &Record) {
        if let Some((_, recording)) = self.recordings.iter_mut().find(|(id, _)| *id == test_id) {
            return recording.add(record);
        }
        // Heartbeats name their test for a while after its end.
        if self.store.has_saved(&test_id) || self.shared.outcome(&test_id).is_some() {
            return;
        }
        let mut recording = self.store.record();
        recording.add(record);
        if self.recordings.len() >= MAX_RECORDINGS
            && let Some((_, oldest)) = self.recordings.remove(self.least())
        {
            super::discard(oldest.folder());
        }
        self.recordings.push_back((test_id, recording));
    }

    /// The recording to give up: one without a plan, which any program can cause, or else the oldest.
    fn least(&self) -> usize {
        self.recordings.iter().position(|(_, recording)| !recording.has_plan()).unwrap_or(0)
    }

    fn save(&mut self, saved: Saved) {
        let test_id = saved.summary.test_id.clone();
        let mut recording = self.take(&test_id);
        if self.shared.overrun().remove(&test_id)
            && let Some(recording) = &mut recording
        {
            recording.fail("the disk was too slow to take all records".to_owned());
        }
        let outcome = self.store.save(saved, recording);
        self.shared.finish(test_id, outcome);
    }

    fn take(&mut self, test_id: &str) -> Option<Recording> {
        let at = self.recordings.iter().position(|(id, _)| id == test_id)?;
        self.recordings.remove(at).map(|(_, recording)| recording)
    }
}
