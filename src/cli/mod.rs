//! Command lines: raw flags → checked configurations. A wrong one ends with exit code 2 and says what is allowed.

mod roles;
mod run;
mod values;

pub use roles::{DriverArgs, OrchestratorArgs, TargetArgs, bus};
pub use run::RunArgs;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;

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
    A::parse()
}

/// Reads a command line given in words; for tests.
pub fn try_parse<A: Parser>(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<A, String> {
    A::try_parse_from(words).map_err(|e| e.to_string())
}

/// Ends the process with the exit code 2 and says what is wrong with its command line.
pub fn usage_error<A: CommandFactory>(message: &str) -> ! {
    A::command().error(ErrorKind::ValueValidation, message).exit()
}
