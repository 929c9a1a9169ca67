//! The lines on a terminal: a pure function of the figures and the width. What does not fit is left out, the
//! least important first; nothing is cut in half.

use super::goal::Goal;
use super::shown::Shown;
use super::spark::{bar, spark};
use crate::stats::states::RunState;
use crate::terminal::{Line, Style};
use crate::units::{format_count, format_ms};

/// Columns of a label with the gap after it.
const LABEL: usize = 9;
/// Longest bar, and the shortest one that is drawn.
const BAR: std::ops::RangeInclusive<usize> = 8..=40;
/// Fewest blocks of the drawn line.
const MIN_SPARK: usize = 5;
/// A generator that is busier than this is near its limit.
const NEAR_LIMIT: f64 = 0.95;

/// Four lines, and one more if something is wrong; one while drivers get ready.
pub fn lines(shown: &Shown, goal: Goal, elapsed_s: f64, columns: usize) -> Vec<Line> {
    if shown.state == RunState::Ready {
        let text = "drivers are getting ready: names, connections";
        let ready = vec![(Style::Plain, text.to_owned())];
        return std::iter::once(ready).chain(wrong(shown, columns)).collect();
    }
    let mut lines = vec![
        progress(shown, goal, elapsed_s, columns),
        rate(shown, columns),
        latency(shown, columns),
        health(shown, columns),
    ];
    lines.extend(wrong(shown, columns));
    lines
}

/// `12/60 s`; the end is unknown if the plan has only a number of requests.
pub fn time(goal: Goal, elapsed_s: f64) -> String {
    match goal {
        Goal::Seconds(seconds) => format!("{:.0}/{seconds:.0} s", elapsed_s.min(seconds).floor()),
        Goal::Requests(_) | Goal::RequestsOfEach(_) => format!("{elapsed_s:.0} s"),
    }
}

/// `[=====>      ]  12/60 s   20 %   48 s left`
fn progress(shown: &Shown, goal: Goal, elapsed_s: f64, columns: usize) -> Line {
    let share = goal.share(elapsed_s, shown.requests, shown.drivers.0);
    let mut parts = vec![(Style::Bold, time(goal, elapsed_s)), plain(format!("{:.0} %", 100.0 * share))];
    if shown.state == RunState::Finishing {
        parts.push(plain("finishing".to_owned()));
    } else if let Some(left_s) = goal.left_s(elapsed_s, share) {
        parts.push(plain(format!("{} left", clock_time(left_s))));
    }
    let used = fitting(&mut parts, columns);
    let length = columns.saturating_sub(used + "[]  ".len()).min(*BAR.end());
    if length < *BAR.start() {
        return spaced(parts);
    }
    let mut line = vec![(Style::Green, bar(share, length)), plain("  ".to_owned())];
    line.extend(spaced(parts));
    line
}

/// `rate     1,998/s of 2,000/s planned   ▂▅▇▇▇▇▇`
fn rate(shown: &Shown, columns: usize) -> Line {
    let Some(newest) = shown.rates.last().copied() else {
        return vec![plain(format!("{:<LABEL$}-", "rate"))];
    };
    let planned = shown.planned.map_or(String::new(), |n| format!(" of {}/s planned", format_count(n)));
    let mut parts = vec![plain(format!("{:<LABEL$}{}/s{planned}", "rate", format_count(newest)))];
    let used = fitting(&mut parts, columns);
    let room = columns.saturating_sub(used + 2);
    let drawn = spark(&shown.rates, shown.planned.unwrap_or(0), room);
    if room >= MIN_SPARK && !drawn.is_empty() {
        parts.push((Style::Green, drawn));
    }
    spaced(parts)
}

/// `latency  p50 1.20 ms  p99 3.46 ms  max 12.5 ms  lag p99 0.050 ms`
fn latency(shown: &Shown, columns: usize) -> Line {
    let figure = |name: &str, ms: Option<f64>| format!("{name} {}", ms.map_or("-".to_owned(), format_ms));
    let [p50, p99, max, lag] = shown.times_ms;
    let first = format!("{:<LABEL$}{}", "latency", figure("p50", p50));
    let others = [figure("p99", p99), figure("max", max), figure("lag p99", lag)];
    let mut parts: Vec<_> = std::iter::once(first).chain(others).map(plain).collect();
    fitting(&mut parts, columns);
    spaced(parts)
}

/// `errors   0  2 drivers  busy 12 %`
fn health(shown: &Shown, columns: usize) -> Line {
    let (all, lost) = shown.drivers;
    let failures = match &shown.failures {
        Some(text) => (Style::Red, text.strip_prefix("errors ").unwrap_or(text).to_owned()),
        None if shown.is_original_only => plain("unknown".to_owned()),
        None => plain("0".to_owned()),
    };
    let noun = if all == 1 { "driver" } else { "drivers" };
    let drivers = match lost {
        0 => plain(format!("{} {noun}", format_count(all as u64))),
        lost => {
            (Style::Red, format!("{} of {} {noun} lost", format_count(lost as u64), format_count(all as u64)))
        }
    };
    let mut parts = vec![(failures.0, format!("{:<LABEL$}{}", "errors", failures.1)), drivers];
    parts.extend(shown.busy.map(|busy| {
        let style = if busy >= NEAR_LIMIT { Style::Yellow } else { Style::Plain };
        (style, format!("busy {:.0} %", 100.0 * busy))
    }));
    parts.push(plain(format!("{} requests", format_count(shown.requests))));
    fitting(&mut parts, columns);
    spaced(parts)
}

