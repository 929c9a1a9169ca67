//! One coordinate system as SVG.
//!
//! The drawing is stretched to the width of the page, its texts are not: they lie outside it, at places in
//! per cent, so they have the same size on a phone and on a wide screen.

use super::axis::Axis;
use super::path;
use crate::stats::summary::ThresholdResult;
use crate::thresholds::{Metric, Threshold, Times};
use maud::{Markup, html};

/// Least distance of two labels at the right end, as a share of the height.
const LABEL_GAP: f64 = 0.075;
/// Maximum number of marks; the newest ones are shown.
const MAX_MARKS: usize = 12;
/// Rows for the labels of marks, in px from the top: above the plot, then in it.
const MARK_ROWS: [i32; 4] = [-5, 12, 27, 42];
/// Width of a character of a label, as a share of a narrow plot's width.
const CHAR_WIDTH: f64 = 0.026;
/// Maximum number of characters of a label in the plot.
const MAX_LABEL_CHARS: usize = 40;

/// The colour and dash pattern of a line. They differ in both, so that no line depends on its colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Grey and dotted: what was planned.
    Plan,
    /// Blue and solid.
    Blue,
    /// Green with long dashes.
    Green,
    /// Red and solid, but thicker.
    Red,
    /// Purple and dotted.
    Purple,
}

impl Ink {
    /// Its class in the style.
    pub fn class(self) -> &'static str {
        match self {
            Ink::Plan => "ln plan",
            Ink::Blue => "ln blue",
            Ink::Green => "ln green",
            Ink::Red => "ln red",
            Ink::Purple => "ln purple",
        }
    }

    /// Its class for bars.
    fn bar_class(self) -> &'static str {
        if self == Ink::Red { "bars red" } else { "bars blue" }
    }
}

/// A line with its name, which stands at its right end.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// How it is drawn.
    pub ink: Ink,
    /// Its points, as values of the axes; `None` interrupts it.
    pub points: Vec<Option<(f64, f64)>>,
}

/// A vertical line with a label: an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where, in s since the start (or as a value of the horizontal axis).
    pub at: f64,
    /// What happened, in few words.
    pub text: String,
}

impl Mark {
    /// A mark at a time in s since the start.
    pub fn new(at: f64, text: impl Into<String>) -> Mark {
        Mark { at, text: text.into() }
    }

    /// Where conditions began to be true, as far as that is known.
    pub fn of_breaches(thresholds: &[ThresholdResult]) -> Vec<Mark> {
        let since = thresholds.iter().filter(|result| !result.passed).filter_map(|result| {
            result.since_s.map(|second| Mark::new(second as f64, result.expression.as_str()))
        });
        since.collect()
    }
}

/// A horizontal line with a label: a threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Where, as a value of the vertical axis.
    pub value: f64,
    /// The condition, such as `p99 > 250ms`.
    pub text: String,
}

impl Limit {
    /// The conditions on the fleet's latency.
    pub fn of_latency(thresholds: &[ThresholdResult]) -> Vec<Limit> {
        let known = thresholds.iter().filter_map(|result| {
            let threshold = Threshold::parse(&result.expression).ok()?;
            let is_latency = matches!(threshold.metric, Metric::Time(Times::Latency, _));
            is_latency.then(|| Limit { value: threshold.limit, text: result.expression.clone() })
        });
        known.collect()
    }
}

/// One coordinate system with everything in it.
#[derive(Debug)]
pub struct Panel<'a> {
    /// What it shows, for screen readers.
    pub label: String,
    /// Whether it is lower than others, as one of several in a figure.
    pub is_short: bool,
    /// The unit of the vertical axis, above it.
    pub unit: &'a str,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Hatched parts of the horizontal axis.
    pub gaps: Vec<(f64, f64)>,
    /// An area between two lines, as a path.
    pub shade: String,
    /// Bars, as a path.
    pub bars: String,
    /// The colour of the bars.
    pub bar_ink: Ink,
    /// Lines, the most important last.
    pub lines: Vec<Line>,
    /// Events.
    pub marks: &'a [Mark],
    /// Thresholds.
    pub limits: &'a [Limit],
}

