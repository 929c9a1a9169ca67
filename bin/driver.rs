//! `floodgate-driver`: runs a driver on Kafka until Ctrl-C or SIGTERM; the same as `floodgate driver`.

use std::process::ExitCode;

fn main() -> ExitCode {
    floodgate::programs::driver()
}
