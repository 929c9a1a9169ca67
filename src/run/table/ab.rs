//! Figures by request name: of an A/B test, A and B beside each other, with the comparison if it has ended.

use super::grid::Grid;
use super::{Page, figures};
use crate::compare::Comparison;
use crate::plan::words;
use crate::run::comparison;
use crate::stats::summary::{RequestSummary, Summary};
use crate::units::format_count;

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
        (requests, _) => rows(page, requests, summary.is_ab()),
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

/// One row for each name: its counts, then its latency.
fn rows(page: &mut Page, requests: &[RequestSummary], is_ab: bool) {
    // Without the shares of time, which belong to the drivers.
    let mut counts = Grid::new("by request", &figures::COUNTS);
    let mut times = Grid::new("latency in ms", &figures::TIMES);
    for one in requests.iter().take(figures::MAX_ROWS) {
        let name = format!("  {}", words::request_name(&one.name, is_ab));
        let cells = figures::count_cells(&one.stats, true).into_iter().take(figures::COUNTS.len());
        counts.add(&name, cells.collect());
        times.add(&name, figures::time_cells(one.stats.latency_ms.as_ref()));
    }
    page.grid(&counts);
    page.put("");
    page.grid(&times);
}
