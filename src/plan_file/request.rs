//! The table `[request]`, and the list `[[requests]]`.

use super::keys::{Table, unknown};
use super::reader::{BodyFile, Reader};
use super::source::Problem;
use super::value::{Value, in_order, not, text, whole};
use crate::message::secrets;
use crate::plan::fields::shown;
use crate::plan::limits;
use crate::plan::options::{NamedOptions, RequestOptions};
use crate::plan::requests::check_name;
use crate::plan::values;
use toml::de::{DeTable, DeValue};

impl Reader {
    /// Reads `[request]`.
    pub fn request(&mut self, value: &Value) {
        let DeValue::Table(table) = value.get_ref() else {
            self.take::<()>(
                "request",
                Err(not(value, "a table with method, headers, body or body_file, and expect")),
            );
            return;
        };
        let mut options = RequestOptions::default();
        for (key, at, value) in in_order(table) {
            if !self.request_key("request", key, value, &mut options) {
                self.problems.push(Problem { at, text: unknown(key, Table::Request) });
            }
        }
        self.one_body("request");
        self.options.request = options;
    }

    /// Reads `[[requests]]`.
    pub fn requests(&mut self, value: &Value) {
        let DeValue::Array(list) = value.get_ref() else {
            let wrong = match value.get_ref() {
                DeValue::Integer(_) => {
                    (value.span(), "must be a list of requests, not a number: did you mean count?".to_owned())
                }
                _ => not(value, "a list of requests, each under [[requests]]"),
            };
            self.take::<()>("requests", Err(wrong));
            return;
        };
        if list.is_empty() {
            let why = "needs at least one request; omit it to send the one in [request]".to_owned();
            self.take::<()>("requests", Err((value.span(), why)));
            return;
        }
        let mut named = Vec::new();
        for (index, one) in list.iter().enumerate().take(limits::NAMED_REQUESTS + 1) {
            let path = format!("requests[{index}]");
            match one.get_ref() {
                DeValue::Table(table) => named.extend(self.named(&path, one, table)),
                _ => {
                    self.take::<()>(&path, Err(not(one, "a table, like { name = \"search\", url = \"/\" }")));
                }
            }
        }
        self.options.named = Some(named);
    }

    /// One of the requests; `None` if it has no valid name.
    fn named(&mut self, path: &str, value: &Value, table: &DeTable) -> Option<NamedOptions> {
        self.places.insert(path.to_owned(), value.span());
        let (mut name, mut named) = (None, NamedOptions::default());
        for (key, at, value) in in_order(table) {
            let own = format!("{path}.{key}");
            match key {
                "name" => {
                    self.places.insert(own.clone(), value.span());
                    let parse = |text: &str| check_name(text).map(|()| text.to_owned());
                    name = Some(self.take(&own, text(value, "\"search\"", parse)));
                }
                "weight" => {
                    self.places.insert(own.clone(), value.span());
                    named.weight = self.take(&own, whole(value, weight));
                }
                "url" => {
                    self.places.insert(own.clone(), value.span());
                    // An error repeats the line, and the URL may contain a password.
                    if value.get_ref().as_str().is_some_and(|url| url.contains('@')) {
                        self.secrets.push(value.span());
                    }
                    named.url = self.take(&own, text(value, "\"/search?q=x\"", |url| Ok(url.to_owned())));
                }
                _ if self.request_key(path, key, value, &mut named.request) => {}
                _ => self.problems.push(Problem { at, text: unknown(key, Table::Named) }),
            }
        }
        self.one_body(path);
        if name.is_none() {
            let why = "a request needs a name, like name = \"search\": results and conditions use it";
            self.problems.push(Problem { at: value.span(), text: format!("{path}: {why}") });
        }
        named.name = name.flatten()?;
        Some(named)
    }

    /// Reads a key that both kinds of tables have; false if it is another key.
    fn request_key(&mut self, table: &str, key: &str, value: &Value, into: &mut RequestOptions) -> bool {
        let path = format!("{table}.{key}");
        self.places.insert(path.clone(), value.span());
        let any = |text: &str| Ok(text.to_owned());
        match key {
            "method" => into.method = self.take(&path, text(value, "\"POST\"", values::method)),
            "headers" => into.headers = self.headers(&path, value),
            "body" => {
                // A body may be a login.
                self.secrets.push(value.span());
                let body = self.take(&path, text(value, "'{\"id\": 7}'", any));
                into.body = body.map(String::into_bytes);
            }
            "body_file" => {
                let file = self.take(&path, text(value, "\"body.json\"", any));
                let request = table.strip_prefix("requests[").and_then(|rest| rest.strip_suffix(']'));
                let index = request.and_then(|index| index.parse().ok());
                self.body_files.extend(file.map(|file| BodyFile { path, index, file }));
            }
            "expect" => into.expect = self.expect(&path, value).unwrap_or_default(),
            _ => return false,
        }
        true
    }

    fn one_body(&mut self, table: &str) {
        let both = self.places.contains_key(&format!("{table}.body"));
        let path = format!("{table}.body_file");
        if let Some(at) = self.places.get(&path).filter(|_| both) {
            let text = format!("{path}: conflicts with body: omit one of them");
            self.problems.push(Problem { at: at.clone(), text });
        }
    }

    fn headers(&mut self, path: &str, value: &Value) -> Vec<(String, String)> {
        let DeValue::Table(table) = value.get_ref() else {
            let wrong = not(value, "a table, like { accept = \"text/plain\" }");
            self.take::<()>(path, Err(wrong));
            return Vec::new();
        };
        let mut fields = Vec::new();
        for (name, at, value) in in_order(table) {
            if secrets::is_secret(name) {
                self.secrets.push(value.span());
            }
            self.places.insert(format!("{path}.{}", name.trim().to_ascii_lowercase()), value.span());
            let field =
                text(value, "\"text/plain\"", |text| Ok((name.trim().to_owned(), text.trim().to_owned())));
            let field = field.and_then(|field| match values::header_field(&field) {
                Ok(()) => Ok(field),
                Err(why) => Err((at, why)),
            });
            fields.extend(self.take(&format!("{path}.{}", shown(name)), field));
        }
        fields
    }
}

fn weight(text: &str) -> Result<u32, String> {
    let (least, most) = (*limits::WEIGHT.start(), *limits::WEIGHT.end());
    let weight = text.parse().ok().filter(|weight| limits::WEIGHT.contains(weight));
    weight.ok_or_else(|| format!("must be a whole number, {least} to {most}, not {text}"))
}
