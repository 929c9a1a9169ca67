//! A plot with its caption and the same figures as a table.

use super::panel::{Ink, Panel, key};
use crate::html::scrolling;
use maud::{Markup, html};

/// A figure: one or several panels above each other.
#[derive(Debug, Default)]
pub struct Figure<'a> {
    /// Unique in the document; also the target of a link.
    pub id: &'a str,
    /// What it shows.
    pub title: &'a str,
    /// Lines and their last values.
    pub keys: Vec<(Ink, String)>,
    /// Plots, from top to bottom.
    pub panels: Vec<Panel<'a>>,
    /// What a reader should know about it.
    pub notes: Vec<String>,
    /// The same figures as a table.
    pub table: Table,
}

/// Figures as text: the first column names the row.
#[derive(Debug, Default)]
pub struct Table {
    /// Heads of the columns.
    pub heads: Vec<String>,
    /// As many cells a row as there are heads.
    pub rows: Vec<Vec<String>>,
}

impl Figure<'_> {
    /// As HTML.
    pub fn render(&self) -> Markup {
        html! {
            figure.fig id=(self.id) {
                figcaption {
                    strong { (self.title) }
                    @for (ink, text) in &self.keys { " " span.keyed { (key(*ink)) (text) } }
                }
                @for (number, panel) in self.panels.iter().enumerate() {
                    (panel.render(&format!("{}-{number}", self.id)))
                }
                @if !self.notes.is_empty() { p.dim { (self.notes.join(" ")) } }
                @if !self.table.rows.is_empty() {
                    details {
                        summary { "As a table" }
                        (self.table.render(self.title))
                    }
                }
            }
        }
    }
}

impl Table {
    /// In a box that scrolls sideways. The label is for screen readers.
    pub fn render(&self, label: &str) -> Markup {
        let heads = html! { @for head in &self.heads { th scope="col" { (head) } } };
        scrolling(label, &heads, self.rows.iter().map(|row| html! { @for cell in row { td { (cell) } } }))
    }
}

/// A sentence in place of a plot.
pub fn nothing(id: &str, title: &str, sentence: &str) -> Markup {
    html! {
        figure.fig id=(id) {
            figcaption { strong { (title) } }
            p.dim { (sentence) }
        }
    }
}
