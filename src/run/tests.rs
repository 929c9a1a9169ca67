use super::*;
use crate::message::TestType;
use crate::stats::states::DriverRowState;
use crate::stats::summary::{DriverSummary, SeriesPoint, ThresholdResult};

fn ended(state: RunState, responses: u64, errors: &[&str]) -> Ended {
    let mut summary = Summary { state, ..Summary::default() };
    summary.total.responses = responses;
    summary.total.errors = errors.iter().map(|kind| ((*kind).to_owned(), 3)).collect();
    Ended { summary: Some(summary), interrupted: None, error: None }
}

/// A scripted orchestrator: its answers to polls; the last one repeats.
struct Scripted {
    answers: Vec<Result<Option<Summary>, Trouble>>,
    /// Its answers to stops, likewise.
    stopped: Vec<Result<(), Trouble>>,
}

fn next<T: Clone>(answers: &mut Vec<T>) -> T {
    if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
}

impl Backend for Scripted {
    fn configure(&mut self, plan: TestConfig) -> Result<String, String> {
        Ok(plan.test_id)
    }

    fn stop(&mut self, _: &str, _: &str) -> Result<(), Trouble> {
        next(&mut self.stopped)
    }

    fn summary(&mut self, _: &str) -> Result<Option<Summary>, Trouble> {
        next(&mut self.answers)
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn out_of_reach(&self) -> Option<String> {
        Some("The drivers go on.".to_owned())
    }
}

fn running(second: u64) -> Summary {
    Summary {
        state: RunState::Running,
        findings: vec![Finding::new("all_well", Severity::Info, "OK so far.".to_owned())],
        series: vec![SeriesPoint { second, ..SeriesPoint::default() }],
        ..Summary::default()
    }
}

fn followed(answers: Vec<Result<Option<Summary>, Trouble>>) -> Ended {
    let mut control = Scripted { answers, stopped: vec![Ok(())] };
    follow_to_end(&mut control, &Interrupts::listen().expect("listens"))
}

fn follow_to_end(control: &mut Scripted, interrupts: &Interrupts) -> Ended {
    let plan = TestConfig::new("t", TestType::Tsunami);
    let progress = Progress::start(&plan, true);
    let mut ended = follow(control, plan, interrupts, Duration::from_millis(50), progress);
    say_what_is_unknown(&mut ended, control);
    ended
}

#[test]
fn a_result_not_followed_to_its_end_is_unknown_and_says_what_may_still_run() {
    let ended = followed(vec![
        Ok(Some(running(11))),
        Ok(Some(running(12))),
        Err(Trouble::passing("nobody answers".to_owned())),
    ]);
    assert_eq!(exit_code(&ended), 1);
    assert_eq!(ended.error.as_deref(), Some("nobody answers\nThe drivers go on."));
    let summary = ended.summary.expect("the last one");
    assert_eq!(summary.state, "unknown");
    assert_eq!(
        summary.verdict,
        [
            "The result is unknown: nobody answers. These figures end with second 12; what happened \
             since is not known.",
            "The drivers go on."
        ]
    );
}

#[test]
fn a_test_that_the_orchestrator_forgot_is_unknown_too() {
    let ended = followed(vec![Ok(Some(running(3))), Ok(None)]);
    assert!(ended.error.expect("an error").contains("does not know test \"t\" any more: it was restarted"));
    assert_eq!(ended.summary.expect("the last one").state, "unknown");
}

#[test]
fn a_test_that_was_never_seen_may_run_too() {
    let ended = followed(vec![Err(Trouble::passing("nobody answers".to_owned()))]);
    assert_eq!(ended.error.as_deref(), Some("nobody answers\nThe drivers go on."));
    assert!(ended.summary.is_none());
}

#[test]
fn a_stop_that_could_not_be_sent_is_sent_again() {
    let aborted = Summary { state: RunState::Aborted, ..running(4) };
    let away = || Err(Trouble::passing("away".to_owned()));
    let mut control = Scripted {
        answers: vec![Ok(Some(running(3))), Ok(Some(running(3))), Ok(Some(running(3))), Ok(Some(aborted))],
        stopped: vec![away(), away(), Ok(()), Err(Trouble::passing("one too many".to_owned()))],
    };
    let ended = follow_to_end(&mut control, &Interrupts::received());
    assert_eq!((control.stopped.len(), ended.error.as_deref()), (1, None));
    assert_eq!(exit_code(&ended), 143);
    let refused = Err(Trouble::lasting("not running".to_owned()));
    control.stopped = vec![refused, Err(Trouble::lasting("one too many".to_owned())), Ok(())];
    follow_to_end(&mut control, &Interrupts::received());
    assert_eq!(control.stopped.len(), 2, "a refusal is final");
}

#[test]
fn one_failed_poll_is_harmless() {
    let done = Summary { state: RunState::Completed, ..running(4) };
    let ended = followed(vec![
        Ok(Some(running(3))),
        Err(Trouble::passing("busy".to_owned())),
        Ok(Some(done.clone())),
    ]);
    assert_eq!((ended.error, ended.summary), (None, Some(done)));
}

#[test]
fn exit_codes_reflect_the_outcome() {
    assert_eq!(exit_code(&ended(RunState::Completed, 5, &[])), 0);
    assert_eq!(exit_code(&ended(RunState::Completed, 5, &["connect"])), 0, "errors alone do not fail a run");
    assert_eq!(exit_code(&ended(RunState::Completed, 0, &["timeout"])), 1, "no complete response");
    assert_eq!(exit_code(&ended(RunState::Completed, 0, &["connect", "dns"])), 1, "nothing could be sent");
    assert_eq!(exit_code(&ended(RunState::Completed, 0, &[])), 1, "nothing was sent");
    let with_lost = |state, responses| {
        let mut lost = ended(state, responses, &[]);
        let row = |state| DriverSummary { state, ..DriverSummary::default() };
        let rows = [DriverRowState::Done, DriverRowState::Lost, DriverRowState::Original].map(row).to_vec();
        lost.summary.iter_mut().for_each(|summary| summary.drivers = rows.clone());
        lost
    };
    for state in [DriverRowState::Refused, DriverRowState::Unreported] {
        let mut gone = ended(RunState::Completed, 5, &[]);
        let row = DriverSummary { state, ..DriverSummary::default() };
        gone.summary.iter_mut().for_each(|summary| summary.drivers = vec![row.clone()]);
        assert_eq!(exit_code(&gone), 4, "{state}");
    }
    let lost = |responses| exit_code(&with_lost(RunState::Completed, responses));
    assert_eq!((lost(5), lost(0)), (4, 1), "a failure takes precedence over a lost driver");
    let judged = |state, condition: &str, passed| {
        let mut judged = with_lost(state, 5);
        let one = ThresholdResult { expression: condition.to_owned(), value: None, passed, since_s: None };
        judged.summary.iter_mut().for_each(|summary| summary.thresholds = vec![one.clone()]);
        exit_code(&judged)
    };
    assert_eq!(judged(RunState::Completed, "max > 1s", false), 3, "a condition before a lost driver");
    assert_eq!(judged(RunState::Completed, "max > 1s", true), 4);
    assert_eq!(judged(RunState::Aborted, "max > 1s, abort", false), 3);
    assert_eq!(judged(RunState::Aborted, "max > 1s", false), 1, "stopped by something else");
    assert_eq!(judged(RunState::Failed, "max > 1s, abort", false), 1, "a failure before a condition");
    let mut unsaved = ended(RunState::Completed, 5, &[]);
    let finding = Finding::new("not_saved", Severity::Warning, "Not everything was saved.".to_owned());
    unsaved.summary.iter_mut().for_each(|summary| summary.findings = vec![finding.clone()]);
    assert_eq!(exit_code(&unsaved), 1, "--out could not save everything");
    assert_eq!(exit_code(&ended(RunState::Failed, 5, &[])), 1);
    assert_eq!(exit_code(&ended(RunState::Aborted, 5, &[])), 1);
    assert_eq!(exit_code(&Ended { summary: None, ..ended(RunState::Failed, 0, &[]) }), 1);
}
