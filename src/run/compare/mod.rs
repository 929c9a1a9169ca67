//! `floodgate compare`: compares saved runs.

mod load;

use super::{CONDITION, FAILED, comparison, live};
use crate::compare::{self, Comparison, Judged, Run, Word, page};
use crate::store::write_file;
use crate::terminal;
use std::io::Write;
use std::path::PathBuf;

/// What to compare, and how.
pub struct Settings {
    /// The runs of A: folders, `records.jsonl` or `summary.json`.
    pub a: Vec<PathBuf>,
    /// The runs of B; empty if A is one A/B run.
    pub b: Vec<PathBuf>,
    /// How they are compared.
    pub how: compare::Settings,
    /// Print one JSON document.
    pub json: bool,
    /// Where to write it as a page.
    pub html: Option<PathBuf>,
    /// What is unclear fails.
    pub strict: bool,
}

/// Compares, prints the result to `out`, and returns the exit code.
pub fn run(settings: &Settings, out: &mut dyn Write) -> u8 {
    let compared = match (&settings.a[..], settings.b.is_empty()) {
        ([one], true) => load::sides(one).map(|[a, b]| (vec![a], vec![b])),
        _ => runs(&settings.a).and_then(|a| Ok((a, runs(&settings.b)?))),
    };
    let compared = compared.and_then(|(a, b)| {
        let comparison = compare::compare(&a, &b, &settings.how)?;
        if let Some(path) = &settings.html {
            let written = write_file(path, &page::render(&comparison, &a, &b));
            written.map_err(|e| format!("--html {} cannot be written: {e}", path.display()))?;
        }
        Ok(comparison)
    });
    let comparison = match compared {
        Ok(comparison) => comparison,
        Err(error) => {
            live::say(&format!("floodgate: {error}"));
            return FAILED;
        }
    };
    let printed = match settings.json {
        true => comparison.document(),
        false => comparison::render(&comparison, terminal::shows_colours(&std::io::stdout())),
    };
    if let Err(error) = out.write_all(printed.as_bytes()).and_then(|()| out.flush()) {
        live::say(&format!("floodgate: cannot write the result: {error}"));
        return FAILED;
    }
    if !settings.strict {
        unclear(&comparison).for_each(|condition| live::say(&warning(condition)));
    }
    exit_code(&comparison, settings.strict)
}

fn runs(paths: &[PathBuf]) -> Result<Vec<Run>, String> {
    paths.iter().map(|path| load::run(path)).collect()
}

/// Conditions whose outcome is unclear.
fn unclear(comparison: &Comparison) -> impl Iterator<Item = &Judged> {
    let is_open = |word: Word| matches!(word, Word::Unclear | Word::NotComparable);
    comparison.conditions.iter().filter(move |condition| is_open(condition.word))
}

fn warning(condition: &Judged) -> String {
    let Judged { expression, word, .. } = condition;
    format!(
        "floodgate: warning: the change is {word}, so {expression:?} cannot be judged and does not fail (with \
         --strict: exit code 3)"
    )
}

fn exit_code(comparison: &Comparison, strict: bool) -> u8 {
    let has_failed = comparison.conditions.iter().any(|condition| condition.failed);
    let is_open = match comparison.conditions.is_empty() {
        true => matches!(comparison.outcome, Word::Unclear | Word::NotComparable),
        false => unclear(comparison).next().is_some(),
    };
    if has_failed || (strict && is_open) { CONDITION } else { 0 }
}
