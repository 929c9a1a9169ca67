//! `floodgate report`: writes the report of a saved test again, from its records.

use super::replay::{from_path, records_in};
use super::{FAILED, live};
use crate::report::Report;
use crate::store::{REPORT, Saved, examine, write_file};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Standard output in place of a file.
const STDOUT: &str = "-";

/// One report to write.
pub struct Settings {
    /// The folder of a saved run, or its records.
    pub path: PathBuf,
    /// The test; the first one in the file if `None`.
    pub test_id: Option<String>,
    /// Where to; `report.html` beside the records if `None`, standard output if `-`.
    pub output: Option<PathBuf>,
}

/// Writes the report and returns the exit code: 0, or 1 if there is none.
pub fn run(settings: &Settings, out: &mut dyn Write) -> u8 {
    match write(settings, out) {
        Ok(None) => 0,
        Ok(Some(path)) => {
            live::say(&format!("wrote {}", path.display()));
            0
        }
        Err(error) => {
            live::say(&format!("floodgate: {error}"));
            FAILED
        }
    }
}

fn write(settings: &Settings, out: &mut dyn Write) -> Result<Option<PathBuf>, String> {
    let text = render(&settings.path, settings.test_id.clone())?;
    let beside = || records_in(&settings.path).with_file_name(REPORT);
    let path = settings.output.clone().unwrap_or_else(beside);
    if path == Path::new(STDOUT) {
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        return written.map(|()| None).map_err(|e| format!("cannot write the report: {e}"));
    }
    let hint = if settings.output.is_none() { ": choose another place with -o FILE" } else { "" };
    write_file(&path, &text).map_err(|e| format!("{} cannot be written: {e}{hint}", path.display()))?;
    Ok(Some(path))
}

/// The same bytes that were saved with the test, if its records are whole.
fn render(path: &Path, test_id: Option<String>) -> Result<String, String> {
    let recomputed = from_path(path, test_id)?;
    let records = records_in(path);
    let Some(whole) = recomputed.whole else {
        let records = examine(&records).ok();
        return Ok(Report { records: records.as_ref(), ..Report::of(&recomputed.summary) }.render());
    };
    let saved = Saved {
        summary: recomputed.summary,
        at_ms: whole.ended_at_ms,
        intervals: whole.intervals(),
        latency: whole.latency().clone(),
        service: whole.service().clone(),
        events: whole.events,
    };
    Ok(saved.report(&records))
}
