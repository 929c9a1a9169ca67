//! What a reader sees first: which test it is, the verdict, and the thresholds.

use crate::html::{Cell, Column, Tone, of_run, of_severity, table};
use crate::plot::elapsed;
use crate::stats::summary::{Summary, ThresholdResult};
use crate::stats::verdict::Severity;
use crate::thresholds::shown;
use maud::{Markup, html};

/// The test and its state.
pub fn title(summary: &Summary) -> Markup {
    let tone = of_run(summary.state);
    html! {
        p.brand { "Floodgate report" }
        h1 { "Test " (summary.test_id) " " span.badge.(tone.class()) { (summary.state.as_str()) } }
        @for notice in &summary.notices { p.notice { "These figures are not up to date: " (notice) } }
    }
}

/// The verdict, most important first.
pub fn verdict(summary: &Summary) -> Markup {
    let worst = match summary.worst_severity() {
        Some(Severity::Info) => Tone::Good,
        other => of_severity(other),
    };
    let class = |text: &String| {
        let finding = summary.findings.iter().find(|finding| finding.text == *text);
        of_severity(finding.map(|finding| finding.severity)).class()
    };
    html! {
        @if !summary.verdict.is_empty() {
            ul.verdict.(worst.class()) { @for line in &summary.verdict { li.(class(line)) { (line) } } }
        }
    }
}

/// Every condition with its value.
pub fn thresholds(summary: &Summary) -> Markup {
    let row = |one: &ThresholdResult| {
        let passed =
            if one.passed { Cell::toned("passed", Tone::Good) } else { Cell::toned("failed", Tone::Bad) };
        let value = shown(one).map_or_else(Cell::unknown, Cell::plain);
        let since = one.since_s.map_or(String::new(), elapsed);
        vec![Cell::plain(one.expression.as_str()), value, passed, Cell::plain(since)]
    };
    let heads =
        [Column::Text("fails if"), Column::Number("value"), Column::Text("result"), Column::Text("since")];
    html! {
        @if !summary.thresholds.is_empty() {
            h2 { "Thresholds" }
            (table("Thresholds", &heads, &summary.thresholds.iter().map(row).collect::<Vec<_>>()))
        }
    }
}