/// What is wrong, cut to one line; `None` if nothing is.
fn wrong(shown: &Shown, columns: usize) -> Option<Line> {
    let text: String = shown.wrong.join("; ");
    let cut: String = match text.chars().count() > columns {
        true => text.chars().take(columns.saturating_sub(1)).chain(['…']).collect(),
        false => text,
    };
    (!cut.is_empty()).then(|| vec![(Style::Yellow, cut)])
}

/// Drops parts from the end that do not fit with two spaces between them; returns the columns used.
fn fitting(parts: &mut Vec<(Style, String)>, columns: usize) -> usize {
    let mut used = 0;
    let fits = |(_, text): &&(Style, String)| {
        let gap = if used == 0 { 0 } else { 2 };
        used += gap + text.chars().count();
        used <= columns
    };
    let kept = parts.iter().take_while(fits).count();
    // The first part stays; the terminal cuts it.
    parts.truncate(kept.max(1));
    parts.iter().map(|(_, text)| text.chars().count()).sum::<usize>() + 2 * parts.len().saturating_sub(1)
}

fn spaced(parts: Vec<(Style, String)>) -> Line {
    let mut line = Vec::new();
    for part in parts {
        if !line.is_empty() {
            line.push(plain("  ".to_owned()));
        }
        line.push(part);
    }
    line
}

fn plain(text: String) -> (Style, String) {
    (Style::Plain, text)
}

/// `48 s`, `3 min 5 s`, `2 h 4 min`
fn clock_time(seconds: f64) -> String {
    match seconds.ceil() as u64 {
        s if s < 100 => format!("{s} s"),
        s if s < 3_600 => format!("{} min {} s", s / 60, s % 60),
        s => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> Shown {
        Shown {
            state: RunState::Running,
            requests: 23_980,
            rates: vec![500, 1_000, 2_000, 1_998],
            planned: Some(2_000),
            times_ms: [Some(1.2), Some(3.456), Some(12.5), Some(0.05)],
            busy: Some(0.123),
            drivers: (2, 0),
            ..Shown::default()
        }
    }

    fn texts(shown: &Shown, columns: usize) -> Vec<String> {
        let lines = lines(shown, Goal::Seconds(60.0), 12.0, columns);
        let texts: Vec<String> =
            lines.iter().map(|line| line.iter().map(|(_, text)| text.as_str()).collect()).collect();
        for text in &texts {
            assert!(text.chars().count() <= columns, "{columns} columns: {text:?}");
        }
        texts
    }

    #[test]
    fn four_lines_at_80_columns() {
        assert_eq!(
            texts(&running(), 79),
            [
                "[========>                               ]  12/60 s  20 %  48 s left",
                "rate     1,998/s of 2,000/s planned  ▂▄██",
                "latency  p50 1.20 ms  p99 3.46 ms  max 12.5 ms  lag p99 0.050 ms",
                "errors   0  2 drivers  busy 12 %  23,980 requests",
            ]
        );
    }

    #[test]
    fn narrow_terminals_leave_out_the_least_important() {
        assert_eq!(
            texts(&running(), 39),
            [
                "[==>        ]  12/60 s  20 %  48 s left",
                "rate     1,998/s of 2,000/s planned",
                "latency  p50 1.20 ms  p99 3.46 ms",
                "errors   0  2 drivers  busy 12 %",
            ]
        );
        // No panic and no wrapped line at any width; only the first part of a line is ever cut.
        for columns in 36..200 {
            assert_eq!(texts(&running(), columns).len(), 4);
        }
        for columns in 0..36 {
            assert_eq!(lines(&running(), Goal::Requests(9), 1.0, columns).len(), 4);
        }
    }

    #[test]
    fn what_is_wrong_is_in_colour_and_has_a_line() {
        let mut shown = running();
        shown.failures = Some("errors 7, status 4xx/5xx 99".to_owned());
        shown.drivers = (3, 1);
        shown.busy = Some(0.97);
        shown.wrong = vec!["driver-1 is lost".to_owned(), "no reports for 4 s from driver-2".to_owned()];
        let found = lines(&shown, Goal::Seconds(60.0), 12.0, 79);
        let red = (Style::Red, "errors   7, status 4xx/5xx 99".to_owned());
        assert!(found[3].contains(&red), "{found:?}");
        assert!(found[3].contains(&(Style::Red, "1 of 3 drivers lost".to_owned())), "{found:?}");
        assert!(found[3].contains(&(Style::Yellow, "busy 97 %".to_owned())), "{found:?}");
        assert_eq!(texts(&shown, 79)[4], "driver-1 is lost; no reports for 4 s from driver-2");
        assert_eq!(texts(&shown, 36)[4], "driver-1 is lost; no reports for 4 …");
    }

    #[test]
    fn before_the_start_there_is_one_line() {
        let ready = Shown { state: RunState::Ready, ..running() };
        assert_eq!(texts(&ready, 79), ["drivers are getting ready: names, connections"]);
    }

    #[test]
    fn a_closed_loop_has_no_plan_to_compare_with() {
        let shown = Shown { planned: None, ..running() };
        assert_eq!(texts(&shown, 79)[1], "rate     1,998/s  ▂▄██");
        let empty = Shown { state: RunState::Running, ..Shown::default() };
        assert_eq!(texts(&empty, 79)[1..3], ["rate     -", "latency  p50 -  p99 -  max -  lag p99 -"]);
    }

    #[test]
    fn times_have_units_that_people_use() {
        let times = [0.2, 99.0, 100.0, 3_599.0, 7_500.0].map(clock_time);
        assert_eq!(times, ["1 s", "99 s", "1 min 40 s", "59 min 59 s", "2 h 5 min"]);
        assert_eq!(
            (time(Goal::Seconds(10.0), 12.3), time(Goal::Requests(5), 12.3)),
            ("10/10 s".into(), "12 s".into())
        );
    }
}
