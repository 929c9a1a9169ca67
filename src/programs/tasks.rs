//! The commands of `floodgate` that end by themselves. Each prints to `out` and returns the exit code.

use crate::cli::{self, CompareArgs, PlanArgs, ReplayArgs, ReportArgs, RunArgs};
use crate::{logging, run};
use std::io::Write;

/// Runs a test and prints its result.
pub fn run(args: RunArgs, out: &mut dyn Write) -> u8 {
    logging::start(args.speech.level(), false);
    cli::note_proxy();
    run::run(valid(args.settings()), out)
}

/// Prints what a plan file does, or a plan file made of curl commands.
pub fn plan(args: &PlanArgs, out: &mut dyn Write) -> u8 {
    print(valid(args.text()).as_bytes(), out)
}

/// Computes a result again and prints it.
pub fn replay(args: ReplayArgs, out: &mut dyn Write) -> u8 {
    logging::start(args.speech.level(), false);
    run::replay::run(&valid(args.settings()), out)
}

/// Writes the HTML report of a test.
pub fn report(args: ReportArgs, out: &mut dyn Write) -> u8 {
    logging::start(args.log_level, false);
    run::report::run(&valid(args.settings()), out)
}

/// Compares saved runs.
pub fn compare(args: CompareArgs, out: &mut dyn Write) -> u8 {
    logging::start(args.log_level, false);
    run::compare::run(&valid(args.settings()), out)
}

/// Prints the manual page of a command, or of `floodgate`.
pub fn manual(command: Option<&str>, out: &mut dyn Write) -> u8 {
    print(&valid(cli::manual(command)), out)
}

/// Prints a document.
pub fn print(text: &[u8], out: &mut dyn Write) -> u8 {
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => 0,
        Err(error) => {
            run::live::say(&format!("floodgate: cannot write to standard output: {error}"));
            1
        }
    }
}

/// What the flags ask for; exits with code 2 if they are invalid.
fn valid<T>(settings: Result<T, String>) -> T {
    settings.unwrap_or_else(|e| cli::usage_error(&e))
}
