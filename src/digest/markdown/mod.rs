//! A result as GitHub's Markdown, for step summaries and comments: the verdict, the figures and the
//! thresholds at a glance, everything else folded.

mod checks;
mod compared;
mod details;
mod table;

use super::escape::markdown as escape;
use crate::compare::{Comparison, Word};
use crate::plan::words::request_name;
use crate::stats::states::RunState;
use crate::stats::summary::{Distribution, RequestSummary, Stats, Summary, ThresholdResult};
use crate::stats::verdict::Severity;
use crate::thresholds::shown;
use crate::units::{format_count, format_figure, format_ms, trim_number};
use table::Table;

/// Longest document, in bytes. A comment on GitHub has at most 65,536 characters.
pub const MAX_BYTES: usize = 64_000;
/// Most sentences of the verdict.
const MAX_SENTENCES: usize = 20;
/// Most request names with a row of their own.
const MAX_NAMES: usize = 50;
/// Most thresholds that are listed.
const MAX_THRESHOLDS: usize = 50;

/// The whole document. Parts that would exceed [`MAX_BYTES`] are left out, the least important first, and a
/// line says so.
pub fn render(summary: &Summary) -> String {
    let mut page = Page::default();
    let comparison = Comparison::of_test(summary);
    page.add(&heading(summary, comparison.as_ref()));
    page.add(&description(summary));
    page.add(&comparison.as_ref().map_or_else(String::new, |known| compared::figures(known, summary)));
    // The comparison has the figures of A and B.
    let requests = if comparison.is_none() { &summary.requests[..] } else { &[] };
    page.add(&figures(summary, requests));
    page.add(&thresholds(&summary.thresholds));
    page.add(&checks::counts(summary));
    for part in details::all(summary, comparison.as_ref()) {
        page.add(&part);
    }
    page.end()
}

/// The document of a test that could not start or whose result was lost.
pub fn without_result(error: &str) -> String {
    format!("### ❌ Floodgate: no result\n\n{}\n", escape(error))
}

/// A document of limited length.
#[derive(Default)]
struct Page {
    text: String,
    left_out: bool,
}

/// Ends a document that lacks a part.
const LEFT_OUT: &str = "\nSome parts were left out, because this text would have become too long.\n";

impl Page {
    fn add(&mut self, part: &str) {
        if part.is_empty() {
            return;
        }
        if self.text.len() + part.len() + LEFT_OUT.len() >= MAX_BYTES {
            self.left_out = true;
            return;
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(part);
    }

    fn end(mut self) -> String {
        if self.left_out {
            self.text.push_str(LEFT_OUT);
        }
        self.text
    }
}

/// A sign and the first sentence, then the others: the answer of an A/B test, then the verdict.
fn heading(summary: &Summary, comparison: Option<&Comparison>) -> String {
    let all = || comparison.map(|compared| &compared.sentence).into_iter().chain(&summary.verdict);
    let mut sentences = all();
    let first = match (sentences.next(), failed(&summary.thresholds)) {
        (first, 0) => first.map_or_else(|| format!("The test is {}.", summary.state), Clone::clone),
        // A broken threshold is why somebody reads this.
        (_, failed) => {
            sentences = all();
            let all = summary.thresholds.len();
            let noun = if all == 1 { "threshold" } else { "thresholds" };
            format!("{failed} of {all} {noun} failed.")
        }
    };
    let mut out = format!("### {} {}\n", sign(summary, comparison), escape(&first));
    let others: Vec<&String> = sentences.collect();
    if !others.is_empty() {
        out.push('\n');
    }
    for text in others.iter().take(MAX_SENTENCES) {
        out.push_str(&format!("- {}\n", escape(text)));
    }
    if let Some(more) = others.len().checked_sub(MAX_SENTENCES).filter(|more| *more > 0) {
        out.push_str(&format!("- … and {more} more\n"));
    }
    out
}

/// Whether somebody must act.
fn sign(summary: &Summary, comparison: Option<&Comparison>) -> &'static str {
    let is_whole = summary.state == RunState::Completed || !summary.state.is_over();
    match summary.worst_severity() {
        _ if failed(&summary.thresholds) > 0 || !is_whole => "❌",
        Some(Severity::Failure) => "❌",
        Some(Severity::Warning) => "⚠️",
        Some(Severity::Info) => match comparison.map(|compared| compared.outcome) {
            None | Some(Word::Faster | Word::Same) => "✅",
            Some(Word::Slower) => "⚠️",
            Some(Word::Unclear | Word::NotComparable) => "ℹ️",
        },
        None => "ℹ️",
    }
}

