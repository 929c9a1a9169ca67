//! `floodgate`: runs a test and prints its result, recomputes a result or a report, or compares results.

use floodgate::cli::{self, Floodgate, Task};
use floodgate::{logging, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    let code = match cli::parse::<Floodgate>().into_task() {
        Task::Run(args) => {
            logging::start(args.log_level, false);
            cli::note_proxy();
            run::run(args.settings().unwrap_or_else(|e| cli::usage_error(&e)), &mut out)
        }
        Task::Replay(args) => {
            logging::start(args.log_level, false);
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
    };
    ExitCode::from(code)
}
