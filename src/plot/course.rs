//! A test second by second: rate, latency, errors, and the generator's own part.

use super::axis::Axis;
use super::figure::{Figure, Table, nothing};
use super::panel::{Ink, Limit, Line, Mark, Panel};
use super::path::between;
use super::text::{elapsed, measured, measured_ms, ms, number, percent};
use super::timeline::{Bin, Timeline};
use crate::html::UNKNOWN;
use maud::Markup;

/// Stands in place of a plot without data.
const NOTHING: &str = "No second of the test has been reported.";

/// What one line shows.
struct Course {
    name: &'static str,
    ink: Ink,
    read: fn(&Bin) -> Option<f64>,
}

const RATES: [Course; 4] = [
    Course { name: "planned", ink: Ink::Plan, read: |bin| bin.planned.map(|n| bin.per_s(n)) },
    Course { name: "errors", ink: Ink::Red, read: |bin| Some(bin.per_s(bin.errors)) },
    Course { name: "answered", ink: Ink::Green, read: |bin| Some(bin.per_s(bin.answered)) },
    Course { name: "sent", ink: Ink::Blue, read: |bin| Some(bin.per_s(bin.sent)) },
];

const LATENCIES: [Course; 4] = [
    Course { name: "max", ink: Ink::Purple, read: |bin| bin.max_ms },
    Course { name: "p50", ink: Ink::Blue, read: |bin| bin.percentiles_ms[0] },
    Course { name: "p90", ink: Ink::Green, read: |bin| bin.percentiles_ms[1] },
    Course { name: "p99", ink: Ink::Red, read: |bin| bin.percentiles_ms[2] },
];

const FAILED: Course = Course { name: "failed", ink: Ink::Red, read: |bin| Some(bin.per_s(bin.errors)) };
const LAG: Course = Course { name: "lag p99", ink: Ink::Blue, read: |bin| bin.lag_p99_ms };
const BUSY: Course = Course { name: "busy", ink: Ink::Red, read: |bin| bin.busy };

impl Course {
    fn line(&self, timeline: &Timeline) -> Line {
        Line { name: self.name.to_owned(), ink: self.ink, points: timeline.values(self.read).collect() }
    }

    fn is_known(&self, timeline: &Timeline) -> bool {
        timeline.values(self.read).flatten().next().is_some()
    }

    /// The smallest and the largest value.
    fn range(&self, timeline: &Timeline) -> Option<(f64, f64)> {
        let values = || timeline.values(self.read).flatten().map(|(_, value)| value);
        values().reduce(f64::min).zip(values().reduce(f64::max))
    }

    /// The last value, for the caption.
    fn key(&self, timeline: &Timeline, format: fn(f64) -> String) -> Option<(Ink, String)> {
        let last = timeline.values(self.read).flatten().last();
        last.map(|(_, value)| (self.ink, format!("{} {}", self.name, format(value))))
    }
}

/// Rates: planned, sent, answered and failed requests per second. The gap between plan and sending is shaded.
pub fn rate(id: &str, timeline: &Timeline, marks: &[Mark]) -> Markup {
    let title = "Requests per second";
    let Some(max) = highest(&RATES, timeline) else { return nothing(id, title, NOTHING) };
    let known: Vec<&Course> = RATES.iter().filter(|course| course.is_known(timeline)).collect();
    let mut panel = panel(title, "per s", timeline, Axis::linear(max, number), marks);
    panel.lines = known.iter().map(|course| course.line(timeline)).collect();
    let both = timeline.values(|bin| Some((bin.per_s(bin.planned?), bin.per_s(bin.sent))));
    let place = |x, y| (panel.x.at(x), panel.y.at(y));
    panel.shade =
        between(both.map(|both| both.map(|(x, (planned, sent))| (place(x, planned), place(x, sent)))));
    let differs = timeline.bins().iter().any(|bin| bin.planned.is_some_and(|planned| planned != bin.sent));
    let mut notes = notes(timeline);
    if differs {
        notes.insert(0, "Shaded: the gap between planned and sent.".to_owned());
    }
    let keys = known.iter().rev().filter_map(|course| course.key(timeline, measured)).collect();
    let table = table(timeline, &known.into_iter().rev().collect::<Vec<_>>(), measured);
    Figure { id, title, keys, panels: vec![panel], notes, table }.render()
}

