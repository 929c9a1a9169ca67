//! The text of a plan file, and how a place in it is shown: line, column, and a caret under the value.

use crate::message::secrets::{self, HIDDEN};
use crate::units::clip;
use std::ops::Range;
use std::sync::Arc;

/// Maximum number of columns of a line that are shown.
const MAX_COLUMNS: usize = 100;
/// Columns that are shown before the value if the line is too long.
const BEFORE: usize = 40;
/// Maximum number of characters of a message.
const MAX_TEXT: usize = 1_000;

/// Something wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place, in bytes.
    pub at: Range<usize>,
    /// What is wrong and what is allowed.
    pub text: String,
}

/// A plan file.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    text: Arc<str>,
    /// Places that no error may show, in bytes.
    secrets: Vec<Range<usize>>,
    /// Whether this is not the text that a user wrote, so that errors show nothing of it.
    is_rewritten: bool,
}

impl Source {
    /// The file with this name and content.
    ///
    /// # Errors
    /// The place of the first byte that is not UTF-8.
    pub fn new(name: &str, bytes: &[u8]) -> Result<Source, String> {
        let name = clip(name, MAX_TEXT);
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Source { name, text: text.into(), secrets: Vec::new(), is_rewritten: false }),
            Err(error) => {
                let at = error.valid_up_to();
                let byte = bytes.get(at).copied().unwrap_or_default();
                let text = String::from_utf8_lossy(bytes).into();
                let source = Source { name, text, secrets: Vec::new(), is_rewritten: false };
                let why = format!("byte 0x{byte:02x} is not UTF-8: save the file in UTF-8");
                Err(source.syntax(&(at..at + 1), &why))
            }
        }
    }

    /// A text that no user wrote, made of something with this name.
    pub fn rewritten(name: &str, text: &str) -> Source {
        Source { name: name.to_owned(), text: text.into(), secrets: Vec::new(), is_rewritten: true }
    }

    /// The text.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// Hides these places in all errors.
    pub fn hide(&mut self, secrets: Vec<Range<usize>>) {
        self.secrets = secrets;
        self.secrets.sort_by_key(|secret| secret.start);
    }

    /// A part of the string that is written at this place. If the string has escapes, so that its text
    /// differs from what is written, the whole place.
    pub fn part(&self, at: &Range<usize>, part: &Range<usize>) -> Range<usize> {
        let written = &self.text[at.clone()];
        let (quotes, is_literal) = match written.as_bytes() {
            [b'\'', b'\'', b'\'', b'\r', b'\n', ..] => (5, true),
            [b'\'', b'\'', b'\'', b'\n', ..] => (4, true),
            [b'\'', b'\'', b'\'', ..] if written.len() >= 6 => (3, true),
            [b'\'', ..] => (1, true),
            [b'"', b'"', b'"', b'\r', b'\n', ..] => (5, false),
            [b'"', b'"', b'"', b'\n', ..] => (4, false),
            [b'"', b'"', b'"', ..] if written.len() >= 6 => (3, false),
            [b'"', ..] => (1, false),
            _ => return at.clone(),
        };
        let end = quotes + part.end;
        match written.get(..end) {
            Some(before) if is_literal || !before.contains('\\') => {
                at.start + quotes + part.start..at.start + end
            }
            _ => at.clone(),
        }
    }

    /// Line and column from 1, in characters.
    fn position(&self, at: usize) -> (usize, usize) {
        let line = self.line(at);
        let number = self.text[..line.start].matches('\n').count() + 1;
        (number, self.text[line.start..at.min(line.end)].chars().count() + 1)
    }

    /// The line that contains this place, without its end.
    fn line(&self, at: usize) -> Range<usize> {
        let start = self.text[..at].rfind('\n').map_or(0, |end| end + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |end| at + end);
        let end = if self.text[start..end].ends_with('\r') { end - 1 } else { end };
        start..end.max(start)
    }

    /// The nearest place at or before `at` that is between two characters.
    fn boundary(&self, at: usize) -> usize {
        (0..=at.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }

    /// An error of the TOML itself. Its line may contain a secret that was not recognized as a value.
    pub fn syntax(&self, at: &Range<usize>, text: &str) -> String {
        if self.is_rewritten {
            // Only a key that appears twice is left to be wrong.
            let key = self.text.get(at.clone()).unwrap_or_default();
            let what = text.rsplit_once(": ").map_or(text, |(_, what)| what);
            return clip(&format!("{}: {what}: {key}", self.name), MAX_TEXT);
        }
        let line = self.line(self.boundary(at.start));
        let lower = self.text[line.clone()].to_ascii_lowercase();
        let mut source = self.clone();
        if secrets::is_secret(&lower) || (lower.contains("://") && lower.contains('@')) {
            let value = lower.find('=').map_or(0, |equals| equals + 1);
            let blanks = lower[value..].len() - lower[value..].trim_start().len();
            let after = line.start + value + blanks;
            source.secrets.push(after..line.end);
        }
        source.show(&Problem { at: at.clone(), text: text.to_owned() })
    }

    /// Problems in the order of their places, the first `most` of them.
    pub fn show_all(&self, mut problems: Vec<Problem>, most: usize) -> String {
        problems.sort_by_key(|problem| problem.at.start);
        let mut shown: Vec<String> = problems.iter().take(most).map(|problem| self.show(problem)).collect();
        match problems.len().saturating_sub(most) {
            0 => {}
            more => shown.push(format!("and {more} more problems")),
        }
        shown.join("\n")
    }

    /// One problem: file, line and column, what is wrong, and the line with a caret.
    pub fn show(&self, problem: &Problem) -> String {
        if self.is_rewritten {
            return clip(&problem.text, MAX_TEXT);
        }
        let at = self.boundary(problem.at.start)..problem.at.end;
        let (number, column) = self.position(at.start);
        let (line, carets) = self.marked(&at);
        let (name, text, gutter) = (&self.name, clip(&problem.text, MAX_TEXT), number.to_string());
        let blank = " ".repeat(gutter.len());
        let (line, carets) = (format!("  {gutter} | {line}"), format!("  {blank} | {carets}"));
        format!("{name}:{number}:{column}: {text}\n{}\n{}", line.trim_end(), carets.trim_end())
    }

    /// The secret that contains this place. Secrets are sorted and do not overlap.
    fn secret(&self, at: usize) -> Option<&Range<usize>> {
        let next = self.secrets.partition_point(|secret| secret.end <= at);
        self.secrets.get(next).filter(|secret| secret.contains(&at))
    }

    /// The line of a place without its secrets, and a line with carets below the place.
    fn marked(&self, at: &Range<usize>) -> (String, String) {
        let line = self.line(at.start);
        let mut columns: Vec<(char, bool)> = Vec::new();
        for (offset, c) in self.text[line.clone()].char_indices() {
            let byte = line.start + offset;
            let marked = at.contains(&byte);
            match self.secret(byte) {
                None => columns.push((if c.is_control() { ' ' } else { c }, marked)),
                Some(secret) if byte == secret.start.max(line.start) => {
                    // A part of a secret is shown as the whole.
                    let marked = marked || (secret.start < at.end && at.start < secret.end);
                    columns.extend(HIDDEN.chars().map(|c| (c, marked)));
                }
                Some(_) => {}
            }
        }
        // An empty place, such as the end of the file.
        if !columns.iter().any(|(_, marked)| *marked) {
            let inside = self.secret(at.start).is_some();
            let column = self.text[line.start..at.start.min(line.end)].chars().count();
            let column = if inside { columns.len() } else { column.min(columns.len()) };
            match columns.get_mut(column) {
                Some(found) => found.1 = true,
                None => columns.push((' ', true)),
            }
        }
        let first = columns.iter().position(|(_, marked)| *marked).unwrap_or_default();
        let is_long = columns.len() > MAX_COLUMNS;
        let begin = if is_long { first.saturating_sub(BEFORE) } else { 0 };
        let window: Vec<_> = columns.iter().skip(begin).take(MAX_COLUMNS).collect();
        let (mut text, mut carets) = (String::new(), String::new());
        if begin > 0 {
            text.push('…');
            carets.push(' ');
        }
        text.extend(window.iter().map(|(c, _)| *c));
        carets.extend(window.iter().map(|(_, marked)| if *marked { '^' } else { ' ' }));
        if begin + window.len() < columns.len() {
            text.push('…');
        }
        (text, carets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, at: Range<usize>, secret: Option<Range<usize>>) -> String {
        let mut source = Source::new("p.toml", text.as_bytes()).expect("UTF-8");
        source.hide(secret.into_iter().collect());
        source.show(&Problem { at, text: "wrong".to_owned() })
    }

    #[test]
    fn a_caret_is_under_the_value_also_after_tabs_and_wide_characters() {
        assert_eq!(
            shown("a = 1\nrate = 0\n", 13..14, None),
            "p.toml:2:8: wrong\n  2 | rate = 0\n    |        ^"
        );
        assert_eq!(shown("\té = 12\r\nb", 6..8, None), "p.toml:1:6: wrong\n  1 |  é = 12\n    |      ^^");
        assert_eq!(shown("", 0..0, None), "p.toml:1:1: wrong\n  1 |\n    | ^");
        assert_eq!(shown("a = \n", 3..9, None), "p.toml:1:4: wrong\n  1 | a =\n    |    ^");
        assert_eq!(
            shown("a = \"\"\"\nx\"\"\"", 4..13, None),
            "p.toml:1:5: wrong\n  1 | a = \"\"\"\n    |     ^^^"
        );
    }

    #[test]
    fn a_part_of_a_string_is_found_after_its_first_line_end() {
        for quotes in ["'''", "\"\"\""] {
            for line_end in ["", "\n", "\r\n"] {
                let text = format!("a = {quotes}{line_end}one two{quotes}");
                let source = Source::new("p.toml", text.as_bytes()).expect("UTF-8");
                assert_eq!(&text[source.part(&(4..text.len()), &(4..7))], "two", "{text:?}");
            }
        }
    }

    #[test]
    fn long_lines_are_cut_and_secrets_hidden() {
        let line = format!("a = {}7{}", "x".repeat(300), "y".repeat(300));
        let text = shown(&line, 304..305, None);
        assert!(text.lines().all(|line| line.chars().count() < 120) && text.contains("x7y"), "{text}");
        let lines: Vec<_> = text.lines().map(|line| line.chars().collect::<Vec<_>>()).collect();
        let caret = lines[2].iter().position(|c| *c == '^').expect("a caret");
        assert_eq!(lines[1][caret], '7');
        let text = shown("h = { auth = \"pw\", b = 1 }", 23..24, Some(13..17));
        assert_eq!(
            text,
            "p.toml:1:24: wrong\n  1 | h = { auth = (hidden), b = 1 }\n    |                            ^"
        );
        let text = shown("auth = \"pw\"", 7..11, Some(7..11));
        assert_eq!(text, "p.toml:1:8: wrong\n  1 | auth = (hidden)\n    |        ^^^^^^^^");
    }

    #[test]
    fn a_secret_in_a_line_that_is_no_toml_is_hidden() {
        let text = "[request.headers]\nAuthorization = \"Bearer abc\nx = 1";
        let source = Source::new("p.toml", text.as_bytes()).expect("UTF-8");
        let text = source.syntax(&(34..45), "no end");
        assert!(text.contains("(hidden)") && !text.contains("abc"), "{text}");
    }
}
