//! Rows from lines with URLs: paths, or absolute URLs of one origin, or JSON objects with a `path`. Blank
//! lines and those that begin with `#` are skipped.

use super::lines::{Lines, in_column};
use super::row::{Row, Sink, at_line};
use crate::template::Place;
use crate::units::clip;
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Read;

/// The only column: path and query, without the slash that they begin with, so that `http://h/{{urls.path}}`
/// is a URL before and after a template is filled in.
pub const PATH: &str = "path";

/// Maximum number of characters of a line that are shown.
const MAX_SHOWN: usize = 100;
const ALLOWED: &str = "a line is a path that begins with /, like /items/7?x=1, or a whole URL, like \
                       http://127.0.0.1:8000/ping";

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// Scheme, host and port, in lower case and without the usual port; `None` for a path.
    pub origin: Option<String>,
    /// Path and query, without the slash that they begin with and without a fragment, which is never sent.
    pub rest: &'a str,
}

impl<'a> Address<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, and what is allowed.
    pub fn parse(line: &'a str) -> Result<Address<'a>, String> {
        let text = line.trim_ascii();
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        let (origin, rest) = match text.strip_prefix('/') {
            Some(rest) => (None, rest),
            None => absolute(text).map(|(origin, rest)| (Some(origin), rest))?,
        };
        if rest.contains("{{") {
            return Err("a list of URLs cannot have templates: use a plan file, with a feed".to_owned());
        }
        match Place::Path.check(rest.as_bytes()) {
            Ok(()) => Ok(Address { origin, rest }),
            Err(why) => {
                let why = why.split(':').next().unwrap_or_default();
                Err(format!("{why}: write {}", clip(&encoded(rest), MAX_SHOWN)))
            }
        }
    }
}

/// Origin and rest of an absolute URL.
fn absolute(text: &str) -> Result<(String, &str), String> {
    let method = text.split_once(' ').map(|(word, _)| word).unwrap_or_default();
    if !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("{ALLOWED}. The method is the same for all of them: --method {method}"));
    }
    let Some((scheme, rest)) = text.split_once("://") else { return Err(ALLOWED.to_owned()) };
    let usual = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return Err("only http and https are supported".to_owned()),
    };
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("has a user name: remove it, and use --basic USER:PASSWORD".to_owned());
    }
    let authority = authority.to_ascii_lowercase();
    let authority = authority.strip_suffix(usual).unwrap_or(&authority);
    if authority.is_empty() {
        return Err(format!("has no host: {ALLOWED}"));
    }
    let scheme = scheme.to_ascii_lowercase();
    Ok((format!("{scheme}://{authority}"), rest.strip_prefix('/').unwrap_or(rest)))
}

/// The same with percent-encoding of what a URL cannot contain (RFC 3986, section 2.1).
fn encoded(rest: &str) -> String {
    rest.bytes().fold("/".to_owned(), |mut out, byte| {
        match Place::Path.check(&[byte]) {
            Ok(()) => out.push(char::from(byte)),
            Err(_) => drop(write!(out, "%{byte:02X}")),
        }
        out
    })
}

/// Reads all rows; returns their number.
pub fn read(input: impl Read, sink: &mut dyn Sink) -> Result<u64, String> {
    let (mut lines, mut rows) = (Lines::new(input), 0);
    let mut first: Option<(u64, Option<String>)> = None;
    while let Some((line, text)) = lines.next_line()? {
        let text = text.trim_ascii();
        if text.starts_with('#') {
            continue;
        }
        // A password is not repeated.
        let may_have_password = text.contains("://") && text.contains('@');
        let in_line = |why: String| match may_have_password {
            true => at_line(line, why),
            false => at_line(line, format!("{}: {why}", clip(text, MAX_SHOWN))),
        };
        let path = recorded(text).map_err(in_line)?;
        let address = Address::parse(&path).map_err(in_line)?;
        match &first {
            None => {
                sink.columns(&[PATH.to_owned()]).map_err(in_line)?;
                first = Some((line, address.origin));
            }
            Some((first, origin)) => same_origin(*first, origin, &address.origin).map_err(in_line)?,
        }
        sink.row(&Only(address.rest)).map_err(in_line)?;
        rows += 1;
    }
    Ok(rows)
}

/// The path of a line of a recording, which is a JSON object; other lines are paths.
fn recorded(line: &str) -> Result<Cow<'_, str>, String> {
    #[derive(Deserialize)]
    struct Recorded<'a> {
        #[serde(borrow)]
        path: Cow<'a, str>,
    }
    if !line.starts_with('{') {
        return Ok(Cow::Borrowed(line));
    }
    let read: Result<Recorded, _> = serde_json::from_str(line);
    read.map(|recorded| recorded.path).map_err(|error| in_column(&error))
}

fn same_origin(first: u64, origin: &Option<String>, other: &Option<String>) -> Result<(), String> {
    match (origin, other) {
        (Some(one), Some(other)) if one != other => Err(two_origins(other, first, one)),
        (Some(_), None) => Err(format!("is a path, but line {first} is a whole URL: write all in one way")),
        (None, Some(_)) => Err(format!("is a whole URL, but line {first} is a path: write all in one way")),
        _ => Ok(()),
    }
}

/// The error of a line that goes to `other`, while line `first` goes to `one`.
pub fn two_origins(other: &str, first: u64, one: &str) -> String {
    format!(
        "goes to {}, but line {first} to {}: all requests of a test go to one origin, so use a file for each",
        clip(other, MAX_SHOWN),
        clip(one, MAX_SHOWN)
    )
}

struct Only<'a>(&'a str);

impl Row for Only<'_> {
    fn cell(&self, column: usize) -> &str {
        if column == 0 { self.0 } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_path_or_a_url() {
        for (line, origin, rest) in [
            ("/ping", None, "ping"),
            (" /items/7?x=1&y=%20#top\r", None, "items/7?x=1&y=%20"),
            ("/", None, ""),
            ("//a", None, "/a"),
            ("http://h", Some("http://h"), ""),
            ("http://h?x=1", Some("http://h"), "?x=1"),
            ("HTTP://Shop.Example:80/A", Some("http://shop.example"), "A"),
            ("https://[::1]:443/a://b@c", Some("https://[::1]"), "a://b@c"),
            ("https://h:80/", Some("https://h:80"), ""),
        ] {
            let expected = Address { origin: origin.map(str::to_owned), rest };
            assert_eq!(Address::parse(line), Ok(expected), "{line}");
        }
        for (line, why) in [
            ("ping", "a line is a path that begins with /"),
            ("GET http://h/", "--method GET"),
            ("ftp://h/", "only http and https"),
            ("http://", "has no host"),
            ("http://joe:secret@h/", "has a user name"),
            ("/a b|c", "contains a space, which a URL cannot contain: write /a%20b%7Cc"),
            ("/café", "contains a character outside ASCII, which a URL cannot contain: write /caf%C3%A9"),
            ("/{{uuid}}", "cannot have templates"),
        ] {
            let error = Address::parse(line).expect_err(line);
            assert!(error.contains(why), "{line}: {error}");
        }
    }

    #[test]
    fn the_place_of_wrong_json_is_said_once() {
        let error = recorded("{\"path\": 7}").expect_err("no text");
        assert!(error.starts_with("column 10: invalid type") && !error.contains("at line"), "{error}");
    }
}
