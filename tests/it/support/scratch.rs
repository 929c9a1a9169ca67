//! A folder for one test.

use std::path::{Path, PathBuf};

/// An empty folder, removed at the end of the test.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("floodgate-it-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("created");
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// As a word of a command line.
    pub fn word(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }

    /// What is in it, sorted by name.
    pub fn entries(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).expect("readable");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
        paths.sort();
        paths
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
