//! What a waiting user sees on standard error: one line that is replaced in place on a terminal, and a line
//! every two seconds elsewhere.

use crate::clock;
use crate::message::TestConfig;
use crate::orchestrator::START_AHEAD_NS;
use crate::plan::DEFAULT_DURATION;
use crate::stats::states::{DriverRowState, RunState};
use crate::stats::summary::{Stats, Summary};
use crate::terminal::StatusLine;
use crate::units::{format_count, format_ms};
use std::io::Write;
use std::time::Duration;

/// Time between two lines if standard error is no terminal.
const LINE_PAUSE_NS: u64 = 2 * clock::NS_PER_S;
/// Characters of the bar, and of the one beside a text that leaves less room.
const BARS: [usize; 2] = [20, 10];
/// A shorter silence of the orchestrator is not mentioned.
const UNANSWERED: Duration = Duration::from_secs(2);

/// What ends a test.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Goal {
    /// Seconds, warm-up included.
    Seconds(f64),
    /// Requests of all drivers together.
    Requests(u64),
    /// Requests of each driver.
    RequestsOfEach(u64),
}

impl Goal {
    fn of(plan: &TestConfig) -> Goal {
        let fleet = plan.fleet.clone().unwrap_or_default();
        let stages_ms: u64 = plan.stages.iter().chain(&fleet.stages).map(|stage| stage.duration_ms).sum();
        let planned_ms = plan.duration_ms.or((stages_ms > 0).then_some(stages_ms));
        let default_ms = DEFAULT_DURATION.as_millis() as u64;
        let warmup_ms = plan.warmup_ms.unwrap_or(0);
        match (planned_ms, fleet.requests, plan.message_count_per_driver) {
            (None, Some(all), _) => Goal::Requests(all),
            (None, None, Some(each)) => Goal::RequestsOfEach(each),
            (ms, ..) => Goal::Seconds((ms.unwrap_or(default_ms) + warmup_ms) as f64 / 1e3),
        }
    }

    /// From 0 to 1.
    fn share(self, elapsed_s: f64, summary: &Summary) -> f64 {
        let share = match self {
            Goal::Seconds(seconds) => elapsed_s / seconds.max(0.001),
            Goal::Requests(all) => summary.total.requests as f64 / all.max(1) as f64,
            Goal::RequestsOfEach(each) => {
                let all = each.saturating_mul(summary.drivers.len().max(1) as u64);
                summary.total.requests as f64 / all.max(1) as f64
            }
        };
        share.clamp(0.0, 1.0)
    }
}

/// Shows the progress of a test.
pub struct Progress {
    goal: Goal,
    status: Option<StatusLine>,
    begin_ns: Option<u64>,
    next_line_ns: u64,
    /// The figures that were shown last, without their series.
    newest: Option<Summary>,
}

impl Progress {
    /// Takes the last line of a terminal; shows nothing yet.
    pub fn start(plan: &TestConfig) -> Progress {
        let next_line_ns = clock::now_ns() + LINE_PAUSE_NS;
        let status = StatusLine::on_stderr();
        Progress { goal: Goal::of(plan), status, begin_ns: None, next_line_ns, newest: None }
    }

    /// Shows the newest figures.
    pub fn show(&mut self, summary: &Summary) {
        self.newest = Some(Summary {
            state: summary.state,
            total: summary.total.clone(),
            drivers: summary.drivers.clone(),
            notices: summary.notices.clone(),
            ..Summary::default()
        });
        self.draw(&[]);
    }

    /// Shows the last figures again and says that they are old.
    pub fn unanswered(&mut self, since: Duration) {
        if since >= UNANSWERED {
            self.draw(&[format!("orchestrator has not answered for {} s", since.as_secs())]);
        }
    }

