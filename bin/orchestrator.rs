//! `floodgate-orchestrator`: runs the orchestrator on Kafka until Ctrl-C or SIGTERM; the same as
//! `floodgate orchestrator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    floodgate::programs::orchestrator()
}
