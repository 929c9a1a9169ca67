//! The whole page, and the parts of it that are sent alone.

use super::conservation;
use super::form::Form;
use super::plots::Plots;
use super::{Controls, View, ab, checks, drivers, errors, form, head, history, notices, thresholds, tiles};
use crate::html::finish;
use crate::plan::words;
use crate::stats::summary::Summary;
use maud::{DOCTYPE, Markup, html};

/// Seconds between reloads without scripts, while a test runs and otherwise.
const REFRESH_S: (u32, u32) = (1, 3);

/// The whole page.
pub fn page(view: &View) -> String {
    let refresh_s = if active(view).is_some() { REFRESH_S.0 } else { REFRESH_S.1 };
    let title = view.dashboard.test.as_ref().map(|test| format!("{} {} - ", test.test_id, test.state));
    let title = title.unwrap_or_default() + "Floodgate";
    finish(&document(&title, Some(refresh_s), &status(view), &live(view)))
}

/// What changes: the script replaces it each second.
pub fn fragment(view: &View) -> String {
    finish(&live(view))
}

/// The form on a page of its own: without scripts, nothing may reload while somebody types.
pub fn start_page(form: &Form, controls: Controls) -> String {
    let body = html! {
        main {
            p { a href="/dashboard" { "Back to the dashboard" } }
            (form::section(form, controls))
        }
    };
    finish(&document("Start a test - Floodgate", None, "", &body))
}

/// Says why a test was not stopped.
pub fn stop_failed(why: &str) -> String {
    let body = html! {
        main {
            h2 { "Nothing was stopped" }
            p.problem id="stop-problem" { (why) }
            p { a href="/dashboard" { "Back to the dashboard" } }
        }
    };
    finish(&document("Nothing was stopped - Floodgate", None, "", &body))
}

fn document(title: &str, refresh_s: Option<u32>, status: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href="/dashboard/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/dashboard/style.css";
                script src="/dashboard/page.js" {}
                @if let Some(seconds) = refresh_s {
                    noscript { meta http-equiv="refresh" content=(seconds); }
                }
            }
            body {
                header.top {
                    h1 { a href="/dashboard" { "Floodgate" } }
                    p.lost id="lost" hidden { "no answer" }
                    // The only region that a screen reader announces: states, never figures.
                    p.unseen id="status" role="status" { (status) }
                    button.needs-script type="button" id="theme" { "Light or dark" }
                }
                (body)
                footer.dim {
                    p.needs-script {
                        "Keys: " kbd { "s" } " stop, " kbd { "n" } " new test, " kbd { "t" }
                        " light or dark, " kbd { "←" } " " kbd { "→" } " move along a plot."
                    }
                }
            }
        }
    }
}

/// Everything about the newest test, the fleet, and the tests before.
fn live(view: &View) -> Markup {
    let dashboard = &view.dashboard;
    html! {
        main id="live" data-status=(status(view)) {
            (notices::all(dashboard))
            @match &dashboard.test {
                Some(summary) => (test(summary, view)),
                None => (none_yet(view)),
            }
            (form::section(&Form::default(), view.controls))
            (history::section(&dashboard.history))
        }
    }
}

fn test(summary: &Summary, view: &View) -> Markup {
    let plots = Plots::new(summary, &view.intervals);
    html! {
        (head::section(summary, view.controls))
        (tiles::section(summary, &view.dashboard.fleet))
        (ab::section(summary))
        (plots.course())
        (errors::section(summary, &plots.errors()))
        (checks::section(summary))
        (plots.generator())
        (drivers::section(&view.dashboard, view.window))
        (thresholds::section(summary))
        (conservation::section(summary))
    }
}

/// Stands in place of a test, and says how to start one.
fn none_yet(view: &View) -> Markup {
    html! {
        h2 { "No test yet" }
        p { "Start one with the form below, or with POST /configure. There are two types of test:" }
        dl.plan {
            @for (name, gloss) in words::GLOSSES { div { dt { (name) } dd { (gloss) } } }
        }
        (drivers::section(&view.dashboard, view.window))
    }
}

/// The newest test if it is not over.
fn active(view: &View) -> Option<&Summary> {
    view.dashboard.test.as_ref().filter(|test| !test.state.is_over())
}

/// What a screen reader announces when it changes.
fn status(view: &View) -> String {
    match &view.dashboard.test {
        Some(test) => format!("Test {} is {}.", test.test_id, test.state),
        None => "No test yet.".to_owned(),
    }
}
