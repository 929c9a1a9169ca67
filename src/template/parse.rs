//! Text → pieces.
//!
//! ```text
//! template   = { text | "{{" expression [ "|" filter ] "}}" }
//! expression = feed "." column | function [ "(" argument { "," argument } ")" ] | quoted
//! argument   = quoted | text without quotes, commas and parentheses
//! quoted     = "'" text "'" | '"' text '"'
//! ```

use super::error::{TemplateError, shown};
use super::filter::{Filter, filtered};
use super::function::{self, Argument, FORMS};
use super::piece::{Column, Piece};
use crate::spelling::nearest;
use std::ops::Range;

/// Maximum number of expressions in one text.
pub const MAX_EXPRESSIONS: usize = 1_000;
/// How a literal `{{` is written.
const LITERAL: &str = "a literal {{ is written {{'{{'}}";

type Parsed<T> = Result<T, TemplateError>;

/// Splits a text into its pieces. Without expressions, there is one piece of text, or none.
///
/// # Errors
/// The first wrong expression.
pub fn parse(text: &[u8]) -> Parsed<Vec<Piece>> {
    let mut pieces = Vec::new();
    let (mut literal, mut at, mut expressions) = (Vec::new(), 0, 0);
    while let Some(open) = find(text, at, b"{{") {
        literal.extend_from_slice(&text[at..open]);
        let mut cursor = Cursor { text, at: open + 2, open };
        let piece = cursor.expression()?;
        at = cursor.at;
        expressions += 1;
        if expressions > MAX_EXPRESSIONS {
            let why = format!("at most {MAX_EXPRESSIONS} expressions are allowed in one text");
            return Err(TemplateError::new(open..at, why));
        }
        match piece {
            Piece::Text(text) => literal.extend(text),
            other => {
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(other);
            }
        }
    }
    literal.extend_from_slice(&text[at..]);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    Ok(pieces)
}

/// Whether a text contains an expression, right or wrong.
pub fn has_expression(text: &[u8]) -> bool {
    find(text, 0, b"{{").is_some()
}

fn find(text: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    text[from..].windows(what.len()).position(|window| window == what).map(|at| from + at)
}

/// Reads one expression.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    /// Where its braces begin.
    open: usize,
}

