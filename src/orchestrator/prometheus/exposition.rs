//! The text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>): families of samples,
//! each sample on a line.

use crate::stats::histogram::Cumulative;
use std::fmt::Write as _;

/// The media type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What kind of figure a family has.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Only increases while its test is listed.
    Counter,
    /// Any value.
    Gauge,
    /// Cumulative counts up to bounds, with their sum and total.
    Histogram,
}

/// A document being written. All samples of a family are written together, each set of labels once.
#[derive(Default)]
pub struct Exposition(String);

impl Exposition {
    /// Begins a family.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let word = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(self.0, "# HELP {name} {}", escaped(help, false));
        let _ = writeln!(self.0, "# TYPE {name} {word}");
        Family { out: &mut self.0, name }
    }

    /// The document.
    pub fn end(self) -> String {
        self.0
    }
}

/// The samples of one family.
pub struct Family<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl Family<'_> {
    /// Adds a sample.
    pub fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        self.line("", labels, value);
    }

    /// Adds a histogram: counts of values up to each bound in s, and the sum and number of all values.
    pub fn histogram(&mut self, labels: &[(&str, &str)], buckets: &[(f64, u64)], sum: f64, count: u64) {
        for (bound, up_to) in buckets {
            let le = bound.to_string();
            self.line("_bucket", &[labels, &[("le", le.as_str())]].concat(), *up_to as f64);
        }
        self.line("_bucket", &[labels, &[("le", "+Inf")]].concat(), count as f64);
        self.line("_sum", labels, sum);
        self.line("_count", labels, count as f64);
    }

    /// Adds a histogram of times.
    pub fn times(&mut self, labels: &[(&str, &str)], times: &Cumulative) {
        let buckets: Vec<(f64, u64)> =
            times.up_to.iter().map(|(bound_us, n)| (*bound_us as f64 / 1e6, *n)).collect();
        self.histogram(labels, &buckets, times.sum_us / 1e6, times.count);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        self.out.push_str(self.name);
        self.out.push_str(suffix);
        for (at, (label, text)) in labels.iter().enumerate() {
            let _ =
                write!(self.out, "{}{label}=\"{}\"", if at == 0 { '{' } else { ',' }, escaped(text, true));
        }
        let _ = writeln!(self.out, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

/// Backslashes and line feeds, and quotes inside a label, are escaped.
fn escaped(text: &str, is_label: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if is_label { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_a_head_and_a_line_for_each_sample() {
        let mut out = Exposition::default();
        let mut family = out.family("a_total", Kind::Counter, "Two\nlines \\ \"x\".");
        family.add(&[], 3.0);
        family.add(&[("b", "x\"y\\z\n"), ("c", "")], 0.25);
        out.family("h_seconds", Kind::Histogram, "H.").histogram(&[("t", "1")], &[(0.0001, 2)], 0.5, 3);
        let expected = r#"# HELP a_total Two\nlines \\ "x".
# TYPE a_total counter
a_total 3
a_total{b="x\"y\\z\n",c=""} 0.25
# HELP h_seconds H.
# TYPE h_seconds histogram
h_seconds_bucket{t="1",le="0.0001"} 2
h_seconds_bucket{t="1",le="+Inf"} 3
h_seconds_sum{t="1"} 0.5
h_seconds_count{t="1"} 3
"#;
        assert_eq!(out.end(), expected);
    }
}
