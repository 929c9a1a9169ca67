//! `floodgate-target`: runs a target until Ctrl-C or SIGTERM; the same as `floodgate target`.

use std::process::ExitCode;

fn main() -> ExitCode {
    floodgate::programs::target()
}
