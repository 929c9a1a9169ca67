//! Finished tests, with their documents and a form that compares two of them.

use super::head;
use crate::html::{Tone, UNKNOWN, of_run};
use crate::orchestrator::dashboard::HistoryRow;
use crate::units::{format_count, format_figure};
use maud::{Markup, html};

/// Finished tests, the newest first. Without scripts, too, choosing two of them and pressing the button leads
/// to `/compare?a=ID&b=ID`.
pub fn section(history: &[HistoryRow]) -> Markup {
    let can_compare = history.len() > 1;
    html! {
        @if !history.is_empty() {
            section {
                h2 { "Finished tests" }
                form method="get" action="/compare" {
                    div.scroll role="region" aria-label="Finished tests" tabindex="0" {
                        table {
                            thead { (heads(can_compare)) }
                            tbody {
                                @for (at, test) in history.iter().enumerate() { (row(at, test, can_compare)) }
                            }
                        }
                    }
                    @if can_compare { p { button type="submit" { "Compare A with B" } } }
                }
            }
        }
    }
}

fn heads(can_compare: bool) -> Markup {
    html! {
        tr {
            th.text scope="col" { "test" }
            th.text scope="col" { "type" }
            th.text scope="col" { "state" }
            th scope="col" { "requests" }
            th scope="col" { "errors" }
            th scope="col" { "p99 ms" }
            th.text scope="col" { "documents" }
            @if can_compare {
                th scope="col" { "A" }
                th scope="col" { "B" }
            }
        }
    }
}

/// By default, the newest test is compared with the one before it.
fn row(at: usize, test: &HistoryRow, can_compare: bool) -> Markup {
    let id = &test.test_id;
    let errors = test.errors.saturating_add(test.error_statuses);
    let p99 = test.p99_ms.filter(|ms| ms.is_finite()).map_or(UNKNOWN.to_owned(), format_figure);
    html! {
        tr id={ "test-" (id) } {
            td { (id) }
            td.text { (test.test_type) }
            td.text.(of_run(test.state).class()) { (test.state.as_str()) }
            td { (format_count(test.requests)) }
            td.(if errors > 0 { Tone::Bad } else { Tone::Plain }.class()) { (format_count(errors)) }
            td { (p99) }
            td.text { (head::links(id)) }
            @if can_compare { (choice("a", id, at == 1)) (choice("b", id, at == 0)) }
        }
    }
}

fn choice(side: &str, id: &str, checked: bool) -> Markup {
    let label = format!("{id} as {}", side.to_uppercase());
    html! { td { input type="radio" name=(side) value=(id) aria-label=(label) checked[checked]; } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(id: &str) -> HistoryRow {
        HistoryRow { test_id: id.to_owned(), errors: 2, error_statuses: 40, ..HistoryRow::default() }
    }

    #[test]
    fn finished_tests_count_error_statuses_as_errors() {
        assert!(section(&[test("t")]).into_string().contains("<td class=\"bad\">42</td>"));
    }

    #[test]
    fn tests_link_to_their_documents_and_to_a_comparison() {
        let page = section(&[test("new"), test("old")]).into_string();
        assert!(page.contains("<a href=\"/tests/old/report.html\">report</a>"), "{page}");
        assert!(page.contains("name=\"a\" value=\"old\" aria-label=\"old as A\" checked"), "{page}");
        assert!(page.contains("name=\"b\" value=\"new\" aria-label=\"new as B\" checked"), "{page}");
        assert!(
            !section(&[test("only")]).into_string().contains("Compare"),
            "one has nothing to compare with"
        );
    }
}
