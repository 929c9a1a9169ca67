//! `GET /compare?a=ID&b=ID`: compares finished tests.

use super::history::{decoded, guarded, unknown};
use super::{ApiError, Control};
use crate::compare::{self, Run, Settings, page};
use crate::http::server::{Request, Response};
use crate::stats::summary::Summary;
use crate::store::{Folder, INTERVALS, MAX_SUMMARY_BYTES, SUMMARY, Unread, read_interval_log};
use crate::units::{format_bytes, parse_fraction};

/// Largest interval log that is read, in bytes: some hours of a busy test.
const MAX_LOG_BYTES: u64 = 32 << 20;
/// Most tests of one comparison.
const MAX_TESTS: usize = 20;
/// Maximum size of all files that are read for one comparison, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// JSON, or a page for a browser, which accepts `text/html`. `a` and `b` may be repeated for several runs a
/// side; `noise` is as in `floodgate compare`.
///
/// # Errors
/// 400 for a wrong query; 404 for an unknown test; 413 for one that is too large; 503 if it cannot be read.
pub fn answer(control: &Control, request: &Request) -> Result<Response, ApiError> {
    let asked = Asked::of(&request.query)?;
    let mut left = MAX_BYTES;
    let mut load =
        |ids: &[String]| ids.iter().map(|id| run(control, id, &mut left)).collect::<Result<Vec<Run>, _>>();
    let (a, b) = (load(&asked.a)?, load(&asked.b)?);
    let settings = Settings { noise: asked.noise, ..Settings::default() };
    let comparison = compare::compare(&a, &b, &settings).map_err(|why| ApiError::new(400, why))?;
    let accept = request.header("accept").unwrap_or_default();
    if !accept.to_ascii_lowercase().contains("text/html") {
        let document = comparison.document().into_bytes();
        return Ok(Response::new(200, "application/json", document).with_header("Vary", "Accept"));
    }
    let page = Response::html(200, page::render(&comparison, &a, &b)).with_header("Vary", "Accept");
    Ok(guarded(page.with_header("X-Content-Type-Options", "nosniff")))
}

#[derive(Debug, PartialEq)]
struct Asked {
    a: Vec<String>,
    b: Vec<String>,
    noise: f64,
}

impl Asked {
    fn of(query: &str) -> Result<Asked, ApiError> {
        let mut asked = Asked { a: Vec::new(), b: Vec::new(), noise: compare::NOISE };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("a", id) => asked.a.push(decoded(id)?),
                ("b", id) => asked.b.push(decoded(id)?),
                ("noise", text) => {
                    let noise = parse_fraction(&text.replace("%25", "%"));
                    asked.noise = noise.map_err(|why| ApiError::new(400, format!("noise: {why}")))?;
                }
                _ => {}
            }
        }
        let count = asked.a.len() + asked.b.len();
        if count > MAX_TESTS {
            let why = format!("{count} tests: at most {MAX_TESTS} are compared here; use floodgate compare");
            return Err(ApiError::new(400, why));
        }
        for ids in [&asked.a, &asked.b] {
            if let Some(twice) = ids.iter().enumerate().find(|(at, id)| ids[..*at].contains(id)) {
                let why = format!("{:?} is named twice on one side: name each test once", twice.1);
                return Err(ApiError::new(400, why));
            }
        }
        if asked.a.is_empty() || asked.b.is_empty() {
            return Err(ApiError::new(400, "use /compare?a=ID&b=ID with the ids of GET /tests"));
        }
        compare::check_counts(asked.a.len(), asked.b.len()).map_err(|why| ApiError::new(400, why))?;
        Ok(asked)
    }
}

