//! A comparison as text: the sentence, the figures, errors by kind, and how they were compared. As a whole it
//! is the output of `floodgate compare`, in parts it belongs to the result of an A/B test. No line is wider
//! than 80 columns.

use crate::compare::{Comparison, Figure, Judged, MIN_MS, RunName, Word, format_change};
use crate::run::table::grid::Grid;
use crate::run::table::text::{labelled, wrap};
use crate::terminal::Style;
use crate::units::{format_count, format_ms, format_names, trim_number};

/// Runs of a side that are named.
const MAX_NAMED: usize = 10;

/// Lines of one style each; a text may have several lines.
pub type Lines = Vec<(Style, String)>;

/// The whole text, with a newline at its end.
pub fn render(comparison: &Comparison, colours: bool) -> String {
    let mut lines: Lines = vec![sentence(comparison)];
    lines.extend(remarks(comparison));
    let mut put = |text: String| lines.push((Style::Plain, text));
    put(String::new());
    let mut grid = Grid::new("", &HEADS);
    add_figures(&mut grid, comparison);
    grid.blocks().into_iter().flatten().for_each(&mut put);
    put(String::new());
    if !comparison.errors.is_empty() {
        errors(comparison).blocks().into_iter().flatten().for_each(&mut put);
        put(String::new());
    }
    if !comparison.requests.is_empty() {
        requests(comparison).blocks().into_iter().flatten().for_each(&mut put);
        put(String::new());
    }
    put(labelled("A", &side(&comparison.a)));
    put(labelled("B", &side(&comparison.b)));
    lines.extend(details(comparison));
    let paint = |(style, text): &(Style, String)| {
        let style = if colours { *style } else { Style::Plain };
        text.split('\n').map(|line| style.paint(line) + "\n").collect::<String>()
    };
    lines.iter().map(paint).collect()
}

/// The result in one sentence.
pub fn sentence(comparison: &Comparison) -> (Style, String) {
    let style = match comparison.outcome {
        Word::Slower => Style::Red,
        Word::Faster | Word::Same => Style::Green,
        Word::Unclear | Word::NotComparable => Style::Yellow,
    };
    (style, wrap(&comparison.sentence, 0))
}

/// Further reasons why the runs cannot be compared, and what else differs between them.
pub fn remarks(comparison: &Comparison) -> Lines {
    let reasons = comparison.reasons.iter().skip(1).map(|reason| format!("- {reason}"));
    let notes = comparison.notes.iter().map(|note| format!("Note: {}.", note.trim_end_matches('.')));
    reasons.chain(notes).map(|text| (Style::Plain, wrap(&text, 2))).collect()
}

/// How the figures were compared, what is unclear and what would help, and what became of the conditions.
pub fn details(comparison: &Comparison) -> Lines {
    let plain = |label: &str, text: &str| (Style::Plain, labelled(label, text));
    let mut lines = vec![plain("method", &method(comparison)), plain("noise floor", &floor(comparison))];
    for (word, reason, figures) in comparison.undecided() {
        lines.push(plain(word.as_str(), &format!("{}: {reason}", figures.join(", "))));
    }
    lines.extend(comparison.advice.iter().map(|advice| plain("next", advice)));
    lines.extend(comparison.conditions.iter().map(condition));
    lines
}

fn condition(condition: &Judged) -> (Style, String) {
    let (word, style) = match (condition.failed, condition.word) {
        (true, _) => ("FAILED", Style::Red),
        (false, Word::Unclear) => ("unclear", Style::Yellow),
        (false, Word::NotComparable) => ("not comparable", Style::Yellow),
        (false, _) => ("passed", Style::Plain),
    };
    (style, labelled("condition", &format!("fail if {}: {word}", condition.expression)))
}

/// The heads of [`add_figures`]; the last column has the words.
pub const HEADS: [&str; 5] = ["A", "B", "change", "interval", ""];

/// Adds each figure with its change, the interval of that and its word.
pub fn add_figures(grid: &mut Grid, comparison: &Comparison) {
    for change in &comparison.figures {
        grid.add(
            change.figure.name(),
            vec![
                change.shown_value(change.a),
                change.shown_value(change.b),
                change.shown_change(change.change),
                change.shown_interval(),
                comparison.said_of(change).to_owned(),
            ],
        );
    }
}

/// Failed requests and error statuses of both sides; only a head if there are none.
pub fn errors(comparison: &Comparison) -> Grid {
    let mut grid = Grid::new("errors by kind", &["A", "", "B", ""]);
    let percent = |share: f64| format!("{} %", trim_number(share));
    for kind in &comparison.errors {
        let cells = vec![
            format_count(kind.a),
            percent(kind.a_percent),
            format_count(kind.b),
            percent(kind.b_percent),
        ];
        grid.add(&kind.kind, cells);
    }
    grid
}

