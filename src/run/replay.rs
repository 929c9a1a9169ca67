//! `floodgate replay`: recomputes the result of a test from its records, saved or still in the topics.

use super::output::Output;
use super::{FAILED, live};
use crate::bus::{Bus, BusError, Connector, Position, Record, Start, Topic};
use crate::clock;
use crate::orchestrator::replay::{Finished, Replay, Replayed};
use crate::stats::summary::Summary;
use crate::stats::verdict::{Finding, Severity};
use crate::store::{Damage, Lines, RECORDS};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long the brokers may be unavailable.
const AWAY: Duration = Duration::from_secs(30);
/// Longest wait of one read.
const LOOK: Duration = Duration::from_secs(1);
/// Maximum number of problems that are named; the others are counted.
const MAX_NAMED: usize = 5;

/// Where the records are.
pub enum Source {
    /// A file, or the folder of a saved run.
    Path {
        /// Its path.
        path: PathBuf,
        /// The test; the first one in the file if `None`.
        test_id: Option<String>,
    },
    /// The topics.
    Bus {
        /// How they are reached.
        connector: Arc<dyn Connector>,
        /// The test.
        test_id: String,
    },
}

/// One result to recompute.
pub struct Settings {
    /// Where the records are.
    pub source: Source,
    /// Where the result goes.
    pub output: Output,
}

/// Problems of the records, in the words of their place.
#[derive(Default)]
struct Problems {
    named: Vec<String>,
    more: u64,
}

impl Problems {
    fn add(&mut self, text: impl FnOnce() -> String) {
        if self.named.len() < MAX_NAMED { self.named.push(text()) } else { self.more += 1 }
    }
}

/// A recomputed result.
pub(super) struct Recomputed {
    /// The result, with what is wrong with its records.
    pub summary: Summary,
    /// What is saved besides it; `None` if the records end before the end of the test.
    pub whole: Option<Box<Finished>>,
}

/// Recomputes the result, prints it to `out`, and returns the exit code: 0, or 1 if there is no result.
pub fn run(settings: &Settings, out: &mut dyn Write) -> u8 {
    let replayed = match &settings.source {
        Source::Path { path, test_id } => from_path(path, test_id.clone()),
        Source::Bus { connector, test_id } => from_bus(connector.as_ref(), test_id),
    };
    let Recomputed { summary, whole } = match replayed {
        Ok(recomputed) => recomputed,
        Err(error) => {
            live::say(&format!("floodgate: {error}"));
            settings.output.write(Err(&error), out);
            return FAILED;
        }
    };
    let latency = whole.as_ref().map(|whole| whole.latency());
    let printed = settings.output.print(&summary, latency, out);
    if let Err(error) = &printed {
        live::say(&format!("floodgate: cannot write the result: {error}"));
    }
    let is_written = settings.output.write(Ok(&summary), out);
    if printed.is_ok() && is_written { 0 } else { FAILED }
}

/// The file of records in the folder of a saved run, or the file itself.
pub(super) fn records_in(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(RECORDS) } else { path.to_owned() }
}

/// Reads a file of records, or the folder of a saved run.
///
/// # Errors
/// Why there is no result.
pub(super) fn from_path(path: &Path, test_id: Option<String>) -> Result<Recomputed, String> {
    let path = records_in(path);
    let file = File::open(&path).map_err(|e| format!("{} cannot be opened: {e}", path.display()))?;
    let mut lines = Lines::new(BufReader::new(file));
    from_lines(&mut lines, test_id).map_err(|e| format!("{}: {e}", path.display()))
}

fn from_lines(
    lines: &mut Lines<impl std::io::BufRead>,
    test_id: Option<String>,
) -> Result<Recomputed, String> {
    let (mut replay, mut problems) = (Replay::new(test_id), Problems::default());
    let mut newest: BTreeMap<(Topic, i32), i64> = BTreeMap::new();
    while let Some(read) = lines.next() {
        let line = lines.line();
        match read {
            Ok(record) => {
                let before = newest.insert((record.topic, record.partition), record.offset);
                if let Some(before) = before.filter(|before| *before >= record.offset) {
                    let (topic, offset) = (record.topic.name(), record.offset);
                    problems.add(|| format!("line {line}: offset {offset} of {topic} follows {before}"));
                }
                if let Err(what) = replay.add(&record) {
                    problems.add(|| format!("line {line}: {what}"));
                }
            }
            Err(Damage { line, what }) => problems.add(|| format!("line {line}: {what}")),
        }
        if replay.is_over() {
            break;
        }
    }
    finish(replay, problems, "The file")
}

