//! The roles as programs: each serves until Ctrl-C or SIGTERM. `name` is how the program was called; it
//! begins the messages on standard error that are not log lines.

use crate::bus::Connector;
use crate::cli::{self, DriverArgs, OrchestratorArgs, TargetArgs};
use crate::run::live::say;
use crate::signals::Interrupts;
use crate::{driver, logging, orchestrator, target};
use std::sync::Arc;
use std::time::Duration;

/// Interval between checks that the role still works.
const LOOK: Duration = Duration::from_millis(200);

/// Runs an orchestrator on Kafka and returns the exit code.
pub fn orchestrator(args: &OrchestratorArgs, name: &str) -> u8 {
    logging::start(args.bus.log_level, true);
    let mut config = args.config().unwrap_or_else(|e| cli::usage_error(&e));
    // Not logged: log files may be kept.
    if let Some(token) = config.ensure_token() {
        say(&format!("{name}: generated API token (set your own with --token-file): {token}"));
    }
    let bus = cli::bus(&args.bus, "orchestrator").unwrap_or_else(|e| cli::usage_error(&e));
    code(name, serve_orchestrator(bus, config))
}

/// Runs a driver on Kafka and returns the exit code.
pub fn driver(args: &DriverArgs, name: &str) -> u8 {
    logging::start(args.bus.log_level, true);
    cli::note_proxy();
    let config = args.config().unwrap_or_else(|e| cli::usage_error(&e));
    let bus = cli::bus(&args.bus, "driver").unwrap_or_else(|e| cli::usage_error(&e));
    code(name, serve_driver(bus, config))
}

/// Runs a target and returns the exit code.
pub fn target(args: &TargetArgs, name: &str) -> u8 {
    logging::start(args.log_level, true);
    code(name, serve_target(args.config()))
}

/// The exit code, after a message if the role could not go on.
fn code(name: &str, ended: Result<(), String>) -> u8 {
    match ended {
        Ok(()) => 0,
        Err(error) => {
            say(&format!("{name}: {error}"));
            1
        }
    }
}

fn serve_orchestrator(bus: Arc<dyn Connector>, config: orchestrator::Config) -> Result<(), String> {
    let name = bus.describe();
    log::info!("joining {name}");
    let orchestrator = orchestrator::start(bus, config)?;
    // Until here a signal kills the process at once, since joining may take long.
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

fn serve_driver(bus: Arc<dyn Connector>, config: driver::Config) -> Result<(), String> {
    let (node_id, name) = (config.node_id.clone(), bus.describe());
    log::info!("driver {node_id:?} joining {name}");
    let driver = driver::start(bus, config)?;
    // Until here a signal kills the process at once, since joining may take long.
    let interrupts = Interrupts::listen()?;
    log::info!("driver {node_id:?} ready, over {name}");
    while interrupts.wait_timeout(LOOK).is_none() && driver.failure().is_none() {}
    log::info!("driver {node_id:?} shutting down (press Ctrl-C again to exit at once)");
    let failure = driver.failure().map(str::to_owned);
    driver.shutdown();
    failure.map_or(Ok(()), Err)
}

fn serve_target(config: target::Config) -> Result<(), String> {
    let interrupts = Interrupts::listen()?;
    let target = target::start(config)?;
    log::info!("ready: http://{0}/ping, and http://{0}/metrics for the counts", target.addr());
    interrupts.wait();
    let (requests, responses) = target.seen();
    log::info!("shutting down after {requests} requests and {responses} responses");
    target.shutdown();
    Ok(())
}
