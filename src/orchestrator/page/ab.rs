//! A and B of an A/B test while it runs, and their comparison once it has ended.

use crate::compare::{Comparison, page};
use crate::stats::summary::Summary;
use maud::{Markup, html};

/// The figures by request name, and what the comparison says; nothing for a plan without request names.
pub fn section(summary: &Summary) -> Markup {
    let comparison = Comparison::of_test(summary);
    html! {
        @if !summary.requests.is_empty() {
            section aria-labelledby="ab-title" {
                h3 id="ab-title" { (page::title(summary)) }
                @match &comparison {
                    Some(comparison) => {
                        (page::sentence(comparison))
                        (page::requests(summary))
                        (page::figures(comparison))
                        p.dim { (comparison.method.text) ". The report has more." }
                    }
                    None => {
                        (page::requests(summary))
                        @if summary.is_ab() && !summary.state.is_over() {
                            p.dim { "They are compared when the test has ended." }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::{ab_test, ab_without_answer};
    use crate::stats::states::RunState;

    #[test]
    fn a_running_test_has_the_figures_and_an_ended_one_its_answer() {
        let ended = section(&ab_test(60.0)).into_string();
        assert!(ended.contains("<p class=\"sentence bad\">B is slower than A: p50 +20 %"), "{ended}");
        assert!(
            ended.contains("<td class=\"bad\">slower</td>") && ended.contains("<td>+20 %</td>"),
            "{ended}"
        );
        let both = [
            "<td class=\"text\">A</td><td class=\"text\">GET http://old:8000/?…</td><td>20,000</td>",
            "<td class=\"text\">B</td><td class=\"text\">GET http://new:8000/?…</td><td>20,000</td>",
        ];
        let running = Summary { state: RunState::Running, comparison: None, ..ab_test(60.0) };
        let running = section(&running).into_string();
        for row in both {
            assert!(ended.contains(row) && running.contains(row), "{row} in {running}");
        }
        assert!(
            running.contains("compared when the test has ended") && !running.contains("slower"),
            "{running}"
        );
        assert!(!ended.contains("when the test has ended"), "{ended}");
    }

    #[test]
    fn what_cannot_be_compared_says_why_and_other_tests_have_no_section() {
        let page = section(&ab_without_answer()).into_string();
        assert!(page.contains("<p class=\"sentence warn\">Not comparable: B did not complete"), "{page}");
        assert!(page.contains("<li>B has no complete response</li>"), "{page}");
        assert_eq!(section(&Summary::default()).into_string(), "");
    }
}
