//! A comparison as one HTML document without a script: the sentence, the figures, the curves of both sides
//! over each other, errors by kind, and how they were compared. Its parts stand in the report and on the page
//! of an A/B test, too.

mod parts;
mod requests;

use super::document::{Comparison, RunName};
use super::figures::merged;
use super::run::Run;
use crate::html::standalone;
use crate::plan::words::target;
use crate::plot::{self, Compared, Timeline};
use crate::stats::histogram::Packed;
use maud::{Markup, html};
pub use parts::{errors, figures, method, named, sentence};
pub use requests::{requests, title};

const STYLE: &str = include_str!("style.css");
/// Runs of a side that are drawn second by second.
const MAX_DRAWN: usize = 2;

/// The whole document.
pub fn render(comparison: &Comparison, a: &[Run], b: &[Run]) -> String {
    let title = format!("B is {} - Floodgate comparison", comparison.outcome);
    let body = html! {
        h1 { "Comparison" }
        (sentence(comparison))
        (runs(comparison))
        h2 { "Figures" }
        (figures(comparison))
        @for request in &comparison.requests {
            h2 { "Request " (request.name) }
            (named(request))
        }
        (curves(a, b))
        h2 { "Errors by kind" }
        @if comparison.errors.is_empty() { p { "None on either side." } } @else { (errors(comparison)) }
        h2 { "Method" }
        (method(comparison))
    };
    standalone(&title, &[STYLE, plot::STYLE], &body)
}

/// What the runs were, and what became of the conditions.
fn runs(comparison: &Comparison) -> Markup {
    html! {
        dl {
            dt { "A" } dd { (side(&comparison.a)) }
            dt { "B" } dd { (side(&comparison.b)) }
        }
        @for condition in &comparison.conditions {
            p.bad[condition.failed] {
                "fail if " (condition.expression) ": "
                (if condition.failed { "FAILED" } else { condition.word.as_str() })
            }
        }
    }
}

fn side(runs: &[RunName]) -> String {
    let names: Vec<String> = runs.iter().map(|run| shown(&run.name)).collect();
    format!("{}: {}", names.join(", "), RunName::volume(runs))
}

/// The sides of an A/B test have the names of their URLs, which may contain secrets.
fn shown(name: &str) -> String {
    if name.contains("://") { target(name) } else { name.to_owned() }
}

/// Both sides over each other: by percentile, and second by second from their own starts.
fn curves(a: &[Run], b: &[Run]) -> Markup {
    let all = |runs: &[Run]| -> Packed {
        runs.iter().fold(Packed::default(), |sum, run| sum.and(&merged(&run.seconds).latency))
    };
    let (all_a, all_b) = (all(a), all(b));
    let name = |side: &str, runs: &[Run], at: usize| match runs.len() {
        1 => side.to_owned(),
        _ => format!("{side}{}", at + 1),
    };
    let drawn = |side: &'static str, runs: &[Run]| -> Vec<(String, Timeline)> {
        let runs_shown = runs.iter().take(MAX_DRAWN).enumerate();
        runs_shown.map(|(at, run)| (name(side, runs, at), run.timeline())).collect()
    };
    let lines: Vec<(String, Timeline)> = drawn("A", a).into_iter().chain(drawn("B", b)).collect();
    let lines: Vec<(&str, &Timeline)> = lines.iter().map(|(name, line)| (name.as_str(), line)).collect();
    html! {
        h2 { "Curves" }
        @if a.len().max(b.len()) > MAX_DRAWN {
            p.dim { "Second by second, only the first " (MAX_DRAWN) " runs of each side are drawn." }
        }
        (plot::percentiles("percentiles", "Latency by percentile", &[("A", &all_a), ("B", &all_b)]))
        (plot::overlay("p99", Compared::P99, &lines))
        (plot::overlay("rate", Compared::Rate, &lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::run;
    use crate::compare::{Settings, compare};

    fn page(a: Run, b: Run) -> String {
        let (a, b) = ([a], [b]);
        let comparison = compare(&a, &b, &Settings::default()).expect("one pair");
        render(&comparison, &a, &b)
    }

    #[test]
    fn the_page_shows_the_sentence_the_figures_and_both_curves() {
        let html = page(run(&[50.0; 20]), run(&[60.0; 20]));
        assert!(html.contains("B is slower than A: p50 +20 %"), "{html}");
        assert_eq!(html.matches("<figure").count(), 3);
        assert!(!html.contains("<script") && !html.contains("http://"), "nothing is loaded");
        assert!(html.len() < 60_000, "{} bytes", html.len());
    }

    #[test]
    fn names_from_outside_are_escaped() {
        let mut evil = run(&[50.0; 20]);
        evil.name = "<script>alert('1')</script>\u{1b}[2J".to_owned();
        evil.summary.total.errors.insert("<b>".to_owned(), 5);
        let html = page(run(&[50.0; 20]), evil);
        assert!(!html.contains("<script>") && !html.contains("<b>") && !html.contains('\u{1b}'), "{html}");
        assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)"), "{html}");
    }

    #[test]
    fn the_sides_of_an_ab_test_show_no_secrets() {
        let mut b = run(&[60.0; 20]);
        b.name = "http://me:pw@new/?token=x".to_owned();
        let html = page(run(&[50.0; 20]), b);
        assert!(html.contains("<dd>http://(hidden)@new/?…: 20,000 requests in 20 s</dd>"), "{html}");
        assert!(!html.contains("token=x") && !html.contains("me:pw"), "{html}");
    }

    #[test]
    fn runs_without_seconds_have_no_curves() {
        let mut bare = run(&[50.0; 20]);
        (bare.seconds, bare.summary.series) = (Vec::new(), Vec::new());
        let html = page(bare, run(&[50.0; 20]));
        assert!(html.contains("no latencies second by second"), "{html}");
    }
}
