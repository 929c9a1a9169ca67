//! `--fail-if` of a comparison: `p99 > +10%`, `mean > +5ms`, `throughput < -5%`, `errors > +1%`.
//!
//! A condition is true only if the change is called: a change that may be noise fails nothing.

use super::document::{Change, Judged, Word};
use super::figures::Figure;
use crate::units::parse_duration;
use std::str::FromStr;

/// Longest condition, in characters.
const MAX_CHARS: usize = 100;

/// How much something may change.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    /// In % of A, or in percentage points for `errors`.
    Percent(f64),
    /// In ms.
    Ms(f64),
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    text: String,
    figure: Figure,
    /// Whether changes above the limit fail, or those below.
    above: bool,
    /// Whether the limit itself fails.
    or_equal: bool,
    limit: Limit,
}

impl Condition {
    /// Judges the change of this condition's figure.
    pub fn judge(&self, changes: &[Change]) -> Judged {
        let change = changes.iter().find(|change| change.figure == self.figure);
        let (value, limit) = match self.limit {
            Limit::Percent(limit) => (change.and_then(|change| change.change), limit),
            Limit::Ms(limit) => (change.and_then(|change| Some(change.b? - change.a?)), limit),
        };
        let beyond = |value: f64| match (self.above, self.or_equal) {
            (true, false) => value > limit,
            (true, true) => value >= limit,
            (false, false) => value < limit,
            (false, true) => value <= limit,
        };
        let word = change.map_or(Word::Unclear, |change| change.word);
        let failed = word.is_change() && value.is_some_and(beyond);
        Judged { expression: self.text.clone(), value, word, failed }
    }
}

/// The message with a caret under what is wrong: under the character at `at`.
fn wrong(text: &str, at: usize, what: &str) -> String {
    let before = text.get(..at).map_or(0, |before| before.chars().count());
    format!("{what}\n  {text}\n  {}^", " ".repeat(before))
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Condition, String> {
        if text.chars().count() > MAX_CHARS || text.chars().any(char::is_control) {
            return Err(format!("use METRIC OP CHANGE in at most {MAX_CHARS} characters, like p99 > +10%"));
        }
        let is_end = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '=');
        let begin = text.len() - text.trim_start().len();
        let end = text[begin..].find(is_end).map_or(text.len(), |length| begin + length);
        let figure = figure(&text[begin..end]).map_err(|what| wrong(text, begin, &what))?;
        let op_at = end + text[end..].len() - text[end..].trim_start().len();
        let ops = [(">=", true, true), ("<=", false, true), (">", true, false), ("<", false, false)];
        let op = ops.iter().find(|(op, ..)| text[op_at..].starts_with(op));
        let (op, above, or_equal) =
            op.ok_or_else(|| wrong(text, op_at, "after the metric, one of >, >=, < and <= is required"))?;
        let rest = &text[op_at + op.len()..];
        let at = text.len() - rest.trim_start().len();
        let limit = limit(rest.trim(), figure).map_err(|what| wrong(text, at, &what))?;
        Ok(Condition { text: text.trim().to_owned(), figure, above: *above, or_equal: *or_equal, limit })
    }
}

fn figure(name: &str) -> Result<Figure, String> {
    match Figure::ALL.into_iter().find(|figure| figure.name() == name) {
        Some(Figure::Max) => {
            Err("a maximum is a single request, so its change cannot be tested: use p99.9".to_owned())
        }
        Some(figure) => Ok(figure),
        None => {
            let tested = Figure::ALL.into_iter().filter(|figure| *figure != Figure::Max);
            let names: Vec<&str> = tested.map(Figure::name).collect();
            Err(format!("unknown metric: use {}", names.join(", ")))
        }
    }
}

fn limit(text: &str, figure: Figure) -> Result<Limit, String> {
    let hint = match figure.unit() {
        "ms" => "a change needs its sign and a unit: +10%, -10% or +5ms",
        "%" => "a change of the share needs its sign and %: +1% is one percentage point",
        _ => "a change needs its sign and %: +10% or -10%",
    };
    let (sign, number) = match text.chars().next() {
        Some('+') => (1.0, &text[1..]),
        Some('-') => (-1.0, &text[1..]),
        Some('0') => (1.0, text),
        _ => return Err(hint.to_owned()),
    };
    let begins_well = number.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let percent = number.strip_suffix('%').map(str::trim_end).and_then(|number| number.parse::<f64>().ok());
    let limit = match percent {
        Some(percent) => Limit::Percent(sign * percent),
        None if figure.unit() == "ms" => {
            Limit::Ms(sign * parse_duration(number).map_err(|_| hint.to_owned())?.as_secs_f64() * 1e3)
        }
        None => return Err(hint.to_owned()),
    };
    let is_unsigned = text.starts_with('0') && !matches!(limit, Limit::Percent(0.0) | Limit::Ms(0.0));
    let is_finite = matches!(limit, Limit::Percent(value) | Limit::Ms(value) if value.is_finite());
    if begins_well && is_finite && !is_unsigned { Ok(limit) } else { Err(hint.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::change;

    fn failed(text: &str, change: Change) -> bool {
        text.parse::<Condition>().expect(text).judge(&[change]).failed
    }

    #[test]
    fn a_condition_is_true_only_where_the_change_is_called() {
        let slower = |word| change(Figure::P99, 100.0, 120.0, word);
        assert!(failed("p99 > +10%", slower(Word::Slower)));
        assert!(!failed("p99 > +10%", slower(Word::Unclear)) && !failed("p99 > +10%", slower(Word::Same)));
        assert!(!failed("p99 > +10%", slower(Word::NotComparable)));
        assert!(!failed("p99 > +25%", slower(Word::Slower)) && !failed("p90>+1%", slower(Word::Slower)));
        assert!(failed(" p99>=+20ms ", slower(Word::Slower)) && !failed("p99 > +20ms", slower(Word::Slower)));
        assert!(failed("p99 > 0%", slower(Word::Slower)) && failed("p99 > 0", slower(Word::Slower)));
        let fewer = change(Figure::Throughput, 100.0, 90.0, Word::Slower);
        assert!(failed("throughput < -5%", fewer.clone()) && !failed("throughput < -15%", fewer));
    }

    #[test]
    fn an_error_points_at_what_is_wrong() {
        let column = |text: &str| {
            let error = text.parse::<Condition>().expect_err(text);
            let lines: Vec<&str> = error.lines().collect();
            assert_eq!(lines[1], format!("  {text}"), "{error}");
            lines[2].chars().count() - 3
        };
        assert_eq!((column("p98 > +1%"), column("  max > +1%"), column("")), (0, 2, 0));
        assert_eq!((column("p99 = +1%"), column("p99 +1%"), column("p99")), (4, 4, 3));
        for value in ["10%", "+10", "+", "", "+x%", "++1%", "+-1%", "0.5%", "+inf%", "+1e999%", "10ms"] {
            assert_eq!(column(&format!("p99 > {value}x").replace('x', "")), 6, "{value}");
        }
        assert_eq!((column("errors > +5ms"), column("throughput < -5ms")), (9, 13));
        assert_eq!(column("é > +1%"), 0);
        assert!("p99 > +1%".repeat(20).parse::<Condition>().is_err());
    }
}
