//! The table `[request]`.

use super::keys::{Table, unknown};
use super::reader::Reader;
use super::source::Problem;
use super::value::{Value, in_order, not, text};
use crate::message::secrets;
use crate::plan::fields::shown;
use crate::plan::values;
use toml::de::DeValue;

impl Reader {
    /// Reads the table.
    pub fn request(&mut self, value: &Value) {
        let DeValue::Table(table) = value.get_ref() else {
            self.take::<()>("request", Err(not(value, "a table with method, headers, body or body_file")));
            return;
        };
        let any = |text: &str| Ok(text.to_owned());
        for (key, at, value) in in_order(table) {
            let path = format!("request.{key}");
            self.places.insert(path.clone(), value.span());
            match key {
                "method" => {
                    self.options.request.method = self.take(&path, text(value, "\"POST\"", values::method));
                }
                "headers" => self.headers(value),
                "body" => {
                    // A body may be a login.
                    self.secrets.push(value.span());
                    let body = self.take(&path, text(value, "'{\"id\": 7}'", any));
                    self.options.request.body = body.map(String::into_bytes);
                }
                "body_file" => self.body_file = self.take(&path, text(value, "\"body.json\"", any)),
                _ => self.problems.push(Problem { at, text: unknown(key, Table::Request) }),
            }
        }
        let both = self.places.contains_key("request.body");
        if let Some(at) = self.places.get("request.body_file").filter(|_| both) {
            let text = "request.body_file: conflicts with body: omit one of them".to_owned();
            self.problems.push(Problem { at: at.clone(), text });
        }
    }

    fn headers(&mut self, value: &Value) {
        let DeValue::Table(table) = value.get_ref() else {
            let wrong = not(value, "a table, like { accept = \"text/plain\" }");
            self.take::<()>("request.headers", Err(wrong));
            return;
        };
        for (name, at, value) in in_order(table) {
            if secrets::is_secret(name) {
                self.secrets.push(value.span());
            }
            let field =
                text(value, "\"text/plain\"", |text| Ok((name.trim().to_owned(), text.trim().to_owned())));
            let field = field.and_then(|field| match values::header_field(&field) {
                Ok(()) => Ok(field),
                Err(why) => Err((at, why)),
            });
            let field = self.take(&format!("request.headers.{}", shown(name)), field);
            self.options.request.headers.extend(field);
        }
    }
}
