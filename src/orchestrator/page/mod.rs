//! The dashboard as a page: one self-contained document without scripts, rendered here, that asks for itself
//! again.
//!
//! Whatever came from outside (names, reasons, states) passes through [`escape`].

mod tables;

use super::dashboard::Dashboard;
use crate::stats::summary::Summary;
use crate::stats::verdict::Severity;
use crate::units::format_count;

const STYLE: &str = include_str!("style.css");

/// The whole page.
pub fn render(dashboard: &Dashboard) -> String {
    let active = dashboard.test.as_ref().is_some_and(is_active);
    let mut page = String::with_capacity(16 * 1024);
    let refresh_s = if active { 1 } else { 3 };
    page.push_str("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    page.push_str(&format!("<meta http-equiv=\"refresh\" content=\"{refresh_s}\">"));
    page.push_str(&format!("<title>Floodgate</title><style>{STYLE}</style></head><body><h1>Floodgate</h1>"));
    match &dashboard.test {
        Some(summary) => test(&mut page, summary),
        None => page.push_str("<p class=\"dim\">No test yet: POST /configure starts one.</p>"),
    }
    page.push_str(&tables::fleet(&dashboard.fleet));
    page.push_str(&tables::history(&dashboard.history));
    page.push_str("</body></html>\n");
    page
}

fn is_active(summary: &Summary) -> bool {
    !summary.state.is_over()
}

/// The newest test: the verdict first, then what failed, then the figures.
fn test(page: &mut String, summary: &Summary) {
    let (id, kind, state) = (escape(&summary.test_id), escape(&summary.test_type), summary.state);
    page.push_str(&format!("<h2>Test {id}</h2><p class=\"dim\">{kind}, <strong>{state}</strong></p>"));
    let well = summary.findings.iter().all(|finding| finding.severity == Severity::Info);
    page.push_str(if well { "<ul class=\"verdict well\">" } else { "<ul class=\"verdict\">" });
    for line in &summary.verdict {
        page.push_str(&format!("<li>{}</li>", escape(line)));
    }
    page.push_str("</ul>");
    let total = &summary.total;
    let errors = total.errors_total();
    let kinds: Vec<String> =
        total.errors.iter().map(|(kind, n)| format!("{} {}", escape(kind), format_count(*n))).collect();
    if errors > 0 {
        page.push_str(&format!("<p class=\"bad\">{} errors: {}</p>", format_count(errors), kinds.join(", ")));
    } else if total.error_statuses() > 0 {
        let statuses = format_count(total.error_statuses());
        page.push_str(&format!("<p class=\"bad\">{statuses} error statuses (4xx or 5xx)</p>"));
    } else if summary.is_original_only() {
        page.push_str("<p class=\"dim\">Errors are unknown</p>");
    } else {
        page.push_str("<p class=\"good\">No errors</p>");
    }
    for notice in &summary.notices {
        page.push_str(&format!("<p class=\"bad\">{}</p>", escape(notice)));
    }
    if !summary.error_samples.is_empty() {
        page.push_str(&tables::causes(&summary.error_samples));
    }
    page.push_str(&tables::drivers(summary));
    page.push_str(&tables::conservation(&summary.conservation));
    page.push_str(&tables::series(&summary.series));
}

/// Text as it may stand anywhere in HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orchestrator::dashboard::{FleetRow, HistoryRow};
    use crate::stats::states::{DriverRowState, RunState};
    use crate::stats::summary::{DriverSummary, Stats};
    use std::collections::BTreeMap;

    const EVIL: &str = "<script>alert('x')</script>\"&";

    #[test]
    fn nothing_from_outside_is_markup() {
        let evil = || EVIL.to_owned();
        let errors = BTreeMap::from([(evil(), 1)]);
        let row = DriverSummary { node_id: evil(), state: DriverRowState::Done, stats: Stats::default() };
        let summary = Summary {
            test_id: evil(),
            test_type: evil(),
            verdict: vec![evil()],
            drivers: vec![row],
            total: Stats { errors, ..Stats::default() },
            ..Summary::default()
        };
        let node = FleetRow {
            node_id: evil(),
            node_ip: evil(),
            state: evil(),
            activity: Some(evil()),
            test_id: Some(evil()),
            version: Some(evil()),
            ..FleetRow::default()
        };
        let old = HistoryRow { test_id: evil(), test_type: evil(), ..HistoryRow::default() };
        let page = render(&Dashboard {
            fleet: vec![node],
            test: Some(summary),
            history: vec![old],
            ..Dashboard::default()
        });
        assert!(!page.contains("<script") && !page.contains("alert('x')"));
        assert!(page.matches("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;").count() >= 12);
    }

    #[test]
    fn an_empty_dashboard_says_what_to_do() {
        let page = render(&Dashboard::default());
        assert!(page.contains("POST /configure starts one") && page.contains("No driver"));
        assert!(!page.contains("http://") && !page.contains("https://"), "no outside resources");
    }

    #[test]
    fn error_statuses_are_no_good_news() {
        let status = BTreeMap::from([("200".to_owned(), 1_901), ("503".to_owned(), 99)]);
        let total = Stats { status, ..Stats::default() };
        let page = render(&Dashboard {
            test: Some(Summary { total, ..Summary::default() }),
            ..Dashboard::default()
        });
        assert!(page.contains("<p class=\"bad\">99 error statuses (4xx or 5xx)</p>"), "{page}");
        assert!(!page.contains("No errors"));
    }

    #[test]
    fn the_verdict_stands_before_the_figures() {
        let verdict = vec!["Driver a was lost: it left.".to_owned()];
        let summary = Summary { state: RunState::Running, verdict, ..Summary::default() };
        let page = render(&Dashboard { test: Some(summary), ..Dashboard::default() });
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing"));
        assert!(place("was lost") < place("No errors"));
        assert!(place("No errors") < place("requests/s"));
        assert!(page.contains("content=\"1\""));
    }
}