impl Cursor<'_> {
    fn expression(&mut self) -> Parsed<Piece> {
        self.spaces();
        if matches!(self.peek(), Some(b'\'' | b'"')) {
            let (text, _) = self.quoted()?;
            let filter = self.end()?;
            return Ok(Piece::Text(filtered(filter, text.as_bytes())));
        }
        let name = self.until(b".(|");
        let shown = self.name(&name)?.to_owned();
        if self.peek() == Some(b'.') {
            return self.column(&shown, &name);
        }
        let arguments = if self.peek() == Some(b'(') { Some(self.arguments()?) } else { None };
        let whole = name.start..self.at;
        let filter = self.end()?;
        if shown.is_empty() {
            let why = format!("the expression is empty: use {FORMS}; {LITERAL}");
            return Err(TemplateError::new(self.open..self.at, why));
        }
        if shown == "driver" && arguments.is_none() {
            return Ok(Piece::Driver { filter, at: self.open..self.at });
        }
        function::piece((&shown, name), whole, arguments.as_deref(), filter)
    }

    /// The rest of `feed.column`, after the name of the feed.
    fn column(&mut self, feed: &str, at: &Range<usize>) -> Parsed<Piece> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if feed.is_empty() || !feed.chars().all(fits) {
            let why =
                "the name of a feed consists of letters, digits, _ and -: write FEED.COLUMN, like users.id";
            return Err(TemplateError::new(at.start..at.end.max(at.start + 1), why));
        }
        self.at += 1;
        let column = self.until(b"|");
        let name = self.name(&column)?.to_owned();
        if name.is_empty() {
            let why = format!("a column of the feed {feed} is missing: write {feed}.COLUMN");
            return Err(TemplateError::new(at.start..self.at, why));
        }
        let filter = self.end()?;
        Ok(Piece::Column(Column { feed: feed.to_owned(), column: name, filter, at: at.start..column.end }))
    }

    /// The arguments in parentheses.
    fn arguments(&mut self) -> Parsed<Vec<Argument>> {
        let open = self.at;
        self.at += 1;
        let mut arguments = Vec::new();
        loop {
            self.spaces();
            if matches!(self.peek(), Some(b'\'' | b'"')) {
                let (text, at) = self.quoted()?;
                arguments.push(Argument { text, at });
            } else {
                let at = self.until(b",()'\"");
                let text = self.name(&at)?.to_owned();
                // `f()` has no arguments.
                if !(text.is_empty() && arguments.is_empty() && self.peek() == Some(b')')) {
                    arguments.push(Argument { text, at });
                }
            }
            self.spaces();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b')') => break,
                Some(_) if !self.is_closing() => {
                    let why = "separate arguments by commas, and put text that contains commas, quotes or \
                               parentheses in quotes";
                    return Err(self.unexpected(why));
                }
                _ => return Err(TemplateError::new(open..self.at, "the ( has no closing )")),
            }
        }
        self.at += 1;
        Ok(arguments)
    }

    /// A text in quotes, and where it is.
    fn quoted(&mut self) -> Parsed<(String, Range<usize>)> {
        let (open, quote) = (self.at, self.text[self.at]);
        let Some(close) = find(self.text, open + 1, &[quote]) else {
            return Err(TemplateError::new(open..open + 1, "the text has no closing quote"));
        };
        self.at = close + 1;
        let text = std::str::from_utf8(&self.text[open + 1..close]);
        let text = text.map_err(|_| TemplateError::new(open..close + 1, "the text is not UTF-8"))?;
        Ok((text.to_owned(), open..close + 1))
    }

    /// The filter, if any, and the closing braces.
    fn end(&mut self) -> Parsed<Option<Filter>> {
        self.spaces();
        let filter = match self.peek() {
            Some(b'|') => {
                self.at += 1;
                let at = self.until(b"|");
                Some(self.filter(&at)?)
            }
            _ => None,
        };
        if self.is_closing() {
            self.at += 2;
            return Ok(filter);
        }
        match self.peek() {
            None => {
                let why = format!("the {{{{ has no closing }}}}; {LITERAL}");
                Err(TemplateError::new(self.open..self.open + 2, why))
            }
            Some(b'|') => {
                let why = "only one filter is allowed";
                Err(TemplateError::new(self.at..self.at + 1, why))
            }
            Some(_) => {
                let why = "close the expression with }}, or add a filter like |url";
                Err(self.unexpected(why))
            }
        }
    }

    /// The character that is next does not belong here.
    fn unexpected(&self, why: &str) -> TemplateError {
        let rest = String::from_utf8_lossy(&self.text[self.at..]);
        let next = rest.chars().next().unwrap_or(' ');
        TemplateError::new(self.at..self.at + 1, format!("{next:?} is not expected here: {why}"))
    }

    fn filter(&self, at: &Range<usize>) -> Parsed<Filter> {
        let name = self.name(at)?;
        Filter::named(name).ok_or_else(|| {
            let meant = nearest(name, &Filter::NAMES).map_or_else(
                || format!("use {}", Filter::NAMES.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            let at = if at.is_empty() { at.start - 1..at.start } else { at.clone() };
            TemplateError::new(at, format!("{} is not a filter: {meant}", shown(name)))
        })
    }

    /// Moves to the next of these bytes, or to the closing braces or the end; returns the range that was
    /// passed, without the spaces around it.
    fn until(&mut self, ends: &[u8]) -> Range<usize> {
        self.spaces();
        let begin = self.at;
        while let Some(byte) = self.peek()
            && !ends.contains(&byte)
            && !self.is_closing()
        {
            self.at += 1;
        }
        let passed = &self.text[begin..self.at];
        begin..begin + passed.trim_ascii_end().len()
    }

    fn name(&self, at: &Range<usize>) -> Parsed<&str> {
        let bytes = &self.text[at.clone()];
        std::str::from_utf8(bytes).map_err(|_| TemplateError::new(at.clone(), "is not UTF-8"))
    }

    fn spaces(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn is_closing(&self) -> bool {
        self.text[self.at..].starts_with(b"}}")
    }
}
