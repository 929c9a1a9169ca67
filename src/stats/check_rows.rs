//! The failed checks of a result as rows, by request and check.

use super::summary::{Stats, Summary};

/// How many responses failed one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckRow<'a> {
    /// The name of the request; `None` if the plan names none.
    pub request: Option<&'a str>,
    /// The name of the check.
    pub check: &'a str,
    /// Responses that failed it.
    pub failed: u64,
    /// All responses to the request.
    pub responses: u64,
}

impl CheckRow<'_> {
    /// The names of the request, if any, and of the check.
    pub fn name(&self) -> String {
        self.request.map_or_else(|| self.check.to_owned(), |request| format!("{request} {}", self.check))
    }

    /// The failed ones as a share of all, in %.
    pub fn percent(&self) -> f64 {
        self.failed as f64 * 100.0 / self.responses.max(1) as f64
    }
}

/// Every check that a response failed: by request in the order of the plan, then the most frequent first.
pub fn rows(summary: &Summary) -> Vec<CheckRow<'_>> {
    if summary.requests.is_empty() {
        return of(None, &summary.total);
    }
    summary.requests.iter().flat_map(|one| of(Some(&one.name), &one.stats)).collect()
}

fn of<'a>(request: Option<&'a str>, stats: &'a Stats) -> Vec<CheckRow<'a>> {
    let failed = stats.checks.iter().filter(|(_, n)| **n > 0);
    let responses = stats.responses;
    let mut rows: Vec<CheckRow<'a>> =
        failed.map(|(check, n)| CheckRow { request, check, failed: *n, responses }).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.failed));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::summary::RequestSummary;

    fn stats(checks: &[(&str, u64)]) -> Stats {
        let checks = checks.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        Stats { responses: 200, checks, ..Stats::default() }
    }

    #[test]
    fn rows_are_by_request_if_the_plan_names_several() {
        let mut summary = Summary { total: stats(&[("json /a", 1), ("status", 50)]), ..Summary::default() };
        let shown = |summary: &Summary| {
            rows(summary).iter().map(|row| (row.name(), row.percent())).collect::<Vec<_>>()
        };
        assert_eq!(shown(&summary), [("status".to_owned(), 25.0), ("json /a".to_owned(), 0.5)]);
        let named = |name: &str, stats| RequestSummary { name: name.to_owned(), stats, ..Default::default() };
        summary.requests = vec![named("search", stats(&[])), named("order", stats(&[("status", 2)]))];
        assert_eq!(shown(&summary), [("order status".to_owned(), 1.0)]);
    }
}
