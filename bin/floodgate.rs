//! `floodgate`: runs a test and prints its result, checks a plan file, recomputes a result or a report,
//! compares results, or prints what shells and manuals need.

use floodgate::cli::{self, Floodgate, Task};
use floodgate::{logging, run};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    let code = match cli::parse::<Floodgate>().into_task() {
        Task::Run(args) => {
            logging::start(args.speech.level(), false);
            cli::note_proxy();
            run::run(args.settings().unwrap_or_else(|e| cli::usage_error(&e)), &mut out)
        }
        Task::Plan(args) => print(args.text().unwrap_or_else(|e| cli::usage_error(&e)).as_bytes(), &mut out),
        Task::Replay(args) => {
            logging::start(args.speech.level(), false);
            run::replay::run(&args.settings().unwrap_or_else(|e| cli::usage_error(&e)), &mut out)
        }
        Task::Report(args) => {
            logging::start(args.log_level, false);
            run::report::run(&args.settings().unwrap_or_else(|e| cli::usage_error(&e)), &mut out)
        }
        Task::Compare(args) => {
            logging::start(args.log_level, false);
            run::compare::run(&args.settings().unwrap_or_else(|e| cli::usage_error(&e)), &mut out)
        }
        Task::Completions(shell) => print(&cli::completions(shell), &mut out),
        Task::Man(command) => {
            let page = cli::manual(command.as_deref()).unwrap_or_else(|e| cli::usage_error(&e));
            print(&page, &mut out)
        }
    };
    ExitCode::from(code)
}

/// Prints a document and returns the exit code.
fn print(text: &[u8], out: &mut impl Write) -> u8 {
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => 0,
        Err(error) => {
            run::live::say(&format!("floodgate: cannot write to standard output: {error}"));
            1
        }
    }
}
