//! The store: finished tests as folders of files, and the records of the running one.
//!
//! ```text
//! DIR/20261128T171010Z-<test_id>/   summary.json series.csv latency.hlog latency.hgrm
//!                                   report.html records.jsonl
//! DIR/.saving-<pid>-<random>/       what one process prepares; locked while it lives
//! ```
//!
//! A folder gets its final name when everything in it is on the disk. Several processes may use one store:
//! the first to save a test wins, and the others' folders, which have the same content, are dropped.

mod disk;
mod documents;
mod examine;
mod folder;
mod formats;
mod keep;
mod lines;
mod names;
mod recorder;
mod recording;
mod saving;
#[cfg(test)]
mod tests;
mod workspace;

use crate::clock;
use crate::stats::history::HistoryRow;
use crate::units::format_count;
use disk::{Disk, Files};
pub use documents::{write_document, write_file};
pub use examine::examine;
pub use folder::{FILES, Folder, INTERVALS, MAX_SUMMARY_BYTES, PERCENTILES, REPORT, SERIES, SUMMARY, Unread};
pub use formats::{read_interval_log, write_series};
pub use keep::Keep;
pub use lines::{Damage, Lines, write as write_line};
pub use names::check_id;
pub use recorder::Recorder;
pub use recording::RECORDS;
use recording::Recording;
use saving::{Filling, sync_folder};
pub use saving::{Outcome, Saved};
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use workspace::{Workspace, remove_leftovers};

/// Maximum number of rows of a list that are kept in memory.
const MAX_ROWS: usize = 10_000;
/// The folder of a recording that has none; it never exists.
const NOWHERE: &str = ".saving-nowhere";

/// A folder of saved tests. All calls may take as long as the disk.
pub struct Store {
    dir: PathBuf,
    keep: Option<Keep>,
    disk: Arc<dyn Disk>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    workspace: Option<Workspace>,
    /// Number of temporary folders so far.
    created: u64,
    /// Ids of saved tests.
    saved: HashSet<String>,
    /// Rows by folder; `None` for a damaged one.
    rows: HashMap<PathBuf, Option<HistoryRow>>,
}

impl Store {
    /// The store in `dir`, which is created if it is missing. A folder that cannot be written is only logged:
    /// the disk may recover, and what was saved can still be read.
    pub fn open(dir: &Path, keep: Option<Keep>) -> Store {
        Store::on(Arc::new(Files), dir, keep)
    }

    fn on(disk: Arc<dyn Disk>, dir: &Path, keep: Option<Keep>) -> Store {
        let store = Store { dir: dir.to_owned(), keep, disk, state: Mutex::default() };
        if let Err(why) = store.prepare() {
            log::warn!("store {}: cannot be written, so nothing will be saved: {why}", dir.display());
        }
        store.prune(clock::wall_ms(clock::now_ns()), None);
        let saved = store.folders().into_iter().filter(Folder::has_summary).map(|folder| folder.test_id);
        store.state().saved = saved.collect();
        store
    }

