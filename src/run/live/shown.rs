//! What is kept of a running test to be shown.

use crate::stats::states::{DriverRowState, RunState};
use crate::stats::summary::{Stats, Summary};
use crate::units::{format_count, format_ms};

/// Seconds that are kept for the drawn line.
const MAX_POINTS: usize = 400;

/// The newest figures.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The state of the test.
    pub state: RunState,
    /// Requests so far.
    pub requests: u64,
    /// Responses per second of running time.
    pub throughput_rps: f64,
    /// Requests sent in each of the newest seconds.
    pub rates: Vec<u64>,
    /// Requests that the plan has for the last of them; `None` if it sets no pace.
    pub planned: Option<u64>,
    /// Median, 99th percentile and maximum of latency, and 99th percentile of lag, as far as they are known.
    pub times_ms: [Option<f64>; 4],
    /// Failed requests and error statuses; `None` without either.
    pub failures: Option<String>,
    /// Share of the time in which the workers had work to do.
    pub busy: Option<f64>,
    /// How many drivers the test has, and how many of them are lost.
    pub drivers: (usize, usize),
    /// Whether nobody counts errors.
    pub is_original_only: bool,
    /// What is wrong besides failed requests.
    pub wrong: Vec<String>,
}

impl Shown {
    /// What is shown of a result.
    pub fn of(summary: &Summary) -> Shown {
        let total = &summary.total;
        let latency = total.latency_ms.as_ref();
        let known = |ms: Option<f64>| ms.filter(|ms| ms.is_finite());
        let newest = &summary.series[summary.series.len().saturating_sub(MAX_POINTS)..];
        let lost = summary.drivers.iter().filter(|row| row.state.is_missing()).count();
        Shown {
            state: summary.state,
            requests: total.requests,
            throughput_rps: total.throughput_rps,
            rates: newest.iter().map(|point| point.requests).collect(),
            planned: newest.last().and_then(|point| point.planned),
            times_ms: [
                known(latency.map(|d| d.median)),
                known(latency.map(|d| d.p99)),
                known(latency.map(|d| d.max)),
                known(total.lag_ms.as_ref().map(|d| d.p99)),
            ],
            failures: failures(total),
            busy: total.busy,
            drivers: (summary.drivers.len(), lost),
            is_original_only: summary.is_original_only(),
            wrong: lost_names(summary).into_iter().chain(summary.notices.iter().cloned()).collect(),
        }
    }

    /// Everything in one line: what is wrong before the figures, because a reader may cut the end.
    pub fn line(&self, time: &str) -> String {
        let p99 = self.times_ms[1].map_or("-".to_owned(), format_ms);
        let (requests, rps) = (format_count(self.requests), format_count(self.throughput_rps as u64));
        let mut parts = vec![time.to_owned()];
        parts.extend(Some("finishing".to_owned()).filter(|_| self.state == RunState::Finishing));
        parts.extend(self.failures.clone());
        parts.extend(self.wrong.iter().cloned());
        parts.push(format!("{requests} requests  {rps}/s  p99 {p99}"));
        // Drivers of the original protocol do not count errors.
        let has_none = self.failures.is_none() && !self.is_original_only;
        parts.extend(Some("no errors".to_owned()).filter(|_| has_none));
        parts.join("  ")
    }
}

/// Requests without a complete response, and responses with an error status or a failed check; `None` without
/// any.
fn failures(total: &Stats) -> Option<String> {
    let (errors, statuses, checks) = (total.errors_total(), total.error_statuses(), total.failed_checks);
    let some = |name: &str, n: u64| (n > 0).then(|| format!("{name} {}", format_count(n)));
    let errors = (errors + statuses + checks > 0).then(|| format!("errors {}", format_count(errors)));
    let parts = [errors, some("status 4xx/5xx", statuses), some("failed checks", checks)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Which drivers are lost, or cannot be heard to the end.
fn lost_names(summary: &Summary) -> Option<String> {
    let lost: Vec<_> = summary.drivers.iter().filter(|row| row.state.is_missing()).collect();
    let first = &lost.first()?.node_id;
    Some(match (lost.len() - 1, lost[0].state) {
        (0, DriverRowState::Refused) => format!("{first} refused"),
        (0, DriverRowState::Unreported) => format!("{first} has no final report"),
        (0, _) => format!("{first} is lost"),
        (more, _) => format!("{first} and {more} more are lost"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::summary::DriverSummary;

    #[test]
    fn the_line_shows_time_counts_and_errors() {
        let mut summary = Summary { state: RunState::Running, ..Summary::default() };
        summary.total.requests = 12_345;
        summary.total.throughput_rps = 4_115.3;
        let line = |summary: &Summary, time: &str| Shown::of(summary).line(time);
        assert_eq!(line(&summary, "3/10 s"), "3/10 s  12,345 requests  4,115/s  p99 -  no errors");
        summary.total.errors.insert("timeout".to_owned(), 7);
        summary.state = RunState::Finishing;
        assert_eq!(line(&summary, "12 s"), "12 s  finishing  errors 7  12,345 requests  4,115/s  p99 -");
    }

    #[test]
    fn error_statuses_are_errors_too() {
        let status = [("200", 1_901), ("302", 5), ("404", 90), ("503", 9)];
        let status = status.map(|(code, n)| (code.to_owned(), n)).into();
        let mut total = Stats { status, ..Stats::default() };
        assert_eq!(failures(&total).as_deref(), Some("errors 0, status 4xx/5xx 99"));
        total.errors.insert("timeout".to_owned(), 1_000);
        assert_eq!(failures(&total).as_deref(), Some("errors 1,000, status 4xx/5xx 99"));
        total.status.retain(|code, _| code.as_str() < "400");
        total.errors.clear();
        assert_eq!(failures(&total), None);
    }

    #[test]
    fn errors_of_original_drivers_are_unknown() {
        let row = DriverSummary { state: DriverRowState::Original, ..DriverSummary::default() };
        let summary = Summary { drivers: vec![row], ..Summary::default() };
        assert_eq!(Shown::of(&summary).line("1 s"), "1 s  0 requests  0/s  p99 -");
    }

    #[test]
    fn what_is_wrong_with_the_figures_comes_before_them() {
        let mut summary = Summary { state: RunState::Running, ..Summary::default() };
        summary.notices = vec!["no reports for 4 s from driver-2".to_owned()];
        let row = |name: &str, state: DriverRowState| DriverSummary {
            node_id: name.to_owned(),
            state,
            ..DriverSummary::default()
        };
        summary.drivers =
            vec![row("driver-1", DriverRowState::Lost), row("driver-2", DriverRowState::Running)];
        let shown = Shown::of(&summary);
        assert_eq!(
            shown.line("3/10 s"),
            "3/10 s  driver-1 is lost  no reports for 4 s from driver-2  0 requests  0/s  p99 -  no errors"
        );
        assert_eq!(shown.drivers, (2, 1));
        summary.drivers.push(row("driver-3", DriverRowState::Refused));
        assert_eq!(Shown::of(&summary).wrong[0], "driver-1 and 1 more are lost");
        summary.drivers.remove(0);
        assert_eq!(Shown::of(&summary).wrong[0], "driver-3 refused");
    }
}