/// Latency on a logarithmic axis: p50, p90, p99 and maximum, with thresholds.
pub fn latency(id: &str, timeline: &Timeline, marks: &[Mark], limits: &[Limit]) -> Markup {
    let title = "Latency";
    let ranges = LATENCIES.iter().filter_map(|course| course.range(timeline));
    let range = ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let Some((min, max)) = range else { return nothing(id, title, "No response in any second of the test.") };
    let limits: Vec<Limit> = limits.iter().filter(|limit| limit.value > 0.0).cloned().collect();
    let values = || limits.iter().map(|limit| limit.value);
    let axis = Axis::log(values().fold(min, f64::min), values().fold(max, f64::max), ms);
    let known: Vec<&Course> = LATENCIES.iter().filter(|course| course.is_known(timeline)).collect();
    let mut panel = panel(title, "", timeline, axis, marks);
    panel.lines = known.iter().map(|course| course.line(timeline)).collect();
    panel.limits = &limits;
    let mut notes = notes(timeline);
    if known.len() < LATENCIES.len() && timeline.length_s() > 1 {
        notes.push(
            "Percentiles of merged seconds need their histograms, which are not known here.".to_owned(),
        );
    }
    // From the median to the maximum.
    let mut order = known;
    order.sort_by_key(|course| ["p50", "p90", "p99", "max"].iter().position(|name| *name == course.name));
    let keys = order.iter().filter_map(|course| course.key(timeline, measured_ms)).collect();
    let table = table(timeline, &order, measured_ms);
    Figure { id, title, keys, panels: vec![panel], notes, table }.render()
}

/// Failed requests per second, as bars.
pub fn errors(id: &str, timeline: &Timeline, marks: &[Mark]) -> Markup {
    let title = "Failed requests per second";
    let failed: u64 = timeline.bins().iter().map(|bin| bin.errors).fold(0, u64::saturating_add);
    let known = FAILED.range(timeline).filter(|_| failed > 0);
    let Some((_, max)) = known else {
        let is_empty = timeline.bins().is_empty();
        return nothing(id, title, if is_empty { NOTHING } else { "No request failed." });
    };
    let mut panel = panel(title, "per s", timeline, Axis::linear(max, number), marks);
    let complete = timeline.bins().iter().filter(|bin| bin.is_complete && bin.errors > 0);
    let ends = |bin: &Bin| (panel.x.at(bin.first as f64 - 1.0), panel.x.at(bin.last as f64));
    let bar = |bin: &Bin| (ends(bin).0, ends(bin).1, panel.y.at(bin.per_s(bin.errors)).max(0.004));
    panel.bars = super::path::bars(complete.map(bar));
    let keys = FAILED.key(timeline, measured).into_iter().collect();
    let table = table(timeline, &[&FAILED], measured);
    Figure { id, title, keys, panels: vec![panel], notes: notes(timeline), table }.render()
}

/// The generator's own delay, and how busy it was: where both are low, a slow second is the target's.
pub fn generator(id: &str, timeline: &Timeline, marks: &[Mark]) -> Markup {
    let title = "Generator: lag and busy";
    let mut figure = Figure { id, title, notes: notes(timeline), ..Figure::default() };
    if let Some((min, max)) = LAG.range(timeline) {
        let mut panel = panel("Lag", "", timeline, Axis::log(min.max(0.001), max, ms), marks);
        panel.lines.push(LAG.line(timeline));
        panel.is_short = true;
        figure.panels.push(panel);
        figure.keys.extend(LAG.key(timeline, measured_ms));
        if timeline.length_s() > 1 {
            figure.notes.push("Lag is that of the worst second of each point.".to_owned());
        }
    }
    if BUSY.is_known(timeline) {
        let mut panel = panel("Busy", "", timeline, Axis::share(), marks);
        panel.lines.push(BUSY.line(timeline));
        panel.is_short = true;
        figure.panels.push(panel);
        figure.keys.extend(BUSY.key(timeline, percent));
    }
    if figure.panels.is_empty() {
        return nothing(id, title, "No second with lag or busy has been reported.");
    }
    let row = |bin: &Bin| {
        let known = |value: Option<f64>, format: fn(f64) -> String| value.map_or(UNKNOWN.to_owned(), format);
        vec![time(bin), known(bin.lag_p99_ms, measured_ms), known(bin.busy, percent)]
    };
    let heads = ["time", LAG.name, BUSY.name].map(str::to_owned).to_vec();
    figure.table = Table { heads, rows: timeline.rows().iter().map(row).collect() };
    figure.render()
}

/// What is compared of several tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Complete responses per second.
    Rate,
    /// The 99th percentile of latency.
    P99,
}

