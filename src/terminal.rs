//! The terminal behind standard error and standard output: a last line that is replaced in place while other
//! lines go above it, and colours.
//!
//! Neither is used where the stream is no terminal, or a dumb one (`TERM=dumb`).

use crate::logging;
use std::ffi::OsStr;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Columns of a terminal that does not report its width.
const DEFAULT_COLUMNS: usize = 80;
/// To the first column, and nothing to the right of it.
const ERASE: &str = "\r\x1b[K";

/// How a text stands out on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Not at all.
    Plain,
    /// A heading.
    Bold,
    /// All is well.
    Green,
    /// A warning.
    Yellow,
    /// A failure.
    Red,
}

impl Style {
    /// The text in this style; the terminal's own style follows it.
    pub fn paint(self, text: &str) -> String {
        let code = match self {
            Style::Bold => 1,
            Style::Red => 31,
            Style::Green => 32,
            Style::Yellow => 33,
            Style::Plain => return text.to_owned(),
        };
        if text.is_empty() { String::new() } else { format!("\x1b[{code}m{text}\x1b[0m") }
    }
}

/// Whether a stream shows colours: it is a terminal and neither `TERM=dumb` nor `NO_COLOR` forbids them
/// (<https://no-color.org>).
pub fn shows_colours(stream: &impl IsTerminal) -> bool {
    let (term, no_color) = (std::env::var_os("TERM"), std::env::var_os("NO_COLOR"));
    stream.is_terminal() && allows_colours(term.as_deref(), no_color.as_deref())
}

/// An empty `NO_COLOR` forbids nothing.
fn allows_colours(term: Option<&OsStr>, no_color: Option<&OsStr>) -> bool {
    !is_dumb(term) && no_color.is_none_or(OsStr::is_empty)
}

fn is_dumb(term: Option<&OsStr>) -> bool {
    term.is_some_and(|term| term == "dumb")
}

/// The last line of a terminal, until it is dropped.
pub struct StatusLine {
    shown: Arc<Mutex<String>>,
}

impl StatusLine {
    /// Takes the last line; `None` if standard error is no terminal, or a dumb one.
    pub fn on_stderr() -> Option<StatusLine> {
        if is_dumb(std::env::var_os("TERM").as_deref()) || !std::io::stderr().is_terminal() {
            return None;
        }
        let shown = Arc::new(Mutex::new(String::new()));
        let below = Arc::clone(&shown);
        logging::set_printer(Some(Box::new(move |line| print_above(&below, line))));
        Some(StatusLine { shown })
    }

    /// Columns of a text that is not cut.
    pub fn columns(&self) -> usize {
        usable(columns())
    }

    /// Replaces the line, cut to the width of the terminal.
    pub fn set(&self, text: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = cut(text, columns());
        write(&format!("{ERASE}{shown}"));
    }

    /// Writes a line above it.
    pub fn print(&self, text: &str) {
        print_above(&self.shown, text);
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        logging::set_printer(None);
        write(ERASE);
    }
}

fn print_above(shown: &Mutex<String>, text: &str) {
    let shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    write(&format!("{ERASE}{text}\n{shown}"));
}

/// A terminal that went away must not end the test.
fn write(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn columns() -> usize {
    let reported =
        rustix::termios::tcgetwinsize(std::io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    if reported == 0 { DEFAULT_COLUMNS } else { reported }
}

/// All but the last column, where some terminals already wrap.
fn usable(columns: usize) -> usize {
    columns.saturating_sub(1)
}

/// As much as fits; control characters are replaced.
fn cut(text: &str, columns: usize) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(usable(columns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_never_wraps_and_holds_no_control_characters() {
        assert_eq!(cut("0123456789", 10), "012345678");
        assert_eq!(cut("0123456789", 80), "0123456789");
        assert_eq!(cut("a\x1b[2Jb\n", 80), "a?[2Jb?");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn colours_can_be_forbidden() {
        let allows = |term: Option<&str>, no_color: Option<&str>| {
            allows_colours(term.map(OsStr::new), no_color.map(OsStr::new))
        };
        assert!(allows(Some("xterm"), None) && allows(None, None));
        assert!(allows(Some("xterm"), Some("")), "an empty NO_COLOR means nothing");
        assert!(!allows(Some("xterm"), Some("1")) && !allows(Some("xterm"), Some("0")));
        assert!(!allows(Some("dumb"), None));
    }

    #[test]
    fn a_style_ends_with_its_text() {
        assert_eq!(Style::Red.paint("no"), "\x1b[31mno\x1b[0m");
        assert_eq!((Style::Plain.paint("no").as_str(), Style::Red.paint("").as_str()), ("no", ""));
    }
}
