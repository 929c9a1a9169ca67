//! `floodgate-target`: runs a target until Ctrl-C or SIGTERM.

use floodgate::cli::{self, TargetArgs};
use floodgate::signals::Interrupts;
use floodgate::{logging, target};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: TargetArgs = cli::parse();
    logging::start(args.log_level, true);
    match serve(args.config()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floodgate-target: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: target::Config) -> Result<(), String> {
    let interrupts = Interrupts::listen()?;
    let target = target::start(config)?;
    log::info!("ready: http://{0}/ping, and http://{0}/metrics for the counts", target.addr());
    interrupts.wait();
    let (requests, responses) = target.seen();
    log::info!("shutting down after {requests} requests and {responses} responses");
    target.shutdown();
    Ok(())
}