/// The medians and the 99th percentiles of each name, and what can be said of all its figures.
fn requests(comparison: &Comparison) -> Grid {
    let mut grid = Grid::new("by request", &["p50 in A", "in B", "change", "p99 in A", "in B", "change", ""]);
    for one in &comparison.requests {
        let of = |figure: Figure| {
            let change = one.figures.iter().find(|change| change.figure == figure);
            change.map_or(["-", "-", "-"].map(str::to_owned), |change| {
                let shown = |value: Option<f64>| value.map_or("-".to_owned(), format_ms);
                [shown(change.a), shown(change.b), change.shown_change(change.change)]
            })
        };
        let word = one.outcome.as_str().to_owned();
        grid.add(&one.name, [of(Figure::P50), of(Figure::P99)].into_iter().flatten().chain([word]).collect());
    }
    grid
}

fn side(runs: &[RunName]) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let count = if runs.len() > 1 { format!("{} runs, ", runs.len()) } else { String::new() };
    format!("{count}{}: {}", RunName::volume(runs), format_names(&names, MAX_NAMED))
}

fn method(comparison: &Comparison) -> String {
    let method = &comparison.method;
    if method.name == "none" {
        return format!("{}.", method.text);
    }
    let mut counts: Vec<usize> = comparison.figures.iter().filter_map(|change| change.sections).collect();
    counts.sort_unstable();
    counts.dedup();
    let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
    let sections =
        if counts.is_empty() { String::new() } else { format!(" ({} sections a run)", counts.join(" or ")) };
    format!(
        "{}{sections}. Intervals hold with {} % for all latencies together (Holm). See docs/comparing.md.",
        method.text, method.confidence
    )
}

fn floor(comparison: &Comparison) -> String {
    let noise = trim_number(comparison.method.noise);
    let raised = comparison.figures.iter().filter_map(|change| {
        let source = change.floor_source.filter(|source| source.is_of_runs())?;
        let floor = change.floor.map_or("unlimited".to_owned(), |floor| {
            format_change(floor, &change.change_unit).trim_start_matches('+').to_owned()
        });
        Some(format!("{} {floor} ({})", change.figure.name(), source.text()))
    });
    let raised: Vec<String> = raised.collect();
    let rest = if raised.is_empty() { String::new() } else { format!("; {}", raised.join(", ")) };
    format!("{noise} % and {MIN_MS} ms{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Run, Settings, compare};
    use crate::run::table::text::{WIDTH, columns};
    use crate::stats::histogram::{Histogram, Packed};
    use crate::stats::states::RunState;
    use crate::stats::summary::{Stats, Summary};

    fn run(ms: u64, errors: u64) -> Run {
        let mut histogram = Histogram::new();
        (0..1_000).for_each(|n| histogram.record_us(ms * 1_000 + n));
        let total = Stats {
            requests: 20_000 + errors,
            errors: [("connect".to_owned(), errors)].into(),
            elapsed_s: 20.0,
            throughput_rps: 1_000.0,
            latency_ms: histogram.distribution(),
            ..Stats::default()
        };
        let summary = Summary { state: RunState::Completed, total, ..Summary::default() };
        let name = "20261128T211944Z-run-cafc7f08-b109-417f-8998-c11aa4e2c17b";
        Run::new(name, summary, (1..=20).map(|second| (second, Packed::from(&histogram))).collect())
    }

    fn rendered(a: Run, b: Run) -> String {
        let conditions = vec!["p99 > +10%".parse().expect("valid"), "p99.9 > +1ms".parse().expect("valid")];
        let settings = Settings { conditions, ..Settings::default() };
        render(&compare(&[a], &[b], &settings).expect("one pair"), false)
    }

    #[test]
    fn the_sentence_comes_first_and_no_line_is_too_long() {
        let text = rendered(run(50, 0), run(60, 300));
        println!("{text}");
        assert!(text.starts_with("B is slower than A: p50 +19.8 %"), "{text}");
        assert!(text.lines().all(|line| columns(line) <= WIDTH), "{text}");
        assert!(text.contains("connect") && text.contains("1.478 %"), "{text}");
        assert!(text.contains("fail if p99 > +10%: FAILED"), "{text}");
        assert!(text.contains("fail if p99.9 > +1ms: unclear"), "{text}");
    }

    #[test]
    fn every_reason_is_named() {
        let mut b = run(60, 0);
        b.summary.state = RunState::Aborted;
        b.summary.total.latency_ms = None;
        let text = rendered(run(50, 0), b);
        assert!(text.starts_with("Not comparable: B did not complete"), "{text}");
        assert!(text.contains("- B has no complete response"), "{text}");
        assert!(text.contains("fail if p99 > +10%: not comparable"), "{text}");
    }
}
