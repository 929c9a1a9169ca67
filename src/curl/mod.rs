//! curl commands → a plan file: `floodgate plan curl '…'`, for what browsers copy as cURL.
//!
//! Text in, text out. `words` splits the text as a shell does, `command` reads the options of each
//! command, `request` says what curl would send, and `document` writes the plan. What a plan cannot say
//! is an error, or a comment in the plan if the rest is useful without it.

mod command;
mod document;
mod escapes;
pub mod names;
mod options;
mod request;
mod toml_text;
mod words;

use crate::units::clip;
use command::Draft;
use document::Document;
use std::fmt;
use words::{Script, Word};

/// Maximum size of the commands, in bytes.
pub const MAX_BYTES: usize = 16_000_000;
/// Maximum number of characters of a word that is shown.
const MAX_SHOWN: usize = 60;

/// Where a word begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a text; both from 1.
    Text {
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// In a list of words, from 1; `curl` itself is word 1.
    Word(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Text { line: 1, column } => write!(f, "column {column}"),
            Place::Text { line, column } => write!(f, "line {line}, column {column}"),
            Place::Word(number) => write!(f, "word {number}"),
        }
    }
}

/// Why a command cannot become a plan, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn wrong(at: Place, why: impl Into<String>) -> Wrong {
    Wrong(format!("curl command, {at}: {}", why.into()))
}

/// A word as errors and comments show it: short, and on one line.
fn shown(word: &str) -> String {
    let plain: String = word.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clip(&plain, MAX_SHOWN)
}

/// The plan file for the commands in a text.
///
/// # Errors
/// The first word that cannot be carried over, and its place.
pub fn plan_of_text(text: &[u8]) -> Result<String, Wrong> {
    if text.len() > MAX_BYTES {
        return Err(Wrong(format!("curl command: too long: at most {MAX_BYTES} bytes")));
    }
    other_formats(text)?;
    plan_of(words::split(text)?)
}

/// The plan file for one command, whose words a shell has already split.
///
/// # Errors
/// As for [`plan_of_text`].
pub fn plan_of_words(words: Vec<Vec<u8>>) -> Result<String, Wrong> {
    let word = |(at, bytes)| Word { bytes, at: Place::Word(at + 2) };
    let mut command = vec![Word { bytes: b"curl".to_vec(), at: Place::Word(1) }];
    command.extend(words.into_iter().enumerate().map(word));
    plan_of(Script { commands: vec![command], left_out: Vec::new() })
}

fn plan_of(script: Script) -> Result<String, Wrong> {
    let mut document = Document::new(script.left_out);
    for command in script.commands {
        for draft in Draft::all(command)? {
            for sent in request::all(&draft)? {
                document.add(&draft, sent)?;
            }
        }
    }
    document.text()
}

/// Other things that browsers copy.
fn other_formats(text: &[u8]) -> Result<(), Wrong> {
    let start = text.trim_ascii_start();
    let other = [
        (&b"fetch("[..], "a call of fetch in JavaScript"),
        (b"Invoke-WebRequest", "a PowerShell command"),
        (b"$session", "a PowerShell command"),
        (b"curl.exe ^", "a command for Windows' cmd"),
    ];
    match other.iter().find(|(begin, _)| start.starts_with(begin)) {
        Some((_, what)) => {
            Err(Wrong(format!("curl command: this is {what}: choose \"Copy as cURL (bash)\" in the browser")))
        }
        None if start.is_empty() => Err(Wrong("curl command: it is empty".to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
