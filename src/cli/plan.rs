//! Plan files: reading them, merging them with the flags, and `floodgate plan check`.

use super::expect;
use super::feeds;
use crate::curl;
use crate::files::{read_all, read_limited};
use crate::message::TestConfig;
use crate::plan::PlanError;
use crate::plan::options::Options;
use crate::plan::request::MAX_BODY_BYTES;
use crate::plan_file::{self, BodyFile, PlanFile, describe, keys};
use crate::thresholds;
use clap::{Args, Subcommand};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Flags of `floodgate plan`.
#[derive(Args, Clone, Debug)]
pub struct PlanArgs {
    #[command(subcommand)]
    command: PlanCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum PlanCommand {
    /// Says what a plan file does, or what is wrong with it
    Check {
        /// The plan file
        #[arg(value_name = "PLAN.toml")]
        file: PathBuf,
    },
    /// Turns a curl command into a plan file, which it prints
    ///
    /// The command can be one text in quotes, what a browser copies as cURL (bash) right after `floodgate
    /// plan`, or standard input (-), which may have several commands.
    Curl {
        /// The command, its words, or - for standard input
        #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

impl PlanArgs {
    /// What the plan does, in a few lines; or the plan.
    ///
    /// # Errors
    /// Everything that is wrong with the file, or what of a command cannot become a plan.
    pub fn text(&self) -> Result<String, String> {
        let file = match &self.command {
            PlanCommand::Check { file } => file,
            PlanCommand::Curl { words } => return from_curl(words),
        };
        let plan = Merged::new(Options::default(), Some(load(file)?));
        let config = plan.config(None)?;
        let mut text = format!("{} is valid\n", file.display());
        for (term, value) in describe::terms(&config) {
            let _ = writeln!(text, "{term:<16}{value}");
        }
        if let Some(seed) = plan.options.seed {
            let _ = writeln!(text, "{:<16}{seed}", "seed");
        }
        Ok(text)
    }
}

/// A command, if it is one text with blanks, or else its words.
fn from_curl(words: &[OsString]) -> Result<String, String> {
    let bytes = |word: &OsString| word.as_bytes().to_vec();
    let plan = match words {
        [only] if only == "-" => {
            let text = read_all(std::io::stdin().lock(), curl::MAX_BYTES as u64);
            curl::plan_of_text(&text.map_err(|why| format!("standard input {why}"))?)
        }
        [only] if only.as_bytes().iter().any(u8::is_ascii_whitespace) => curl::plan_of_text(only.as_bytes()),
        many => curl::plan_of_words(many.iter().map(bytes).collect()),
    };
    plan.map_err(|wrong| wrong.to_string())
}

/// Reads a plan file and the files that contain bodies.
///
/// # Errors
/// What cannot be read, or everything that is wrong in it.
pub fn load(path: &Path) -> Result<PlanFile, String> {
    let name = path.display().to_string();
    let bytes = read_limited(path, plan_file::MAX_BYTES as u64).map_err(|why| format!("{name}: {why}"))?;
    let mut file = PlanFile::parse(&name, &bytes)?;
    for BodyFile { path: key, index, file: body } in std::mem::take(&mut file.body_files) {
        let body = path.parent().unwrap_or(Path::new("")).join(body);
        let bytes = read_limited(&body, MAX_BODY_BYTES as u64).map_err(|why| {
            let why = format!("{} {why}", body.display());
            file.error(&key, &why).unwrap_or(why)
        })?;
        let mut named = file.options.named.iter_mut().flatten();
        match index {
            None => file.options.request.body = Some(bytes),
            Some(index) => {
                if let Some(one) = named.nth(index) {
                    one.request.body = Some(bytes);
                }
            }
        }
    }
    let mut found = std::mem::take(&mut file.options.feeds);
    for feed in &mut found {
        feeds::read(feed, path.parent().unwrap_or(Path::new("")))
            .map_err(|(key, why)| file.error(&format!("feeds.{}.{key}", feed.name), &why).unwrap_or(why))?;
    }
    file.options.feeds = found;
    Ok(file)
}

/// The settings of flags and of a plan file.
pub struct Merged {
    flags: Options,
    file: Option<PlanFile>,
    /// All of them; a flag overrides the file.
    pub options: Options,
}

impl Merged {
    /// Merges them.
    pub fn new(flags: Options, file: Option<PlanFile>) -> Merged {
        let below = file.as_ref().map(|file| file.options.clone()).unwrap_or_default();
        Merged { options: flags.clone().over(below), flags, file }
    }

    /// The plan.
    ///
    /// # Errors
    /// The rules that it breaks, each in the terms of the flag or at the place in the file that breaks it.
    pub fn config(&self, local_drivers: Option<usize>) -> Result<TestConfig, String> {
        let id = format!("run-{}", uuid::Uuid::new_v4());
        let config = self.options.config(&id, local_drivers).map_err(|error| self.say(&[error]))?;
        thresholds::checked_plan(&config).map_err(|errors| self.say(&errors))?;
        Ok(config)
    }

    /// Puts a plan's errors into the terms of their origin.
    pub fn say(&self, errors: &[PlanError]) -> String {
        let say = |error: &PlanError| {
            let by_flag = self.flags.sets(keys::of_field(&error.field));
            let place = self.file.as_ref().filter(|_| !by_flag).and_then(|file| file.plan_error(error));
            place.unwrap_or_else(|| in_flags(error))
        };
        errors.iter().map(say).collect::<Vec<_>>().join("\n")
    }
}

/// A plan's error in the terms of the command line.
fn in_flags(error: &PlanError) -> String {
    let wire = [("test_message_delay", "--delay"), ("AVALANCHE", "avalanche"), ("TSUNAMI", "tsunami")];
    let reason = wire.iter().fold(error.reason.clone(), |text, (from, to)| text.replace(from, to));
    match keys::of_field(&error.field) {
        // The reason names the part of the request.
        "request" => reason,
        "target_url" => format!("--url: {reason}"),
        "count" => format!("--requests: {reason}"),
        "starts" => format!("--replay-times: {reason}"),
        "count_per_driver" => format!("--requests-per-driver: {reason}"),
        "request.body" => format!("--body: {reason}"),
        // Its name is at the end, as in request.headers.x-key.
        key if key.starts_with("request.headers.") => {
            format!("--header {}: {reason}", key.trim_start_matches("request.headers."))
        }
        key if key.starts_with("feeds.") => format!("--feed {}: {reason}", key.trim_start_matches("feeds.")),
        key => match expect::flag(key) {
            Some(flag) => format!("{flag}: {reason}"),
            None => format!("--{}: {reason}", key.replace('_', "-")),
        },
    }
}
