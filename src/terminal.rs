//! The terminal behind standard error and standard output: last lines that are replaced in place while other
//! lines go above them, and colours.
//!
//! Used only on terminals, and not if `TERM=dumb`.

use crate::logging;
use std::ffi::OsStr;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Columns of a terminal that does not report its width.
const DEFAULT_COLUMNS: usize = 80;
/// Rows of a terminal that does not report its height.
const DEFAULT_ROWS: usize = 24;
/// To the first column, and nothing to the right of it or below.
const ERASE: &str = "\r\x1b[J";

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

/// One line: texts with their styles.
pub type Line = Vec<(Style, String)>;

/// The last lines of a terminal, until it is dropped.
pub struct StatusArea {
    shown: Arc<Mutex<Vec<Line>>>,
}

impl StatusArea {
    /// Takes the last lines; `None` if standard error is no terminal, or a dumb one.
    pub fn on_stderr() -> Option<StatusArea> {
        if is_dumb(std::env::var_os("TERM").as_deref()) || !std::io::stderr().is_terminal() {
            return None;
        }
        let shown = Arc::new(Mutex::new(Vec::new()));
        let below = Arc::clone(&shown);
        logging::set_printer(Some(Box::new(move |line| print_above(&below, line))));
        Some(StatusArea { shown })
    }

    /// Columns of a text that is not cut, by the size that the terminal has now.
    pub fn columns(&self) -> usize {
        usable(size().0)
    }

    /// Replaces the lines, cut to the size of the terminal.
    pub fn set(&self, lines: Vec<Line>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let (columns, rows) = size();
        let erase = erase(&shown, columns);
        *shown = lines;
        // A taller text would scroll and could not be replaced.
        shown.truncate(rows.saturating_sub(1).max(1));
        shown.iter_mut().for_each(|line| cut(line, usable(columns)));
        write(&format!("{erase}{}", painted(&shown, shows_colours(&std::io::stderr()))));
    }

    /// Writes a line above them.
    pub fn print(&self, text: &str) {
        print_above(&self.shown, text);
    }
}

impl Drop for StatusArea {
    fn drop(&mut self) {
        logging::set_printer(None);
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        write(&erase(&shown, size().0));
    }
}

fn print_above(shown: &Mutex<Vec<Line>>, text: &str) {
    let shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    let painted = painted(&shown, shows_colours(&std::io::stderr()));
    write(&format!("{}{text}\n{painted}", erase(&shown, size().0)));
}

/// To the beginning of the lines, and nothing below. A terminal that became narrower has wrapped them: each
/// now takes as many rows as its text needs.
fn erase(shown: &[Line], columns: usize) -> String {
    let width = |line: &Line| line.iter().map(|(_, text)| text.chars().count()).sum::<usize>();
    let rows: usize = shown.iter().map(|line| width(line).div_ceil(columns.max(1)).max(1)).sum();
    match rows.saturating_sub(1) {
        0 => ERASE.to_owned(),
        up => format!("\r\x1b[{up}A\x1b[J"),
    }
}

fn painted(lines: &[Line], colours: bool) -> String {
    let paint = |(style, text): &(Style, String)| if colours { style.paint(text) } else { text.clone() };
    let texts: Vec<String> = lines.iter().map(|line| line.iter().map(paint).collect()).collect();
    texts.join("\n")
}

/// A terminal that went away must not end the test.
fn write(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Columns and rows.
fn size() -> (usize, usize) {
    let reported = rustix::termios::tcgetwinsize(std::io::stderr());
    let (columns, rows) =
        reported.map_or((0, 0), |size| (usize::from(size.ws_col), usize::from(size.ws_row)));
    let or = |reported: usize, default: usize| if reported == 0 { default } else { reported };
    (or(columns, DEFAULT_COLUMNS), or(rows, DEFAULT_ROWS))
}

/// All but the last column, where some terminals already wrap.
fn usable(columns: usize) -> usize {
    columns.saturating_sub(1)
}

/// Keeps as much as fits; control characters are replaced.
fn cut(line: &mut Line, columns: usize) {
    let mut left = columns;
    for (_, text) in line.iter_mut() {
        *text = text.chars().map(|c| if c.is_control() { '?' } else { c }).take(left).collect();
        left -= text.chars().count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_never_wraps_and_holds_no_control_characters() {
        let cut = |texts: &[&str], columns: usize| -> Vec<String> {
            let mut line: Line = texts.iter().map(|text| (Style::Red, (*text).to_owned())).collect();
            super::cut(&mut line, usable(columns));
            line.into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(cut(&["0123456789"], 10), ["012345678"]);
        assert_eq!(cut(&["01234", "56789"], 8), ["01234", "56"]);
        assert_eq!(cut(&["0123456789"], 80), ["0123456789"]);
        assert_eq!(cut(&["a\x1b[2Jb\n"], 80), ["a?[2Jb?"]);
        assert_eq!(cut(&["abc", "d"], 0), ["", ""]);
    }

    #[test]
    fn lines_are_erased_where_they_stand_after_a_resize() {
        let line = |columns: usize| vec![(Style::Bold, "x".repeat(columns))];
        let shown = [line(79), line(30), line(0), line(50)];
        assert_eq!(erase(&shown, 80), "\r\x1b[3A\x1b[J");
        assert_eq!(erase(&shown, 40), "\r\x1b[5A\x1b[J", "two of them are wrapped");
        assert_eq!(
            (erase(&shown[..2], 40), erase(&[], 80)),
            ("\r\x1b[2A\x1b[J".to_owned(), ERASE.to_owned())
        );
        assert_eq!(painted(&shown[1..3], false), format!("{}\n", "x".repeat(30)));
        assert!(painted(&shown, true).starts_with("\x1b[1mxxx"));
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
