//! Reads a condition. Errors point at the part that is wrong.

use super::{Amount, Comparison, Figure, Metric, Threshold, Times};
use crate::check::Status;
use crate::units::{clip, parse_duration};
use std::fmt;
use std::ops::Range;

/// Maximum length of a condition, in bytes.
const MAX_BYTES: usize = 200;
/// Longest time that a condition can be required to be true, in s.
const MAX_FOR_S: u64 = 86_400;
const METRICS: &str = "min, mean, p50, p90, p95, p99, p99.9, max (the same with service. or lag. before it), \
                       errors, failed_checks, status.5xx, throughput, achieved or never_sent";

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    text: String,
    at: Range<usize>,
    why: String,
}

impl Malformed {
    /// What is wrong and what is allowed.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The wrong part of the text without surrounding blanks, in bytes; empty for its end.
    pub fn part(&self) -> Range<usize> {
        self.at.clone()
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |range: Range<usize>| self.text.get(range).unwrap_or_default().chars().count();
        let (before, marked) = (width(0..self.at.start), width(self.at.clone()).max(1));
        write!(f, "{}\n  {}\n  {}{}", self.why, self.text, " ".repeat(before), "^".repeat(marked))
    }
}

/// A part of the text and where it is.
#[derive(Clone, Debug)]
struct Word<'a> {
    text: &'a str,
    at: Range<usize>,
}

struct Words<'a> {
    whole: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    /// The next word: an operator, a comma, or everything up to a space or one of these; empty at the end.
    fn next(&mut self) -> Word<'a> {
        let rest = &self.whole[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        let ends = |c: char| c.is_whitespace() || "<>=!,".contains(c);
        let len = match rest.chars().next() {
            None => 0,
            Some(',') => 1,
            Some('<' | '>' | '=' | '!') => rest.find(|c: char| !"<>=!".contains(c)).unwrap_or(rest.len()),
            Some(_) => rest.find(ends).unwrap_or(rest.len()),
        };
        let from = self.at;
        self.at += len;
        Word { text: &rest[..len], at: from..self.at }
    }

    fn wrong(&self, at: &Range<usize>, why: impl Into<String>) -> Malformed {
        Malformed { text: self.whole.to_owned(), at: at.clone(), why: why.into() }
    }
}

pub fn parse(text: &str) -> Result<Threshold, Malformed> {
    let text = text.trim();
    if text.len() > MAX_BYTES || text.contains(char::is_control) {
        let why = format!("a condition is one line of at most {MAX_BYTES} bytes");
        return Err(Malformed { text: clip(text, MAX_BYTES / 2), at: 0..0, why });
    }
    let mut words = Words { whole: text, at: 0 };
    let name = words.next();
    let (request, figure) = of_request(name.text);
    let named = match (request, metric(figure)) {
        (Some(_), Ok(Metric::Achieved | Metric::NeverSent(_))) => {
            Err(format!("{figure} is known of all requests together only: leave out the name"))
        }
        (_, read) => read,
    };
    let named = named.map_err(|why| words.wrong(&name.at, why))?;
    let operator = words.next();
    let comparison = comparison(operator.text)
        .ok_or_else(|| words.wrong(&operator.at, format!("after {} comes one of > >= < <=", name.text)))?;
    let value = words.next();
    let (metric, limit) = limit(named, value.text).map_err(|why| words.wrong(&value.at, why))?;
    let mut threshold = Threshold {
        expression: text.to_owned(),
        request: request.map(str::to_owned),
        metric,
        comparison,
        limit,
        for_s: None,
        abort: false,
    };
    let mut word = words.next();
    if word.text == "for" {
        let time = words.next();
        threshold.for_s = Some(seconds(time.text).map_err(|why| words.wrong(&time.at, why))?);
        only_while_running(&words, &metric, &word)?;
        word = words.next();
    }
    if word.text == "," {
        word = words.next();
        if word.text != "abort" {
            return Err(words.wrong(&word.at, "after the comma comes abort"));
        }
        only_while_running(&words, &metric, &word)?;
        threshold.abort = true;
        word = words.next();
    }
    if !word.text.is_empty() {
        let why = "after the value can come `for 10s`, then `, abort`, and nothing else";
        return Err(words.wrong(&(word.at.start..text.len()), why));
    }
    Ok(threshold)
}

/// `for` and `abort` need a figure that is known while the test runs.
fn only_while_running(words: &Words, metric: &Metric, word: &Word) -> Result<(), Malformed> {
    let name = match metric {
        Metric::Time(Times::Service, _) => "service times are",
        Metric::NeverSent(_) => "never_sent is",
        _ => return Ok(()),
    };
    Err(words.wrong(&word.at, format!("{name} known at the end only: leave out {}", word.text)))
}