/// The same figure of several tests by name, each from its own start.
pub fn overlay(id: &str, what: Compared, tests: &[(&str, &Timeline)]) -> Markup {
    let (title, course, format): (_, &Course, fn(f64) -> String) = match what {
        Compared::Rate => ("Responses per second", &RATES[2], measured),
        Compared::P99 => ("Latency p99", &LATENCIES[3], measured_ms),
    };
    let read = course.read;
    let values = || tests.iter().flat_map(|(_, timeline)| timeline.values(read).flatten().map(|(_, y)| y));
    let Some((min, max)) = values().reduce(f64::min).zip(values().reduce(f64::max)) else {
        return nothing(id, title, "There is nothing to compare second by second.");
    };
    let from_s = tests.iter().map(|(_, timeline)| timeline.span_s().0).fold(f64::MAX, f64::min);
    let until_s = tests.iter().map(|(_, timeline)| timeline.span_s().1).fold(0.0, f64::max);
    let (unit, y) = match what {
        Compared::Rate => ("per s", Axis::linear(max, number)),
        Compared::P99 => ("", Axis::log(min, max, ms)),
    };
    let line = |(number, (name, timeline)): (usize, &(&str, &Timeline))| Line {
        name: (*name).to_owned(),
        ink: ink(number),
        points: timeline.values(read).collect(),
    };
    let lines: Vec<Line> = tests.iter().enumerate().map(line).collect();
    let last = |line: &Line| {
        let last = line.points.iter().rev().find_map(|point| *point);
        last.map(|(_, value)| (line.ink, format!("{} {}", line.name, format(value))))
    };
    let panel = Panel {
        label: title.to_owned(),
        is_short: false,
        unit,
        x: Axis::time(from_s, until_s),
        y,
        gaps: Vec::new(),
        shade: String::new(),
        bars: String::new(),
        bar_ink: Ink::Red,
        lines: lines.clone(),
        marks: &[],
        limits: &[],
    };
    let keys = lines.iter().filter_map(last).collect();
    Figure { id, title, keys, panels: vec![panel], notes: Vec::new(), table: Table::default() }.render()
}

/// The ink of the n-th of several lines of the same kind.
pub fn ink(number: usize) -> Ink {
    [Ink::Blue, Ink::Red, Ink::Green, Ink::Purple][number % 4]
}

fn panel<'a>(label: &str, unit: &'a str, timeline: &Timeline, y: Axis, marks: &'a [Mark]) -> Panel<'a> {
    let (from_s, until_s) = timeline.span_s();
    Panel {
        is_short: false,
        label: format!("{label} over {}", elapsed(until_s.round() as u64)),
        unit,
        x: Axis::time(from_s, until_s),
        y,
        gaps: timeline.gaps(),
        shade: String::new(),
        bars: String::new(),
        bar_ink: Ink::Red,
        lines: Vec::new(),
        marks,
        limits: &[],
    }
}

fn highest(courses: &[Course], timeline: &Timeline) -> Option<f64> {
    courses.iter().filter_map(|course| course.range(timeline)).map(|(_, max)| max).reduce(f64::max)
}

/// What a reader should know of the seconds shown.
fn notes(timeline: &Timeline) -> Vec<String> {
    let merged = (timeline.length_s() > 1).then(|| format!("Each point is {} s.", timeline.length_s()));
    let gaps = !timeline.gaps().is_empty();
    let gaps = gaps.then(|| "Hatched: seconds that a driver did not report one by one.".to_owned());
    merged.into_iter().chain(gaps).collect()
}

fn table(timeline: &Timeline, courses: &[&Course], format: fn(f64) -> String) -> Table {
    let names = courses.iter().map(|course| course.name.to_owned());
    let cell = |value: Option<f64>| value.map_or_else(|| UNKNOWN.to_owned(), format);
    let cells = |bin: &Bin| courses.iter().map(|course| cell((course.read)(bin))).collect::<Vec<_>>();
    let row = |bin: &Bin| std::iter::once(time(bin)).chain(cells(bin)).collect();
    Table {
        heads: std::iter::once("time".to_owned()).chain(names).collect(),
        rows: timeline.rows().iter().map(row).collect(),
    }
}

