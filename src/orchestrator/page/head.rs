//! The newest test: its state, how far it is, the button that stops it, and what a reader must know first.

use super::Controls;
use super::plan;
use crate::html::{Tone, of_run, of_severity};
use crate::plan::words;
use crate::stats::summary::Summary;
use crate::stats::verdict::Severity;
use crate::units::{format_count, trim_number};
use maud::{Markup, html};

/// State, verdict, elapsed time, stop, and what was asked for.
pub fn section(summary: &Summary, controls: Controls) -> Markup {
    let over = summary.state.is_over();
    html! {
        section.head aria-label="Newest test" {
            div.title {
                h2 {
                    "Test " (summary.test_id) " "
                    span.badge.(of_run(summary.state).class()) { (summary.state.as_str()) }
                }
                (elapsed(summary))
                @if !over && controls == Controls::Shown { (stop(&summary.test_id)) }
                @if over { (links(&summary.test_id)) }
            }
            (verdict(summary))
            dl.plan {
                div {
                    dt { "type" }
                    dd {
                        (summary.test_type)
                        @if let Some(gloss) = words::gloss(&summary.test_type) { " (" (gloss) ")" }
                    }
                }
                @for (term, value) in plan::terms(&summary.plan) { div { dt { (term) } dd { (value) } } }
            }
        }
    }
}

/// `12.0 s of 60 s`, by the drivers' clocks: a page that is opened late says the same.
fn elapsed(summary: &Summary) -> Markup {
    let elapsed_s = summary.total.elapsed_s;
    let planned_s = plan::planned_s(&summary.plan);
    let share = planned_s.filter(|planned_s| *planned_s > 0.0).map(|planned_s| elapsed_s / planned_s);
    let percent = share.map(|share| format!("{:.1}", 100.0 * share.clamp(0.0, 1.0)));
    html! {
        p.elapsed {
            strong { (format!("{elapsed_s:.1} s")) }
            @if let Some(planned_s) = planned_s { " of " (trim_number(planned_s)) " s" }
            @if let Some(percent) = percent.filter(|_| !summary.state.is_over()) {
                " " progress max="100" value=(percent) aria-label="Part of the planned time" {}
            }
        }
    }
}

fn stop(test_id: &str) -> Markup {
    html! {
        form.stop method="post" action="/dashboard/stop" {
            input type="hidden" name="test_id" value=(test_id);
            button.danger type="submit" id="stop" { "Stop the test" }
        }
    }
}

/// The documents of a finished test. Ids consist of characters that need no escaping in a path.
pub fn links(test_id: &str) -> Markup {
    html! {
        p.links {
            a href={ "/tests/" (test_id) "/report.html" } { "report" } " "
            a href={ "/tests/" (test_id) } { "JSON" } " "
            a href={ "/tests/" (test_id) "/series.csv" } { "CSV" }
        }
    }
}

fn verdict(summary: &Summary) -> Markup {
    let worst = match summary.worst_severity() {
        Some(Severity::Info) => Tone::Good,
        other => of_severity(other),
    };
    // Results of programs without findings have the sentences alone.
    let severity = |text: &String| {
        let finding = summary.findings.iter().find(|finding| finding.text == *text);
        finding.map(|finding| finding.severity)
    };
    html! {
        @if !summary.verdict.is_empty() {
            ul.verdict.(worst.class()) {
                @for line in &summary.verdict {
                    @let severity = severity(line);
                    li.(of_severity(severity).class()) {
                        @if let Some(word) = word(severity) { span.unseen { (word) } }
                        (line)
                    }
                }
            }
        }
    }
}

/// What the colour says, for those who do not see it.
fn word(severity: Option<Severity>) -> Option<&'static str> {
    match severity? {
        Severity::Info => None,
        Severity::Warning => Some("Warning: "),
        Severity::Failure => Some("Failure: "),
    }
}

/// `3 of 4`
pub fn of(part: u64, whole: u64) -> String {
    format!("{} of {}", format_count(part), format_count(whole))
}