fn failed(thresholds: &[ThresholdResult]) -> usize {
    thresholds.iter().filter(|threshold| !threshold.passed).count()
}

/// `AVALANCHE, completed, 10 s measured, 2 drivers, test t-1`
fn description(summary: &Summary) -> String {
    let mut parts = vec![summary.test_type.clone(), summary.state.to_string()];
    if summary.total.elapsed_s > 0.0 {
        let elapsed_s = (summary.total.elapsed_s * 10.0).round() / 10.0;
        parts.push(format!("{} s measured", trim_number(elapsed_s)));
    }
    let drivers = summary.drivers.len();
    parts.push(format!("{drivers} driver{}", if drivers == 1 { "" } else { "s" }));
    parts.push(format!("test {}", summary.test_id));
    format!("{}\n", escape(&parts.join(", ")))
}

/// The figures that everyone asks for: in total, and of each request name.
fn figures(summary: &Summary, requests: &[RequestSummary]) -> String {
    let heads = ["requests", "responses/s", "errors", "4xx/5xx", "p50", "p90", "p99", "max"];
    let total = cells(&summary.total, !summary.is_original_only());
    if requests.is_empty() {
        let mut table = Table::new(&heads).figures();
        table.add(&total);
        return table.end();
    }
    let heads: Vec<&str> = std::iter::once("").chain(heads).collect();
    let mut table = Table::new(&heads).named();
    let mut add = |name: &str, cells: [String; 8]| {
        let row: Vec<String> = std::iter::once(name.to_owned()).chain(cells).collect();
        table.add(&row);
    };
    add("total", total);
    for one in requests.iter().take(MAX_NAMES) {
        add(&request_name(&one.name, summary.is_ab()), cells(&one.stats, true));
    }
    table.end()
}

fn cells(stats: &Stats, has_counts: bool) -> [String; 8] {
    let unknown = || "-".to_owned();
    let count = |n: u64| if has_counts { format_count(n) } else { unknown() };
    let time = |read: fn(&Distribution) -> f64| {
        stats.latency_ms.as_ref().map(read).filter(|ms| ms.is_finite()).map_or_else(unknown, format_ms)
    };
    [
        count(stats.requests),
        if has_counts { format_figure(stats.throughput_rps) } else { unknown() },
        errors(stats, has_counts),
        count(stats.error_statuses()),
        time(|d| d.median),
        time(|d| d.p90),
        time(|d| d.p99),
        time(|d| d.max),
    ]
}

fn errors(total: &Stats, has_counts: bool) -> String {
    match total.errors_total() {
        _ if !has_counts => "-".to_owned(),
        0 => "0".to_owned(),
        failed => {
            let share = failed as f64 * 100.0 / total.requests.max(1) as f64;
            format!("{} ({} %)", format_count(failed), trim_number(share))
        }
    }
}

fn thresholds(thresholds: &[ThresholdResult]) -> String {
    if thresholds.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["", "fail if", "measured", "true since"]);
    // The failed ones first: the list may be cut.
    let mut sorted: Vec<&ThresholdResult> = thresholds.iter().collect();
    sorted.sort_by_key(|threshold| threshold.passed);
    for threshold in sorted.iter().take(MAX_THRESHOLDS) {
        let sign = if threshold.passed { "✅" } else { "❌" };
        let value = shown(threshold).unwrap_or_else(|| "nothing".to_owned());
        let since = threshold.since_s.map_or(String::new(), |s| format!("{s} s"));
        table.add(&[sign.to_owned(), threshold.expression.clone(), value, since]);
    }
    let more = match thresholds.len().saturating_sub(MAX_THRESHOLDS) {
        0 => String::new(),
        more => format!("\n… and {more} more thresholds\n"),
    };
    table.end() + &more
}

#[cfg(test)]
mod tests {
    use super::super::samples::{finding, good, row, threshold};
    use super::*;
    use crate::stats::causes::ErrorSample;
    use crate::stats::states::DriverRowState;
    use crate::stats::summary::SeriesPoint;

