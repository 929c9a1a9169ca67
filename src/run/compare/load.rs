//! Loads saved runs.

use crate::compare::Run;
use crate::run::replay;
use crate::stats::summary::Summary;
use crate::store::{MAX_SUMMARY_BYTES, RECORDS, SUMMARY};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The run in a folder or behind one of its files. It is recomputed from its records if they are there;
/// otherwise only the result is known.
///
/// # Errors
/// What cannot be read, with the path.
pub fn run(path: &Path) -> Result<Run, String> {
    let name = name(path);
    let (records, summary) = places(path);
    if !records.is_file() && !summary.is_file() {
        if path.is_dir() {
            return Err(format!("{}: contains neither {RECORDS} nor {SUMMARY}", path.display()));
        }
        path.metadata().map_err(|e| format!("{} cannot be opened: {e}", path.display()))?;
    }
    if records.is_file() || !summary.is_file() {
        let recomputed = replay::from_path(&records, None)?;
        let run = |seconds| Run::new(&name, recomputed.summary.clone(), seconds);
        return Ok(match recomputed.whole {
            None => run(Vec::new()),
            Some(whole) => run(whole.intervals()).with_requests(whole.requests()),
        });
    }
    let text = text(&summary).map_err(|e| format!("{}: {e}", summary.display()))?;
    let read = serde_json::from_slice::<Summary>(text.as_bytes());
    let read = read.map_err(|e| format!("{}: it is no result of a run: {e}", summary.display()))?;
    Ok(Run::new(&name, read, Vec::new()))
}

/// Both sides of an A/B run, recomputed from its records.
///
/// # Errors
/// What cannot be read, or that it is no A/B run, with the path.
pub fn sides(path: &Path) -> Result<[Run; 2], String> {
    let (records, _) = places(path);
    if !records.is_file() {
        return Err(format!(
            "{}: both sides are compared by the records of the run, {RECORDS}",
            path.display()
        ));
    }
    let recomputed = replay::from_path(&records, None)?;
    let whole = recomputed.whole.ok_or_else(|| format!("{}: the run has no end", records.display()))?;
    whole.sides().ok_or_else(|| {
        let name = path.display();
        format!("{name}: it is no A/B run, so a second run is needed: floodgate compare {name} B")
    })
}

/// Where the records and the result should be.
fn places(path: &Path) -> (PathBuf, PathBuf) {
    if path.is_dir() {
        (path.join(RECORDS), path.join(SUMMARY))
    } else if path.file_name().is_some_and(|name| name == SUMMARY) {
        (path.with_file_name(RECORDS), path.to_owned())
    } else if path.extension().is_some_and(|extension| extension == "json") {
        // A copy of a result under another name.
        (PathBuf::new(), path.to_owned())
    } else {
        (path.to_owned(), PathBuf::new())
    }
}

fn text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|e| e.to_string())?;
    file.take(MAX_SUMMARY_BYTES + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > MAX_SUMMARY_BYTES {
        return Err(format!("is too large: at most {MAX_SUMMARY_BYTES} bytes are read"));
    }
    Ok(text)
}

/// The folder's own name, which begins with the time of the run.
fn name(path: &Path) -> String {
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let name = folder.and_then(Path::file_name).unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named_as_it_was_given() {
        for missing in ["/no/such/run.json", "/no/such/summary.json", "/no/such/records.jsonl", "/no/such"] {
            let error = run(Path::new(missing)).err().expect("an error");
            assert!(error.starts_with(&format!("{missing} cannot be opened: No such file")), "{error}");
        }
        let empty = std::env::temp_dir().join(format!("floodgate-no-run-{}", std::process::id()));
        std::fs::create_dir_all(&empty).expect("created");
        let error = run(&empty).err().expect("an error");
        assert!(error.ends_with(": contains neither records.jsonl nor summary.json"), "{error}");
        std::fs::remove_dir(empty).expect("removed");
    }
}
