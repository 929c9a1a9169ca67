//! `GET /tests`: finished tests and their files, from this process and from the store.

use super::{ApiError, Control, HistoryRow};
use crate::html::POLICY;
use crate::http::server::{Request, Response};
use crate::report::Report;
use crate::stats::summary::Summary;
use crate::store::{
    FILES, Folder, INTERVALS, MAX_SUMMARY_BYTES, PERCENTILES, RECORDS, REPORT, SERIES, SUMMARY, Unread,
    check_id, write_series,
};
use crate::units::format_bytes;
use serde::Serialize;

/// How many tests are listed without `?limit=`.
const LIMIT: usize = 100;
/// Maximum of `?limit=`.
const MAX_LIMIT: usize = 1_000;
/// Largest file that is sent, in bytes: it is held in memory.
const MAX_FILE_BYTES: u64 = 32 << 20;

/// The answer to `GET /tests`.
#[derive(Serialize)]
struct List {
    tests: Vec<HistoryRow>,
}

/// Answers `GET /tests`, `GET /tests/ID` and `GET /tests/ID/FILE`.
///
/// # Errors
/// 400 for a wrong limit; 404 for an unknown test or file; 413 for a file that is too large.
pub fn answer(control: &Control, request: &Request) -> Result<Response, ApiError> {
    let parts: Vec<&str> = request.path.split('/').skip(2).collect();
    match parts[..] {
        [] | [""] => list(control, &request.query),
        [id] | [id, ""] => test(control, &decoded(id)?),
        [id, file] => file_of(control, &decoded(id)?, file),
        _ => Err(ApiError::new(404, format!("no such path {:?}: use GET /tests/ID/FILE", request.path))),
    }
}

/// Adds the tests of the store that are not in `rows`, up to `most` rows.
pub fn extend(rows: &mut Vec<HistoryRow>, control: &Control, most: usize) {
    let Some(store) = control.store() else { return };
    let saved = store.list(most);
    let new = saved.into_iter().filter(|row| rows.iter().all(|known| known.test_id != row.test_id));
    let new: Vec<HistoryRow> = new.collect();
    rows.extend(new);
    rows.truncate(most);
}

fn list(control: &Control, query: &str) -> Result<Response, ApiError> {
    let most = limit(query)?;
    let dashboard = control.dashboard();
    let running = dashboard.test.as_ref().filter(|test| !test.state.is_over()).map(HistoryRow::of);
    let mut rows: Vec<HistoryRow> = running.into_iter().chain(dashboard.history).collect();
    extend(&mut rows, control, most);
    rows.truncate(most);
    Ok(Response::json(200, &List { tests: rows }))
}

fn limit(query: &str) -> Result<usize, ApiError> {
    let Some(text) = query.split('&').find_map(|pair| pair.strip_prefix("limit=")) else { return Ok(LIMIT) };
    let limit = text.parse::<usize>().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| ApiError::new(400, format!("limit: use a number from 1 to {MAX_LIMIT}")))
}

/// Some clients escape the colon.
pub(super) fn decoded(id: &str) -> Result<String, ApiError> {
    let id = id.replace("%3A", ":").replace("%3a", ":");
    check_id(&id).map(|()| id).map_err(|_| ApiError::new(404, "no such test: see GET /tests for their ids"))
}

/// 404 for a test that is neither in memory nor in the store.
pub(super) fn unknown(control: &Control, id: &str) -> ApiError {
    let hint = match control.store() {
        Some(_) => "",
        None => " (without --store DIR, only the newest tests since the start are known)",
    };
    ApiError::new(404, format!("no test {id:?} is known: see GET /tests for their ids{hint}"))
}

fn test(control: &Control, id: &str) -> Result<Response, ApiError> {
    if let Some(summary) = control.summary(id) {
        return Ok(Response::new(200, "application/json", summary.document().into_bytes()));
    }
    let folder = saved(control, id).ok_or_else(|| unknown(control, id))?;
    read(&folder, SUMMARY, MAX_SUMMARY_BYTES)
}