    #[test]
    fn the_verdict_comes_first_and_the_details_are_folded() {
        let text = render(&good());
        let expected = "\
### ✅ OK&#58; schedule met, no errors.

AVALANCHE, completed, 10 s measured, 1 driver, test t-1

| requests | responses/s | errors | 4xx/5xx | p50 | p90 | p99 | max |
| --: | --: | --: | --: | --: | --: | --: | --: |
| 1,000 | 100 | 0 | 0 | 1.20 ms | 2.50 ms | 3.46 ms | 12.5 ms |

<details><summary>";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        assert!(text.contains("▁") && text.contains("█"), "the seconds are drawn: {text}");
    }

    #[test]
    fn failed_thresholds_come_before_the_verdict_and_before_passed_ones() {
        let mut summary = good();
        summary.thresholds =
            vec![threshold("errors > 1%", Some(0.0), true), threshold("p99 > 3ms", Some(3.456), false)];
        summary.thresholds[1].since_s = Some(7);
        let text = render(&summary);
        let expected = "### ❌ 1 of 2 thresholds failed.\n\n- OK&#58; schedule met, no errors.\n";
        assert!(text.starts_with(expected), "{text}");
        let rows = "| ❌ | p99 &#62; 3ms | 3.46 ms | 7 s |\n| ✅ | errors &#62; 1% | 0 % |  |\n";
        assert!(text.contains(rows), "{text}");
    }

    #[test]
    fn the_sign_says_whether_somebody_must_act() {
        let mut summary = good();
        summary.findings.push(finding("queued", Severity::Warning, "Slow."));
        assert_eq!(sign(&summary, None), "⚠️");
        summary.findings.push(finding("errors", Severity::Failure, "Bad."));
        assert_eq!(sign(&summary, None), "❌");
        let aborted = Summary { state: RunState::Aborted, ..good() };
        assert_eq!(sign(&aborted, None), "❌");
        assert_eq!(sign(&Summary { findings: Vec::new(), ..good() }, None), "ℹ️");
    }

    #[test]
    fn nothing_from_outside_is_markup() {
        let evil = "x|y\n# h\n</details><script>@all`*";
        let mut summary = good();
        summary.verdict.push(evil.to_owned());
        summary.drivers.push(row(evil, DriverRowState::Lost));
        summary.thresholds = vec![threshold(evil, None, true)];
        summary.test_id = evil.to_owned();
        summary.test_type = evil.to_owned();
        summary.total.errors.insert(evil.to_owned(), 1);
        summary.total.status.insert(evil.to_owned(), 1);
        let cause = ErrorSample {
            kind: evil.to_owned(),
            cause: evil.to_owned(),
            count: 1,
            drivers: vec![evil.to_owned()],
        };
        summary.error_samples = vec![cause];
        summary.plan = serde_json::json!({ "test_id": "```\n# h </details>" });
        let text = render(&summary);
        let before_plan = text.split("<summary>Plan").next().unwrap_or_default();
        assert!(!before_plan.contains("<script") && !before_plan.contains("@all"), "{text}");
        assert!(!before_plan.contains("\n# h") && !before_plan.contains("x|y"), "{text}");
        assert_eq!(text.matches("\n````json\n").count(), 1, "a fence longer than any inside: {text}");
    }

    #[test]
    fn the_largest_result_stays_below_the_limit() {
        let mut summary = good();
        let long = "<".repeat(5_000);
        summary.verdict = vec![long.clone(); 100];
        summary.thresholds = vec![threshold(&long, Some(1.0), false); 60];
        summary.drivers = vec![row(&long, DriverRowState::Lost); 1_000];
        summary.total.errors = (0..500).map(|n| (format!("{n}{long}"), n)).collect();
        summary.total.status = (0..1_000).map(|n| (n.to_string(), 1)).collect();
        summary.series = vec![SeriesPoint { requests: 5, ..SeriesPoint::default() }; 10_000];
        summary.plan = serde_json::json!({ "request": { "body": "x".repeat(700_000) } });
        let text = render(&summary);
        assert!(text.len() < 65_536 && text.len() > 20_000, "{}", text.len());
        assert!(text.ends_with(LEFT_OUT), "{}", &text[text.len() - 200..]);
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }

    #[test]
    fn a_test_without_a_result_is_a_failure() {
        assert_eq!(
            without_result("cannot listen on <x>"),
            "### ❌ Floodgate: no result\n\ncannot listen on &#60;x&#62;\n"
        );
    }
}
