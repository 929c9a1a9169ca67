//! `--replay-times FILE`: requests that start when recorded ones did.

use super::feeds;
use super::urls::UrlFile;
use super::values;
use crate::feed::{Address, Format};
use crate::message::RecordedStarts;
use crate::plan::feed_options::FeedOptions;
use crate::plan::options::Options;
use crate::recording::{Recording, too_many};
use crate::units::format_names;
use clap::Args;
use std::path::{Path, PathBuf};

/// The flags.
#[derive(Args, Clone, Debug, Default)]
pub struct RecordingArgs {
    /// Send requests at the times of a recording: lines like {"offset_ms": 12.5}, also with a "path"
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "rate_per_driver", "stages", "delay"])]
    replay_times: Option<PathBuf>,
    /// How much faster than recorded, like 2, or 0.5 for half the speed [default: 1]
    #[arg(long, value_name = "FACTOR", value_parser = values::speed, requires = "replay_times",
        allow_negative_numbers = true)]
    replay_speed: Option<f64>,
}

impl RecordingArgs {
    /// Makes the flags say what the recording says. They will override `below`, the settings of a plan file.
    ///
    /// # Errors
    /// A wrong line of the file, or a flag that contradicts it.
    pub fn apply(&self, flags: &mut Options, below: Option<&Options>) -> Result<(), String> {
        let Some(file) = &self.replay_times else { return Ok(()) };
        let below = below.cloned().unwrap_or_default();
        self.applied(file, flags, &below).map_err(|why| format!("--replay-times {}: {why}", file.display()))
    }

    fn applied(&self, path: &Path, flags: &mut Options, below: &Options) -> Result<(), String> {
        let recording = Recording::read(feeds::open(path)?, self.replay_speed.unwrap_or(1.0))?;
        let starts = RecordedStarts::encode(&recording.offsets_us).map_err(too_many)?;
        if let Some(line) = recording.unordered.filter(|_| recording.path.is_none()) {
            log::warn!("{}: line {line} is earlier than the one before it: sorted", path.display());
        }
        let method = flags.request.method.as_ref().or(below.request.method.as_ref());
        let has_body = flags.request.body.is_some() || below.request.body.is_some();
        let method = method.map_or(if has_body { "POST" } else { "GET" }, String::as_str);
        let named = flags.named.as_ref().or(below.named.as_ref()).filter(|_| recording.path.is_none());
        let others: Vec<&String> =
            recording.methods.iter().filter(|other| !other.eq_ignore_ascii_case(method)).collect();
        if !others.is_empty() && named.is_none_or(Vec::is_empty) {
            let others = format_names(&others, others.len());
            log::warn!("{}: all requests are {method}, also those recorded as {others}", path.display());
        }
        flags.starts = Some(starts);
        if let Some(first) = &recording.path {
            paths(path, first, &recording, flags, below)?;
        }
        Ok(())
    }
}

/// The paths of the recording, of which the k-th request takes the k-th.
fn paths(
    path: &Path,
    first: &str,
    recording: &Recording,
    flags: &mut Options,
    below: &Options,
) -> Result<(), String> {
    if let Some(line) = recording.unordered {
        return Err(format!(
            "line {line}: is earlier than the one before it; with paths, lines must be in order: jq -sc \
             'sort_by(.offset_ms)[]' FILE > SORTED"
        ));
    }
    if flags.warmup.or(below.warmup).is_some_and(|warmup| !warmup.is_zero()) {
        return Err("has paths, of which a warm-up would use the first ones: omit --warmup".to_owned());
    }
    let is_list = |feed: &FeedOptions| feed.read.as_ref().is_some_and(|read| read.format == Format::Urls);
    if flags.named.is_some() || flags.feeds.iter().any(is_list) {
        return Err("has paths, which conflicts with --urls: omit one of them".to_owned());
    }
    let spec = feeds::read_file(path, Format::Urls)?;
    let origin = Address::parse(first).ok().and_then(|address| address.origin);
    UrlFile::in_order(path).list(flags, below, origin, spec)
}
