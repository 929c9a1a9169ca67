//! Command lines: raw flags → validated configurations. An invalid one exits with code 2 and says what is
//! allowed.

mod access;
mod compare;
mod documents;
mod errors;
mod expect;
mod feeds;
#[doc(hidden)]
pub mod fuzzing;
mod kafka;
mod output;
mod plan;
mod recording;
mod replay;
mod report;
mod roles;
mod run;
mod token;
mod urls;
mod values;

use crate::run::live::say;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use clap_complete::Shell;
pub use compare::CompareArgs;
pub use documents::{completions, manual};
pub use plan::PlanArgs;
pub use replay::ReplayArgs;
pub use report::ReportArgs;
pub use roles::{DriverArgs, OrchestratorArgs, TargetArgs, bus};
pub use run::RunArgs;
use std::ffi::OsString;
use std::io;

/// Exit code for an invalid command line.
const USAGE_ERROR: i32 = 2;

/// A distributed HTTP load tester with true percentiles over the whole fleet.
///
/// Without a command, it runs a test. Without any arguments, two drivers load a built-in target for 10 s.
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
    // The help of a role is that of its program.
    Orchestrator(Box<OrchestratorArgs>),
    Driver(Box<DriverArgs>),
    Target(TargetArgs),
    /// Checks a plan file, or makes one of curl commands
    Plan(PlanArgs),
    /// Recomputes the result of a test from its records
    Replay(Box<ReplayArgs>),
    /// Writes the HTML report of a test from its records
    Report(Box<ReportArgs>),
    /// Compares saved runs: does B differ from A, and by how much?
    Compare(Box<CompareArgs>),
    /// Prints a script that completes the flags of this program in a shell
    Completions {
        /// bash, elvish, fish, powershell or zsh
        #[arg(value_name = "SHELL", hide_possible_values = true)]
        shell: Shell,
    },
    /// Prints the manual page, or that of a command
    Man {
        /// A command, such as run
        command: Option<String>,
    },
}

/// What `floodgate` was asked to do.
#[derive(Debug)]
pub enum Task {
    /// Run a test.
    Run(Box<RunArgs>),
    /// Serve as an orchestrator.
    Orchestrator(Box<OrchestratorArgs>),
    /// Serve as a driver.
    Driver(Box<DriverArgs>),
    /// Serve as a target.
    Target(TargetArgs),
    /// Say what a plan file does, or print one.
    Plan(PlanArgs),
    /// Recompute a result.
    Replay(Box<ReplayArgs>),
    /// Write a report.
    Report(Box<ReportArgs>),
    /// Compare saved runs.
    Compare(Box<CompareArgs>),
    /// Print the completions of a shell.
    Completions(Shell),
    /// Print a manual page, of a command if it is given.
    Man(Option<String>),
}

impl Floodgate {
    /// The command with its flags; `run` is the default.
    pub fn into_task(self) -> Task {
        match self.command {
            Some(Command::Run(args)) => Task::Run(args),
            Some(Command::Orchestrator(args)) => Task::Orchestrator(args),
            Some(Command::Driver(args)) => Task::Driver(args),
            Some(Command::Target(args)) => Task::Target(args),
            Some(Command::Plan(args)) => Task::Plan(args),
            Some(Command::Replay(args)) => Task::Replay(args),
            Some(Command::Report(args)) => Task::Report(args),
            Some(Command::Compare(args)) => Task::Compare(args),
            Some(Command::Completions { shell }) => Task::Completions(shell),
            Some(Command::Man { command }) => Task::Man(command),
            None => Task::Run(Box::new(self.run)),
        }
    }
}

/// Parses this process's command line, or exits with code 2 (0 for `--help` and `--version`).
pub fn parse<A: Parser>() -> A {
    A::try_parse().unwrap_or_else(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => shown(error.print()),
        _ => refuse(&errors::text(&error)),
    })
}

/// Exits after a help text.
fn shown(printed: io::Result<()>) -> ! {
    if let Err(error) = printed {
        say(&format!("floodgate: cannot write to standard output: {error}"));
        std::process::exit(1)
    }
    std::process::exit(0)
}

fn refuse(text: &str) -> ! {
    say(text);
    std::process::exit(USAGE_ERROR)
}

/// Parses a command line passed as words; for tests.
pub fn try_parse<A: Parser>(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<A, String> {
    A::try_parse_from(words).map_err(|e| errors::text(&e))
}

/// Prints what is wrong with the command line and exits with code 2.
pub fn usage_error(message: &str) -> ! {
    refuse(&format!("error: {message}"))
}

/// Warns that a proxy set in the environment is ignored: through a proxy, the test would measure the proxy,
/// too.
pub fn note_proxy() {
    let names = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    if let Some(name) =
        names.iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
    {
        log::warn!("{name} is ignored: load goes directly to the target, unless --http-proxy names a proxy");
    }
}
