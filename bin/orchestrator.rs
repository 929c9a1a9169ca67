//! `floodgate-orchestrator`: runs the orchestrator on Kafka until Ctrl-C or SIGTERM.

use floodgate::cli::{self, OrchestratorArgs};
use floodgate::signals::Interrupts;
use floodgate::{logging, orchestrator};
use std::process::ExitCode;
use std::time::Duration;

/// Interval between checks that the orchestrator still works.
const LOOK: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let args: OrchestratorArgs = cli::parse();
    logging::start(args.bus.log_level, true);
    let mut config = args.config().unwrap_or_else(|e| cli::usage_error(&e));
    // Not logged: log files may be kept.
    if let Some(token) = config.ensure_token() {
        eprintln!("floodgate-orchestrator: generated API token (set your own with --token-file): {token}");
    }
    let bus = cli::bus(&args.bus, "orchestrator").unwrap_or_else(|e| cli::usage_error(&e));
    match serve(bus, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floodgate-orchestrator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(
    bus: std::sync::Arc<dyn floodgate::bus::Connector>,
    config: orchestrator::Config,
) -> Result<(), String> {
    let name = bus.describe();
    log::info!("joining {name}");
    let orchestrator = orchestrator::start(bus, config)?;
    // Before this point a signal kills the process at once: there is nothing to shut down.
    let interrupts = Interrupts::listen()?;
    if let Some(addr) = orchestrator.addr() {
        log::info!("ready: http://{addr}/dashboard, over {name}");
    }
    let control = orchestrator.control();
    while interrupts.wait_timeout(LOOK).is_none() && control.failure().is_none() {}
    log::info!("shutting down (press Ctrl-C again to exit at once)");
    let failure = control.failure().map(str::to_owned);
    orchestrator.shutdown();
    failure.map_or(Ok(()), Err)
}
