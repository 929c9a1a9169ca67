//! The result of a comparison, `floodgate.compare/1`.

use super::figures::{Family, Figure};
use super::floor::{FloorSource, MIN_MS};
use super::format_change;
use crate::stats::summary::Summary;
use crate::units::{format_count, format_figure, trim_number};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// The value of `schema` in a [`Comparison`].
pub const SCHEMA: &str = "floodgate.compare/1";

/// What can be said of B against A: of one figure, or of all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// Better: shorter times, more responses, fewer errors.
    Faster,
    /// Worse.
    Slower,
    /// Any change is smaller than the noise floor.
    Same,
    /// The runs do not show which of these.
    Unclear,
    /// They must not be compared.
    #[serde(rename = "not comparable")]
    NotComparable,
}

impl Word {
    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Word::Faster => "faster",
            Word::Slower => "slower",
            Word::Same => "same",
            Word::Unclear => "unclear",
            Word::NotComparable => "not comparable",
        }
    }

    /// Whether a change is called.
    pub fn is_change(self) -> bool {
        matches!(self, Word::Faster | Word::Slower)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunName {
    /// As the user named it.
    pub name: String,
    /// Its id.
    pub test_id: String,
    /// When its gate opened, in ms since 1970 (broker time); null if unknown.
    pub started_at: Option<f64>,
    /// How long it ran, in s.
    pub elapsed_s: f64,
    /// Requests sent.
    pub requests: u64,
}

impl RunName {
    /// How much some runs together measured: `20,000 requests in 20 s`.
    pub fn volume(runs: &[RunName]) -> String {
        let requests = format_count(runs.iter().map(|run| run.requests).sum());
        let seconds = trim_number(runs.iter().map(|run| run.elapsed_s).sum::<f64>().round());
        format!("{requests} requests in {seconds} s")
    }
}

/// The change of one figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The figure.
    #[serde(rename = "name")]
    pub figure: Figure,
    /// Figures that were tested together.
    pub family: Family,
    /// Unit of `a` and `b`: `ms`, `1/s` or `%`.
    pub unit: Cow<'static, str>,
    /// Its value in A, the median of several runs; null if it is not known.
    pub a: Option<f64>,
    /// Its value in B.
    pub b: Option<f64>,
    /// Unit of the next four: `%` of A, or percentage `points` for a share.
    pub change_unit: Cow<'static, str>,
    /// The change from A to B; null if it is not known.
    pub change: Option<f64>,
    /// The lower end of its interval; null if it was not tested.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// The smallest change that is called.
    pub floor: Option<f64>,
    /// What the floor comes from.
    pub floor_source: Option<FloorSource>,
    /// Confidence of the interval in %, by Holm's method; null if there is none.
    pub confidence: Option<f64>,
    /// Sections of each run, for a single pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sections: Option<usize>,
    /// What can be said.
    pub word: Word,
    /// Why it is unclear, and what would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it was tested. A maximum is a single request.
    pub tested: bool,
}

impl Change {
    /// A value of A or B with its unit.
    pub fn shown_value(&self, value: Option<f64>) -> String {
        value.map_or("-".to_owned(), |value| format!("{} {}", format_figure(value), self.unit))
    }

    /// A change with its sign and unit.
    pub fn shown_change(&self, change: Option<f64>) -> String {
        change.map_or("-".to_owned(), |change| format_change(change, &self.change_unit))
    }

    /// Its interval: `+9.8 … +10.4 %`.
    pub fn shown_interval(&self) -> String {
        let Some((low, high)) = self.low.zip(self.high) else { return "-".to_owned() };
        let bare = format_change(low, "");
        format!("{} … {}", bare.trim_end(), self.shown_change(Some(high)))
    }
}

/// Failed requests or error statuses of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorKind {
    /// An error kind, or a status from 400.
    pub kind: String,
    /// How many in A.
    pub a: u64,
    /// How many in B.
    pub b: u64,
    /// In % of the requests of A.
    pub a_percent: f64,
    /// In % of the requests of B.
    pub b_percent: f64,
}

/// What became of a condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// As it was written.
    pub expression: String,
    /// The change in the condition's unit; null if it is not known.
    pub value: Option<f64>,
    /// The word for the figure.
    pub word: Word,
    /// Whether it was true.
    pub failed: bool,
}

