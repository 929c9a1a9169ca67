//! The rules of `expect`, with errors that name the key and say what is allowed.

use super::body::Text;
use super::condition::Condition;
use super::expect::{Expect, Status, Texts};
use super::header::HeaderCheck;
use super::pointer::Pointer;
use super::{Check, clip};

/// Limits of the checks of one request.
pub mod limits {
    use std::ops::RangeInclusive;

    /// Maximum number of checks of one request.
    pub const CHECKS: usize = 16;
    /// Statuses of final responses.
    pub const STATUSES: RangeInclusive<u16> = 200..=999;
    /// Maximum number of statuses in a list.
    pub const STATUS_LIST: usize = 32;
    /// Maximum length of a text, a pointer, a header's name or a condition, in bytes.
    pub const TEXT_BYTES: usize = 4_096;
    /// Maximum size of a body, in bytes.
    pub const MAX_BYTES: RangeInclusive<u64> = 0..=(1 << 30);
    /// How much of a body is kept for the checks if the plan does not say it, in bytes.
    pub const DEFAULT_CAPTURE_BYTES: usize = 64 * 1024;
    /// How much of a body may be kept for the checks, in bytes.
    pub const CAPTURE_BYTES: RangeInclusive<u64> = 1..=(1 << 20);
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The key within `expect`, such as `json./id` or `contains`; empty for all of it.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

#[derive(Default)]
struct Compiler {
    checks: Vec<Check>,
    wrong: Vec<Wrong>,
}

/// The checks, or every broken rule.
pub fn compile(expect: &Expect, is_head: bool) -> Result<Vec<Check>, Vec<Wrong>> {
    let mut compiler = Compiler::default();
    compiler.status(expect);
    compiler.texts("contains", &expect.contains, Check::Contains);
    compiler.texts("not_contains", &expect.not_contains, Check::NotContains);
    compiler.json(expect);
    compiler.headers(expect);
    compiler.sizes(expect);
    let Compiler { checks, mut wrong } = compiler;
    let needs_body = [("contains", !expect.contains.is_empty()), ("json", !expect.json.is_empty())];
    for (key, _) in needs_body.iter().filter(|(_, is_set)| is_head && *is_set) {
        wrong.push(of(key, "the response to HEAD has no body: use GET, or omit it"));
    }
    if checks.len() > limits::CHECKS {
        let most = limits::CHECKS;
        let count = checks.len();
        wrong.push(of(
            "",
            format!(
                "{count} checks: a request has at most {most}, one for each text, pointer \
                                   and header"
            ),
        ));
    }
    if wrong.is_empty() { Ok(checks) } else { Err(wrong) }
}

fn of(key: &str, reason: impl Into<String>) -> Wrong {
    Wrong { key: key.to_owned(), reason: reason.into() }
}

impl Compiler {
    fn fail(&mut self, key: &str, reason: impl Into<String>) {
        self.wrong.push(of(key, reason));
    }

    /// Whether a text has an allowed length; if not, that is an error.
    fn is_short(&mut self, key: &str, text: &str) -> bool {
        let is_short = text.len() <= limits::TEXT_BYTES;
        if !is_short {
            let most = limits::TEXT_BYTES;
            self.fail(key, format!("a text of {} bytes: at most {most} are allowed", text.len()));
        }
        is_short
    }

    fn status(&mut self, expect: &Expect) {
        let Some(statuses) = &expect.status else { return };
        let (least, most) = limits::STATUSES.into_inner();
        let is_allowed = |status: &Status| match status {
            Status::Code(code) => limits::STATUSES.contains(code),
            Status::Class(digit) => (2..=9).contains(digit),
        };
        if statuses.0.is_empty() {
            return self.fail("status", "is an empty list: use 200, \"2xx\", or a list of these");
        }
        if statuses.0.len() > limits::STATUS_LIST {
            let most = limits::STATUS_LIST;
            return self.fail("status", format!("{} statuses: at most {most}", statuses.0.len()));
        }
        match statuses.0.iter().find(|status| !is_allowed(status)) {
            Some(_) => {
                self.fail(
                    "status",
                    format!(
                        "use {least} to {most}, or a class like \"2xx\": the status of a \
                                             final response is at least 200"
                    ),
                );
            }
            None => self.checks.push(Check::Status(statuses.clone())),
        }
    }

    fn texts(&mut self, key: &str, texts: &Texts, check: fn(Text) -> Check) {
        for (at, text) in texts.0.iter().enumerate() {
            if text.is_empty() {
                self.fail(key, "an empty text is in every body: use a text, or omit it");
            } else if texts.0[..at].contains(text) {
                self.fail(key, format!("{:?} is listed twice: omit one of them", clip(text, 40)));
            } else if self.is_short(key, text) {
                self.checks.push(check(Text::new(text)));
            }
        }
    }

    fn json(&mut self, expect: &Expect) {
        for (pointer, condition) in &expect.json {
            let key = format!("json.{}", clip(pointer, 100));
            let text = condition.as_str().unwrap_or_default();
            if !self.is_short("json", pointer) || !self.is_short(&key, text) {
                continue;
            }
            match (Pointer::parse(pointer), Condition::read(condition)) {
                (Ok(pointer), Ok(condition)) => self.checks.push(Check::Json(pointer, condition)),
                (pointer, condition) => {
                    let reasons = [pointer.err(), condition.err()];
                    reasons.into_iter().flatten().for_each(|reason| self.fail(&key, reason));
                }
            }
        }
    }

    fn headers(&mut self, expect: &Expect) {
        let mut names: Vec<String> = Vec::new();
        for (name, condition) in &expect.header {
            let key = format!("header.{}", clip(name, 100));
            if !self.is_short("header", name) || !self.is_short(&key, condition) {
                continue;
            }
            match HeaderCheck::read(name, condition) {
                Ok(check) if names.iter().any(|known| known == check.name()) => {
                    self.fail(&key, "is listed twice, in different letter case: omit one of them");
                }
                Ok(check) => {
                    names.push(check.name().to_owned());
                    self.checks.push(Check::Header(check));
                }
                Err(reason) => self.fail(&key, reason),
            }
        }
    }

    fn sizes(&mut self, expect: &Expect) {
        let within = |value: &u64, allowed: &std::ops::RangeInclusive<u64>| {
            let reason = || format!("must be {} to {} bytes, not {value}", allowed.start(), allowed.end());
            if allowed.contains(value) { Ok(*value) } else { Err(reason()) }
        };
        match expect.max_bytes.as_ref().map(|most| within(most, &limits::MAX_BYTES)) {
            Some(Ok(most)) => self.checks.push(Check::MaxBytes(most)),
            Some(Err(reason)) => self.fail("max_bytes", reason),
            None => {}
        }
        if let Some(Err(reason)) =
            expect.capture_bytes.as_ref().map(|most| within(most, &limits::CAPTURE_BYTES))
        {
            self.fail("capture_bytes", reason);
        }
    }
}
