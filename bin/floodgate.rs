//! `floodgate`: runs a test and prints its result.

use floodgate::cli::{self, Floodgate};
use floodgate::{logging, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = cli::parse::<Floodgate>().into_run();
    logging::start(args.log_level, false);
    cli::note_proxy();
    match args.settings() {
        Ok(settings) => ExitCode::from(run::run(settings, &mut std::io::stdout().lock())),
        Err(error) => cli::usage_error(&error),
    }
}
