//! The flags that say where a result goes, and what is logged meanwhile.

use super::values;
use crate::run::output::{Destination, Output};
use clap::{ArgAction, Args};
use log::LevelFilter;
use std::path::PathBuf;

/// Where the result goes.
#[derive(Args, Clone, Debug)]
pub struct OutputArgs {
    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
    /// Write the result as Markdown, for step summaries and comments; - prints it instead of the table
    #[arg(long, value_name = "FILE|-")]
    markdown: Option<PathBuf>,
    /// Write the result as JUnit XML: a case for each threshold, and four about the test itself
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl OutputArgs {
    /// Checks the combination of flags and the folders of the files.
    ///
    /// # Errors
    /// Names the flag and says what is allowed.
    pub fn output(self) -> Result<Output, String> {
        let markdown = self.markdown.map(|path| match path.as_os_str() == "-" {
            true => Destination::Standard,
            false => Destination::File(path),
        });
        let output = Output { json: self.json, markdown, junit: self.junit };
        output.check().map(|()| output)
    }
}

/// What is logged on standard error.
#[derive(Args, Clone, Debug)]
pub struct SpeechArgs {
    /// Show no progress on standard error, and log errors only
    #[arg(short, long, conflicts_with_all = ["verbose", "log_level"])]
    quiet: bool,
    /// Log more on standard error; -vv and -vvv log still more
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "log_level")]
    verbose: u8,
    /// Log lines on standard error: off, error, warn, info, debug or trace
    #[arg(long, default_value = "warn", value_parser = values::log_level)]
    log_level: LevelFilter,
}

impl SpeechArgs {
    /// Whether no progress is shown.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// What is logged.
    pub fn level(&self) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::Error,
            (false, 0) => self.log_level,
            (false, 1) => LevelFilter::Info,
            (false, 2) => LevelFilter::Debug,
            (false, _) => LevelFilter::Trace,
        }
    }
}
