//! vegeta's target files → the requests of a plan.
//!
//! Both of its formats are read as vegeta reads them
//! (<https://github.com/tsenart/vegeta#usage-manual>): `METHOD URL` with header lines and `@FILE` for the
//! body, and one JSON object a line. vegeta sends the targets in turn; here, each different one becomes a
//! request whose weight is how often it occurs.

mod json;
mod text;

use crate::feed::two_origins;
use crate::plan::limits;
use crate::plan::written::{Written, origin};
use crate::units::{format_count, gcd, without_mark};

/// Maximum size of a file, in bytes.
pub const MAX_BYTES: usize = 16_000_000;
/// Maximum number of characters of a line that are shown.
const MAX_SHOWN: usize = 100;

/// How a file writes its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `METHOD URL`, followed by headers and a body.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where a body is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    #[default]
    None,
    /// In the file itself.
    Bytes(Vec<u8>),
    /// In this file, relative to the current folder.
    File(String),
}

/// One target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The method.
    pub method: String,
    /// The absolute URL.
    pub url: String,
    /// The header lines.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

/// A target, how often it occurs, and the line at which it first does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is sent.
    pub target: Target,
    /// How often it occurs.
    pub weight: u64,
    /// The line, from 1.
    pub line: usize,
}

/// The form that a line begins; `None` if it is a line of a list of URLs, or wrong.
pub fn form(line: &str) -> Option<Form> {
    let line = line.trim();
    if line.starts_with('{') {
        return Some(Form::Json);
    }
    text::is_target(line).then_some(Form::Text)
}

/// The different targets of a file, at most as many as a plan may have, all of one origin.
///
/// # Errors
/// The first wrong line, and what is allowed.
pub fn entries(form: Form, bytes: &[u8]) -> Result<Vec<Entry>, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("is too large: a file with targets has at most {MAX_BYTES} bytes"));
    }
    let bytes = without_mark(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line}: is not UTF-8: save the file as UTF-8")
    })?;
    let mut found = Found::default();
    match form {
        Form::Text => text::read(text, &mut |line, target| found.add(line, target))?,
        Form::Json => json::read(text, &mut |line, target| found.add(line, target))?,
    }
    let divisor = found.divisor();
    found.entries.iter_mut().for_each(|entry| entry.weight /= divisor);
    let most = *limits::WEIGHT.end();
    if let Some(often) = found.entries.iter().find(|entry| entry.weight > u64::from(most)) {
        return Err(format!(
            "line {}: this target has a weight of {} after reduction: at most {most} is possible",
            often.line,
            format_count(often.weight)
        ));
    }
    Ok(found.entries)
}

#[derive(Default)]
struct Found {
    entries: Vec<Entry>,
}

impl Found {
    fn add(&mut self, line: usize, target: Target) -> Result<(), String> {
        if let Some(same) = self.entries.iter_mut().find(|entry| entry.target == target) {
            same.weight += 1;
            return Ok(());
        }
        let in_line = |why: String| format!("line {line}: {why}");
        target.check().map_err(in_line)?;
        if let Some(first) = self.entries.first() {
            let (one, other) = (origin(&first.target.url), origin(&target.url));
            if !one.eq_ignore_ascii_case(other) {
                return Err(in_line(two_origins(other, first.line as u64, one)));
            }
        }
        if self.entries.len() == limits::NAMED_REQUESTS {
            return Err(in_line(self.too_many(&target)));
        }
        self.entries.push(Entry { target, weight: 1, line });
        Ok(())
    }

    /// What to do with more targets than a plan can have.
    fn too_many(&self, target: &Target) -> String {
        let most = limits::NAMED_REQUESTS;
        let is_like = |other: &Target| {
            (&other.method, &other.headers, &other.body) == (&target.method, &target.headers, &target.body)
        };
        let way = match self.entries.iter().all(|entry| is_like(&entry.target)) && target.body == Body::None {
            true => format!(
                "since only their URLs differ, write just these, one a line, and give the rest with --method {} \
                 and --header: such a list may be of any length",
                target.method
            ),
            false => {
                "use fewer, or a plan file with templates and a feed that has what differs (docs/plans.md)"
                    .to_owned()
            }
        };
        format!("there are more than {most} different targets, the most that one test can tell apart: {way}")
    }

    fn divisor(&self) -> u64 {
        self.entries.iter().fold(0, |all, entry| gcd(all, entry.weight)).max(1)
    }
}

impl Target {
    /// Checks it by the rules of a plan; what is in the file of the body is not known here.
    fn check(&self) -> Result<(), String> {
        let body = if let Body::Bytes(bytes) = &self.body { &bytes[..] } else { &[] };
        let (method, headers) = (self.method.as_str(), &self.headers[..]);
        let written = Written { method, origin: "", url: &self.url, headers, body };
        written.constant().map(drop).map_err(|wrong| wrong.why)
    }
}

#[cfg(test)]
mod tests;
