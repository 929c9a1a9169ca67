//! Error messages for invalid command lines.

use clap::error::{ContextKind, ErrorKind};
use std::error::Error as _;

/// The word without a flag, as clap names it.
const PLACE: &str = "[URL|PLAN.toml]";
/// Flags whose values are not repeated, since they may contain a secret. Their parsers quote only the safe
/// part.
const NOT_QUOTED: [&str; 7] = [PLACE, "--url", "--ab", "--target", "--orchestrator", "--header", "--token"];

/// What is wrong and how to fix it. Omits clap's usage text, which would bury the message.
pub fn text(error: &clap::Error) -> String {
    value(error).unwrap_or_else(|| without_usage(&error.to_string()))
}

/// `--rate 0: use a number from …`, if the error is about the value of a flag.
fn value(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::ValueValidation {
        return None;
    }
    let context = |kind| error.get(kind).map(ToString::to_string);
    let (flag, value) = (context(ContextKind::InvalidArg)?, context(ContextKind::InvalidValue)?);
    let flag = flag.split(' ').next().unwrap_or_default();
    let why = error.source()?.to_string();
    // Errors that are also shown elsewhere quote the value themselves.
    let quoted = format!("{value:?}: ");
    let why = why.split_once(&quoted).filter(|(before, _)| before.len() < 20).map_or(&*why, |(_, why)| why);
    let name = if flag == PLACE { String::new() } else { format!("{flag}: ") };
    Some(match flag {
        flag if NOT_QUOTED.contains(&flag) => format!("error: {name}{why}"),
        flag if value.contains(char::is_whitespace) || value.is_empty() => {
            format!("error: {flag} '{value}': {why}")
        }
        flag => format!("error: {flag} {value}: {why}"),
    })
}

fn without_usage(text: &str) -> String {
    let useless = ["Usage:", "tip: to pass"];
    let useful =
        |part: &&str| !useless.iter().any(|start| part.trim().starts_with(start)) && !part.trim().is_empty();
    text.split("\n\n").filter(useful).map(str::trim_end).collect::<Vec<_>>().join("\n\n")
}