    fn draw(&mut self, notices: &[String]) {
        let now_ns = clock::now_ns();
        let newest = self.newest.take().unwrap_or_default();
        if newest.state == RunState::Ready {
            let mut parts = notices.to_vec();
            parts.push("drivers are getting ready: names, connections".to_owned());
            self.put(now_ns, 0, None, &parts.join("  "));
        } else {
            // A test is `running` as soon as its start is announced, which is ahead of time.
            let begin_ns = *self.begin_ns.get_or_insert(now_ns + START_AHEAD_NS);
            let elapsed_s = now_ns.saturating_sub(begin_ns) as f64 / 1e9;
            let text = line(self.goal, elapsed_s, &newest, notices);
            let share = self.goal.share(elapsed_s, &newest);
            self.put(now_ns, begin_ns + LINE_PAUSE_NS, Some(share), &text);
        }
        self.newest = Some(newest);
    }

    /// Replaces the last line of a terminal; elsewhere writes a line at intervals, the first at
    /// `earliest_ns`.
    fn put(&mut self, now_ns: u64, earliest_ns: u64, share: Option<f64>, text: &str) {
        if let Some(status) = &self.status {
            status.set(&with_bar(share, text, status.columns()));
        } else if now_ns >= self.next_line_ns.max(earliest_ns) {
            self.next_line_ns = now_ns + LINE_PAUSE_NS;
            say(text);
        }
    }

    /// Writes a line that stays.
    pub fn note(&self, text: &str) {
        match &self.status {
            Some(status) => status.print(text),
            None => say(text),
        }
    }
}

/// One line on standard error; a reader that went away must not end the test.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A bar before the text, if it costs no character of it.
fn with_bar(share: Option<f64>, text: &str, columns: usize) -> String {
    let room = columns.saturating_sub(text.chars().count());
    match (share, BARS.into_iter().find(|length| length + "[] ".len() <= room)) {
        (Some(share), Some(length)) => format!("{} {text}", bar(share, length)),
        _ => text.to_owned(),
    }
}

/// `[=====>              ]`
fn bar(share: f64, length: usize) -> String {
    let full = (share.clamp(0.0, 1.0) * length as f64) as usize;
    let head = if full < length { ">" } else { "" };
    format!("[{:<length$}]", format!("{}{head}", "=".repeat(full)))
}

/// Time first, then what is wrong, then the figures: a narrow terminal cuts the end.
fn line(goal: Goal, elapsed_s: f64, summary: &Summary, notices: &[String]) -> String {
    let total = &summary.total;
    let elapsed = match goal {
        Goal::Seconds(seconds) => format!("{:.0}/{seconds:.0} s", elapsed_s.min(seconds).floor()),
        Goal::Requests(_) | Goal::RequestsOfEach(_) => format!("{elapsed_s:.0} s"),
    };
    let p99 = total.latency_ms.as_ref().map_or("-".to_owned(), |latency| format_ms(latency.p99));
    let (requests, rps) = (format_count(total.requests), format_count(total.throughput_rps as u64));
    let mut parts = vec![elapsed];
    parts.extend(Some("finishing".to_owned()).filter(|_| summary.state == RunState::Finishing));
    parts.extend(failures(total));
    parts.extend(lost(summary));
    parts.extend(notices.iter().chain(&summary.notices).cloned());
    parts.push(format!("{requests} requests  {rps}/s  p99 {p99}"));
    // Drivers of the original protocol do not count errors.
    let has_none = failures(total).is_none() && !summary.is_original_only();
    parts.extend(Some("no errors".to_owned()).filter(|_| has_none));
    parts.join("  ")
}

/// Requests without a complete response, and responses with an error status; `None` without either.
fn failures(total: &Stats) -> Option<String> {
    let errors = format!("errors {}", format_count(total.errors_total()));
    match (total.errors_total(), total.error_statuses()) {
        (0, 0) => None,
        (_, 0) => Some(errors),
        (_, statuses) => Some(format!("{errors}, status 4xx/5xx {}", format_count(statuses))),
    }
}

