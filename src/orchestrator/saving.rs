//! Saves finished tests, with the records from which their results follow.

use super::core::{Core, Finished};
use super::inbox::Message;
use crate::bus::Record;
use crate::store::{Keep, Outcome, Recorder, Saved, Store};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

/// Maximum number of records kept from before the start.
const MAX_BEFORE: usize = 1_000;
/// Maximum size of these records, in bytes.
const MAX_BEFORE_BYTES: usize = 32 << 20;

/// Where tests are saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The folder.
    pub dir: PathBuf,
    /// What is kept in it; `None` keeps everything.
    pub keep: Option<Keep>,
}

/// The store and what writes to it.
pub struct Saving {
    store: Arc<Store>,
    recorder: Recorder,
}

impl Saving {
    /// Opens the store.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub fn start(settings: &StoreSettings) -> Result<Saving, String> {
        let store = Arc::new(Store::open(&settings.dir, settings.keep));
        log::info!("{}", store.describe());
        Ok(Saving { recorder: Recorder::start(Arc::clone(&store))?, store })
    }

    /// The saved tests.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Records a record of a test that is followed.
    pub fn record(&self, test_id: &str, record: &Record) {
        self.recorder.record(test_id, record);
    }

    /// Saves a finished test.
    pub fn save(&self, finished: Finished) {
        let saved = Saved {
            at_ms: finished.summary.started_at.unwrap_or(finished.ended_at_ms),
            intervals: finished.intervals(),
            latency: finished.latency().clone(),
            service: finished.service().clone(),
            events: finished.events.clone(),
            summary: finished.summary,
        };
        self.recorder.save(saved);
    }

    /// What became of a test; `None` while it is being saved.
    pub fn outcome(&self, test_id: &str) -> Option<Outcome> {
        self.recorder.outcome(test_id)
    }

    /// Waits a short time until everything is saved.
    pub fn flush(&self) {
        self.recorder.flush();
    }
}

/// The newest records from before the start: which of them belong to a test that goes on is known only after
/// all were read.
pub struct Before<'a> {
    saving: Option<&'a Saving>,
    records: VecDeque<(String, Record)>,
    bytes: usize,
}

impl<'a> Before<'a> {
    /// Keeps records if they are saved at all.
    pub fn new(saving: Option<&'a Saving>) -> Before<'a> {
        Before { saving, records: VecDeque::new(), bytes: 0 }
    }

    /// Keeps a record.
    pub fn keep(&mut self, message: &Message, record: &Record) {
        let Some(test_id) = message.test_id().filter(|_| self.saving.is_some()) else { return };
        self.bytes += record.value.len();
        self.records.push_back((test_id.to_owned(), record.clone()));
        while self.records.len() > MAX_BEFORE || self.bytes > MAX_BEFORE_BYTES {
            let Some((_, oldest)) = self.records.pop_front() else { break };
            self.bytes -= oldest.value.len();
        }
    }

    /// Records those of tests that go on.
    pub fn record(self, core: &Core) {
        let Some(saving) = self.saving else { return };
        let followed = self.records.iter().filter(|(test_id, _)| core.follows(test_id));
        followed.for_each(|(test_id, record)| saving.record(test_id, record));
    }
}
