//! The flags of `floodgate compare`.

use super::values;
use crate::compare::{self, Condition};
use crate::run::compare::Settings;
use crate::units::parse_fraction;
use clap::Args;
use log::LevelFilter;
use std::path::PathBuf;

/// Flags of `floodgate compare`.
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// Two saved runs; or the runs of A, then -- and the runs of B; or one A/B run. Each is a folder, a
    /// records.jsonl or a summary.json
    #[arg(value_name = "RUN", required = true)]
    a: Vec<PathBuf>,
    /// The runs of B
    #[arg(value_name = "RUN_OF_B", last = true)]
    b: Vec<PathBuf>,
    /// Smallest relative change that is called [default: 5%, or 2% for one A/B run]
    #[arg(long, value_name = "PERCENT", value_parser = parse_fraction)]
    noise: Option<f64>,
    /// Exit with 3 if the change is called and this is true: 'p99 > +10%', 'mean > +5ms', 'throughput < -5%',
    /// 'errors > +1%'; repeatable
    #[arg(long = "fail-if", value_name = "CONDITION")]
    conditions: Vec<Condition>,
    /// Exit with 3 also if it is unclear whether a condition is true; without conditions, if the result is
    #[arg(long)]
    strict: bool,
    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
    /// Write the comparison with its curves as a page, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Log lines on standard error: off, error, warn, info, debug or trace
    #[arg(long, default_value = "warn", value_parser = values::log_level)]
    pub log_level: LevelFilter,
}

impl CompareArgs {
    /// Checks the combination of flags.
    ///
    /// # Errors
    /// Says what is allowed.
    pub fn settings(mut self) -> Result<Settings, String> {
        let flag = self.b.iter().find(|run| run.as_os_str().as_encoded_bytes().starts_with(b"--"));
        if let Some(flag) = flag.filter(|run| !run.exists()) {
            return Err(format!(
                "{}: everything after -- is a run of B: put the flags before the runs",
                flag.display()
            ));
        }
        if self.b.is_empty() {
            match self.a.len() {
                2 => self.b = self.a.split_off(1),
                1 => {}
                n => {
                    return Err(format!(
                        "{n} runs: separate the two sides by --: floodgate compare A1 A2 … -- B1 B2 …"
                    ));
                }
            }
        }
        let usual = match self.b.is_empty() {
            true => compare::Settings::paired(),
            false => {
                compare::check_counts(self.a.len(), self.b.len())?;
                compare::Settings::default()
            }
        };
        let noise = self.noise.unwrap_or(usual.noise);
        Ok(Settings {
            a: self.a,
            b: self.b,
            how: compare::Settings { noise, conditions: self.conditions, ..usual },
            json: self.json,
            html: self.html,
            strict: self.strict,
        })
    }
}
