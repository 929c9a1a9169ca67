//! The parts of a comparison, for its own document, and for the report and the page of an A/B test.

use crate::compare::NamedComparison;
use crate::compare::document::{Change, Comparison, Word};
use crate::html::{Cell, Column, Tone, table};
use crate::units::{format_count, trim_number};
use maud::{Markup, html};

/// The result in one sentence, further reasons, and what else differs between the runs.
pub fn sentence(comparison: &Comparison) -> Markup {
    html! {
        p.sentence.(tone(comparison.outcome).class()) { (comparison.sentence) }
        @if comparison.reasons.len() > 1 || !comparison.notes.is_empty() {
            ul {
                @for reason in comparison.reasons.iter().skip(1) { li { (reason) } }
                @for note in &comparison.notes { li.dim { "Note: " (note) "." } }
            }
        }
    }
}

fn tone(word: Word) -> Tone {
    match word {
        Word::Slower => Tone::Bad,
        Word::Faster => Tone::Good,
        Word::Same => Tone::Plain,
        Word::Unclear | Word::NotComparable => Tone::Warn,
    }
}

/// Figure by figure: the change, its interval, the floor, the word, and why it is no other one.
pub fn figures(comparison: &Comparison) -> Markup {
    changes(&comparison.figures)
}

/// The sentence and the figures of the requests with one name.
pub fn named(request: &NamedComparison) -> Markup {
    html! {
        p.sentence.(tone(request.outcome).class()) { (request.sentence) }
        (changes(&request.figures))
    }
}

fn changes(figures: &[Change]) -> Markup {
    const COLUMNS: [Column; 8] = [
        Column::Text("figure"),
        Column::Number("A"),
        Column::Number("B"),
        Column::Number("change"),
        Column::Number("interval"),
        Column::Number("floor"),
        Column::Number("result"),
        Column::Prose("why"),
    ];
    let rows: Vec<_> = figures.iter().map(row).collect();
    table("Figures of A and B", &COLUMNS, &rows)
}

fn row(change: &Change) -> Vec<Cell> {
    let floor = change.shown_change(change.floor);
    let word = if change.tested { change.word.as_str() } else { "" };
    vec![
        Cell::plain(change.figure.name()),
        Cell::plain(change.shown_value(change.a)),
        Cell::plain(change.shown_value(change.b)),
        Cell::plain(change.shown_change(change.change)),
        Cell::plain(change.shown_interval()),
        Cell::plain(floor.trim_start_matches('+')),
        Cell::toned(word, tone(change.word)),
        Cell::toned(why(change), Tone::Dim),
    ]
}

fn why(change: &Change) -> String {
    let floor = change.floor_source.filter(|source| source.is_of_runs());
    let floor = floor.map(|source| format!("the floor is {}", source.text()));
    let parts: Vec<String> = change.reason.clone().into_iter().chain(floor).collect();
    parts.join("; ")
}

/// Failed requests and error statuses of both sides by kind; nothing if there are none.
pub fn errors(comparison: &Comparison) -> Markup {
    let cell = |count: u64, percent: f64| {
        Cell::plain(format!("{} ({} %)", format_count(count), trim_number(percent)))
    };
    let row = |kind: &crate::compare::ErrorKind| {
        vec![Cell::plain(kind.kind.as_str()), cell(kind.a, kind.a_percent), cell(kind.b, kind.b_percent)]
    };
    let rows: Vec<_> = comparison.errors.iter().map(row).collect();
    let columns = [Column::Text("errors by kind"), Column::Number("A"), Column::Number("B")];
    html! { @if !rows.is_empty() { (table("Errors of A and B by kind", &columns, &rows)) } }
}

/// How the figures were compared, what would help, and where the method comes from.
pub fn method(comparison: &Comparison) -> Markup {
    let method = &comparison.method;
    html! {
        @if method.name == "none" {
            p { (method.text) "." }
        } @else {
            p { (method.text) ". " (method.sentence()) }
        }
        @if let Some(advice) = &comparison.advice { p { (advice) } }
        ul.dim { @for source in &method.sources { li { (source) } } }
    }
}
