//! The hidden folder in which one process prepares what it saves. It is locked while the process lives, so
//! that others can tell it from the leftovers of a crash.

use crate::host::locks::{Lock, try_lock};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Begins the name of every such folder.
const PREFIX: &str = ".saving-";
/// Attempts to create one; each fails only if another process takes it for a leftover.
const ATTEMPTS: usize = 10;

/// This process's folder. Dropping it removes it.
#[derive(Debug)]
pub struct Workspace {
    path: PathBuf,
    /// Holds the lock.
    _locked: File,
}

impl Workspace {
    /// Creates and locks a folder inside `dir`.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub fn create(dir: &Path) -> io::Result<Workspace> {
        for _ in 0..ATTEMPTS {
            let unique = uuid::Uuid::new_v4().simple();
            let path = dir.join(format!("{PREFIX}{}-{unique}", std::process::id()));
            fs::create_dir(&path)?;
            // Before it is locked, another process may remove it.
            let Ok(file) = File::open(&path) else { continue };
            if try_lock(&file) != Lock::Held && is_same(&file, &path) {
                return Ok(Workspace { path, _locked: file });
            }
        }
        Err(io::Error::other("other processes remove it again and again"))
    }

    /// The path of something inside it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether the folder is still there: an operator may have deleted it.
    pub fn exists(&self) -> bool {
        is_same(&self._locked, &self.path)
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn is_same(file: &File, path: &Path) -> bool {
    let id = |found: fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => id(open) == id(named),
        _ => false,
    }
}

/// Removes what crashed processes left in `dir`, and returns how many folders it was. Folders whose process
/// lives stay, and so do those on a file system without locks.
pub fn remove_leftovers(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let is_ours = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.starts_with(PREFIX));
    let folders = entries.filter(|entry| is_ours(&entry.file_name()));
    let folders = folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.filter(|entry| remove_leftover(&entry.path())).count()
}

fn remove_leftover(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    try_lock(&file) == Lock::Taken && fs::remove_dir_all(path).is_ok()
}
