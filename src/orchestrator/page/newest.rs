//! The newest test: what it is, what is wrong with it, the figures in short, then the tables.

use super::table::UNKNOWN;
use super::tone::{self, Tone};
use super::{errors, figures, plan};
use crate::stats::summary::{Distribution, Summary};
use crate::stats::verdict::Severity;
use crate::units::{format_count, format_figure, format_ms, trim_number};
use maud::{Markup, html};

/// A body of `POST /configure`.
const EXAMPLE: &str = r#"{"test_type": "AVALANCHE", "fleet": {"rate": 100}, "duration_ms": 10000}"#;

/// The whole section: the verdict stands before the figures.
pub fn test(summary: &Summary) -> Markup {
    html! {
        (heading(summary))
        @for notice in &summary.notices { p.notice { "These figures are not up to date: " (notice) } }
        (verdict(summary))
        (tiles(summary))
        (statuses(summary))
        (errors::section(summary))
        (figures::drivers(summary))
        (figures::conservation(summary))
        (figures::series(&summary.series))
    }
}

/// Stands in place of a test, and says how to start one.
pub fn none_yet() -> Markup {
    html! {
        p { "No test yet: POST /configure starts one. There are two types of test:" }
        dl.plan {
            @for (name, gloss) in plan::GLOSSES { div { dt { (name) } dd { (gloss) } } }
        }
        p { "For example, 100 requests/s of the whole fleet for 10 s:" }
        pre { (EXAMPLE) }
    }
}

fn heading(summary: &Summary) -> Markup {
    html! {
        h2 {
            "Test " (summary.test_id) " "
            span.badge.(tone::of_run(summary.state).class()) { (summary.state.as_str()) }
        }
        dl.plan {
            div {
                dt { "type" }
                dd {
                    (summary.test_type)
                    @if let Some(gloss) = plan::gloss(&summary.test_type) { " (" (gloss) ")" }
                }
            }
            @for (term, value) in plan::terms(&summary.plan) { div { dt { (term) } dd { (value) } } }
        }
    }
}

fn verdict(summary: &Summary) -> Markup {
    let worst = match summary.worst_severity() {
        Some(Severity::Info) => Tone::Good,
        other => tone::of_severity(other),
    };
    // Results of programs without findings have the sentences alone.
    let toned = |text: &String| {
        let finding = summary.findings.iter().find(|finding| finding.text == *text);
        tone::of_severity(finding.map(|finding| finding.severity))
    };
    html! {
        @if !summary.verdict.is_empty() {
            ul.verdict.(worst.class()) {
                @for line in &summary.verdict { li.(toned(line).class()) { (line) } }
            }
        }
    }
}

/// One large figure with a remark below it.
struct Tile {
    name: &'static str,
    value: String,
    remark: String,
    tone: Tone,
}

impl Tile {
    fn new(name: &'static str, value: String, remark: Option<String>) -> Tile {
        Tile { name, value, remark: remark.unwrap_or_default(), tone: Tone::Plain }
    }
}

fn tiles(summary: &Summary) -> Markup {
    let total = &summary.total;
    let counted = |text: String| if summary.is_original_only() { UNKNOWN.to_owned() } else { text };
    let latency = |read: fn(&Distribution) -> f64| {
        let known = total.latency_ms.as_ref().map(read).filter(|ms| ms.is_finite());
        known.map_or_else(|| UNKNOWN.to_owned(), format_ms)
    };
    let planned_s = plan::planned_s(&summary.plan).map(|seconds| format!("of {} s", trim_number(seconds)));
    let planned = Some(summary.conservation.planned).filter(|n| *n > 0);
    let planned = planned.map(|n| format!("of {} planned", format_count(n)));
    let tiles = [
        errors_tile(summary),
        Tile::new("requests", counted(format_count(total.requests)), planned),
        Tile::new("responses/s", counted(format_figure(total.throughput_rps)), None),
        Tile::new("p50", latency(|d| d.median), Some("latency".to_owned())),
        Tile::new("p99", latency(|d| d.p99), Some("latency".to_owned())),
        Tile::new("running time", format!("{:.1} s", total.elapsed_s), planned_s),
    ];
    html! {
        div.tiles {
            @for tile in &tiles {
                div.tile {
                    span.name { (tile.name) }
                    strong.(tile.tone.class()) { (tile.value) }
                    span.remark { (tile.remark) }
                }
            }
        }
    }
}

/// Failed requests and error statuses together: neither is good news.
fn errors_tile(summary: &Summary) -> Tile {
    let total = &summary.total;
    let errors = errors::count(total);
    let (value, remark, tone) = if errors > 0 {
        (format_count(errors), errors::share(total), Tone::Bad)
    } else if summary.is_original_only() {
        (UNKNOWN.to_owned(), "Errors are unknown".to_owned(), Tone::Dim)
    } else if total.requests == 0 {
        let yet = if summary.state.is_over() { "" } else { " yet" };
        ("0".to_owned(), format!("Nothing was sent{yet}"), Tone::Dim)
    } else {
        ("0".to_owned(), "No errors".to_owned(), Tone::Good)
    };
    Tile { name: "errors", value, remark, tone }
}

/// `Responses by status 200: 1,901, 503: 99`
fn statuses(summary: &Summary) -> Markup {
    let status = &summary.total.status;
    let text = |(code, n): (&String, &u64)| format!("{code}: {}", format_count(*n));
    html! {
        @if !status.is_empty() {
            p.dim { "Responses by status " (status.iter().map(text).collect::<Vec<_>>().join(", ")) }
        }
    }
}
