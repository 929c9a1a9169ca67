//! Errors as people count them: requests without a complete response, and responses with an error status.

use super::table::table;
use crate::html::{Cell, Column};
use crate::stats::counts::is_error_status;
use crate::stats::summary::{Stats, Summary};
use crate::units::{format_count, format_figure, format_names};
use http::StatusCode;
use maud::{Markup, html};

/// Maximum number of drivers named in one line.
const MAX_NAMES: usize = 5;

/// Failed requests and error statuses together.
pub fn count(stats: &Stats) -> u64 {
    stats.errors_total().saturating_add(stats.error_statuses())
}

/// `0.15 % of all requests`
pub fn share(stats: &Stats) -> String {
    let percent = count(stats) as f64 * 100.0 / stats.requests.max(1) as f64;
    let percent = if percent < 0.001 { "< 0.001".to_owned() } else { format_figure(percent) };
    format!("{percent} % of all requests")
}

/// What went wrong, how often, why, where and when; nothing if all is well.
pub fn section(summary: &Summary, course: &Markup) -> Markup {
    let total = &summary.total;
    if count(total) == 0 && summary.error_samples.is_empty() {
        return html! {};
    }
    let columns =
        [Column::Text("error"), Column::Number("count"), Column::Prose("cause"), Column::Prose("drivers")];
    html! {
        section {
            h3 { "Errors by kind" }
            p.bad { (in_words(total)) }
            (table("Errors by kind", &columns, &rows(summary)))
            (course)
        }
    }
}

/// `7 requests failed, 99 error statuses (4xx or 5xx)`
fn in_words(total: &Stats) -> String {
    let some = |n: u64, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{} {many}", format_count(n))),
    };
    let parts = [
        some(total.errors_total(), "request failed", "requests failed"),
        some(total.error_statuses(), "error status (4xx or 5xx)", "error statuses (4xx or 5xx)"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// One line of the table.
struct Line {
    what: String,
    count: u64,
    cause: Option<String>,
    drivers: String,
}

impl Line {
    fn cells(self) -> Vec<Cell> {
        let cause = self.cause.map_or_else(Cell::unknown, Cell::plain);
        vec![Cell::plain(self.what), Cell::count(self.count), cause, Cell::plain(self.drivers)]
    }
}

/// Each known cause, what a kind has beyond its known causes, and each error status; the most frequent first.
fn rows(summary: &Summary) -> Vec<Vec<Cell>> {
    let total = &summary.total;
    let known = summary.error_samples.iter().map(|sample| Line {
        what: sample.kind.clone(),
        count: sample.count,
        cause: Some(sample.cause.clone()),
        drivers: sample.drivers.join(", "),
    });
    let unexplained = total.errors.iter().filter_map(|(kind, n)| unexplained(summary, kind, *n));
    let statuses = total.status.iter().filter(|(code, n)| is_error_status(code) && **n > 0);
    let statuses = statuses.map(|(code, n)| Line {
        what: format!("status {code}"),
        count: *n,
        cause: reason(code).map(str::to_owned),
        drivers: drivers(summary, |stats| stats.status.get(code)),
    });
    let mut lines: Vec<_> = known.chain(unexplained).chain(statuses).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.count));
    lines.into_iter().map(Line::cells).collect()
}

/// The failures of one kind that no known cause accounts for.
fn unexplained(summary: &Summary, kind: &String, n: u64) -> Option<Line> {
    let of_kind = summary.error_samples.iter().filter(|sample| sample.kind == *kind);
    let explained = of_kind.map(|sample| sample.count).fold(0, u64::saturating_add);
    let count = n.saturating_sub(explained);
    (count > 0).then(|| Line {
        what: kind.clone(),
        count,
        cause: (explained > 0).then(|| "other causes".to_owned()),
        drivers: drivers(summary, |stats| stats.errors.get(kind)),
    })
}

/// What HTTP calls this status.
fn reason(code: &str) -> Option<&'static str> {
    StatusCode::from_bytes(code.as_bytes()).ok()?.canonical_reason()
}

/// The drivers that counted any of it, the first few by name.
fn drivers(summary: &Summary, count: impl Fn(&Stats) -> Option<&u64>) -> String {
    let any = summary.drivers.iter().filter(|row| count(&row.stats).is_some_and(|n| *n > 0));
    let names: Vec<_> = any.map(|row| row.node_id.as_str()).collect();
    format_names(&names, MAX_NAMES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::causes::ErrorSample;
    use crate::stats::summary::DriverSummary;
    use std::collections::BTreeMap;

    fn stats() -> Stats {
        let errors = BTreeMap::from([("connect".to_owned(), 12), ("timeout".to_owned(), 3)]);
        let status =
            BTreeMap::from([("200".to_owned(), 1_886), ("302".to_owned(), 1), ("503".to_owned(), 98)]);
        Stats { requests: 2_000, errors, status, ..Stats::default() }
    }

    #[test]
    fn error_statuses_count_and_redirects_do_not() {
        assert_eq!(count(&stats()), 113);
        assert_eq!(share(&stats()), "5.65 % of all requests");
        assert_eq!(in_words(&stats()), "15 requests failed, 98 error statuses (4xx or 5xx)");
        let one = Stats { requests: 10_000_000, errors: [("tls".to_owned(), 1)].into(), ..Stats::default() };
        assert_eq!(share(&one), "< 0.001 % of all requests");
        assert_eq!(in_words(&one), "1 request failed");
    }

    #[test]
    fn causes_are_shown_and_what_lacks_one_is_not_forgotten() {
        let refused = ErrorSample {
            kind: "connect".to_owned(),
            cause: "connection refused".to_owned(),
            count: 10,
            drivers: vec!["a".to_owned(), "b".to_owned()],
        };
        let driver =
            |name: &str, stats| DriverSummary { node_id: name.to_owned(), stats, ..DriverSummary::default() };
        let mut drivers = vec![driver("idle", Stats::default())];
        drivers.extend((0..7).map(|n| driver(&format!("d{n}"), stats())));
        let total = stats();
        let rows = rows(&Summary { total, error_samples: vec![refused], drivers, ..Summary::default() });
        let some = "d0, d1, d2, d3, d4 and 2 more";
        let row = |what: &str, n, cause: Cell, drivers: &str| {
            vec![Cell::plain(what), Cell::count(n), cause, Cell::plain(drivers)]
        };
        let wanted = [
            row("status 503", 98, Cell::plain("Service Unavailable"), some),
            row("connect", 10, Cell::plain("connection refused"), "a, b"),
            row("timeout", 3, Cell::unknown(), some),
            row("connect", 2, Cell::plain("other causes"), some),
        ];
        assert_eq!(rows, wanted);
    }
}
