//! Checks: what a response must look like, and which of its checks fail.
//!
//! A response that fails a check is a response and not an error: it is counted apart. [`Expect`] is what a
//! plan says, [`Checks`] its compiled form, and [`Failed`] the result for one response, a few bits. Pure:
//! bytes in, bits out. Only JSON checks allocate.

mod body;
mod condition;
mod expect;
mod failed;
mod header;
mod pointer;
mod rules;

use crate::units::clip;
use body::Text;
use condition::Condition;
pub use expect::{Expect, KEYS, Status, Statuses, Texts, kind, misshapen};
pub use failed::Failed;
use header::HeaderCheck;
use pointer::Pointer;
pub use rules::{Wrong, limits};
use serde_json::Value;

/// The first bytes of the body of a failed response that are kept for people.
pub const SAMPLE_BYTES: usize = 500;
/// Maximum length of the text in a check's name, in characters.
const NAME_CHARS: usize = 40;

/// What is known about a response when it is complete.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The status.
    pub status: u16,
    /// The header lines; only needed if [`Checks::needs_head`].
    pub head: &'a [u8],
    /// The first bytes of the body, at least as many as [`Checks::needs_body`] says, or all of it.
    pub body: &'a [u8],
    /// Bytes of the whole body, without framing.
    pub body_bytes: u64,
}

impl Seen<'_> {
    fn is_whole(&self) -> bool {
        self.body.len() as u64 >= self.body_bytes
    }
}

/// One check.
#[derive(Clone, Debug)]
enum Check {
    Status(Statuses),
    Contains(Text),
    NotContains(Text),
    Json(Pointer, Condition),
    Header(HeaderCheck),
    MaxBytes(u64),
}

/// The checks of one request, at most [`limits::CHECKS`].
#[derive(Clone, Debug)]
pub struct Checks {
    expect: Expect,
    checks: Vec<Check>,
    names: Vec<String>,
    body: usize,
    has_head: bool,
    has_json: bool,
}

impl PartialEq for Checks {
    fn eq(&self, other: &Checks) -> bool {
        self.expect == other.expect
    }
}

impl Eq for Checks {}

impl Checks {
    /// Compiles what a plan expects; `None` if it expects nothing. `is_head` tells that the request is a
    /// `HEAD`, whose response has no body.
    ///
    /// # Errors
    /// Every broken rule, with its key and what is allowed.
    pub fn new(expect: &Expect, is_head: bool) -> Result<Option<Checks>, Vec<Wrong>> {
        let checks = rules::compile(expect, is_head)?;
        if checks.is_empty() {
            return Ok(None);
        }
        let is_of_body =
            |check: &Check| matches!(check, Check::Contains(_) | Check::NotContains(_) | Check::Json(..));
        let most = expect.capture_bytes.map_or(limits::DEFAULT_CAPTURE_BYTES, |most| most as usize);
        Ok(Some(Checks {
            expect: expect.clone(),
            names: names(&checks),
            body: if checks.iter().any(is_of_body) { most } else { 0 },
            has_head: checks.iter().any(|check| matches!(check, Check::Header(_))),
            has_json: checks.iter().any(|check| matches!(check, Check::Json(..))),
            checks,
        }))
    }

    /// What each check is called: `status`, `contains TEXT`, `json /pointer`. All are distinct.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What the plan says.
    pub fn expect(&self) -> &Expect {
        &self.expect
    }

    /// How many of the first bytes of a body with this status must be kept. A sample of the body of a failed
    /// response is kept even if no check reads it.
    pub fn needs_body(&self, status: u16) -> usize {
        let fits = |check: &Check| match check {
            Check::Status(allowed) => allowed.allow(status),
            Check::MaxBytes(_) | Check::Header(_) => false,
            _ => true,
        };
        if self.body < SAMPLE_BYTES && !self.checks.iter().all(fits) { SAMPLE_BYTES } else { self.body }
    }

    /// Whether the header lines must be kept.
    pub fn needs_head(&self) -> bool {
        self.has_head
    }

    /// Which checks fail.
    pub fn failed(&self, seen: &Seen<'_>) -> Failed {
        let json = self.has_json.then(|| body::json(seen)).flatten();
        let mut failed = Failed::default();
        for (at, check) in self.checks.iter().enumerate() {
            if !holds(check, seen, json.as_ref()) {
                failed.add(at);
                failed.is_truncated |= !seen.is_whole() && check.is_of_rest(seen);
            }
        }
        failed
    }
}

impl Check {
    /// Whether it might hold if the rest of a truncated body were known. A text that was found stays found.
    fn is_of_rest(&self, seen: &Seen<'_>) -> bool {
        match self {
            Check::Contains(_) | Check::Json(..) => true,
            Check::NotContains(text) => !text.is_in(seen.body),
            Check::Status(_) | Check::Header(_) | Check::MaxBytes(_) => false,
        }
    }

    /// Its name, unless another has the same.
    fn name(&self) -> String {
        let with =
            |kind: &str, text: &str| format!("{kind} {}", clip(text, NAME_CHARS)).trim_end().to_owned();
        match self {
            Check::Status(_) => "status".to_owned(),
            Check::Contains(text) => with("contains", text.text()),
            Check::NotContains(text) => with("not_contains", text.text()),
            Check::Json(pointer, _) => with("json", pointer.text()),
            Check::Header(header) => with("header", header.name()),
            Check::MaxBytes(_) => "max_bytes".to_owned(),
        }
    }
}

fn holds(check: &Check, seen: &Seen<'_>, json: Option<&Value>) -> bool {
    match check {
        Check::Status(allowed) => allowed.allow(seen.status),
        Check::Contains(text) => text.is_in(seen.body),
        // A text that was not found may be in the part that was not kept.
        Check::NotContains(text) => seen.is_whole() && !text.is_in(seen.body),
        Check::Json(pointer, condition) => json.is_some_and(|json| condition.holds(pointer.find(json))),
        Check::Header(header) => header.holds(seen.head),
        Check::MaxBytes(most) => seen.body_bytes <= *most,
    }
}

/// The names of checks. Those with equal names, such as long texts with the same beginning, are numbered.
fn names(checks: &[Check]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(checks.len());
    for check in checks {
        let name = check.name();
        let mut numbered = (2..).map(|n| format!("{name} ({n})"));
        let name = std::iter::once(name.clone()).chain(numbered.by_ref()).find(|name| !names.contains(name));
        names.extend(name);
    }
    names
}

#[cfg(test)]
mod tests;
