//! What a waiting user sees on standard error: a few lines that are replaced in place on a terminal, and a
//! line for each tenth of the test elsewhere.

mod goal;
mod lines;
mod milestones;
mod shown;
mod spark;

use crate::clock;
use crate::message::TestConfig;
use crate::orchestrator::START_AHEAD_NS;
use crate::stats::states::RunState;
use crate::stats::summary::Summary;
use crate::terminal::StatusArea;
use goal::Goal;
use milestones::Milestones;
use shown::Shown;
use std::io::Write;
use std::time::Duration;

/// Time between two drawings on a terminal.
pub const FRAME: Duration = Duration::from_millis(250);
/// A shorter silence of the orchestrator is not mentioned.
const UNANSWERED: Duration = Duration::from_secs(2);

/// Where progress is shown.
enum Place {
    /// On a terminal.
    Area(StatusArea),
    /// Anywhere else.
    Lines(Milestones),
    /// Nowhere.
    Nowhere,
}

/// Shows the progress of a test.
pub struct Progress {
    goal: Goal,
    place: Place,
    begin_ns: Option<u64>,
    next_ns: u64,
    /// The figures that were shown last.
    newest: Shown,
    /// How long the orchestrator has not answered, if that is long.
    unanswered: Option<Duration>,
}

impl Progress {
    /// Takes the last lines of a terminal, unless nothing is to be shown; shows nothing yet.
    pub fn start(plan: &TestConfig, quiet: bool) -> Progress {
        let place = match (quiet, StatusArea::on_stderr()) {
            (true, _) => Place::Nowhere,
            (false, Some(area)) => Place::Area(area),
            (false, None) => Place::Lines(Milestones::new(clock::now_ns())),
        };
        let (goal, newest) = (Goal::of(plan), Shown::default());
        Progress { goal, place, begin_ns: None, next_ns: 0, newest, unanswered: None }
    }

    /// Shows the newest figures.
    pub fn show(&mut self, summary: &Summary) {
        self.unanswered = None;
        self.newest = Shown::of(summary);
        self.draw();
    }

    /// Shows the last figures again and says that they are old.
    pub fn unanswered(&mut self, since: Duration) {
        self.unanswered = Some(since).filter(|since| *since >= UNANSWERED);
        self.draw();
    }

    /// Shows the time, if the last drawing is old enough.
    pub fn draw(&mut self) {
        let now_ns = clock::now_ns();
        if matches!(self.place, Place::Nowhere) || now_ns < self.next_ns {
            return;
        }
        self.next_ns = now_ns + clock::to_ns(FRAME);
        let mut shown = self.newest.clone();
        if let Some(since) = self.unanswered {
            shown.wrong.insert(0, format!("orchestrator has not answered for {} s", since.as_secs()));
        }
        let mut elapsed_s = 0.0;
        if shown.state != RunState::Ready {
            // A test is `running` as soon as its start is announced, which is ahead of time.
            let begin_ns = *self.begin_ns.get_or_insert(now_ns + START_AHEAD_NS);
            elapsed_s = now_ns.saturating_sub(begin_ns) as f64 / 1e9;
        }
        let goal = self.goal;
        match &mut self.place {
            Place::Area(area) => area.set(lines::lines(&shown, goal, elapsed_s, area.columns())),
            Place::Lines(milestones) => {
                let wrong = wrong(&shown, self.unanswered.is_some());
                // Before the first second has been reported, there are no figures.
                let is_early = shown.rates.is_empty();
                let share = goal.share(elapsed_s, shown.requests, shown.drivers.0);
                if milestones.is_due(now_ns, if is_early { 0.0 } else { share }, &wrong) {
                    say(&text(&shown, goal, elapsed_s));
                }
            }
            Place::Nowhere => {}
        }
    }

    /// Writes a line that stays.
    pub fn note(&self, text: &str) {
        match &self.place {
            Place::Area(area) => area.print(text),
            Place::Lines(_) => say(text),
            Place::Nowhere => {}
        }
    }
}

/// What is wrong or delayed, without figures that change all the time.
fn wrong(shown: &Shown, is_unanswered: bool) -> String {
    match shown.state {
        _ if is_unanswered => "unanswered".to_owned(),
        RunState::Ready => "ready".to_owned(),
        _ => shown.wrong.iter().map(|text| text.replace(|c: char| c.is_ascii_digit(), "")).collect(),
    }
}

/// The line where there is no terminal.
fn text(shown: &Shown, goal: Goal, elapsed_s: f64) -> String {
    if shown.state == RunState::Ready {
        let mut parts = shown.wrong.clone();
        parts.push("drivers are getting ready: names, connections".to_owned());
        return parts.join("  ");
    }
    shown.line(&lines::time(goal, elapsed_s))
}

/// One line on standard error; a reader that went away must not end the test.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_goes_up_is_not_said_again() {
        let of =
            |text: &str| Shown { state: RunState::Running, wrong: vec![text.to_owned()], ..Shown::default() };
        let silent = |s: u64| wrong(&of(&format!("no reports for {s} s from driver-2")), false);
        assert_eq!(silent(4), silent(15));
        assert_ne!(silent(4), wrong(&of("driver-2 is lost"), false));
        assert_eq!(wrong(&Shown { state: RunState::Running, ..Shown::default() }, false), "");
    }

    #[test]
    fn before_the_start_the_line_says_what_is_waited_for() {
        let ready = Shown { wrong: vec!["Kafka is unavailable".to_owned()], ..Shown::default() };
        let line = text(&ready, Goal::Requests(5), 0.0);
        assert_eq!(line, "Kafka is unavailable  drivers are getting ready: names, connections");
    }
}
