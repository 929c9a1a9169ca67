//! Tables: heads, cells and how good or bad what they say is.

use crate::stats::verdict::Severity;
use crate::units::{format_count, format_figure};
use maud::{Markup, html};

/// Stands for a figure that is not known.
pub const UNKNOWN: &str = "-";

/// A column by its head.
#[derive(Clone, Copy, Debug)]
pub enum Head {
    /// Numbers, aligned at the right.
    Number(&'static str),
    /// Texts.
    Text(&'static str),
}

/// The content of one cell, with its class in the style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    class: &'static str,
}

impl Cell {
    /// A text with a class of the style.
    pub fn toned(text: impl Into<String>, class: &'static str) -> Cell {
        Cell { text: text.into(), class }
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::toned(text, "")
    }

    /// A number.
    pub fn count(n: u64) -> Cell {
        Cell::text(format_count(n))
    }

    /// A number of errors: bad above 0.
    pub fn errors(n: u64) -> Cell {
        Cell::toned(format_count(n), if n > 0 { "bad" } else { "" })
    }

    /// A figure, if it is known.
    pub fn figure(value: Option<f64>) -> Cell {
        let known = value.filter(|value| value.is_finite());
        known.map_or_else(Cell::unknown, |value| Cell::text(format_figure(value)))
    }

    /// A share of 1, if it is known; from `limit` on it is worth a look.
    pub fn share(share: Option<f64>, limit: f64) -> Cell {
        let class = |share: f64| if share >= limit { "warn" } else { "" };
        share.map_or_else(Cell::unknown, |share| Cell::toned(format!("{:.1} %", 100.0 * share), class(share)))
    }

    /// What is not known.
    pub fn unknown() -> Cell {
        Cell::toned(UNKNOWN, "dim")
    }
}

/// A table in a box that scrolls sideways. The label is for screen readers.
pub fn table(label: &str, heads: &[Head], rows: &[Vec<Cell>]) -> Markup {
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" {
            table {
                thead { tr { @for head in heads { (head.render()) } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (cell, head) in row.iter().zip(heads) {
                                td class=[cell.class(*head)] { (cell.text) }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Head {
    fn render(self) -> Markup {
        match self {
            Head::Number(text) => html! { th scope="col" { (text) } },
            Head::Text(text) => html! { th.text scope="col" { (text) } },
        }
    }
}

impl Cell {
    fn class(&self, head: Head) -> Option<String> {
        let text = matches!(head, Head::Text(_)).then_some("text");
        let own = Some(self.class).filter(|class| !class.is_empty());
        let classes: Vec<_> = text.into_iter().chain(own).collect();
        (!classes.is_empty()).then(|| classes.join(" "))
    }
}

/// The class of a finding.
pub fn class_of(severity: Option<Severity>) -> &'static str {
    match severity {
        None | Some(Severity::Info) => "plain",
        Some(Severity::Warning) => "warn",
        Some(Severity::Failure) => "bad",
    }
}