/// The name of the request that a metric is about, if any, and the rest: `order.p95`, `order.service.p95`.
fn of_request(name: &str) -> (Option<&str>, &str) {
    match name.split_once('.') {
        Some((request, rest)) if figure(name).is_none() && metric(name).is_err() && metric(rest).is_ok() => {
            (Some(request), rest)
        }
        _ => (None, name),
    }
}

/// The metric, with a count where a share is possible, too.
fn metric(name: &str) -> Result<Metric, String> {
    let unknown = || format!("{name:?} is not a metric: use {METRICS}");
    if let Some(figure) = figure(name) {
        return Ok(Metric::Time(Times::Latency, figure));
    }
    match name {
        "errors" => return Ok(Metric::Errors(Amount::Count)),
        "throughput" => return Ok(Metric::Throughput),
        "achieved" => return Ok(Metric::Achieved),
        "never_sent" => return Ok(Metric::NeverSent(Amount::Count)),
        "failed_checks" => return Ok(Metric::FailedChecks(Amount::Count)),
        _ => {}
    }
    let Some((group, rest)) = name.split_once('.') else { return Err(unknown()) };
    let times = match group {
        "latency" => Times::Latency,
        "service" => Times::Service,
        "lag" => Times::Lag,
        "status" => {
            let why = |_| "use a class like status.5xx or a code like status.503";
            return Ok(Metric::Status(Status::parse(rest).map_err(why)?, Amount::Count));
        }
        _ => return Err(unknown()),
    };
    figure(rest).map(|figure| Metric::Time(times, figure)).ok_or_else(unknown)
}

fn figure(name: &str) -> Option<Figure> {
    Some(match name {
        "min" => Figure::Min,
        "mean" => Figure::Mean,
        "p50" | "median" => Figure::P50,
        "p90" => Figure::P90,
        "p95" => Figure::P95,
        "p99" => Figure::P99,
        "p99.9" | "p999" => Figure::P999,
        "max" => Figure::Max,
        _ => return None,
    })
}

fn comparison(text: &str) -> Option<Comparison> {
    Some(match text {
        ">" => Comparison::Above,
        ">=" => Comparison::AtLeast,
        "<" => Comparison::Below,
        "<=" => Comparison::AtMost,
        _ => return None,
    })
}

