//! Writes the plan file.

use super::command::Draft;
use super::request::{Body, Sent};
use super::toml_text::{key, string};
use super::{Wrong, names, shown, wrong};
use crate::message::secrets;
use crate::plan::limits;
use crate::template::as_text;
use std::fmt::Write as _;

/// Maximum number of things that a comment lists.
const MAX_LISTED: usize = 40;
/// Maximum length of a comment line, in characters.
const LINE: usize = 110;

/// A request, and how often it was given.
struct Entry {
    sent: Sent,
    name: String,
    weight: u32,
}

/// What the plan will say.
#[derive(Default)]
pub struct Document {
    entries: Vec<Entry>,
    insecure: bool,
    timeout_ms: Option<u64>,
    ignored: Vec<String>,
    comments: Vec<String>,
    /// Requests that are not in the plan, and why.
    others: Vec<String>,
}

impl Document {
    /// A plan without requests. `left_out` is what a shell would have done besides.
    pub fn new(left_out: Vec<String>) -> Document {
        Document { ignored: left_out, ..Document::default() }
    }

    /// Adds a request of a draft. Equal ones become one with a weight.
    ///
    /// # Errors
    /// What a plan cannot say.
    pub fn add(&mut self, draft: &Draft, sent: Sent) -> Result<(), Wrong> {
        let what = format!("{} {}", sent.method, shown(&format!("{}{}", sent.origin, sent.path)));
        let first = self.entries.first().map(|entry| entry.sent.origin.clone());
        if first.is_some_and(|origin| !origin.eq_ignore_ascii_case(&sent.origin)) {
            self.others.push(format!("{what}: another host"));
            return Ok(());
        }
        self.insecure |= draft.insecure;
        self.timeout_ms = self.timeout_ms.max(draft.timeout_ms);
        let comments = sent.comments.iter().chain(&draft.comments);
        comments.for_each(|comment| once(&mut self.comments, comment));
        draft.ignored.iter().for_each(|name| once(&mut self.ignored, name));
        let sent = as_texts(sent);
        let same = |entry: &&mut Entry| {
            let (a, b) = (&entry.sent, &sent);
            (&a.path, &a.method, &a.headers, &a.body) == (&b.path, &b.method, &b.headers, &b.body)
        };
        if let Some(entry) = self.entries.iter_mut().find(same) {
            entry.weight = (entry.weight + 1).min(*limits::WEIGHT.end());
            return Ok(());
        }
        if self.entries.len() == limits::NAMED_REQUESTS {
            self.others.push(format!("{what}: a plan has at most {} requests", limits::NAMED_REQUESTS));
            return Ok(());
        }
        let taken: Vec<String> = self.entries.iter().map(|entry| entry.name.clone()).collect();
        let name = names::name(&sent.method, &sent.path, &taken);
        self.entries.push(Entry { sent, name, weight: 1 });
        Ok(())
    }

    /// The plan file.
    ///
    /// # Errors
    /// If there is no request.
    pub fn text(self) -> Result<String, Wrong> {
        let Some(first) = self.entries.first() else {
            return Err(Wrong("curl command: there is no command".to_owned()));
        };
        let mut out = String::from("# From curl, by floodgate plan curl. All keys: docs/plans.md\n");
        self.remarks(&mut out);
        let path = if self.entries.len() == 1 { first.sent.path.as_str() } else { "" };
        let _ = writeln!(out, "target_url = {}", string(&format!("{}{path}", first.sent.origin)));
        out.push_str(
            "rate = 10                       # requests/s, over all drivers: raise it step by step\n",
        );
        out.push_str("duration = \"30s\"\n");
        if let Some(ms) = self.timeout_ms {
            let _ = writeln!(out, "timeout = \"{ms}ms\"");
        }
        if self.insecure {
            out.push_str("insecure = true                 # certificates are not verified\n");
        }
        match &self.entries[..] {
            [only] => table(&mut out, "[request]", only, None)?,
            many => {
                for entry in many {
                    table(&mut out, "[[requests]]", entry, Some(&entry.sent.path))?;
                }
            }
        }
        Ok(out)
    }

