//! One saved run, as a folder of files.

use super::names;
use super::recording::RECORDS;
use crate::stats::history::HistoryRow;
use crate::stats::states::RunState;
use crate::stats::summary::{Stats, Summary};
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// The result.
pub const SUMMARY: &str = "summary.json";
/// Second by second.
pub const SERIES: &str = "series.csv";
/// HdrHistogram's interval log.
pub const INTERVALS: &str = "latency.hlog";
/// Java's percentile format.
pub const PERCENTILES: &str = "latency.hgrm";
/// The report for people.
pub const REPORT: &str = "report.html";
/// Every file of a saved run.
pub const FILES: [&str; 6] = [SUMMARY, SERIES, INTERVALS, PERCENTILES, REPORT, RECORDS];
/// Largest summary that is read, in bytes: more than the largest fleet's.
pub const MAX_SUMMARY_BYTES: u64 = 64 << 20;

/// The parts of a summary that a list shows.
#[derive(Deserialize)]
struct Brief {
    test_id: String,
    test_type: String,
    state: RunState,
    started_at: Option<f64>,
    total: Stats,
}

/// The folder of one saved run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// When the test began, in ms since 1970.
    pub at_ms: i64,
    /// The test's id.
    pub test_id: String,
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It does not exist.
    Missing,
    /// It has this many bytes.
    TooLarge(u64),
    /// What failed.
    Failed(String),
}

impl Folder {
    /// The folder at `path`; `None` if its name is not that of a saved run.
    pub fn at(path: &Path) -> Option<Folder> {
        let (at_ms, test_id) = names::parse(path.file_name()?.to_str()?)?;
        Some(Folder { path: path.to_owned(), at_ms, test_id: test_id.to_owned() })
    }

    /// The folder's own name.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether there is a result in it.
    pub fn has_summary(&self) -> bool {
        self.path.join(SUMMARY).is_file()
    }

    /// Reads one of its files of at most `most` bytes.
    ///
    /// # Errors
    /// Why it could not be read.
    pub fn read(&self, file: &str, most: u64) -> Result<Vec<u8>, Unread> {
        let failed = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound => Unread::Missing,
            _ => Unread::Failed(e.to_string()),
        };
        let file = File::open(self.path.join(file)).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        if size > most {
            return Err(Unread::TooLarge(size));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > most { Err(Unread::TooLarge(bytes.len() as u64)) } else { Ok(bytes) }
    }

    /// Its line in a list.
    ///
    /// # Errors
    /// What is wrong with its summary.
    pub fn row(&self) -> Result<HistoryRow, String> {
        let file = File::open(self.path.join(SUMMARY)).map_err(|e| e.to_string())?;
        let limited = BufReader::new(file.take(MAX_SUMMARY_BYTES));
        let brief: Brief = serde_json::from_reader(limited).map_err(|e| e.to_string())?;
        if brief.test_id != self.test_id {
            return Err("it is the summary of another test".to_owned());
        }
        let Brief { test_id, test_type, state, started_at, total } = brief;
        let known = Summary { test_id, test_type, state, started_at, total, ..Summary::default() };
        Ok(HistoryRow::of(&known))
    }
}
