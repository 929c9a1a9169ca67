//! Recordings of when requests came: lines with JSON objects, such as an access log turned into JSONL.

use crate::feed::{Lines, in_column};
use crate::message::MAX_STARTS;
use crate::plan::limits;
use crate::units::clip;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io::Read;

/// Maximum number of characters of a value that are shown.
const MAX_SHOWN: usize = 60;
/// Maximum number of methods that are shown.
const MAX_METHODS: usize = 10;
const ALLOWED: &str =
    "each line is an object like {\"offset_ms\": 12.5} or {\"offset_ms\": 12.5, \"path\": \"/items/7\"}";

/// A recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// When each request came, in µs after the beginning, in ascending order.
    pub offsets_us: Vec<u64>,
    /// The first line whose offset is smaller than the one before it; `None` if they are in order.
    pub unordered: Option<u64>,
    /// The first path; `None` if the recording has none.
    pub path: Option<String>,
    /// Its methods, each once, which are not replayed; not all if there are very many.
    pub methods: Vec<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Line<'a> {
    #[serde(borrow, default)]
    offset_ms: Option<&'a RawValue>,
    #[serde(borrow, default)]
    path: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
}

impl Recording {
    /// Reads a recording. `speed` divides the offsets: at 2, it takes half of the time.
    ///
    /// # Errors
    /// What is wrong, with the number of the line.
    pub fn read(input: impl Read, speed: f64) -> Result<Recording, String> {
        let (mut lines, mut found) = (Lines::new(input), Recording::default());
        let (mut before, mut first) = (0, None);
        while let Some((number, text)) = lines.next_line()? {
            let in_line = |why: String| format!("line {number}: {why}");
            let line = parse(text).map_err(in_line)?;
            let offset_us = offset_us(line.offset_ms, speed).map_err(in_line)?;
            if found.offsets_us.len() == MAX_STARTS {
                return Err(in_line(too_many(MAX_STARTS)));
            }
            if found.unordered.is_none() && offset_us < before {
                found.unordered = Some(number);
            }
            match first {
                None => {
                    first = Some(number);
                    found.path = line.path.as_ref().map(|path| path.clone().into_owned());
                }
                Some(first) if line.path.is_some() != found.path.is_some() => {
                    let (own, others) = if line.path.is_some() { ("a", "none") } else { ("no", "one") };
                    let why = format!("has {own} path, but line {first} has {others}: write all or none");
                    return Err(in_line(why));
                }
                Some(_) => {}
            }
            if let Some(method) = line.method {
                found.add_method(&method);
            }
            found.offsets_us.push(offset_us);
            before = offset_us;
        }
        if found.offsets_us.is_empty() {
            return Err(format!("is empty: {ALLOWED}"));
        }
        found.offsets_us.sort_unstable();
        Ok(found)
    }

    fn add_method(&mut self, method: &str) {
        if self.methods.len() < MAX_METHODS && !self.methods.iter().any(|other| other == method) {
            self.methods.push(clip(method, MAX_SHOWN));
        }
    }
}

/// What to do with a recording of which only so many requests fit in a plan.
pub fn too_many(most: usize) -> String {
    format!(
        "a plan has room for the first {most} requests of this recording: replay a part of it, like head -n \
         {most} FILE > PART"
    )
}

fn parse(text: &str) -> Result<Line<'_>, String> {
    serde_json::from_str(text).map_err(|error| format!("{}: {ALLOWED}", in_column(&error)))
}

/// An offset in µs, divided by the speed.
fn offset_us(value: Option<&RawValue>, speed: f64) -> Result<u64, String> {
    let Some(text) = value.map(RawValue::get).filter(|text| *text != "null") else {
        return Err(format!("lacks offset_ms: {ALLOWED}"));
    };
    let must = || format!("offset_ms must be a number of milliseconds from 0, not {}", clip(text, MAX_SHOWN));
    let ms: f64 = serde_json::from_str(text).map_err(|_| must())?;
    if ms.is_nan() || ms < 0.0 {
        return Err(must());
    }
    let most = *limits::DURATION_MS.end() as f64;
    if ms / speed >= most {
        return Err(format!(
            "offset_ms {} is too large: offsets count from the beginning of the recording, and a test takes \
             less than {most} ms (7 days)",
            clip(text, MAX_SHOWN)
        ));
    }
    Ok((ms * 1_000.0 / speed).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, speed: f64) -> Result<Recording, String> {
        Recording::read(text.as_bytes(), speed)
    }

    #[test]
    fn offsets_are_kept_to_the_microsecond_and_sorted() {
        let text = "{\"offset_ms\": 0}\n\n{\"offset_ms\": 12.5, \"status\": 200}\r\n{\"offset_ms\":0.0014}\n\
                    {\"offset_ms\": 1e3}";
        let found = read(text, 1.0).expect("a recording");
        assert_eq!(found.offsets_us, [0, 1, 12_500, 1_000_000]);
        assert_eq!((found.unordered, found.path, found.methods), (Some(4), None, vec![]));
        assert_eq!(read(text, 2.0).expect("a recording").offsets_us, [0, 1, 6_250, 500_000]);
        assert_eq!(read(text, 0.5).expect("a recording").offsets_us, [0, 3, 25_000, 2_000_000]);
        let text = "{\"offset_ms\": 1, \"path\": \"/a\\u0062\", \"method\": \"GET\"}\n\
                    {\"offset_ms\": 1, \"path\": \"/c\"}";
        let found = read(text, 1.0).expect("a recording");
        assert_eq!((found.unordered, found.path.as_deref()), (None, Some("/ab")));
        assert_eq!(found.methods, ["GET"]);
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, why) in [
            ("", "is empty: each line is an object like {\"offset_ms\": 12.5}"),
            ("12.5", "line 1: column 4: invalid type: floating point"),
            ("{\"offset\": 1}", "line 1: lacks offset_ms: each line"),
            ("{\"offset_ms\": null}", "line 1: lacks offset_ms"),
            (
                "{\"offset_ms\": 1}\n\n{\"offset_ms\": -0.5}",
                "line 3: offset_ms must be a number of milliseconds from 0, not -0.5",
            ),
            (
                "{\"offset_ms\": \"1\"}",
                "line 1: offset_ms must be a number of milliseconds from 0, not \"1\"",
            ),
            ("{\"offset_ms\": 1e999}", "line 1: offset_ms must be a number"),
            (
                "{\"offset_ms\": 1764400000000}",
                "line 1: offset_ms 1764400000000 is too large: offsets count from the beginning",
            ),
            ("{\"offset_ms\": 1", "line 1: column 15: EOF while parsing"),
            (
                "{\"offset_ms\": 1}\n{\"offset_ms\": 1, \"path\": \"/\"}",
                "line 2: has a path, but line 1 has none",
            ),
            ("{\"offset_ms\": 1, \"path\": 7}", "line 1: column 26: invalid type: integer `7`"),
        ] {
            let error = read(text, 1.0).expect_err(text);
            assert!(error.starts_with(why), "{error}");
        }
        let many = "{\"offset_ms\":1}\n".repeat(MAX_STARTS + 1);
        let error = read(&many, 1.0).expect_err("too many");
        assert!(error.starts_with("line 525001: a plan has room for the first 525000 requests"), "{error}");
    }
}