impl Panel<'_> {
    /// As SVG. `id` must be unique in the document.
    pub fn render(&self, id: &str) -> Markup {
        let view_box = format!("0 0 {} {}", path::WIDTH, path::HEIGHT);
        let hatch = format!("{id}-hatch");
        let (from, to, _) = self.x.range();
        let (low, high, is_log) = self.y.range();
        html! {
            div.plot.short[self.is_short] {
                svg role="img" aria-label=(self.label) data-x={ (from) " " (to) }
                    data-y={ (low) " " (high) } data-log=[is_log.then_some("y")] {
                    @if !self.gaps.is_empty() { (pattern(&hatch)) }
                    (self.grid())
                    @for (from, to) in &self.gaps { (gap(self.x.at(*from), self.x.at(*to), &hatch)) }
                    svg width="100%" height="100%" viewBox=(view_box) preserveAspectRatio="none" {
                        @if !self.shade.is_empty() { path.shade d=(self.shade) {} }
                        @if !self.bars.is_empty() { path class=(self.bar_ink.bar_class()) d=(self.bars) {} }
                        @for line in &self.lines { path class=(line.ink.class()) d=(self.path(line)) {} }
                    }
                    @for limit in self.limits { (self.limit(limit)) }
                    (self.marks())
                    (self.names())
                }
            }
        }
    }

    fn path(&self, line: &Line) -> String {
        let place = |(x, y): (f64, f64)| (self.x.at(x), self.y.at(y));
        path::line(line.points.iter().map(|point| point.map(place)))
    }

    /// Ticks, their lines and labels.
    fn grid(&self) -> Markup {
        html! {
            g.grid {
                @for (at, _) in self.y.ticks() {
                    line x2="100%" y1=(from_top(at)) y2=(from_top(at)) {}
                }
                @for (at, _) in self.x.ticks() {
                    line.tick x1=(percent(at)) x2=(percent(at)) y2="100%" {}
                }
            }
            g.y {
                @for (at, label) in self.y.ticks() { text x="-6" y=(from_top(at)) dy=".35em" { (label) } }
                text x="-6" y="-10" { (self.unit) }
            }
            g.x {
                @for (number, (at, label)) in self.x.ticks().enumerate() {
                    text.odd[number % 2 == 1] x=(percent(at)) y="100%" dy="1.4em" { (label) }
                }
            }
        }
    }

    fn limit(&self, limit: &Limit) -> Markup {
        let at = self.y.at(limit.value);
        html! {
            line.limit x2="100%" y1=(from_top(at)) y2=(from_top(at)) {}
            text.limit x="4" y=(from_top(at)) dy=(if at > 0.9 { "1.1em" } else { "-.35em" }) {
                (clip(&limit.text))
            }
        }
    }

    /// Events at the same place share one line.
    fn marks(&self) -> Markup {
        let mut marks: Vec<(f64, String, usize)> = Vec::new();
        let mut sorted: Vec<&Mark> = self.marks.iter().filter(|mark| mark.at.is_finite()).collect();
        sorted.sort_by(|a, b| a.at.total_cmp(&b.at));
        for mark in sorted {
            let at = self.x.at(mark.at);
            match marks.last_mut().filter(|last| at - last.0 < 0.01) {
                Some(last) => last.2 += 1,
                None => marks.push((at, clip(&mark.text), 0)),
            }
        }
        let hidden = marks.len().saturating_sub(MAX_MARKS);
        let more = |n: usize| if n > 0 { format!(" and {n} more") } else { String::new() };
        let labels = marks.into_iter().skip(hidden).map(|(at, text, n)| (at, text + &more(n)));
        let labels: Vec<(f64, String)> = labels.collect();
        let rows = rows(&labels);
        html! {
            // All lines first, so that none crosses the label of another.
            @for ((at, _), row) in labels.iter().zip(&rows) {
                line.mark x1=(percent(*at)) x2=(percent(*at)) y1=(MARK_ROWS[*row] - 10) y2="100%" {}
            }
            @for ((at, text), row) in labels.iter().zip(&rows) {
                @let (anchor, dx) = if is_left(*at) { ("end", -4) } else { ("start", 4) };
                text.mark x=(percent(*at)) y=(MARK_ROWS[*row]) dx=(dx) text-anchor=(anchor) { (text) }
            }
        }
    }

    /// The names of the lines, each beside its last known point.
    fn names(&self) -> Markup {
        let end = |line: &Line| line.points.iter().rev().find_map(|point| *point).map(|(_, y)| self.y.at(y));
        let known = self.lines.iter().filter(|line| !line.name.is_empty());
        let mut names: Vec<(f64, &Line)> = known.filter_map(|line| Some((end(line)?, line))).collect();
        names.sort_by(|a, b| a.0.total_cmp(&b.0));
        let places = apart(names.iter().map(|(at, _)| *at).collect());
        html! {
            g.name {
                @for (at, (_, line)) in places.iter().zip(&names) {
                    text x="100%" dx="6" y=(from_top(*at)) dy=".35em" { (clip(&line.name)) }
                }
            }
        }
    }
}

/// A short sample of a line, for a legend.
pub fn key(ink: Ink) -> Markup {
    html! {
        svg.key viewBox="0 0 28 8" aria-hidden="true" { path class=(ink.class()) d="M1,4h26" {} }
    }
}

/// Ascending places from 0 to 1, moved as little as necessary so that labels do not overlap.
fn apart(places: Vec<f64>) -> Vec<f64> {
    let count = places.len();
    let mut moved = places;
    for at in 1..count {
        moved[at] = moved[at].max(moved[at - 1] + LABEL_GAP);
    }
    // What was pushed out at the top goes back down.
    let mut most = 1.0;
    for place in moved.iter_mut().rev() {
        *place = place.min(most);
        most = *place - LABEL_GAP;
    }
    moved
}