/// The end of a bin, with a remark if it is not complete.
fn time(bin: &Bin) -> String {
    let remark = if bin.is_complete { "" } else { " (incomplete)" };
    format!("{}{remark}", elapsed(bin.last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::summary::SeriesPoint;

    fn point(second: u64) -> SeriesPoint {
        SeriesPoint {
            second,
            requests: 100,
            responses: 98,
            errors: 2,
            planned: Some(110),
            p50_ms: Some(1.0),
            p90_ms: Some(2.0),
            p99_ms: Some(5.0),
            max_ms: Some(9.0),
            lag_p99_ms: Some(0.05),
            busy: Some(0.25),
            complete: true,
            ..SeriesPoint::default()
        }
    }

    fn timeline(seconds: impl IntoIterator<Item = u64>) -> Timeline {
        Timeline::new(&seconds.into_iter().map(point).collect::<Vec<_>>(), &[])
    }

    fn paths(markup: &str, class: &str) -> Vec<String> {
        let begin = format!("<path class=\"{class}\" d=\"");
        let found = markup.split(&begin).skip(1).filter_map(|rest| rest.split('"').next());
        found.filter(|path| *path != "M1,4h26").map(str::to_owned).collect()
    }

    #[test]
    fn one_second_is_a_point_and_three_are_a_line() {
        let one = rate("r", &timeline([1]), &[]).into_string();
        assert_eq!(
            paths(&one, "ln blue"),
            ["M1000,333m-6,0h12"],
            "in the middle of its second, at 100 of 150"
        );
        assert!(one.contains("sent 100") && one.contains("errors 2"), "{one}");
        let three = latency("l", &timeline(1..=3), &[], &[]).into_string();
        assert_eq!(paths(&three, "ln red").len(), 1);
        assert!(paths(&three, "ln red")[0].matches(' ').count() >= 2, "{three}");
        assert!(three.contains("p99 5.00 ms") && three.contains("max 9.00 ms"), "{three}");
    }

    #[test]
    fn no_line_crosses_a_gap() {
        let markup = rate("r", &timeline([1, 2, 5, 6]), &[]).into_string();
        assert_eq!(paths(&markup, "ln blue")[0].matches('M').count(), 2, "two pieces");
        assert_eq!(markup.matches("<rect class=\"gap\"").count(), 1);
        assert!(markup.contains("Hatched"), "{markup}");
        assert!(!rate("r", &timeline(1..=6), &[]).into_string().contains("Hatched"));
    }

    #[test]
    fn without_data_there_is_a_sentence() {
        let empty = Timeline::new(&[], &[]);
        let none: [Markup; 4] = [
            rate("r", &empty, &[]),
            latency("l", &empty, &[], &[]),
            errors("e", &empty, &[]),
            generator("g", &empty, &[]),
        ];
        for markup in none.map(Markup::into_string) {
            assert!(!markup.contains("<svg") && markup.contains("<p class=\"dim\">"), "{markup}");
        }
        let fine = SeriesPoint { errors: 0, ..point(1) };
        let fine = errors("e", &Timeline::new(&[fine], &[]), &[]).into_string();
        assert!(fine.contains("No request failed."), "{fine}");
        let ([a, b], c) = ([1..=3, 1..=5].map(timeline), timeline([2]));
        let tests = [("A", &a), ("B", &b), ("C", &c)];
        let rates = overlay("o", Compared::Rate, &tests).into_string();
        assert!(rates.contains("A 98") && rates.contains("data-x=\"0 5\""), "{rates}");
        assert!(overlay("o", Compared::P99, &tests).into_string().contains("C 5.00 ms"));
        assert!(overlay("o", Compared::P99, &[("A", &empty)]).into_string().contains("nothing to compare"));
    }

    #[test]
    fn the_gap_to_the_plan_is_shaded_and_the_generator_has_two_panels() {
        let markup = rate("r", &timeline(1..=3), &[]).into_string();
        assert!(markup.contains("planned 110") && markup.contains("Shaded"), "{markup}");
        assert!(paths(&markup, "shade")[0].ends_with('Z'), "{markup}");
        let markup = generator("g", &timeline(1..=3), &[]).into_string();
        assert_eq!(markup.matches("<div class=\"plot short\">").count(), 2);
        assert!(markup.contains("lag p99 50 µs") && markup.contains("busy 25.0 %"), "{markup}");
    }

    #[test]
    fn thresholds_widen_the_axis() {
        let limit = Limit { value: 250.0, text: "p99 > 250ms".to_owned() };
        let markup = latency("l", &timeline(1..=3), &[], &[limit]).into_string();
        assert!(markup.contains("<line class=\"limit\"") && markup.contains(">500 ms<"), "{markup}");
    }

    #[test]
    fn a_plot_of_any_length_stays_small() {
        let long = Timeline::new(&(1..=10_000).map(point).collect::<Vec<_>>(), &[]);
        let bytes = rate("r", &long, &[]).into_string().len();
        assert!(bytes < 40_000, "{bytes}");
    }
}
