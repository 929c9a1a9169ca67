//! Tables: columns, and cells with their colours.

use super::tone::Tone;
use crate::units::{format_count, format_figure};
use maud::{Markup, html};

/// Stands for a figure that is not known.
pub const UNKNOWN: &str = "-";

/// A column by its head.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// Numbers, aligned at the right.
    Number(&'static str),
    /// Names, which are never broken.
    Text(&'static str),
    /// Sentences, which wrap.
    Prose(&'static str),
    /// Numbers with a bar each.
    Drawn(&'static str),
}

impl Column {
    fn head(self) -> &'static str {
        let (Column::Number(head) | Column::Text(head) | Column::Prose(head) | Column::Drawn(head)) = self;
        head
    }

    fn class(self) -> Option<&'static str> {
        match self {
            Column::Number(_) => None,
            Column::Text(_) => Some("text"),
            Column::Prose(_) => Some("prose"),
            Column::Drawn(_) => Some("drawn"),
        }
    }
}

/// The content of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
    /// Length of its bar, in percent; no bar if absent.
    bar: Option<u8>,
}

impl Cell {
    /// A text in its colour.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Cell {
        Cell { text: text.into(), tone, bar: None }
    }

    /// A figure, if it is known, with a bar whose full length is `most`.
    pub fn bar(value: Option<f64>, most: f64) -> Cell {
        let share = value.filter(|value| value.is_finite()).map(|value| 100.0 * value / most);
        let bar = share.filter(|share| share.is_finite()).map(|share| share.clamp(0.0, 100.0) as u8);
        Cell { bar, ..Cell::figure(value) }
    }

    /// A text.
    pub fn plain(text: impl Into<String>) -> Cell {
        Cell::toned(text, Tone::Plain)
    }

    /// A number.
    pub fn count(n: u64) -> Cell {
        Cell::plain(format_count(n))
    }

    /// A number of errors: bad above 0.
    pub fn errors(n: u64) -> Cell {
        Cell::toned(format_count(n), if n > 0 { Tone::Bad } else { Tone::Plain })
    }

    /// A figure, if it is known.
    pub fn figure(value: Option<f64>) -> Cell {
        let known = value.filter(|value| value.is_finite());
        known.map_or_else(Cell::unknown, |value| Cell::plain(format_figure(value)))
    }

    /// A share of 1, if it is known; from `limit` on it is worth a look.
    pub fn share(share: Option<f64>, limit: f64) -> Cell {
        let tone = |share: f64| if share >= limit { Tone::Warn } else { Tone::Plain };
        share.map_or_else(Cell::unknown, |share| Cell::toned(format!("{:.1} %", 100.0 * share), tone(share)))
    }

    /// What is not known.
    pub fn unknown() -> Cell {
        Cell::toned(UNKNOWN, Tone::Dim)
    }

    fn class(&self, column: Column) -> Option<String> {
        let tone = Some(self.tone.class()).filter(|_| self.tone != Tone::Plain);
        let classes: Vec<_> = column.class().into_iter().chain(tone).collect();
        (!classes.is_empty()).then(|| classes.join(" "))
    }
}

fn content(cell: &Cell) -> Markup {
    html! {
        (cell.text)
        @if let Some(bar) = cell.bar {
            svg.bar viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
                rect width=(bar) height="4" {}
            }
        }
    }
}

/// A table in a box that scrolls sideways, so that the document never has to. The label is for screen
/// readers.
pub fn table(label: &str, columns: &[Column], rows: &[Vec<Cell>]) -> Markup {
    let heads = html! {
        @for column in columns { th scope="col" class=[column.class()] { (column.head()) } }
    };
    let row = |row: &Vec<Cell>| {
        html! {
            @for (cell, column) in row.iter().zip(columns) {
                td class=[cell.class(*column)] { (content(cell)) }
            }
        }
    };
    scrolling(label, &heads, rows.iter().map(row))
}

/// The same of cells that are already written.
pub fn scrolling(label: &str, heads: &Markup, rows: impl Iterator<Item = Markup>) -> Markup {
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" {
            table {
                thead { tr { (heads) } }
                tbody { @for row in rows { tr { (row) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_no_number() {
        assert_eq!(Cell::figure(None), Cell::unknown());
        assert_eq!(Cell::figure(Some(f64::NAN)), Cell::unknown());
        assert_eq!(Cell::share(None, 1.0), Cell::unknown());
        assert_eq!(Cell::figure(Some(1_234.4)), Cell::plain("1,234"));
    }
}
