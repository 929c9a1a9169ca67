//! What a waiting user sees, on standard error: one line that is replaced in place on a terminal, elsewhere a
//! line every two seconds.

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

/// Time between two lines where standard error is no terminal.
const LINE_PAUSE_NS: u64 = 2 * clock::NS_PER_S;
/// Characters of the bar.
const BAR: usize = 20;
/// An orchestrator that has not answered for less is not worth a word.
const UNANSWERED: Duration = Duration::from_secs(2);

/// How far a test has to go.
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

/// Shows how a test goes on.
pub struct Progress {
    goal: Goal,
    status: Option<StatusLine>,
    begin_ns: Option<u64>,
    next_line_ns: u64,
    /// What was shown last, without its series.
    newest: Option<Summary>,
}

impl Progress {
    /// Shows nothing yet.
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

    /// Shows the last figures again, and that they are old.
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
            parts.push("the drivers get ready: names, connections".to_owned());
            self.put(now_ns, 0, None, &parts.join("  "));
        } else {
            // A test is `running` as soon as its start is written, which lies ahead.
            let begin_ns = *self.begin_ns.get_or_insert(now_ns + START_AHEAD_NS);
            let elapsed_s = now_ns.saturating_sub(begin_ns) as f64 / 1e9;
            let text = line(self.goal, elapsed_s, &newest, notices);
            let share = self.goal.share(elapsed_s, &newest);
            self.put(now_ns, begin_ns + LINE_PAUSE_NS, Some(share), &text);
        }
        self.newest = Some(newest);
    }

    /// Replaces the last line of a terminal; elsewhere writes a line now and then, the first at
    /// `earliest_ns`.
    fn put(&mut self, now_ns: u64, earliest_ns: u64, share: Option<f64>, text: &str) {
        if let Some(status) = &self.status {
            let bar = share.map_or(String::new(), |share| bar(share) + " ");
            status.set(&format!("{bar}{text}"));
        } else if now_ns >= self.next_line_ns.max(earliest_ns) {
            self.next_line_ns = now_ns + LINE_PAUSE_NS;
            say(text);
        }
    }

    /// Says something beside the figures.
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

/// `[=====>              ]`
fn bar(share: f64) -> String {
    let full = (share.clamp(0.0, 1.0) * BAR as f64) as usize;
    let head = if full < BAR { ">" } else { "" };
    format!("[{:<BAR$}]", format!("{}{head}", "=".repeat(full)))
}

/// Time first, then what is wrong with the figures, then the figures.
fn line(goal: Goal, elapsed_s: f64, summary: &Summary, notices: &[String]) -> String {
    let total = &summary.total;
    let elapsed = match goal {
        Goal::Seconds(seconds) => format!("{:.0}/{seconds:.0} s", elapsed_s.min(seconds).floor()),
        Goal::Requests(_) | Goal::RequestsOfEach(_) => format!("{elapsed_s:.0} s"),
    };
    let p99 = total.latency_ms.as_ref().map_or("-".to_owned(), |latency| format_ms(latency.p99));
    let (requests, rps) = (format_count(total.requests), format_count(total.throughput_rps as u64));
    let mut parts = vec![elapsed];
    parts.extend(lost(summary));
    parts.extend(notices.iter().chain(&summary.notices).cloned());
    parts.push(format!("{requests} requests  {rps}/s  p99 {p99}  {}", failures(total)));
    parts.extend(Some("finishing".to_owned()).filter(|_| summary.state == RunState::Finishing));
    parts.join("  ")
}

/// Requests without a complete response, and responses with an error status; "no errors" only without either.
fn failures(total: &Stats) -> String {
    let some = |n: u64, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{} {many}", format_count(n))),
    };
    let found = [
        some(total.errors_total(), "error", "errors"),
        some(total.error_statuses(), "error status", "error statuses"),
    ];
    let found: Vec<String> = found.into_iter().flatten().collect();
    if found.is_empty() { "no errors".to_owned() } else { found.join(", ") }
}

/// Which drivers are lost, where some are.
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
    fn the_line_says_how_far_how_much_and_how_well() {
        let mut summary = Summary { state: RunState::Running, ..Summary::default() };
        summary.total.requests = 12_345;
        summary.total.throughput_rps = 4_115.3;
        let text = line(Goal::Seconds(10.0), 3.2, &summary, &[]);
        assert_eq!(text, "3/10 s  12,345 requests  4,115/s  p99 -  no errors");
        summary.total.errors.insert("timeout".to_owned(), 7);
        summary.state = RunState::Finishing;
        let text = line(Goal::Requests(5), 12.0, &summary, &[]);
        assert_eq!(text, "12 s  12,345 requests  4,115/s  p99 -  7 errors  finishing");
    }

    #[test]
    fn error_statuses_are_no_success() {
        let status = [("200", 1_901), ("302", 5), ("404", 90), ("503", 9)];
        let status = status.map(|(code, n)| (code.to_owned(), n)).into();
        let mut total = Stats { status, ..Stats::default() };
        assert_eq!(failures(&total), "99 error statuses");
        total.errors.insert("timeout".to_owned(), 1);
        assert_eq!(failures(&total), "1 error, 99 error statuses");
        total.status.retain(|code, _| code.as_str() < "400");
        total.errors.clear();
        assert_eq!(failures(&total), "no errors");
    }

    #[test]
    fn what_is_wrong_with_the_figures_stands_before_them() {
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
        assert_eq!(bar(0.0), "[>                   ]");
        assert_eq!(bar(0.25), "[=====>              ]");
        assert_eq!(bar(0.999), "[===================>]");
        assert_eq!(bar(1.0), "[====================]");
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
