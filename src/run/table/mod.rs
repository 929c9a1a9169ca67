//! The result as text: the verdict, the errors, what was run, the figures of the fleet and of each driver,
//! and where every request went. No line is wider than 80 columns.

mod ab;
mod checks;
mod conservation;
mod figures;
pub(super) mod grid;
mod heading;
mod histogram;
#[cfg(test)]
mod tests;
pub(super) mod text;

use crate::compare::Comparison;
use crate::stats::causes::ErrorSample;
use crate::stats::histogram::Histogram;
use crate::stats::summary::{DriverSummary, Stats, Summary};
use crate::stats::verdict::{Finding, Severity};
use crate::terminal::Style;
use crate::thresholds::shown;
use crate::units::{format_bytes, format_count, format_figure, trim_number};
use std::collections::BTreeMap;
use text::{labelled, shorten, wrap};

/// Most columns of a driver's name inside a sentence.
const MAX_NAME: usize = 32;

/// The whole text, with a newline at its end.
pub fn render(summary: &Summary) -> String {
    render_for(summary, None, false)
}

/// The same, with a histogram of the latencies if they are known, and with colours for a terminal if
/// `colours` is set.
pub fn render_for(summary: &Summary, latency: Option<&Histogram>, colours: bool) -> String {
    let mut page = Page { out: String::new(), colours };
    let comparison = Comparison::of_test(summary);
    ab::answer(&mut page, comparison.as_ref());
    verdict(&mut page, summary);
    page.put("");
    page.styled(worst(summary), &heading::title(summary));
    heading::details(summary).iter().for_each(|text| page.put(text));
    page.put("");
    page.grid(&figures::counts(summary));
    if let Some(more) = summary.drivers.len().checked_sub(figures::MAX_ROWS).filter(|more| *more > 0) {
        page.put(&format!("… and {more} more drivers (--json shows all)"));
    }
    page.put("");
    page.grid(&figures::times(summary));
    page.put("");
    let bars = latency.map(histogram::lines).unwrap_or_default();
    if !bars.is_empty() {
        bars.iter().enumerate().for_each(|(at, line)| page.styled(head_or_row(at), line));
        page.put("");
    }
    ab::section(&mut page, summary, comparison.as_ref());
    checks::section(&mut page, summary);
    notes(&mut page, summary);
    page.out
}

/// Lines for a terminal or a file.
struct Page {
    out: String,
    colours: bool,
}

impl Page {
    fn put(&mut self, text: &str) {
        self.styled(Style::Plain, text);
    }

    /// Each line by itself, so that a pager or `head` cuts no colour in half.
    fn styled(&mut self, style: Style, text: &str) {
        let style = if self.colours { style } else { Style::Plain };
        for line in text.split('\n') {
            self.out.push_str(&style.paint(line));
            self.out.push('\n');
        }
    }

    fn grid(&mut self, grid: &grid::Grid) {
        for (block, lines) in grid.blocks().iter().enumerate() {
            if block > 0 {
                self.put("");
            }
            for (at, line) in lines.iter().enumerate() {
                self.styled(head_or_row(at), line);
            }
        }
    }
}

/// The first line of a table is its head.
fn head_or_row(at: usize) -> Style {
    if at == 0 { Style::Bold } else { Style::Plain }
}

/// The verdict, then why requests failed as far as it does not say that.
fn verdict(page: &mut Page, summary: &Summary) {
    for (at, text) in summary.verdict.iter().enumerate() {
        page.styled(summary.findings.get(at).map_or(Style::Plain, style), &wrap(text, 0));
    }
    let has_errors = summary.findings.iter().any(|finding| finding.code == "errors");
    if summary.total.errors_total() > 0 && !has_errors {
        page.styled(Style::Yellow, &wrap(&errors(&summary.total), 2));
    }
    // With several drivers the line also says which of them met the cause.
    let is_known = |sample: &ErrorSample| {
        summary.drivers.len() < 2 && summary.verdict.iter().any(|text| text.contains(&sample.cause))
    };
    for sample in summary.error_samples.iter().filter(|sample| !is_known(sample)) {
        page.put(&wrap(&cause(sample), 4));
    }
}