/// From the store, with its latencies second by second; else only the result that is still in memory. `left`
/// is how many bytes may still be read.
fn run(control: &Control, id: &str, left: &mut u64) -> Result<Run, ApiError> {
    let folder = control.store().and_then(|store| store.test(id));
    let Some(folder) = folder else {
        let summary = control.summary(id).ok_or_else(|| unknown(control, id))?;
        return Ok(Run::new(id, summary, Vec::new()));
    };
    let damaged = |file: &str, why: String| ApiError::new(503, format!("{file} of test {id:?}: {why}"));
    let summary = read(&folder, SUMMARY, MAX_SUMMARY_BYTES, left)?.unwrap_or_default();
    let summary: Summary =
        serde_json::from_slice(&summary).map_err(|e| damaged(SUMMARY, format!("it is no result: {e}")))?;
    let log = read(&folder, INTERVALS, MAX_LOG_BYTES, left)?.unwrap_or_default();
    let seconds = read_interval_log(&String::from_utf8_lossy(&log)).map_err(|why| damaged(INTERVALS, why))?;
    Ok(Run::new(id, summary, seconds))
}

/// The content of a file; `None` if it was not saved.
fn read(folder: &Folder, file: &str, most: u64, left: &mut u64) -> Result<Option<Vec<u8>>, ApiError> {
    let of = format!("{file} of test {:?}", folder.test_id);
    match folder.read(file, most.min(*left)) {
        Ok(bytes) => {
            *left -= bytes.len() as u64;
            Ok(Some(bytes))
        }
        Err(Unread::Missing) => Ok(None),
        Err(Unread::TooLarge(bytes)) if bytes <= most => {
            let why = format!("the files of these tests have more than {}", format_bytes(MAX_BYTES));
            let how = "name fewer tests, or copy their folders and use floodgate compare";
            Err(ApiError::new(413, format!("{why}: {how}")))
        }
        Err(Unread::TooLarge(bytes)) => {
            let (size, most) = (format_bytes(bytes), format_bytes(most));
            let how = "copy the folders of both tests and use floodgate compare";
            Err(ApiError::new(413, format!("{of} has {size}, and at most {most} are compared: {how}")))
        }
        Err(Unread::Failed(why)) => Err(ApiError::new(503, format!("{of} cannot be read: {why}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_one_test_or_several_a_side() {
        let asked = Asked::of("a=x&b=y%3A1&noise=2%25").expect("valid");
        assert_eq!(asked, Asked { a: vec!["x".into()], b: vec!["y:1".into()], noise: 0.02 });
        assert_eq!(Asked::of("a=1&a=2&b=3&b=4").expect("valid").a.len(), 2);
        for query in ["", "a=x", "b=x", "a=x&a=y&b=z", "a=x&b=y&noise=x", "a=x&a=x&b=y&b=z"] {
            assert_eq!(Asked::of(query).expect_err(query).status, 400, "{query}");
        }
        assert_eq!(Asked::of("a=..%2f&b=y").expect_err("an id").status, 404);
        assert_eq!(Asked::of("a=x&b=x").expect("the same on both sides").b, ["x"]);
        let many = "a=x&b=y&".repeat(11);
        assert!(Asked::of(&many).is_err_and(|e| e.message.contains("at most 20")));
    }

    #[test]
    fn all_files_of_one_comparison_share_a_budget() {
        let path = std::env::temp_dir().join(format!("floodgate-comparing-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("created");
        std::fs::write(path.join(SUMMARY), [b' '; 600]).expect("written");
        let folder = Folder { path: path.clone(), at_ms: 0, test_id: "t".to_owned() };
        let (mut left, read) = (1_000, |left: &mut u64, most| read(&folder, SUMMARY, most, left));
        assert_eq!(read(&mut left, 900).expect("read").map(|bytes| bytes.len()), Some(600));
        assert_eq!(left, 400);
        let spent = read(&mut left, 900).expect_err("too much in all");
        assert!(spent.status == 413 && spent.message.contains("name fewer tests"), "{spent:?}");
        let large = read(&mut left, 500).expect_err("too large by itself");
        assert!(large.status == 413 && large.message.contains("summary.json of test"), "{large:?}");
        std::fs::remove_dir_all(path).expect("removed");
    }
}
