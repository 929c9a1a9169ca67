//! Plan files: TOML → the settings of a plan, and errors that point at their place in the file.
//!
//! Text in, [`Options`] or errors out. The keys are those of `docs/plans.md`; the rules of a plan stay in
//! [`crate::plan`], and their errors find their place by the name of the key.

pub mod describe;
mod expect;
mod feeds;
mod json;
pub mod keys;
pub mod posted;
mod reader;
mod request;
mod source;
mod stages;
mod value;

use crate::plan::PlanError;
use crate::plan::options::Options;
pub use reader::BodyFile;
use source::{Problem, Source};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::de::DeTable;

/// Largest plan file that is read, in bytes.
pub const MAX_BYTES: usize = 1_000_000;
/// Maximum number of problems that are shown at once.
const MAX_SHOWN: usize = 10;

/// A plan file that was read.
#[derive(Clone, Debug)]
pub struct PlanFile {
    /// What it sets.
    pub options: Options,
    /// The files that contain bodies.
    pub body_files: Vec<BodyFile>,
    source: Source,
    /// Where the value of each key is, by path: `rate`, `request.body`, `fail_if[1]`.
    places: BTreeMap<String, Range<usize>>,
}

impl PlanFile {
    /// Reads a plan file. `name` is what errors call it.
    ///
    /// # Errors
    /// Every problem with line, column and caret, what is wrong, and what is allowed.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<PlanFile, String> {
        if bytes.len() > MAX_BYTES {
            return Err(format!("{name}: is too large: a plan file has at most {MAX_BYTES} bytes"));
        }
        PlanFile::read(Source::new(name, bytes)?)
    }

    /// Reads a plan file whose text was rewritten, so that its errors have no place in it.
    fn parse_rewritten(name: &str, text: &str) -> Result<PlanFile, String> {
        PlanFile::read(Source::rewritten(name, text))
    }

    fn read(mut source: Source) -> Result<PlanFile, String> {
        let text = source.shared();
        let (table, wrong) = DeTable::parse_recoverable(&text);
        if let Some(error) = wrong.first() {
            let end = text.len();
            let at = error.span().unwrap_or(end..end);
            return Err(source.syntax(&at, &format!("malformed TOML: {}", plain(error.message()))));
        }
        let mut reader = reader::Reader::default();
        reader.plan(table.get_ref());
        let reader::Reader { options, body_files, places, secrets, problems } = reader;
        source.hide(secrets);
        if problems.is_empty() {
            return Ok(PlanFile { options, body_files, source, places });
        }
        Err(source.show_all(problems, MAX_SHOWN))
    }

    /// An error at the value of a key; `None` if the file does not set it.
    pub fn error(&self, key: &str, reason: &str) -> Option<String> {
        self.error_at(key, key, reason, None)
    }

    fn error_at(&self, path: &str, key: &str, reason: &str, part: Option<&Range<usize>>) -> Option<String> {
        let mut path = path;
        // What the file does not set is an error of the table that lacks it.
        let at = loop {
            match (self.places.get(path), path.rsplit_once('.')) {
                (Some(at), _) => break part.map_or_else(|| at.clone(), |part| self.source.part(at, part)),
                (None, Some((table, _))) => path = table,
                (None, None) => return None,
            }
        };
        Some(self.source.show(&Problem { at, text: format!("{key}: {reason}") }))
    }

    /// A rule that the plan breaks, at the value that breaks it; `None` if the file does not set it.
    pub fn plan_error(&self, error: &PlanError) -> Option<String> {
        let key = keys::of_field(&error.field);
        let reason = keys::reason(&error.reason);
        // A condition is named by its text.
        let mut conditions = self.options.fail_if.iter().flatten();
        let named =
            |text: &String| error.reason.strip_prefix(text.as_str()).is_some_and(|r| r.starts_with(": "));
        // Names of headers are written in any case.
        let path = key.to_ascii_lowercase();
        match conditions.position(named).filter(|_| key == "fail_if") {
            Some(at) => self.error_at(&format!("{key}[{at}]"), key, &reason, None),
            None if self.places.contains_key(key) => self.error_at(key, key, &reason, error.part.as_ref()),
            None => self.error_at(&path, key, &reason, error.part.as_ref()),
        }
    }
}

/// The parser's message, where it can be said more plainly.
fn plain(message: &str) -> &str {
    match message {
        "invalid basic string, expected `\"`" => "the string has no closing quote",
        "invalid literal string, expected `'`" => "the string has no closing quote",
        "invalid boolean, expected `false`" | "invalid boolean, expected `true`" => {
            "a string must be in quotes"
        }
        _ => message.strip_suffix(", expected literal string").unwrap_or(message),
    }
}