fn limit(metric: Metric, text: &str) -> Result<(Metric, f64), String> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0 && *n < 1e15);
    let percent = text.strip_suffix('%').and_then(number);
    match (metric, percent) {
        (Metric::Time(..), _) => {
            let why = |_| "a time needs a number with a unit, like 250ms or 1.5s".to_owned();
            parse_duration(text).map(|limit| (metric, limit.as_secs_f64() * 1e3)).map_err(why)
        }
        (Metric::Achieved, Some(limit)) => Ok((metric, limit)),
        (Metric::Achieved, None) => Err("a share needs a percentage, like 99%".to_owned()),
        (Metric::Throughput, _) => {
            let limit = number(text.strip_suffix("/s").unwrap_or(text));
            limit.map(|limit| (metric, limit)).ok_or("use a number of responses/s, like 950".to_owned())
        }
        (Metric::Errors(_), Some(limit)) => Ok((Metric::Errors(Amount::Percent), limit)),
        (Metric::Status(which, _), Some(limit)) => Ok((Metric::Status(which, Amount::Percent), limit)),
        (Metric::FailedChecks(_), Some(limit)) => Ok((Metric::FailedChecks(Amount::Percent), limit)),
        (Metric::NeverSent(_), Some(limit)) => Ok((Metric::NeverSent(Amount::Percent), limit)),
        (_, None) => number(text)
            .map(|limit| (metric, limit))
            .ok_or("use a number or a percentage, like 10 or 1%".to_owned()),
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    let why = || format!("use whole seconds, from 1s to {MAX_FOR_S}s");
    let time = parse_duration(text).map_err(|_| why())?;
    let is_whole = time.subsec_nanos() == 0 && (1..=MAX_FOR_S).contains(&time.as_secs());
    if is_whole { Ok(time.as_secs()) } else { Err(why()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text).map(|threshold| format!("{threshold:?}")).expect_err(text).to_string()
    }

    #[test]
    fn conditions_are_read() {
        let time = |figure| Metric::Time(Times::Latency, figure);
        for (text, metric, comparison, limit, for_s, abort) in [
            ("p99 > 250ms", time(Figure::P99), Comparison::Above, 250.0, None, false),
            ("p99.9>=1.5s", time(Figure::P999), Comparison::AtLeast, 1_500.0, None, false),
            ("max > 1s for 10s, abort", time(Figure::Max), Comparison::Above, 1_000.0, Some(10), true),
            (
                "lag.p99 > 500us for 1m",
                Metric::Time(Times::Lag, Figure::P99),
                Comparison::Above,
                0.5,
                Some(60),
                false,
            ),
            (
                "service.mean<0",
                Metric::Time(Times::Service, Figure::Mean),
                Comparison::Below,
                0.0,
                None,
                false,
            ),
            ("errors > 10", Metric::Errors(Amount::Count), Comparison::Above, 10.0, None, false),
            ("errors > 0.5% , abort", Metric::Errors(Amount::Percent), Comparison::Above, 0.5, None, true),
            (
                "status.5xx > 1%",
                Metric::Status(Status::Class(5), Amount::Percent),
                Comparison::Above,
                1.0,
                None,
                false,
            ),
            (
                "status.503 >= 1",
                Metric::Status(Status::Code(503), Amount::Count),
                Comparison::AtLeast,
                1.0,
                None,
                false,
            ),
            ("throughput <= 950/s", Metric::Throughput, Comparison::AtMost, 950.0, None, false),
            ("achieved < 99%", Metric::Achieved, Comparison::Below, 99.0, None, false),
            ("failed_checks > 0", Metric::FailedChecks(Amount::Count), Comparison::Above, 0.0, None, false),
            (
                "failed_checks >= 0.1% for 5s, abort",
                Metric::FailedChecks(Amount::Percent),
                Comparison::AtLeast,
                0.1,
                Some(5),
                true,
            ),
            ("never_sent > 0", Metric::NeverSent(Amount::Count), Comparison::Above, 0.0, None, false),
        ] {
            let expression = text.to_owned();
            let expected = Threshold { expression, request: None, metric, comparison, limit, for_s, abort };
            assert_eq!(parse(text), Ok(expected.clone()));
            if !matches!(metric, Metric::Achieved | Metric::NeverSent(_)) {
                let expression = format!("order.{text}");
                let request = Some("order".to_owned());
                let named = Threshold { expression: expression.clone(), request, ..expected.clone() };
                assert_eq!(parse(&expression), Ok(named));
            }
            assert_eq!(parse(&format!("  {text} ")), Ok(expected), "spaces around it");
        }
    }

    #[test]
    fn an_error_points_at_what_is_wrong() {
        assert_eq!(
            error("p99 > 250 for 10s"),
            "a time needs a number with a unit, like 250ms or 1.5s\n  p99 > 250 for 10s\n        ^^^"
        );
        let marked = |text: &str| {
            let error = error(text);
            let lines: Vec<&str> = error.lines().rev().take(2).collect();
            let from = lines[0].find('^').expect("a caret");
            lines[1].get(from..lines[0].len()).unwrap_or_default().to_owned()
        };
        for (text, part, why) in [
            ("p98 > 1s", "p98", "use min, mean, p50"),
            ("order.p98 > 400ms", "order.p98", "\"order.p98\" is not a metric: use min, mean, p50"),
            ("order.achieved < 99%", "order.achieved", "leave out the name"),
            ("failed_checks > some", "some", "10 or 1%"),
            ("status.6y > 1", "status.6y", "status.503"),
            ("p99 = 1s", "=", "one of > >= < <="),
            ("p99 => 1s", "=>", "one of > >= < <="),
            ("p99 1s", "1s", "one of > >= < <="),
            ("errors > many", "many", "10 or 1%"),
            ("errors > -1", "-1", "10 or 1%"),
            ("throughput > 1e99", "1e99", "950"),
            ("achieved < 99", "99", "99%"),
            ("p99 > 1s for long", "long", "whole seconds"),
            ("p99 > 1s for 1500ms", "1500ms", "whole seconds"),
            ("p99 > 1s, stop", "stop", "abort"),
            ("p99 > 1s abort", "abort", "nothing else"),
            ("p99 > 1s for 10s, abort now please", "now please", "nothing else"),
            ("service.p99 > 1s for 3s", "for", "at the end only"),
            ("never_sent > 1, abort", "abort", "at the end only"),
        ] {
            assert_eq!(marked(text), part, "{text}");
            assert!(error(text).contains(why), "{}", error(text));
        }
        for (text, carets) in
            [("", "  ^"), ("p99", "     ^"), ("p99 >", "       ^"), ("p99 > 1s for", "              ^")]
        {
            assert!(error(text).ends_with(&format!("\n{carets}")), "{}", error(text));
        }
        assert!(error(&"x".repeat(300)).contains("at most 200 bytes"));
        assert!(error("p99 > 1s\nfor 3s").contains("one line"));
        assert!(error("µ99 > 1s").ends_with("\n  µ99 > 1s\n  ^^^"), "{}", error("µ99 > 1s"));
    }
}