/// Whether a label stands at the left of its line.
fn is_left(at: f64) -> bool {
    at > 0.6
}

/// The first row for each label in which it meets no other on a narrow screen; the last row if there is none.
fn rows(labels: &[(f64, String)]) -> Vec<usize> {
    let mut taken: [Vec<(f64, f64)>; MARK_ROWS.len()] = Default::default();
    let row = |(at, text): &(f64, String)| {
        let width = text.chars().count() as f64 * CHAR_WIDTH;
        let (from, to) = if is_left(*at) { (at - width, *at) } else { (*at, at + width) };
        let is_free = |others: &Vec<(f64, f64)>| others.iter().all(|(a, b)| to < *a || *b < from);
        let row = taken.iter().position(is_free).unwrap_or(MARK_ROWS.len() - 1);
        taken[row].push((from, to));
        row
    };
    labels.iter().map(row).collect()
}

fn pattern(id: &str) -> Markup {
    html! {
        defs {
            pattern id=(id) width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                path.hatch d="M0,0V6" {}
            }
        }
    }
}

fn gap(from: f64, to: f64, hatch: &str) -> Markup {
    html! {
        rect.gap x=(percent(from)) width=(percent(to - from)) height="100%" fill={ "url(#" (hatch) ")" } {}
    }
}

fn clip(text: &str) -> String {
    crate::units::clip(text, MAX_LABEL_CHARS)
}

fn from_top(at: f64) -> String {
    percent(1.0 - at)
}

/// `12.5%`, with at most two digits after the point.
fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::super::text::number;
    use super::*;

    #[test]
    fn labels_do_not_overlap_and_stay_inside() {
        let places = apart(vec![0.0, 0.0, 0.5, 0.98, 0.99, 1.0]);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] > LABEL_GAP - 1e-9), "{places:?}");
        assert_eq!((places[0], places[2], places[5]), (0.0, 0.5, 1.0));
        assert_eq!(apart(Vec::new()), Vec::<f64>::new());
    }

    #[test]
    fn labels_of_near_marks_use_other_rows() {
        let rows_of = |places: &[f64]| {
            rows(&places.iter().map(|at| (*at, "10 signs..".to_owned())).collect::<Vec<_>>())
        };
        assert_eq!(rows_of(&[0.1, 0.15, 0.2, 0.5]), [0, 1, 2, 0]);
        assert_eq!(rows_of(&[0.5, 0.8]), [0, 1], "one to the right, one to the left");
        assert_eq!(rows_of(&[0.1; 6]), [0, 1, 2, 3, 3, 3]);
    }

    #[test]
    fn conditions_on_latency_are_lines_and_breaches_are_marks() {
        let result = |expression: &str, since_s: Option<u64>| ThresholdResult {
            expression: expression.to_owned(),
            value: Some(300.0),
            passed: since_s.is_none(),
            since_s,
        };
        let results = [
            result("p99 > 250ms", Some(7)),
            result("p99.9>=1.5s for 10s, abort", None),
            result("errors > 1%", Some(9)),
            result("service.p99 > 5ms", None),
            result("nonsense", None),
        ];
        let limits = Limit::of_latency(&results);
        assert_eq!(limits.iter().map(|limit| limit.value).collect::<Vec<_>>(), [250.0, 1_500.0]);
        let marks = Mark::of_breaches(&results);
        assert_eq!(marks, [Mark::new(7.0, "p99 > 250ms"), Mark::new(9.0, "errors > 1%")]);
    }

    #[test]
    fn events_at_one_moment_share_a_mark_and_texts_are_escaped() {
        let marks: Vec<_> = (0..30).map(|n| Mark::new(f64::from(n / 3) * 2.0, format!("<d{n}>"))).collect();
        let panel = Panel {
            label: "a \"label\"".to_owned(),
            is_short: false,
            unit: "per s",
            x: Axis::time(0.0, 30.0),
            y: Axis::linear(10.0, number),
            gaps: vec![(3.0, 6.0)],
            shade: String::new(),
            bars: String::new(),
            bar_ink: Ink::Blue,
            lines: Vec::new(),
            marks: &marks,
            limits: &[Limit { value: 5.0, text: "p99 > 5ms".to_owned() }],
        };
        let svg = panel.render("p").into_string();
        assert_eq!(svg.matches("<line class=\"mark\"").count(), 10);
        assert!(svg.contains("&lt;d0&gt; and 2 more") && !svg.contains("<d0>"), "{svg}");
        assert!(svg.contains("aria-label=\"a &quot;label&quot;\"") && svg.contains("p99 &gt; 5ms"), "{svg}");
        assert!(svg.contains("<rect class=\"gap\" x=\"10%\" width=\"10%\""), "{svg}");
        assert!(svg.contains("id=\"p-hatch\"") && svg.contains("url(#p-hatch)"), "{svg}");
    }
}
