//! The form that starts a test: a plan, with what is wrong beside the field.

mod fields;
mod pairs;
mod reading;

use super::Controls;
use crate::orchestrator::ApiError;
use fields::{FIELDS, Field, Kind};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// What the form shows: values as they were typed, and what is wrong with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    values: BTreeMap<&'static str, String>,
    /// By field.
    problems: BTreeMap<&'static str, String>,
    /// What concerns no field.
    problem: Option<String>,
}

impl Form {
    /// The form as it was sent, with a problem that concerns it as a whole.
    #[must_use]
    pub fn with_problem(mut self, why: &str) -> Form {
        self.problem = Some(why.to_owned());
        self
    }

    /// The first field of the form that has a problem.
    fn first_problem(&self) -> Option<&'static str> {
        FIELDS.iter().map(|field| field.name).find(|name| self.problems.contains_key(name))
    }

    /// The value of a field: as it was typed, else as the form suggests it.
    fn value(&self, field: &Field) -> &str {
        self.values.get(field.name).map_or(field.suggested, String::as_str)
    }
}

/// The test that the form with the stop button names; `None` if it names none.
///
/// # Errors
/// 400 for a malformed form.
pub fn stopped_test(body: &[u8]) -> Result<Option<String>, ApiError> {
    let pairs = pairs::read(body).map_err(|why| ApiError::new(400, why))?;
    Ok(pairs.into_iter().find(|(name, _)| name == "test_id").map(|(_, value)| value))
}

/// The section with the form; without the token, with a field for the token in its place.
pub fn section(form: &Form, controls: Controls) -> Markup {
    match controls {
        Controls::Shown => html! {
            section.start id="start" data-keep="plan" aria-labelledby="start-title" {
                h2 id="start-title" { "Start a test" }
                p.without-script.elsewhere { a href="/dashboard/new" { "Open the form" } }
                (plan(form))
            }
        },
        Controls::Locked => html! {
            section.start id="start" data-keep="token" aria-labelledby="start-title" {
                h2 id="start-title" { "Start a test" }
                (token())
            }
        },
    }
}

fn plan(form: &Form) -> Markup {
    let (first, more): (Vec<_>, Vec<_>) = FIELDS.iter().partition(|field| !field.is_special);
    let is_open = more
        .iter()
        .any(|field| form.problems.contains_key(field.name) || form.value(field) != field.suggested);
    html! {
        form.plan-form id="plan" method="post" action="/dashboard/start" {
            @if let Some(problem) = &form.problem {
                p.problem id="plan-problem" tabindex="-1" { (problem) }
            }
            div.fields { @for field in first { (input(form, field)) } }
            details open[is_open] {
                summary { "More settings" }
                div.fields { @for field in more { (input(form, field)) } }
            }
            p { button type="submit" { "Start the test" } }
        }
    }
}

fn input(form: &Form, field: &Field) -> Markup {
    let name = field.name;
    let id = format!("plan-{name}");
    let (hint_id, problem_id) = (format!("{id}-hint"), format!("{id}-problem"));
    let problem = form.problems.get(name);
    let invalid = problem.map(|_| "true");
    let described = match problem {
        Some(_) => format!("{problem_id} {hint_id}"),
        None => hint_id.clone(),
    };
    let value = form.value(field);
    // Where a reader without scripts goes on.
    let is_first = form.first_problem() == Some(name);
    html! {
        div.field {
            label for=(id) { (field.label) }
            @match field.kind {
                Kind::Line => {
                    input type="text" id=(id) name=(name) value=(value) autocomplete="off" spellcheck="false"
                        aria-describedby=(described) aria-invalid=[invalid] autofocus[is_first];
                }
                Kind::Lines => {
                    textarea id=(id) name=(name) rows="3" autocomplete="off" spellcheck="false"
                        aria-describedby=(described) aria-invalid=[invalid] autofocus[is_first] { (value) }
                }
                Kind::Choice(choices) => {
                    select id=(id) name=(name) aria-describedby=(described) aria-invalid=[invalid] {
                        @for (choice, text) in choices {
                            option value=(choice) selected[*choice == value] { (text) }
                        }
                    }
                }
            }
            @if let Some(problem) = problem { p.problem id=(problem_id) { (sentence(problem)) } }
            p.hint id=(hint_id) { (field.hint) }
        }
    }
}

/// Errors of a plan begin with the name of their field; beside the field they stand alone.
fn sentence(problem: &str) -> String {
    let mut chars = problem.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The token never becomes part of a page, an address or a form that is sent.
fn token() -> Markup {
    html! {
        p.without-script {
            "This orchestrator requires a token, which the page can only send with a script. Use POST \
             /configure with the header Authorization: Bearer TOKEN."
        }
        form.needs-script id="token" {
            div.field {
                label for="token-value" { "Token of this orchestrator" }
                input type="password" id="token-value" autocomplete="off" aria-describedby="token-hint";
                p.problem id="token-problem" hidden {}
                p.hint id="token-hint" {
                    "Needed to start and stop tests. It is kept in this tab until the tab is closed."
                }
            }
            p { button type="submit" { "Show the controls" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_page_has_no_controls() {
        let page = section(&Form::default(), Controls::Locked).into_string();
        assert!(!page.contains("method=\"post\"") && !page.contains("action="), "{page}");
        assert!(
            section(&Form::default(), Controls::Shown).into_string().contains("action=\"/dashboard/start\"")
        );
    }

    #[test]
    fn what_is_wrong_stands_beside_its_field_and_what_was_typed_stays() {
        let form = Form::read(b"rate=fast&duration=30s&headers=X-Key").expect_err("wrong");
        let page = section(&form, Controls::Shown).into_string();
        let rate = "id=\"plan-rate\" name=\"rate\" value=\"fast\" autocomplete=\"off\" spellcheck=\"false\" \
            aria-describedby=\"plan-rate-problem plan-rate-hint\" aria-invalid=\"true\"";
        assert!(page.contains(rate), "{page}");
        assert!(page.contains("<p class=\"problem\" id=\"plan-rate-problem\">"), "{page}");
        assert!(page.contains("<details open>"), "headers are among the other settings");
        assert_eq!(page.matches("aria-invalid").count(), 2);
        for field in FIELDS {
            let label = format!("<label for=\"plan-{}\">", field.name);
            assert!(page.contains(&label), "{label}");
        }
    }
}
