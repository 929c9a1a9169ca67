//! Figures by request name: of an A/B test, A and B beside each other, with the comparison if it has ended.

use super::figures::count_cells;
use super::grid::Grid;
use super::{Page, figures};
use crate::compare::Comparison;
use crate::plan::words;
use crate::run::comparison;
use crate::stats::summary::{Distribution, RequestSummary, Summary};
use crate::units::{format_count, format_ms};

/// What the user of an A/B test asked: nothing for other tests, and before the end.
pub fn answer(page: &mut Page, comparison: Option<&Comparison>) {
    if let Some(comparison) = comparison {
        let (style, text) = comparison::sentence(comparison);
        page.styled(style, &text);
    }
}

/// The figures, then how the comparison came to its words; nothing for a plan without request names.
pub fn section(page: &mut Page, summary: &Summary, comparison: Option<&Comparison>) {
    match (&summary.requests[..], comparison) {
        ([], _) => return,
        ([a, b], Some(comparison)) => compared(page, a, b, comparison),
        (requests, _) => page.grid(&beside(requests)),
    }
    page.put("");
}

fn compared(page: &mut Page, a: &RequestSummary, b: &RequestSummary, comparison: &Comparison) {
    let mut grid = Grid::new("A and B", &comparison::HEADS);
    grid.add("requests", [a, b].map(|one| format_count(one.stats.requests)).to_vec());
    comparison::add_figures(&mut grid, comparison);
    page.grid(&grid);
    page.put("");
    if !comparison.errors.is_empty() {
        page.grid(&comparison::errors(comparison));
        page.put("");
    }
    let lines = comparison::remarks(comparison).into_iter().chain(comparison::details(comparison));
    lines.for_each(|(style, text)| page.styled(style, &text));
}

/// One column for each name.
fn beside(requests: &[RequestSummary]) -> Grid {
    let names: Vec<String> = requests.iter().map(|one| words::request_name(&one.name)).collect();
    let heads: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut grid = Grid::new("by request", &heads);
    let counts: Vec<_> = requests.iter().map(|one| count_cells(&one.stats, true)).collect();
    // Without the shares of time, which belong to the drivers.
    for (at, name) in figures::COUNTS.iter().enumerate() {
        grid.add(name, counts.iter().map(|cells| cells[at].clone()).collect());
    }
    for (name, read) in TIMES {
        let cell = |one: &RequestSummary| time(one, read).map_or("-".to_owned(), format_ms);
        grid.add(name, requests.iter().map(cell).collect());
    }
    grid
}

/// A percentile, or another part of a distribution, in ms.
type Read = fn(&Distribution) -> f64;

const TIMES: [(&str, Read); 5] = [
    ("p50", |d| d.median),
    ("p90", |d| d.p90),
    ("p99", |d| d.p99),
    ("p99.9", |d| d.p999),
    ("max", |d| d.max),
];

/// `None` if it is not known.
fn time(one: &RequestSummary, read: Read) -> Option<f64> {
    one.stats.latency_ms.as_ref().map(read).filter(|ms| ms.is_finite())
}
