//! A and B of an A/B test.

use super::{Table, escape};
use crate::compare::Comparison;
use crate::stats::summary::Summary;
use crate::units::format_count;

/// Most reasons and notes.
const MAX_NOTES: usize = 20;

/// Requests and figures with their words, then further reasons, notes and advice.
pub fn figures(comparison: &Comparison, summary: &Summary) -> String {
    let mut table = Table::new(&["", "A", "B", "change", "interval", ""]).named();
    if let [a, b] = &summary.requests[..] {
        let [a, b] = [a, b].map(|one| format_count(one.stats.requests));
        let none = String::new;
        table.add(&["requests".to_owned(), a, b, none(), none(), none()]);
    }
    for change in &comparison.figures {
        table.add(&[
            change.figure.name().to_owned(),
            change.shown_value(change.a),
            change.shown_value(change.b),
            change.shown_change(change.change),
            change.shown_interval(),
            comparison.said_of(change).to_owned(),
        ]);
    }
    let reasons = comparison.reasons.iter().skip(1).cloned();
    let notes = comparison.notes.iter().map(|note| format!("Note: {note}."));
    let all: Vec<String> = reasons.chain(notes).chain(comparison.advice.clone()).collect();
    let lines = all.iter().take(MAX_NOTES).map(|text| format!("- {}\n", escape(text)));
    let lines: String = lines.collect();
    table.end() + if lines.is_empty() { "" } else { "\n" } + &lines
}

/// How the figures were compared, and why some are unclear.
pub fn method(comparison: &Comparison) -> String {
    let method = &comparison.method;
    if method.name == "none" {
        return format!("{}.\n", escape(&method.text));
    }
    let mut out = format!("{}. {}\n", escape(&method.text), method.sentence());
    let undecided = comparison.undecided();
    if !undecided.is_empty() {
        out.push('\n');
    }
    for (word, reason, figures) in undecided {
        out.push_str(&format!("- {word} ({}): {}\n", figures.join(", "), escape(reason)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;
    use crate::compare::tests::{ab_test, ab_without_answer};
    use crate::digest::samples::{good, threshold};

    fn ab(test: Summary) -> Summary {
        Summary { plan: test.plan, requests: test.requests, comparison: test.comparison, ..good() }
    }

    #[test]
    fn the_answer_is_the_heading_and_the_figures_are_not_folded() {
        let text = render(&ab(ab_test(60.0)));
        assert!(text.starts_with("### ⚠️ B is slower than A&#58; p50 &#43;20 %"), "{text}");
        let open = text.split("<details>").next().unwrap_or_default();
        assert!(open.contains("\n- OK&#58; schedule met, no errors.\n"), "the verdict follows: {open}");
        assert!(open.contains("|  | A | B | change | interval |  |\n"), "{open}");
        let row = open.lines().find(|line| line.starts_with("| p50 |")).expect("p50");
        assert!(
            row.starts_with("| p50 | 50.0 ms | 60.0 ms | &#43;20 % |") && row.ends_with("| slower |"),
            "{row}"
        );
        for row in ["\n| requests | 20,000 | 20,000 |", "\n| 1,000 | 100 | 0 |"] {
            assert!(open.contains(row), "{row} in {open}");
        }
        assert!(text.contains("<summary>How A and B were compared</summary>"), "{text}");
        assert!(text.contains("\n- unclear (p99.9): too few values"), "{text}");
    }

    #[test]
    fn the_sign_follows_the_answer_unless_something_is_worse() {
        let sign = |test: &Summary| render(test).split(' ').nth(1).unwrap_or_default().to_owned();
        let signs = [60.0, 40.0, 50.0].map(|b_ms| sign(&ab(ab_test(b_ms))));
        assert_eq!(signs, ["⚠️", "✅", "✅"]);
        assert_eq!(sign(&ab(ab_without_answer())), "ℹ️");
        let mut failed = ab(ab_test(40.0));
        failed.thresholds = vec![threshold("p99 > 3ms", Some(3.4), false)];
        let text = render(&failed);
        assert!(text.starts_with("### ❌ 1 of 1 threshold failed.\n\n- B is faster than A"), "{text}");
    }

    #[test]
    fn nothing_in_a_comparison_is_markup_and_reasons_are_listed() {
        let mut evil = ab(ab_without_answer());
        let text = render(&evil);
        assert!(
            text.contains("\n- B has no complete response\n") && !text.contains("| not comparable |"),
            "{text}"
        );
        let bad = "x|y\n# h\n</details><script>@all`*";
        let document = evil.comparison.as_mut().expect("compared");
        (document["sentence"], document["advice"]) = (bad.into(), bad.into());
        (document["method"]["text"], document["notes"]) = (bad.into(), serde_json::json!([bad]));
        (document["reasons"], evil.plan) = (serde_json::json!([bad, bad]), serde_json::Value::Null);
        evil.requests[0].name = bad.to_owned();
        let text = render(&evil);
        for part in ["<script", "@all", "\n# h", "x|y"] {
            assert!(!text.contains(part), "{part:?} in {text}");
        }
    }

    #[test]
    fn without_a_comparison_the_requests_have_rows() {
        let text = render(&Summary { comparison: None, ..ab(ab_test(60.0)) });
        assert!(text.starts_with("### ✅ OK") && text.contains("\n| B | 20,000 |"), "{text}");
        assert!(text.contains("\n| total | 1,000 |"), "{text}");
        assert!(!text.contains("interval"), "{text}");
    }
}
