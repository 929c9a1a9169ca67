//! The tables `[feeds.NAME]`.

use super::keys::{Table, unknown};
use super::reader::Reader;
use super::source::Problem;
use super::value::{Value, Wrong, in_order, not, text};
use crate::feed::{AtEnd, Pick};
use crate::plan::feed_options::FeedOptions;
use crate::plan::names;
use serde_json::Value as Json;
use std::fmt::Write as _;
use toml::de::{DeTable, DeValue};

impl Reader {
    /// Reads `[feeds]`.
    pub fn feeds(&mut self, value: &Value) {
        let DeValue::Table(table) = value.get_ref() else {
            let why = not(value, "a table of feeds, each under a heading like [feeds.users]");
            self.take::<()>("feeds", Err(why));
            return;
        };
        for (name, at, value) in in_order(table) {
            let path = format!("feeds.{name}");
            self.places.insert(path.clone(), at.clone());
            if let Err(why) = names::check(name) {
                self.problems.push(Problem { at, text: format!("feeds: the name {why}") });
                continue;
            }
            match value.get_ref() {
                DeValue::Table(table) => self.feed(&path, name, value, table),
                _ => {
                    self.take::<()>(&path, Err(not(value, "a table, like { file = \"users.csv\" }")));
                }
            }
        }
    }

    fn feed(&mut self, path: &str, name: &str, value: &Value, table: &DeTable) {
        let mut feed = FeedOptions { name: name.to_owned(), ..FeedOptions::default() };
        for (key, at, value) in in_order(table) {
            let own = format!("{path}.{key}");
            self.places.insert(own.clone(), value.span());
            match key {
                "file" => {
                    feed.file = self.take(&own, text(value, "\"users.csv\"", |file| Ok(file.to_owned())))
                }
                "pick" => feed.pick = self.take(&own, text(value, "\"unique\"", pick)),
                "at_end" => feed.at_end = self.take(&own, text(value, "\"stop\"", at_end)),
                "rows" => {
                    // Rows may be logins.
                    self.secrets.push(value.span());
                    feed.rows = self.take(&own, rows(value));
                }
                _ => self.problems.push(Problem { at, text: unknown(key, Table::Feed) }),
            }
        }
        let has = |key: &str| self.places.contains_key(&format!("{path}.{key}"));
        let why = match (has("file"), has("rows")) {
            (true, true) => "rows conflicts with file: omit one of them",
            (false, false) => "a feed needs a file, like file = \"users.csv\", or rows",
            _ => return self.options.feeds.push(feed),
        };
        let at = if has("rows") { self.places[&format!("{path}.rows")].clone() } else { value.span() };
        self.problems.push(Problem { at, text: format!("{path}: {why}") });
    }
}

fn pick(name: &str) -> Result<Pick, String> {
    let why = "use cycle (one after the other, again and again), random or unique (each row once)";
    Pick::named(name).ok_or_else(|| why.to_owned())
}

fn at_end(name: &str) -> Result<AtEnd, String> {
    match name {
        "stop" => Ok(AtEnd::Stop),
        "repeat" => Ok(AtEnd::Repeat),
        _ => Err("use stop or repeat".to_owned()),
    }
}

/// Rows as lines with JSON objects.
fn rows(value: &Value) -> Result<String, Wrong> {
    let like = "a list of tables, like [{ id = 1, term = \"shoes\" }]";
    let DeValue::Array(list) = value.get_ref() else { return Err(not(value, like)) };
    if list.is_empty() {
        return Err((value.span(), "is empty: at least one row is needed".to_owned()));
    }
    let mut lines = String::new();
    for one in list.iter() {
        let DeValue::Table(table) = one.get_ref() else { return Err(not(one, like)) };
        let cells = in_order(table).into_iter().map(|(name, _, value)| Ok((name, cell(value)?)));
        let cells = cells.collect::<Result<Vec<_>, Wrong>>()?;
        let cells: Vec<_> =
            cells.iter().map(|(name, cell)| format!("{}:{cell}", Json::from(*name))).collect();
        let _ = writeln!(lines, "{{{}}}", cells.join(","));
    }
    Ok(lines)
}

/// A value of a row, as JSON.
fn cell(value: &Value) -> Result<String, Wrong> {
    match value.get_ref() {
        DeValue::String(text) => Ok(Json::from(text.as_ref()).to_string()),
        DeValue::Integer(number) if number.radix() == 10 => {
            Ok(Json::from(number.as_str().trim_start_matches('+')).to_string())
        }
        DeValue::Float(number) => Ok(Json::from(number.as_str()).to_string()),
        DeValue::Boolean(is_true) => Ok(is_true.to_string()),
        _ => Err(not(value, "a string, a number, true or false")),
    }
}
