//! The programs: from a command line to an exit code.
//!
//! `floodgate` has all of them as commands. It is also each of them if it is called by their names, so that a
//! release needs one file and three links: four files with the same code would be four times as large.

mod serve;
mod tasks;

use crate::cli::{self, DriverArgs, Floodgate, OrchestratorArgs, TargetArgs, Task};
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

const ORCHESTRATOR: &str = "floodgate-orchestrator";
const DRIVER: &str = "floodgate-driver";
const TARGET: &str = "floodgate-target";

/// Runs the program by whose name this process was called: a role's, or `floodgate`, also by any other name.
pub fn by_name() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    match name_in(&called) {
        ORCHESTRATOR => orchestrator(),
        DRIVER => driver(),
        TARGET => target(),
        _ => floodgate(),
    }
}

/// The name of the program in the first word of a command line: the part after the last slash.
fn name_in(called: &OsStr) -> &str {
    Path::new(called).file_name().and_then(OsStr::to_str).unwrap_or_default()
}

/// `floodgate-orchestrator`.
pub fn orchestrator() -> ExitCode {
    serve::orchestrator(&cli::parse::<OrchestratorArgs>(), ORCHESTRATOR).into()
}

/// `floodgate-driver`.
pub fn driver() -> ExitCode {
    serve::driver(&cli::parse::<DriverArgs>(), DRIVER).into()
}

/// `floodgate-target`.
pub fn target() -> ExitCode {
    serve::target(&cli::parse::<TargetArgs>(), TARGET).into()
}

/// `floodgate` with its commands.
pub fn floodgate() -> ExitCode {
    let mut out = std::io::stdout().lock();
    let code = match cli::parse::<Floodgate>().into_task() {
        Task::Run(args) => tasks::run(*args, &mut out),
        Task::Orchestrator(args) => serve::orchestrator(&args, "floodgate orchestrator"),
        Task::Driver(args) => serve::driver(&args, "floodgate driver"),
        Task::Target(args) => serve::target(&args, "floodgate target"),
        Task::Plan(args) => tasks::plan(&args, &mut out),
        Task::Replay(args) => tasks::replay(*args, &mut out),
        Task::Report(args) => tasks::report(*args, &mut out),
        Task::Compare(args) => tasks::compare(*args, &mut out),
        Task::Completions(shell) => tasks::print(&cli::completions(shell), &mut out),
        Task::Man(command) => tasks::manual(command.as_deref(), &mut out),
    };
    code.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_what_follows_the_last_slash() {
        let name = |called: &str| name_in(OsStr::new(called)).to_owned();
        assert_eq!(name("/opt/floodgate/floodgate-driver"), DRIVER);
        assert_eq!(name("floodgate-target"), TARGET);
        assert_eq!(name("./floodgate-driver/floodgate"), "floodgate");
        assert_eq!((name(""), name("/")), (String::new(), String::new()));
    }
}
