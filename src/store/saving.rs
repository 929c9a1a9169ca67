//! Writes the files of one test into a temporary folder, which then gets its final name.

use super::disk::{Disk, Output};
use super::examine::examine;
use super::folder::{INTERVALS, PERCENTILES, REPORT, SERIES, SUMMARY};
use super::formats::{write_interval_log, write_series};
use super::recording::{RECORDS, Recording};
use crate::message::secrets;
use crate::plot::Mark;
use crate::report::Report;
use crate::stats::histogram::{Histogram, Packed};
use crate::stats::summary::Summary;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Linux's error for a descriptor that is not open for writing, which some file systems give here.
const EBADF: i32 = 9;

/// Everything that is saved of a test besides its records.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The result.
    pub summary: Summary,
    /// When the test began, in ms since 1970 (broker time): the start, or the END of a test that never
    /// started.
    pub at_ms: f64,
    /// The fleet's latencies second by second; 1 is the first.
    pub intervals: Vec<(u64, Packed)>,
    /// The fleet's latencies.
    pub latency: Histogram,
    /// The fleet's service times.
    pub service: Histogram,
    /// Losses of drivers and the STOP.
    pub events: Vec<Mark>,
}

impl Saved {
    /// The report for people. `records` is the file of the records, which may not exist.
    pub fn report(&self, records: &Path) -> String {
        let [latency, service] = [&self.latency, &self.service].map(Packed::from);
        Report {
            summary: &self.summary,
            intervals: &self.intervals,
            latency: Some(&latency),
            service: Some(&service),
            events: &self.events,
            records: examine(records).ok().as_ref(),
        }
        .render()
    }
}

/// What became of a test that was to be saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Where it is; `None` if it was not saved at all.
    pub folder: Option<PathBuf>,
    /// What was not saved, and why.
    pub problems: Vec<String>,
}

/// A folder that is being filled.
pub struct Filling<'a> {
    pub disk: &'a dyn Disk,
    pub folder: PathBuf,
    pub problems: Vec<String>,
}

impl Filling<'_> {
    /// Writes all files.
    ///
    /// # Errors
    /// Not even the summary could be written.
    pub fn fill(&mut self, mut saved: Saved, recording: Option<&mut Recording>) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        secrets::hide(&mut saved.summary.plan);
        let document = saved.summary.document();
        let write_summary = |out: &mut dyn Write| out.write_all(document.as_bytes());
        let mut recording = recording;
        if let Err(e) = self.file(SUMMARY, write_summary) {
            let Some(recording) = recording.as_deref_mut().filter(|_| is_full(&e)) else { return Err(e) };
            // The records are by far the largest part.
            recording.fail(e.to_string());
            self.file(SUMMARY, write_summary)?;
        }
        self.other(SERIES, |out| write_series(&saved.summary.series, out));
        self.other(PERCENTILES, |out| out.write_all(saved.latency.percentile_text().as_bytes()));
        let start_ms = saved.summary.started_at.unwrap_or(saved.at_ms);
        self.other(INTERVALS, |out| write_interval_log(start_ms, &saved.intervals, &saved.latency, out));
        let unread = || Err("the records of the test were not read".to_owned());
        if let Err(why) = recording.map_or_else(unread, Recording::finish) {
            self.problems.push(format!("{RECORDS} was not saved: {why}"));
        }
        let report = saved.report(&self.folder.join(RECORDS));
        self.other(REPORT, |out| out.write_all(report.as_bytes()));
        sync_folder(&self.folder)
    }

    fn other(&mut self, name: &str, write: impl Fn(&mut dyn Write) -> io::Result<()>) {
        if let Err(e) = self.file(name, write) {
            self.problems.push(format!("{name} was not saved: {e}"));
        }
    }

    /// One file, complete on the disk or not there at all.
    fn file(&self, name: &str, write: impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let path = self.folder.join(name);
        let written = self.disk.create(&path).and_then(|file| {
            let mut out = BufWriter::new(file);
            write(&mut out)?;
            out.flush()?;
            Output::sync(out.get_mut().as_mut())
        });
        if written.is_err() {
            let _ = fs::remove_file(&path);
        }
        written
    }
}

fn is_full(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// Waits until the names in a folder are on the disk, if the file system can do that for folders. Some that
/// reach it over a network or in user space cannot.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        Err(e) if e.raw_os_error() == Some(EBADF) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_that_syncs_no_folders_is_no_error() {
        let folder = Path::new("/proc");
        let refusal = File::open(folder).and_then(|folder| folder.sync_all()).expect_err("a disk");
        assert_eq!(refusal.kind(), io::ErrorKind::InvalidInput);
        sync_folder(folder).expect("tolerated");
        sync_folder(&std::env::temp_dir()).expect("synced");
        assert!(sync_folder(&folder.join("no-such-folder")).is_err());
    }
}