/// Which drivers are lost, if any.
fn lost(summary: &Summary) -> Option<String> {
    let lost: Vec<&str> = summary
        .drivers
        .iter()
        .filter(|row| row.state == DriverRowState::Lost)
        .map(|row| row.node_id.as_str())
        .collect();
    match lost[..] {
        [] => None,
        [one] => Some(format!("{one} is lost")),
        [first, ..] => Some(format!("{first} and {} more are lost", lost.len() - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{TestType, Totals};
    use crate::stats::summary::DriverSummary;

    #[test]
    fn the_line_shows_time_counts_and_errors() {
        let mut summary = Summary { state: RunState::Running, ..Summary::default() };
        summary.total.requests = 12_345;
        summary.total.throughput_rps = 4_115.3;
        let text = line(Goal::Seconds(10.0), 3.2, &summary, &[]);
        assert_eq!(text, "3/10 s  12,345 requests  4,115/s  p99 -  no errors");
        summary.total.errors.insert("timeout".to_owned(), 7);
        summary.state = RunState::Finishing;
        let text = line(Goal::Requests(5), 12.0, &summary, &[]);
        assert_eq!(text, "12 s  finishing  errors 7  12,345 requests  4,115/s  p99 -");
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
    fn a_terminal_of_80_columns_shows_the_errors_and_the_figures_of_a_large_test() {
        let mut summary = Summary { state: RunState::Running, ..Summary::default() };
        (summary.total.requests, summary.total.throughput_rps) = (12_345_678, 123_456.0);
        let usable = 79;
        let text = with_bar(Some(0.5), &line(Goal::Seconds(100.0), 50.0, &summary, &[]), usable);
        assert_eq!(text, "[=====>    ] 50/100 s  12,345,678 requests  123,456/s  p99 -  no errors");
        summary.total.errors.insert("timeout".to_owned(), 7);
        summary.total.status.insert("503".to_owned(), 99);
        let text = with_bar(Some(0.5), &line(Goal::Seconds(100.0), 50.0, &summary, &[]), usable);
        assert_eq!(text, "50/100 s  errors 7, status 4xx/5xx 99  12,345,678 requests  123,456/s  p99 -");
        assert!(text.chars().count() <= usable);
    }

    #[test]
    fn errors_of_original_drivers_are_unknown() {
        let row = DriverSummary { state: DriverRowState::Original, ..DriverSummary::default() };
        let summary = Summary { drivers: vec![row], ..Summary::default() };
        assert_eq!(line(Goal::Requests(5), 1.0, &summary, &[]), "1 s  0 requests  0/s  p99 -");
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
            vec![row("driver-1", DriverRowState::Running), row("driver-3", DriverRowState::Lost)];
        let text =
            line(Goal::Seconds(10.0), 7.0, &summary, &["orchestrator has not answered for 6 s".to_owned()]);
        assert_eq!(
            text,
            "7/10 s  driver-3 is lost  orchestrator has not answered for 6 s  no reports for 4 s from \
             driver-2  0 requests  0/s  p99 -  no errors"
        );
        summary.drivers = vec![row("a", DriverRowState::Lost); 3];
        assert_eq!(lost(&summary).as_deref(), Some("a and 2 more are lost"));
    }

    #[test]
    fn the_bar_is_full_at_the_end_only() {
        assert_eq!(bar(0.0, 20), "[>                   ]");
        assert_eq!(bar(0.25, 20), "[=====>              ]");
        assert_eq!(bar(0.999, 20), "[===================>]");
        assert_eq!(bar(1.0, 20), "[====================]");
    }

    #[test]
    fn the_goal_is_time_or_else_a_count() {
        let mut plan = TestConfig::new("t", TestType::Avalanche);
        assert_eq!(Goal::of(&plan), Goal::Seconds(10.0));
        plan.message_count_per_driver = Some(500);
        assert_eq!(Goal::of(&plan), Goal::RequestsOfEach(500));
        plan.message_count_per_driver = None;
        plan.fleet = Some(Totals { requests: Some(500), ..Totals::default() });
        assert_eq!(Goal::of(&plan), Goal::Requests(500));
        plan.duration_ms = Some(4_000);
        plan.warmup_ms = Some(1_000);
        assert_eq!(Goal::of(&plan), Goal::Seconds(5.0));
        let mut summary = Summary::default();
        summary.total.requests = 250;
        assert_eq!(Goal::Requests(500).share(1.0, &summary), 0.5);
        assert_eq!(Goal::Seconds(5.0).share(50.0, &summary), 1.0);
    }
}
