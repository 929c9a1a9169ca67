//! `floodgate-driver`: runs a driver on Kafka until Ctrl-C or SIGTERM.

use floodgate::cli::{self, DriverArgs};
use floodgate::signals::Interrupts;
use floodgate::{driver, logging};
use std::process::ExitCode;
use std::time::Duration;

/// Interval between checks that the driver still works.
const LOOK: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let args: DriverArgs = cli::parse();
    logging::start(args.bus.log_level, true);
    cli::note_proxy();
    let config = args.config().unwrap_or_else(|e| cli::usage_error(&e));
    let bus = cli::bus(&args.bus, "driver").unwrap_or_else(|e| cli::usage_error(&e));
    match serve(bus, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floodgate-driver: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(bus: std::sync::Arc<dyn floodgate::bus::Connector>, config: driver::Config) -> Result<(), String> {
    let (node_id, name) = (config.node_id.clone(), bus.describe());
    log::info!("driver {node_id:?} joining {name}");
    let driver = driver::start(bus, config)?;
    // Before this point a signal kills the process at once: there is nothing to shut down.
    let interrupts = Interrupts::listen()?;
    log::info!("driver {node_id:?} ready, over {name}");
    while interrupts.wait_timeout(LOOK).is_none() && driver.failure().is_none() {}
    log::info!("driver {node_id:?} shutting down (press Ctrl-C again to exit at once)");
    let failure = driver.failure().map(str::to_owned);
    driver.shutdown();
    failure.map_or(Ok(()), Err)
}
