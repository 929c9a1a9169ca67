//! Where every planned request went: the sums that must add up.

use crate::stats::summary::{Conservation, Summary};
use crate::units::{format_count, format_sum};
use maud::{Markup, html};

/// Where every planned request went.
pub fn section(summary: &Summary) -> Markup {
    let counts = &summary.conservation;
    let lost = Some(("lost with drivers", counts.lost)).filter(|(_, n)| *n > 0);
    let flying = Some(("in flight on lost drivers", counts.lost_in_flight)).filter(|(_, n)| *n > 0);
    // Between two reports some requests are due or in flight: no difference before the test is over.
    let open = |name| Some(name).filter(|_| !summary.state.is_over());
    let planned = [("sent", counts.sent), ("never sent", counts.never_sent)].into_iter().chain(lost);
    let sent = [("responses", counts.responses), ("failed", counts.errors)].into_iter().chain(flying);
    html! {
        section {
            h3 { "Where every request went" }
            ul.sums {
                li { (sum("planned", counts.planned, planned.collect(), open("due"))) }
                li { (sum("sent", counts.sent, sent.collect(), open("in flight"))) }
                @if counts.lost_unknown { li { "lost: unknown, because the plan has no number of requests" } }
                @for text in beside(counts) { li { (text) } }
                @if counts.reports_missing > 0 {
                    li.warn { (format_count(counts.reports_missing)) " reports missing" }
                }
            }
        }
    }
}

/// `sent 5 = responses 4 + failed 1`; what is missing while a test runs has the name `open`.
fn sum(name: &str, total: u64, mut parts: Vec<(&str, u64)>, open: Option<&'static str>) -> String {
    let known = parts.iter().fold(0u64, |sum, (_, n)| sum.saturating_add(*n));
    parts.extend(open.map(|name| (name, total.saturating_sub(known))).filter(|(_, n)| *n > 0));
    format_sum(name, total, &parts)
}

/// Requests that are in no sum.
fn beside(counts: &Conservation) -> Vec<String> {
    let some = |n: u64, text: String| Some(text).filter(|_| n > 0);
    let n = format_count;
    let failed = some(counts.warmup_errors, format!(", {} of them failed", n(counts.warmup_errors)));
    let warmup = format!("warm-up {}{}", n(counts.warmup_sent), failed.unwrap_or_default());
    let beyond = some(counts.target_beyond, format!(", original drivers {}", n(counts.target_beyond)));
    let seen = |seen| format!("target counted {}{}", n(seen), beyond.clone().unwrap_or_default());
    let found = [
        some(counts.warmup_sent, warmup),
        some(counts.resent, format!("resent {} on a new connection", n(counts.resent))),
        counts.target_seen.map(seen),
    ];
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::states::RunState;

    #[test]
    fn sums_name_what_is_open_and_show_what_is_wrong() {
        let parts = || vec![("responses", 3), ("failed", 1)];
        assert_eq!(sum("sent", 4, parts(), Some("in flight")), "sent 4 = responses 3 + failed 1");
        assert_eq!(
            sum("sent", 1_006, parts(), Some("in flight")),
            "sent 1,006 = responses 3 + failed 1 + in flight 1,002"
        );
        assert_eq!(sum("sent", 6, parts(), None), "sent 6 ≠ responses 3 + failed 1");
        assert_eq!(sum("sent", 3, parts(), Some("in flight")), "sent 3 ≠ responses 3 + failed 1");
    }

    #[test]
    fn what_was_lost_is_a_part_of_the_plan() {
        let counts = Conservation {
            planned: 10,
            sent: 6,
            lost: 4,
            responses: 5,
            lost_in_flight: 1,
            warmup_sent: 3,
            warmup_errors: 1,
            target_seen: Some(9),
            reports_missing: 2,
            ..Conservation::default()
        };
        let state = RunState::Completed;
        let markup = section(&Summary { conservation: counts, state, ..Summary::default() }).into_string();
        for text in [
            "planned 10 = sent 6 + never sent 0 + lost with drivers 4",
            "sent 6 = responses 5 + failed 0 + in flight on lost drivers 1",
            "warm-up 3, 1 of them failed",
            "target counted 9",
            "2 reports missing",
        ] {
            assert!(markup.contains(text), "{text}: {markup}");
        }
    }
}
