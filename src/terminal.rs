//! The terminal behind standard error: its last line, which is replaced in place while other lines go above
//! it.
//!
//! Three escape sequences, no colour. Where standard error is no terminal, or a dumb one, there is no such
//! line.

use crate::logging;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Columns of a terminal that does not tell its width.
const DEFAULT_COLUMNS: usize = 80;
/// To the first column, and nothing to the right of it.
const ERASE: &str = "\r\x1b[K";

/// The last line of a terminal, until it is dropped.
pub struct StatusLine {
    shown: Arc<Mutex<String>>,
}

impl StatusLine {
    /// Takes the last line; none where standard error is no terminal, or a dumb one (`TERM=dumb`).
    pub fn on_stderr() -> Option<StatusLine> {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if dumb || !std::io::stderr().is_terminal() {
            return None;
        }
        let shown = Arc::new(Mutex::new(String::new()));
        let below = Arc::clone(&shown);
        logging::set_printer(Some(Box::new(move |line| print_above(&below, line))));
        Some(StatusLine { shown })
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
    let told = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    if told == 0 { DEFAULT_COLUMNS } else { told }
}

/// As much as fits before the last column, where some terminals already wrap; control characters are
/// replaced.
fn cut(text: &str, columns: usize) -> String {
    let printable = text.chars().map(|c| if c.is_control() { '?' } else { c });
    printable.take(columns.saturating_sub(1)).collect()
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
}