/// How the figures were compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// `sections`, `pairs`, `ranks`, `welch` or `none`.
    pub name: Cow<'static, str>,
    /// One sentence.
    pub text: String,
    /// Confidence for each family of figures, in %.
    pub confidence: f64,
    /// `--noise`, in %.
    pub noise: f64,
    /// Too few runs for a test without assumptions.
    pub weak: bool,
    /// Where the method comes from.
    pub sources: Vec<Cow<'static, str>>,
}

impl Method {
    /// When a change is called.
    pub fn sentence(&self) -> String {
        format!(
            "Intervals hold with {} % for all latencies together. A change is called only if its interval \
             lies beyond the noise floor: at least {} % and {MIN_MS} ms.",
            self.confidence,
            trim_number(self.noise)
        )
    }
}

/// B against A, as far as the requests with one name are concerned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedComparison {
    /// The name.
    pub name: String,
    /// The word for all its figures together.
    pub outcome: Word,
    /// The same in one sentence.
    pub sentence: String,
    /// Confidence for each family of its figures, in %: higher than that of the whole, so that the chance of
    /// a wrong call over all names together stays the same (Bonferroni).
    pub confidence: f64,
    /// Figure by figure.
    pub figures: Vec<Change>,
}

/// The whole document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: Cow<'static, str>,
    /// The word for all figures together.
    pub outcome: Word,
    /// The result in one sentence.
    pub sentence: String,
    /// Why the runs must not be compared; empty if they may.
    pub reasons: Vec<String>,
    /// What else differs between them.
    pub notes: Vec<String>,
    /// The runs of A.
    pub a: Vec<RunName>,
    /// The runs of B.
    pub b: Vec<RunName>,
    /// How they were compared.
    pub method: Method,
    /// Figure by figure.
    pub figures: Vec<Change>,
    /// The requests of each name; empty if the plans name none, or different ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<NamedComparison>,
    /// Errors by kind, the most frequent first.
    pub errors: Vec<ErrorKind>,
    /// What would show a difference; null if nothing is unclear.
    pub advice: Option<String>,
    /// The `--fail-if` conditions.
    pub conditions: Vec<Judged>,
}

impl Comparison {
    /// The comparison in a result; `None` if it cannot be read, has another schema, or gives one of its own
    /// figures another unit.
    pub fn of(document: &Value) -> Option<Comparison> {
        let read = Comparison::deserialize(document).ok().filter(|read| read.schema == SCHEMA)?;
        let fits = |change: &Change| {
            (change.unit.as_ref(), change.change_unit.as_ref())
                == (change.figure.unit(), change.figure.change_unit())
        };
        read.figures.iter().all(fits).then_some(read)
    }

    /// The comparison in the result of an A/B test that has ended, without notes that its verdict repeats.
    pub fn of_test(summary: &Summary) -> Option<Comparison> {
        let mut comparison = Comparison::of(summary.comparison.as_ref()?)?;
        let is_said = |note: &String| summary.verdict.iter().any(|text| text.trim_end_matches('.') == note);
        comparison.notes.retain(|note| !is_said(note));
        Some(comparison)
    }

    /// The document that `--json` prints: one line with its newline.
    pub fn document(&self) -> String {
        // It contains only texts and numbers, which always have a JSON form.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Tested figures that are unclear or cannot be compared: the word, the reason, and the figures for which
    /// both hold. Empty if the runs as a whole cannot be compared.
    pub fn undecided(&self) -> Vec<(Word, &str, Vec<&'static str>)> {
        let mut groups: Vec<(Word, &str, Vec<&'static str>)> = Vec::new();
        let is_open = |change: &&Change| change.tested && !change.word.is_change();
        for change in self.figures.iter().filter(|_| self.reasons.is_empty()).filter(is_open) {
            let Some(reason) = change.reason.as_deref() else { continue };
            match groups.iter_mut().find(|group| (group.0, group.1) == (change.word, reason)) {
                Some(group) => group.2.push(change.figure.name()),
                None => groups.push((change.word, reason, vec![change.figure.name()])),
            }
        }
        groups
    }

    /// What is said of a figure where the sentence stands beside it: nothing that holds for all figures.
    pub fn said_of(&self, change: &Change) -> &'static str {
        let says = change.tested && self.outcome != Word::NotComparable;
        if says { change.word.as_str() } else { "" }
    }

    /// The change of one figure.
    pub fn change(&self, figure: Figure) -> Option<&Change> {
        self.figures.iter().find(|change| change.figure == figure)
    }
}
