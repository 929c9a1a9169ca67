//! The result of a comparison in one sentence.

use super::document::{Change, Word};
use super::figures::{Family, Figure};
use super::format_change;
use super::sections::{MIN_SECONDS, Pairing};

/// Latencies that are tested.
const LATENCIES: usize = 5;

/// The word for all figures, and one sentence. What is worse counts before what is better.
pub fn of(figures: &[Change], reasons: &[String]) -> (Word, String) {
    if let Some(first) = reasons.first() {
        let more = match reasons.len() {
            1 => String::new(),
            2 => " (1 more reason below)".to_owned(),
            n => format!(" ({} more reasons below)", n - 1),
        };
        return (Word::NotComparable, format!("Not comparable: {}{more}.", first.trim_end_matches('.')));
    }
    let of = |word: Word| figures.iter().filter(move |change| change.word == word && change.tested);
    let (worse, better): (Vec<&Change>, Vec<&Change>) =
        (of(Word::Slower).collect(), of(Word::Faster).collect());
    let same: Vec<&Change> = of(Word::Same).collect();
    let barred: Vec<&Change> = of(Word::NotComparable).collect();
    let open = of(Word::Unclear).filter(|change| change.low.is_some());
    let open: Vec<&Change> = open.chain(barred.iter().copied()).collect();
    if barred.iter().filter(|change| change.family == Family::Latency).count() == LATENCIES {
        let why = barred.first().and_then(|change| change.reason.as_deref()).unwrap_or_default();
        return (Word::NotComparable, format!("Not comparable: {why}."));
    }
    let untested: Vec<&Change> = of(Word::Unclear).filter(|change| change.low.is_none()).collect();
    match (worse.is_empty(), better.is_empty()) {
        (false, _) => {
            let fails = worse.iter().all(|change| change.figure == Figure::Errors);
            let verb = if fails { "fails more often" } else { "is slower" };
            let also =
                if better.is_empty() { String::new() } else { format!(", but better: {}", list(&better)) };
            (Word::Slower, format!("B {verb} than A: {}{also}.{}", list(&worse), rest(&barred)))
        }
        (true, false) => {
            let fails = better.iter().all(|change| change.figure == Figure::Errors);
            let verb = if fails { "fails less often" } else { "is faster" };
            (Word::Faster, format!("B {verb} than A: {}.{}", list(&better), rest(&barred)))
        }
        (true, true) if open.is_empty() && !same.is_empty() => {
            let rest = match untested.is_empty() {
                true => String::new(),
                false => format!(" (not tested: {})", names(&untested)),
            };
            (Word::Same, format!("No difference in {}{rest}.", names(&same)))
        }
        (true, true) if open.is_empty() => {
            let why = untested.first().and_then(|change| change.reason.clone()).unwrap_or_default();
            (Word::Unclear, format!("Unclear: {why}."))
        }
        (true, true) => {
            let rest = match same.is_empty() {
                true => String::new(),
                false => format!("; no difference in {}", names(&same)),
            };
            (Word::Unclear, format!("Unclear whether B differs from A in {}{rest}.", names(&open)))
        }
    }
}

fn rest(barred: &[&Change]) -> String {
    if barred.is_empty() { String::new() } else { format!(" Not comparable: {}.", names(barred)) }
}

/// What would make an unclear result clear.
pub fn advice(outcome: Word, figures: &[Change], runs: usize, pairing: Pairing) -> Option<String> {
    let is_open = |change: &Change| change.word == Word::Unclear && change.tested;
    if outcome == Word::NotComparable || !figures.iter().any(is_open) {
        return None;
    }
    Some(match (runs, pairing) {
        (_, Pairing::Paired) => "Run it longer or with more requests.".to_owned(),
        (1, Pairing::Separate) => format!(
            "Run both longer (at least {MIN_SECONDS} s) or with more requests, or compare several runs a side: \
             floodgate compare A1 A2 A3 A4 A5 -- B1 B2 B3 B4 B5."
        ),
        (_, Pairing::Separate) => "Compare more runs a side.".to_owned(),
    })
}

/// `p50 +10.1 %, p99 +9.7 %`
fn list(changes: &[&Change]) -> String {
    let one = |change: &&Change| {
        let value = change.change.map_or(String::new(), |value| format_change(value, &change.change_unit));
        format!("{} {value}", change.figure.name())
    };
    changes.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `p50, p90 and p99`
fn names(changes: &[&Change]) -> String {
    let names: Vec<&str> = changes.iter().map(|change| change.figure.name()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::change;
    use super::*;

    fn sentence(changes: &[Change]) -> (Word, String) {
        of(changes, &[])
    }

    #[test]
    fn what_is_worse_comes_first() {
        let p50 = change(Figure::P50, 10.0, 9.0, Word::Faster);
        let p99 = change(Figure::P99, 10.0, 12.0, Word::Slower);
        let (word, text) = sentence(&[p50.clone(), p99]);
        assert_eq!(
            (word, text.as_str()),
            (Word::Slower, "B is slower than A: p99 +20 %, but better: p50 -10 %.")
        );
        assert_eq!(sentence(&[p50]), (Word::Faster, "B is faster than A: p50 -10 %.".to_owned()));
        let errors = change(Figure::Errors, 0.0, 5.0, Word::Slower);
        assert_eq!(sentence(&[errors]).1, "B fails more often than A: errors +5 points.");
    }

    #[test]
    fn what_is_unclear_is_named_and_an_untested_figure_does_not_count() {
        let same = |figure| change(figure, 10.0, 10.1, Word::Same);
        let short = Change { low: None, ..change(Figure::P999, 10.0, 10.0, Word::Unclear) };
        let (word, text) = sentence(&[same(Figure::P50), same(Figure::P90), short.clone()]);
        assert_eq!((word, text.as_str()), (Word::Same, "No difference in p50 and p90 (not tested: p99.9)."));
        let open = change(Figure::P99, 10.0, 10.7, Word::Unclear);
        let (word, text) = sentence(&[same(Figure::P50), open, short.clone()]);
        assert_eq!(word, Word::Unclear);
        assert_eq!(text, "Unclear whether B differs from A in p99; no difference in p50.");
        let short = Change { reason: Some("a run of 3 s is too short".to_owned()), ..short };
        assert_eq!(sentence(&[short]).1, "Unclear: a run of 3 s is too short.");
    }

    #[test]
    fn a_reason_comes_before_everything() {
        let reasons = ["B has no complete response".to_owned(), "x".to_owned()];
        let (word, text) = of(&[change(Figure::P99, 10.0, 12.0, Word::NotComparable)], &reasons);
        assert_eq!(word, Word::NotComparable);
        assert_eq!(text, "Not comparable: B has no complete response (1 more reason below).");
    }
}