/// The result, with what is wrong with its records.
fn finish(replay: Replay, problems: Problems, place: &str) -> Result<Recomputed, String> {
    let replayed = replay.finish().map_err(|e| match problems.named.first() {
        Some(first) => format!("{e}; {first}"),
        None => e,
    })?;
    let mut found = Vec::new();
    if matches!(replayed, Replayed::Cut(_)) {
        let text =
            format!("{place} ends before the end of the test: the result is that of the reports in it.");
        found.push(Finding::new("records_cut", Severity::Warning, text));
    }
    if !problems.named.is_empty() {
        let more = if problems.more > 0 { format!("; and {} more", problems.more) } else { String::new() };
        let text = format!(
            "Some records are damaged, so the result may be incomplete: {}{more}.",
            problems.named.join("; ")
        );
        found.push(Finding::new("records_damaged", Severity::Warning, text));
    }
    let mut summary = replayed.summary().clone();
    if !found.is_empty() {
        summary.findings.splice(0..0, found);
        summary.verdict = summary.findings.iter().map(|finding| finding.text.clone()).collect();
    }
    let whole = match replayed {
        Replayed::Whole(finished) => Some(finished),
        Replayed::Cut(_) => None,
    };
    Ok(Recomputed { summary, whole })
}

fn from_bus(connector: &dyn Connector, test_id: &str) -> Result<Recomputed, String> {
    let mut reading = Reading { bus: connector.open(), replay: Replay::new(Some(test_id.to_owned())) };
    let read = reading.read(test_id).map_err(|e| format!("{}: {e}", connector.describe()));
    read.and_then(|()| finish(reading.replay, Problems::default(), "The topic metrics"))
}

struct Reading {
    bus: Box<dyn Bus>,
    replay: Replay,
}

impl Reading {
    /// The plan first, then what happened since.
    fn read(&mut self, test_id: &str) -> Result<(), BusError> {
        let is_plan = |record: &Record| {
            record.topic == Topic::TestConfig
                && crate::message::decode_config(&record.value).is_ok_and(|config| config.test_id == test_id)
        };
        let mut planned_ms = None;
        self.topic(Topic::TestConfig, Start::Beginning, |record| {
            if planned_ms.is_none() && is_plan(record) {
                planned_ms = Some(record.append_ms);
            }
        })?;
        let since = planned_ms.flatten().map_or(Start::Beginning, Start::Since);
        if planned_ms.is_some() {
            self.topic(Topic::Trigger, since.clone(), |_| {})?;
            self.topic(Topic::Metrics, since, |_| {})?;
        }
        Ok(())
    }

    /// Reads a topic to where it ends now, or to the end of the test.
    fn topic(&mut self, topic: Topic, start: Start, mut see: impl FnMut(&Record)) -> Result<(), BusError> {
        let end = self.bus.end(topic, AWAY)?;
        self.bus.subscribe(topic, start, AWAY)?;
        let mut read = Position::default();
        let mut give_up_ns = clock::deadline(AWAY);
        let is_behind =
            |read: &Position| end.0.iter().any(|(part, end)| read.0.get(part).copied().unwrap_or(0) < *end);
        while is_behind(&read) && !self.replay.is_over() {
            let began_ns = clock::now_ns();
            let records = match self.bus.poll(LOOK) {
                // The remaining records below the end have expired.
                Ok(records) if records.is_empty() => break,
                Ok(records) => records,
                Err(error) if clock::now_ns() >= give_up_ns || !error.is_transient() => return Err(error),
                Err(_) => {
                    clock::sleep_until(began_ns + clock::to_ns(LOOK));
                    continue;
                }
            };
            give_up_ns = clock::deadline(AWAY);
            for record in records.iter().filter(|record| record.topic == topic) {
                read.0.insert(record.partition, record.offset + 1);
                see(record);
                if let Err(what) = self.replay.add(record) {
                    log::debug!("{what}");
                }
            }
        }
        Ok(())
    }
}
