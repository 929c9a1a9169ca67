//! The flags of `floodgate report`.

use super::values;
use crate::run::report::Settings;
use clap::Args;
use log::LevelFilter;
use std::path::PathBuf;

/// Flags of `floodgate report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// A saved run, or its records.jsonl
    #[arg(value_name = "DIR|FILE")]
    path: PathBuf,
    /// Where to write the report; - is standard output [default: report.html beside the records]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The test to report [default: the first one in the file]
    #[arg(long, value_name = "ID")]
    test_id: Option<String>,
    /// Log lines on standard error: off, error, warn, info, debug or trace
    #[arg(long, default_value = "warn", value_parser = values::log_level)]
    pub log_level: LevelFilter,
}

impl ReportArgs {
    /// Checks the flags.
    ///
    /// # Errors
    /// Names the flag and says what is allowed.
    pub fn settings(self) -> Result<Settings, String> {
        if let Some(id) = &self.test_id {
            crate::store::check_id(id).map_err(|e| format!("--test-id: {e}"))?;
        }
        Ok(Settings { path: self.path, test_id: self.test_id, output: self.output })
    }
}