    fn prepare(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.dir)?;
        let left = remove_leftovers(&self.dir);
        if left > 0 {
            log::info!(
                "store {}: removed {left} incomplete folders of crashed processes",
                self.dir.display()
            );
        }
        self.temporary().map(|_| ())
    }

    /// The folder that contains the saved tests.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A path for a temporary folder, which does not exist yet.
    fn temporary(&self) -> io::Result<PathBuf> {
        let mut state = self.state();
        if state.workspace.as_ref().is_none_or(|workspace| !workspace.exists()) {
            // If the store itself is missing, the error says why it cannot be created.
            std::fs::create_dir_all(&self.dir)?;
            state.workspace = Some(Workspace::create(&self.dir)?);
        }
        state.created += 1;
        let name = state.created.to_string();
        Ok(state.workspace.as_ref().map_or_else(|| self.dir.join(&name), |workspace| workspace.join(&name)))
    }

    /// Begins to record the records of a test.
    fn record(&self) -> Recording {
        let new = |folder| Recording::new(folder, Arc::clone(&self.disk));
        self.temporary().map(new).unwrap_or_else(|e| {
            let mut recording = new(self.dir.join(NOWHERE));
            recording.fail(e.to_string());
            recording
        })
    }

    /// Whether the test was saved, as far as this process knows.
    fn has_saved(&self, test_id: &str) -> bool {
        self.state().saved.contains(test_id)
    }

    /// Saves a test. Never panics; the outcome says what was not saved.
    fn save(&self, saved: Saved, mut recording: Option<Recording>) -> Outcome {
        let test_id = saved.summary.test_id.clone();
        let what = format!("test {test_id:?} was not saved in {}", self.dir.display());
        let outcome = match self.try_save(saved, recording.as_mut()) {
            Ok(outcome) => outcome,
            Err(why) => Outcome { folder: None, problems: vec![format!("{what}: {why}")] },
        };
        if let Some(recording) = recording {
            discard(recording.folder());
        }
        if outcome.folder.is_some() {
            self.state().saved.insert(test_id);
        }
        self.prune(clock::wall_ms(clock::now_ns()), outcome.folder.as_deref());
        outcome
    }

    fn try_save(&self, saved: Saved, recording: Option<&mut Recording>) -> Result<Outcome, String> {
        let name = names::folder(saved.at_ms, &saved.summary.test_id)?;
        let known = self.find(&saved.summary.test_id);
        if let Some(folder) = known.filter(Folder::has_summary) {
            return Ok(Outcome { folder: Some(folder.path), problems: Vec::new() });
        }
        let say = |e: io::Error| e.to_string();
        let folder = match recording.as_ref().filter(|recording| !recording.has_failed()) {
            Some(recording) => recording.folder().to_owned(),
            None => self.temporary().map_err(say)?,
        };
        let mut filling = Filling { disk: self.disk.as_ref(), folder, problems: Vec::new() };
        let filled = filling.fill(saved, recording).and_then(|()| self.publish(&filling.folder, &name));
        discard(&filling.folder);
        Ok(Outcome { folder: Some(filled.map_err(say)?), problems: filling.problems })
    }

    /// Gives a complete folder its final name, unless another process has saved the test meanwhile.
    fn publish(&self, from: &Path, name: &str) -> io::Result<PathBuf> {
        let to = self.dir.join(name);
        match std::fs::rename(from, &to) {
            Ok(()) => sync_folder(&self.dir)?,
            Err(e) if !to.join(SUMMARY).is_file() => return Err(e),
            Err(_) => {}
        }
        Ok(to)
    }

    /// All saved tests, newest first.
    pub fn folders(&self) -> Vec<Folder> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut folders: Vec<Folder> = entries.filter_map(|entry| Folder::at(&entry.path())).collect();
        folders.sort_by(|a, b| b.path.cmp(&a.path));
        folders
    }

    fn find(&self, test_id: &str) -> Option<Folder> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries.filter_map(|entry| Folder::at(&entry.path())).find(|folder| folder.test_id == test_id)
    }

    /// The saved test with this id.
    pub fn test(&self, test_id: &str) -> Option<Folder> {
        self.find(test_id).filter(Folder::has_summary)
    }

    /// The newest saved tests, at most `most`. Damaged folders are left out, each with one warning.
    pub fn list(&self, most: usize) -> Vec<HistoryRow> {
        self.folders().iter().filter_map(|folder| self.row(folder)).take(most).collect()
    }

    fn row(&self, folder: &Folder) -> Option<HistoryRow> {
        if let Some(row) = self.state().rows.get(&folder.path) {
            return row.clone();
        }
        // Read without the lock, since it takes as long as the disk.
        let row = folder.row();
        let mut state = self.state();
        if state.rows.len() >= MAX_ROWS {
            state.rows.clear();
        }
        let warns = !state.rows.contains_key(&folder.path);
        state.rows.insert(folder.path.clone(), row.as_ref().ok().cloned());
        drop(state);
        if let (Err(why), true) = (&row, warns) {
            log::warn!("store: {} is damaged and not listed: {why}", folder.path.display());
        }
        row.ok()
    }

    /// Removes old tests as `--store-keep` says, and logs each. `new` was saved just now and stays, however
    /// long ago it began.
    fn prune(&self, now_ms: f64, new: Option<&Path>) {
        let Some(keep) = self.keep else { return };
        // Whatever else lies there is not ours to remove.
        let folders = self.folders().into_iter().filter(Folder::has_summary);
        let old: Vec<Folder> = match keep {
            Keep::Newest(count) => folders.skip(count).collect(),
            Keep::Within(age) => {
                let oldest_ms = now_ms - age.as_secs_f64() * 1_000.0;
                folders.filter(|folder| (folder.at_ms as f64) < oldest_ms).collect()
            }
        };
        for folder in old.into_iter().filter(|folder| Some(folder.path.as_path()) != new) {
            match self.remove(&folder) {
                Ok(()) => log::info!("store: removed {} ({keep})", folder.path.display()),
                // Another process was faster.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => log::warn!("store: cannot remove {}: {e}", folder.path.display()),
            }
        }
    }

    /// Readers see a saved test completely or not at all.
    fn remove(&self, folder: &Folder) -> io::Result<()> {
        let away = self.temporary()?;
        std::fs::rename(&folder.path, &away)?;
        let mut state = self.state();
        state.rows.remove(&folder.path);
        state.saved.remove(&folder.test_id);
        drop(state);
        std::fs::remove_dir_all(&away)
    }

    /// What is saved here, for a log line.
    pub fn describe(&self) -> String {
        let count = self.folders().len() as u64;
        let keep = self.keep.map_or(String::new(), |keep| format!("; {keep}"));
        format!("store {}: {} tests{keep}", self.dir.display(), format_count(count))
    }
}

/// Removes a temporary folder; what cannot be removed now is removed at the next start.
fn discard(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
}
