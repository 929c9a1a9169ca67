//! A and B of an A/B test.

use super::{Table, escape};
use crate::compare::{Change, Comparison, MIN_MS, Word};
use crate::units::trim_number;

/// Most reasons and notes.
const MAX_NOTES: usize = 20;

/// The figures with their words, then further reasons, notes and advice.
pub fn figures(comparison: &Comparison) -> String {
    let mut table = Table::new(&["", "A", "B", "change", "interval", ""]).named();
    for change in &comparison.figures {
        table.add(&[
            change.figure.name().to_owned(),
            change.shown_value(change.a),
            change.shown_value(change.b),
            change.shown_change(change.change),
            change.shown_interval(),
            word(change, comparison.outcome).to_owned(),
        ]);
    }
    let reasons = comparison.reasons.iter().skip(1).cloned();
    let notes = comparison.notes.iter().map(|note| format!("Note: {note}."));
    let all: Vec<String> = reasons.chain(notes).chain(comparison.advice.clone()).collect();
    let lines = all.iter().take(MAX_NOTES).map(|text| format!("- {}\n", escape(text)));
    let lines: String = lines.collect();
    table.end() + if lines.is_empty() { "" } else { "\n" } + &lines
}

/// What holds for all figures is in the sentence.
fn word(change: &Change, outcome: Word) -> &'static str {
    let says = change.tested && outcome != Word::NotComparable;
    if says { change.word.as_str() } else { "" }
}

/// How the figures were compared, and why some are unclear.
pub fn method(comparison: &Comparison) -> String {
    let method = &comparison.method;
    let mut out = format!(
        "{}. Intervals hold with {} % for all latencies together. A change is called only if its interval lies \
         beyond the noise floor: at least {} % and {MIN_MS} ms.\n",
        escape(&method.text),
        method.confidence,
        trim_number(method.noise)
    );
    let open = comparison.figures.iter().filter(|change| change.tested && !change.word.is_change());
    let reasons: Vec<String> = open
        .filter_map(|change| {
            let reason = change.reason.as_deref()?;
            Some(format!("- {}, {}: {}\n", change.figure.name(), change.word, escape(reason)))
        })
        .collect();
    if !reasons.is_empty() {
        out.push('\n');
        out.extend(reasons);
    }
    out
}
