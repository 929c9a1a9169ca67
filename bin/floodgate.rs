//! `floodgate`: runs a test and prints its result, runs a role, checks a plan file, recomputes a result or a
//! report, compares results, or prints what shells and manuals need. A link to it with the name of a role's
//! program is that program.

use std::process::ExitCode;

fn main() -> ExitCode {
    floodgate::programs::by_name()
}