fn style(finding: &Finding) -> Style {
    match finding.severity {
        Severity::Failure => Style::Red,
        Severity::Warning => Style::Yellow,
        Severity::Info if finding.code == "all_well" => Style::Green,
        Severity::Info => Style::Plain,
    }
}

/// The style of the whole result; plain if an older orchestrator sent no findings.
fn worst(summary: &Summary) -> Style {
    match summary.worst_severity() {
        Some(Severity::Failure) => Style::Red,
        Some(Severity::Warning) => Style::Yellow,
        Some(Severity::Info) => Style::Green,
        None => Style::Plain,
    }
}

fn errors(total: &Stats) -> String {
    let (failed, sent) = (total.errors_total(), total.requests);
    let share = failed as f64 * 100.0 / sent.max(1) as f64;
    format!(
        "Errors: {} of {} requests ({}%): {}",
        format_count(failed),
        format_count(sent),
        trim_number(share),
        pairs(&total.errors, " ")
    )
}

/// `  connect 12: connection refused (driver-1, driver-2)`
fn cause(sample: &ErrorSample) -> String {
    let names: Vec<String> = sample.drivers.iter().map(|name| shorten(name, MAX_NAME)).collect();
    let on = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    format!("  {} {}: {}{on}", sample.kind, format_count(sample.count), sample.cause)
}

/// What is no column of a table.
fn notes(page: &mut Page, summary: &Summary) {
    let total = &summary.total;
    let started = summary.drivers.iter().filter(|driver| driver.stats.start_skew_ms.is_some()).count();
    if let Some(skew) = total.start_skew_ms.filter(|_| started > 1) {
        let text = format!("drivers started within {} ms of each other", format_figure(skew));
        page.put(&labelled("start", &text));
    }
    if let Some(text) = rests(summary) {
        page.put(&labelled("rests", &text));
    }
    page.put(&labelled("status", &status(summary)));
    page.put(&labelled("received", &format_bytes(total.bytes_received)));
    conservation::sums(&summary.conservation).iter().for_each(|text| page.put(text));
    for text in conservation::differences(&summary.conservation) {
        page.styled(Style::Red, &text);
    }
    for threshold in &summary.thresholds {
        let value = shown(threshold).unwrap_or_else(|| "nothing measured".to_owned());
        let (word, style) = if threshold.passed { ("passed", Style::Plain) } else { ("FAILED", Style::Red) };
        let text = format!("fail if {}: {word} ({value})", threshold.expression);
        page.styled(style, &labelled("condition", &text));
    }
}

/// Responses by status. Servers answer 400 to plain HTTP on a port for TLS.
fn status(summary: &Summary) -> String {
    let status = &summary.total.status;
    let url = summary.plan.get("target_url").and_then(serde_json::Value::as_str).unwrap_or_default();
    let is_bad_only = status.len() == 1 && status.contains_key("400");
    let hint = if is_bad_only && url.starts_with("http://") { " (this port may expect https)" } else { "" };
    pairs(status, ": ") + hint
}

/// `12 % of the time (driver-1 11 %, driver-2 13 %)`; `None` if nobody let responses gather.
fn rests(summary: &Summary) -> Option<String> {
    let rest = |driver: &DriverSummary| {
        let share = figures::percent(driver.stats.rest?);
        Some(format!("{} {share}", shorten(&driver.node_id, MAX_NAME)))
    };
    let each: Vec<String> = summary.drivers.iter().take(figures::MAX_ROWS).filter_map(rest).collect();
    let each = if each.len() > 1 { format!(" ({})", each.join(", ")) } else { String::new() };
    summary.total.rest.map(|share| format!("{} of the time{each}", figures::percent(share)))
}

/// `200: 1,000, 404: 3`; the most frequent first.
fn pairs(counts: &BTreeMap<String, u64>, between: &str) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
    let texts = sorted.iter().map(|(name, count)| format!("{name}{between}{}", format_count(**count)));
    texts.collect::<Vec<_>>().join(", ")
}