    /// What is not carried over.
    fn remarks(&self, out: &mut String) {
        let all = self.entries.iter().flat_map(|entry| &entry.sent.headers);
        if all.clone().any(|(name, _)| secrets::is_secret(name)) {
            out.push_str("# It contains credentials or cookies: do not share it.\n");
        }
        if all.clone().any(|(name, _)| name.eq_ignore_ascii_case("accept-encoding")) {
            out.push_str("# Bodies may arrive compressed: bytes are counted as received.\n");
        }
        for (what, all) in [("Not carried over", &self.comments), ("Left out", &self.others)] {
            for text in all.iter().take(MAX_LISTED) {
                comment(out, &format!("{what}: {text}"));
            }
            if all.len() > MAX_LISTED {
                comment(out, &format!("{what}: {} more", all.len() - MAX_LISTED));
            }
        }
        if !self.ignored.is_empty() {
            comment(
                out,
                &format!("Ignored, since it does not change what is sent: {}", self.ignored.join(" ")),
            );
        }
        out.push('\n');
    }
}

fn once(list: &mut Vec<String>, text: &str) {
    if !list.iter().any(|other| other == text) {
        list.push(text.to_owned());
    }
}

/// A comment, broken into lines.
fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > LINE && line.len() > 1 {
            let _ = writeln!(out, "{line}");
            line = String::from("#  ");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

fn table(out: &mut String, heading: &str, entry: &Entry, path: Option<&str>) -> Result<(), Wrong> {
    let sent = &entry.sent;
    let implied = if sent.body == Body::None { "GET" } else { "POST" };
    let mut lines = String::new();
    if let Some(path) = path {
        let _ = writeln!(lines, "name = {}", string(&entry.name));
        if entry.weight > 1 {
            let _ = writeln!(lines, "weight = {}", entry.weight);
        }
        let _ = writeln!(lines, "url = {}", string(path));
    }
    if sent.method != implied || path.is_some() && implied == "POST" {
        let _ = writeln!(lines, "method = {}", string(&sent.method));
    }
    match &sent.body {
        Body::None => {}
        Body::Text(text) => {
            let _ = writeln!(lines, "body = {}", string(text));
        }
        Body::File(file) => {
            let _ = writeln!(lines, "body_file = {:<20} # relative to this plan file", string(file));
        }
    }
    if !lines.is_empty() {
        let _ = write!(out, "\n{heading}\n{lines}");
    }
    if !sent.headers.is_empty() {
        let name = heading.trim_matches(['[', ']']);
        let _ = writeln!(out, "\n[{name}.headers]");
        headers(out, sent)?;
    }
    Ok(())
}

/// The keys of a table are unique, while a header may occur twice: its name then differs in letter case.
fn headers(out: &mut String, sent: &Sent) -> Result<(), Wrong> {
    let mut taken: Vec<String> = Vec::new();
    for (name, value) in &sent.headers {
        let Some(spelled) = unlike(name, &taken) else {
            let why = format!(
                "the header {} occurs too often for a plan: join its values with commas",
                shown(name)
            );
            return Err(wrong(sent.at, why));
        };
        let _ = writeln!(out, "{} = {}", key(&spelled), string(value));
        taken.push(spelled);
    }
    Ok(())
}

/// The name spelled in a letter case that none of `taken` uses; `None` if it has too few letters.
fn unlike(name: &str, taken: &[String]) -> Option<String> {
    (0..=taken.len()).map(|number| flipped(name, number)).find(|name| !taken.contains(name))
}

/// The name with the letters in the other case that have a 1 in the number: the first letter for 1.
fn flipped(name: &str, mut number: usize) -> String {
    let flip = |c: char| {
        if !c.is_ascii_alphabetic() {
            return c;
        }
        let is_flipped = number & 1 == 1;
        number >>= 1;
        match (is_flipped, c.is_ascii_lowercase()) {
            (false, _) => c,
            (true, true) => c.to_ascii_uppercase(),
            (true, false) => c.to_ascii_lowercase(),
        }
    };
    name.chars().map(flip).collect()
}

/// The same request as a plan writes it: `{{` begins a template there, so it is written as text.
fn as_texts(sent: Sent) -> Sent {
    let text = |text: String| as_text(&text);
    let body = match sent.body {
        Body::Text(body) => Body::Text(text(body)),
        other => other,
    };
    let headers = sent.headers.into_iter().map(|(name, value)| (name, text(value))).collect();
    Sent { path: text(sent.path), headers, body, ..sent }
}