fn saved(control: &Control, id: &str) -> Option<Folder> {
    control.store().and_then(|store| store.test(id))
}

fn file_of(control: &Control, id: &str, file: &str) -> Result<Response, ApiError> {
    if !FILES.contains(&file) {
        let message = format!("no such file {file:?}: there are {}", FILES.join(", "));
        return Err(ApiError::new(404, message));
    }
    if file == SUMMARY {
        return test(control, id);
    }
    if let Some(folder) = saved(control, id) {
        return if file == REPORT { report(&folder) } else { read(&folder, file, MAX_FILE_BYTES) };
    }
    let Some(summary) = control.summary(id) else { return Err(unknown(control, id)) };
    if file == SERIES {
        let mut text = Vec::new();
        // Writing to memory cannot fail.
        let _ = write_series(&summary.series, &mut text);
        return Ok(Response::new(200, kind(file), text));
    }
    if file == REPORT {
        return Ok(short_report(&summary));
    }
    let how = match control.store() {
        Some(_) => "it is saved when the test has ended",
        None => "start the orchestrator with --store DIR to save the files of tests",
    };
    Err(ApiError::new(404, format!("{file} of test {id:?} is not saved: {how}")))
}

fn read(folder: &Folder, file: &str, most: u64) -> Result<Response, ApiError> {
    let name = folder.name();
    match folder.read(file, most) {
        Ok(bytes) => {
            Ok(Response::new(200, kind(file), bytes).with_header("X-Content-Type-Options", "nosniff"))
        }
        Err(Unread::Missing) => {
            Err(ApiError::new(404, format!("{file} of test {:?} was not saved", folder.test_id)))
        }
        Err(Unread::TooLarge(bytes)) => {
            let (size, most) = (format_bytes(bytes), format_bytes(most));
            let how = format!("copy {name}/{file} from the folder of --store on the orchestrator's host");
            Err(ApiError::new(413, format!("{file} has {size}, and at most {most} are sent: {how}")))
        }
        Err(Unread::Failed(why)) => {
            Err(ApiError::new(503, format!("{name}/{file} cannot be read, try again: {why}")))
        }
    }
}

/// The saved report; from the result alone if an older version saved none.
fn report(folder: &Folder) -> Result<Response, ApiError> {
    let saved = read(folder, REPORT, MAX_FILE_BYTES).map(guarded);
    let Err(ApiError { status: 404, .. }) = saved else { return saved };
    let summary = folder.read(SUMMARY, MAX_SUMMARY_BYTES).ok();
    let summary = summary.and_then(|bytes| serde_json::from_slice::<Summary>(&bytes).ok());
    summary.map_or(saved, |summary| Ok(short_report(&summary)))
}

fn short_report(summary: &Summary) -> Response {
    let page = Response::html(200, Report::of(summary).render());
    guarded(page.with_header("X-Content-Type-Options", "nosniff"))
}

/// A page that a browser lets do nothing, whoever wrote the file.
pub(super) fn guarded(page: Response) -> Response {
    let policy = format!("{POLICY}; frame-ancestors 'none'");
    page.with_header("Content-Security-Policy", &policy).with_header("X-Frame-Options", "DENY")
}

fn kind(file: &str) -> &'static str {
    match file {
        SUMMARY => "application/json",
        SERIES => "text/csv; charset=utf-8",
        REPORT => "text/html; charset=utf-8",
        RECORDS => "application/x-ndjson",
        INTERVALS | PERCENTILES => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_ids_are_checked() {
        assert_eq!((limit(""), limit("a=1&limit=5")), (Ok(LIMIT), Ok(5)));
        for bad in ["limit=", "limit=0", "limit=1001", "limit=-1", "limit=x"] {
            assert!(limit(bad).is_err_and(|e| e.status == 400 && e.message.contains("1000")), "{bad}");
        }
        assert_eq!(decoded("a%3Ab%3ac"), Ok("a:b:c".to_owned()));
        for bad in ["%2e%2e", "a%2Fb", "", &"x".repeat(129)] {
            assert!(decoded(bad).is_err_and(|e| e.status == 404), "{bad}");
        }
    }
}
