//! Reads the values of a parsed file into the settings of a plan.

use super::keys::{Table, unknown};
use super::source::Problem;
use super::stages;
use super::value::{self, Value, Wrong, in_order, not};
use crate::plan::options::Options;
use crate::plan::values;
use crate::template::has_expression;
use crate::thresholds::Threshold;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A file that contains the body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyFile {
    /// The key that names it.
    pub path: String,
    /// Of which request in `[[requests]]`; `None` for the one in `[request]`.
    pub index: Option<usize>,
    /// The file, relative to the plan file.
    pub file: String,
}

/// What was read so far.
#[derive(Default)]
pub struct Reader {
    pub options: Options,
    pub body_files: Vec<BodyFile>,
    pub places: BTreeMap<String, Range<usize>>,
    pub secrets: Vec<Range<usize>>,
    pub problems: Vec<Problem>,
}

impl Reader {
    /// Reads the top of a plan file and its tables.
    pub fn plan(&mut self, table: &DeTable) {
        for (key, at, value) in in_order(table) {
            self.places.insert(key.to_owned(), value.span());
            self.top(key, at, value);
        }
        if let (Some(at), true) = (self.places.get("ab"), self.places.contains_key("target_url")) {
            let why = "ab: conflicts with target_url: list both URLs in ab, and omit target_url";
            self.problems.push(Problem { at: at.clone(), text: why.to_owned() });
        }
    }

    fn top(&mut self, key: &str, at: Range<usize>, value: &Value) {
        use super::value::{duration, number, text, whole};
        match key {
            "test_type" => {
                self.options.test_type = self.take(key, text(value, "\"avalanche\"", values::test_type));
            }
            "target_url" => {
                self.options.url = self.url(key, value);
            }
            "ab" => self.ab(value),
            "rate" => self.options.rate = self.take(key, number(value, values::fleet_rate)),
            "rate_per_driver" => self.options.rate_per_driver = self.take(key, number(value, values::rate)),
            "count" => self.options.requests = self.take(key, whole(value, values::requests)),
            "count_per_driver" => {
                self.options.requests_per_driver = self.take(key, whole(value, values::requests));
            }
            "connections" => {
                self.options.connections = self.take(key, whole(value, values::fleet_connections));
            }
            "connections_per_driver" => {
                self.options.connections_per_driver = self.take(key, whole(value, values::connections));
            }
            "duration" => self.options.duration = self.take(key, duration(value, values::duration)),
            "warmup" => self.options.warmup = self.take(key, duration(value, values::warmup)),
            "delay" => self.options.delay = self.take(key, duration(value, values::delay)),
            "timeout" => self.options.timeout = self.take(key, duration(value, values::timeout)),
            "stages" => {
                let read = stages::read(value);
                self.options.stages = self.all(key, read);
            }
            "fail_if" => self.fail_if(value),
            "on_driver_loss" => {
                self.options.on_driver_loss = self.take(key, text(value, "\"fail\"", values::on_driver_loss));
            }
            "max_requests_per_connection" => {
                self.options.max_requests_per_connection =
                    self.take(key, whole(value, values::per_connection));
            }
            "client" => self.options.client = self.take(key, text(value, "\"native\"", client)),
            "host" => self.options.host = self.take(key, text(value, "\"shop.example\"", values::host)),
            "insecure" => self.options.insecure = self.take(key, switch(value)),
            "request" => self.request(value),
            "requests" => self.requests(value),
            "seed" => self.options.seed = self.take(key, whole(value, values::seed)),
            "feeds" => self.feeds(value),
            _ => self.problems.push(Problem { at, text: unknown(key, Table::Plan) }),
        }
    }

    /// The value, or `None` and a problem.
    pub fn take<T>(&mut self, path: &str, read: Result<T, Wrong>) -> Option<T> {
        self.all(path, read.map_err(|wrong| vec![wrong]))
    }

    /// The value, or `None` and its problems.
    pub fn all<T>(&mut self, path: &str, read: Result<T, Vec<Wrong>>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(wrong) => {
                let text = |why| format!("{path}: {why}");
                self.problems.extend(wrong.into_iter().map(|(at, why)| Problem { at, text: text(why) }));
                None
            }
        }
    }

    fn url(&mut self, key: &str, value: &Value) -> Option<String> {
        // An error repeats the line, and the URL may contain a password.
        if value.get_ref().as_str().is_some_and(|url| url.contains('@')) {
            self.secrets.push(value.span());
        }
        // Errors in templates have a place inside the URL, which the rules of the plan know.
        let varies = |url: &str| has_expression(url.as_bytes());
        let parse = |url: &str| if varies(url) { Ok(url.to_owned()) } else { values::url(url) };
        self.take(key, value::text(value, "\"http://127.0.0.1:8000/ping\"", parse))
    }

    fn ab(&mut self, value: &Value) {
        let DeValue::Array(list) = value.get_ref() else {
            let wrong = not(value, "a list of two URLs, A and B");
            self.take::<()>("ab", Err(wrong));
            return;
        };
        if list.len() != 2 {
            let why = format!("must be a list of two URLs, A and B, not of {}", list.len());
            self.take::<()>("ab", Err((value.span(), why)));
            return;
        }
        let mut urls = list.iter().map(|one| self.url("ab", one));
        let both = (urls.next().flatten(), urls.next().flatten());
        (self.options.url, self.options.other) = both;
    }

    fn fail_if(&mut self, value: &Value) {
        let DeValue::Array(list) = value.get_ref() else {
            let wrong = not(value, "a list of strings, like [\"p99 > 250ms\"]");
            self.take::<()>("fail_if", Err(wrong));
            return;
        };
        let mut conditions = Vec::new();
        for (at, one) in list.iter().enumerate() {
            self.places.insert(format!("fail_if[{at}]"), one.span());
            conditions.extend(self.take("fail_if", condition(one)));
        }
        self.options.fail_if = Some(conditions);
    }
}

/// A condition; if it is wrong, its wrong part.
fn condition(value: &Value) -> Result<String, Wrong> {
    let DeValue::String(text) = value.get_ref() else {
        return Err(not(value, "a string, like \"p99 > 250ms\""));
    };
    let Err(wrong) = Threshold::parse(text) else { return Ok(text.trim().to_owned()) };
    let (span, part) = (value.span(), wrong.part());
    // The text has the length of its quoted form only if it has one quote at each end and no escapes.
    let is_plain = span.len() == text.len() + 2 && text.trim() == text.as_ref() && !part.is_empty();
    let at = if is_plain { span.start + 1 + part.start..span.start + 1 + part.end } else { span };
    Err((at, wrong.why().to_owned()))
}

fn switch(value: &Value) -> Result<bool, Wrong> {
    match value.get_ref() {
        DeValue::Boolean(on) => Ok(*on),
        _ => Err(not(value, "true or false")),
    }
}

fn client(name: &str) -> Result<String, String> {
    match name {
        "native" | "ureq" => Ok(name.to_owned()),
        _ => Err("use native or ureq, or omit it".to_owned()),
    }
}
