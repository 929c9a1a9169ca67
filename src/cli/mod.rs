//! Command lines: raw flags → checked configurations. A wrong one ends with exit code 2 and says what is allowed.

mod errors;
#[doc(hidden)]
pub mod fuzzing;
mod roles;
mod run;
mod token;
mod values;

pub use roles::{DriverArgs, OrchestratorArgs, TargetArgs, bus};
pub use run::RunArgs;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use std::ffi::OsString;

/// Exit code for a wrong command line.
const USAGE_ERROR: i32 = 2;

/// A distributed HTTP load tester with true percentiles over the whole fleet.
///
/// Without a command it runs a test: with nothing else, two drivers load a target in this process for 10 s.
#[derive(Debug, Parser)]
#[command(name = "floodgate", version, args_conflicts_with_subcommands = true)]
pub struct Floodgate {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs one test and prints its result
    Run(Box<RunArgs>),
}

impl Floodgate {
    /// What `run` was asked to do; flags without a command mean `run`.
    pub fn into_run(self) -> RunArgs {
        match self.command {
            Some(Command::Run(args)) => *args,
            None => self.run,
        }
    }
}

/// Reads this process's command line, or ends it with the exit code 2 (0 for `--help` and `--version`).
pub fn parse<A: Parser>() -> A {
    A::try_parse().unwrap_or_else(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
        _ => refuse(&errors::text(&error)),
    })
}

fn refuse(text: &str) -> ! {
    eprintln!("{text}");
    std::process::exit(USAGE_ERROR)
}

/// Reads a command line given in words; for tests.
pub fn try_parse<A: Parser>(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<A, String> {
    A::try_parse_from(words).map_err(|e| errors::text(&e))
}

/// Ends the process with the exit code 2 and says what is wrong with its command line.
pub fn usage_error(message: &str) -> ! {
    refuse(&format!("error: {message}"))
}

/// Says once that a proxy named in the environment is not used: with one in between, its figures would be measured.
pub fn note_proxy() {
    let names = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    if let Some(name) =
        names.iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
    {
        log::warn!("{name} is set, but the load goes to the target itself, never through a proxy");
    }
}
