//! What a waiting user sees, on standard error: a bar on a terminal, else a line every two seconds.

use crate::clock;
use crate::logging;
use crate::message::TestConfig;
use crate::orchestrator::START_AHEAD_NS;
use crate::plan::DEFAULT_DURATION;
use crate::stats::summary::Summary;
use crate::units::{format_count, format_ms};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};

/// Time between two lines where standard error is no terminal.
const LINE_PAUSE_NS: u64 = 2 * clock::NS_PER_S;
const TENTHS_OF_PERCENT: u64 = 1_000;

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
    bar: Option<ProgressBar>,
    begin_ns: Option<u64>,
    next_line_ns: u64,
}

impl Progress {
    /// Shows nothing yet.
    pub fn start(plan: &TestConfig) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(TENTHS_OF_PERCENT), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("[{bar:20}] {msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            let printer = bar.clone();
            logging::set_printer(Some(Box::new(move |line| printer.println(line))));
            bar
        });
        Progress { goal: Goal::of(plan), bar, begin_ns: None, next_line_ns: clock::now_ns() + LINE_PAUSE_NS }
    }

    /// Shows the newest figures.
    pub fn show(&mut self, summary: &Summary) {
        let now_ns = clock::now_ns();
        if summary.state == "ready" {
            return self.show_ready(now_ns);
        }
        // A test is `running` as soon as its start is written, which lies ahead.
        let begin_ns = *self.begin_ns.get_or_insert(now_ns + START_AHEAD_NS);
        let elapsed_s = now_ns.saturating_sub(begin_ns) as f64 / 1e9;
        let text = line(self.goal, elapsed_s, summary);
        if let Some(bar) = &self.bar {
            bar.set_position((self.goal.share(elapsed_s, summary) * TENTHS_OF_PERCENT as f64) as u64);
            bar.set_message(text);
        } else if now_ns >= self.next_line_ns.max(begin_ns + LINE_PAUSE_NS) {
            self.next_line_ns = now_ns + LINE_PAUSE_NS;
            say(&text);
        }
    }

    fn show_ready(&mut self, now_ns: u64) {
        const TEXT: &str = "the drivers get ready: names, connections";
        if let Some(bar) = &self.bar {
            bar.set_message(TEXT);
        } else if now_ns >= self.next_line_ns {
            self.next_line_ns = now_ns + LINE_PAUSE_NS;
            say(TEXT);
        }
    }

    /// Says something beside the figures.
    pub fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => say(text),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            logging::set_printer(None);
            bar.finish_and_clear();
        }
    }
}

/// One line on standard error; a reader that went away must not end the test.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn line(goal: Goal, elapsed_s: f64, summary: &Summary) -> String {
    let total = &summary.total;
    let elapsed = match goal {
        Goal::Seconds(seconds) => format!("{:.0}/{seconds:.0} s", elapsed_s.min(seconds).floor()),
        Goal::Requests(_) | Goal::RequestsOfEach(_) => format!("{elapsed_s:.0} s"),
    };
    let p99 = total.latency_ms.as_ref().map_or("-".to_owned(), |latency| format_ms(latency.p99));
    let errors = match total.errors_total() {
        0 => "no errors".to_owned(),
        1 => "1 error".to_owned(),
        n => format!("{} errors", format_count(n)),
    };
    let finishing = if summary.state == "finishing" { "  finishing" } else { "" };
    let (requests, rps) = (format_count(total.requests), format_count(total.throughput_rps as u64));
    format!("{elapsed}  {requests} requests  {rps}/s  p99 {p99}  {errors}{finishing}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{TestType, Totals};

    #[test]
    fn the_line_says_how_far_how_much_and_how_well() {
        let mut summary = Summary { state: "running".to_owned(), ..Summary::default() };
        summary.total.requests = 12_345;
        summary.total.throughput_rps = 4_115.3;
        let text = line(Goal::Seconds(10.0), 3.2, &summary);
        assert_eq!(text, "3/10 s  12,345 requests  4,115/s  p99 -  no errors");
        summary.total.errors.insert("timeout".to_owned(), 7);
        summary.state = "finishing".to_owned();
        let text = line(Goal::Requests(5), 12.0, &summary);
        assert_eq!(text, "12 s  12,345 requests  4,115/s  p99 -  7 errors  finishing");
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
