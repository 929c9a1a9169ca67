//! What a CI server is told about a test: a few questions whose names never change, and each threshold.

use crate::stats::states::{DriverRowState, RunState};
use crate::stats::summary::{DriverSummary, Summary, ThresholdResult};
use crate::stats::verdict::Severity;
use crate::thresholds::sentence;
use crate::units::format_names;

/// Most drivers that are named.
const MAX_NAMED: usize = 10;
/// Findings against the generator or its host.
const GENERATOR: [&str; 3] = ["generator_saturated", "generator_lag", "ports_exhausted"];

/// The name of the first check, which also stands for a test without a result.
pub const COMPLETED: &str = "the test completed";

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Passed,
    /// No, with the reasons.
    Failed(Vec<String>),
    /// It is not known, and why.
    Unknown(&'static str),
}

/// A question about a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, which contains no figure, so that it is the same in every run.
    pub name: String,
    /// The answer.
    pub answer: Answer,
}

/// What is asked of every test.
pub fn of_test(summary: &Summary) -> [Check; 4] {
    [
        (COMPLETED, completed(summary)),
        ("all drivers finished", drivers(summary)),
        ("the generator kept up with the schedule", generator(summary)),
        ("all counts add up", counts(summary)),
    ]
    .map(|(name, answer)| Check { name: name.to_owned(), answer })
}

/// One check for each threshold; a threshold that is repeated is numbered.
pub fn of_thresholds(summary: &Summary) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    for threshold in &summary.thresholds {
        let name = format!("fail if {}", threshold.expression);
        let again = |n: &usize| if *n == 1 { name.clone() } else { format!("{name} ({n})") };
        let name = (1..).map(|n| again(&n)).find(|name| checks.iter().all(|check| check.name != *name));
        checks.push(Check { name: name.unwrap_or_default(), answer: passed(threshold) });
    }
    checks
}

fn passed(threshold: &ThresholdResult) -> Answer {
    match (threshold.passed, threshold.value) {
        (true, Some(_)) => Answer::Passed,
        (true, None) => Answer::Unknown("nothing was measured"),
        (false, _) => Answer::Failed(sentence(threshold).into_iter().collect()),
    }
}

fn completed(summary: &Summary) -> Answer {
    let has_response = summary.total.responses > 0 || summary.is_original_only();
    if summary.state == RunState::Completed && has_response {
        return Answer::Passed;
    }
    let first = match summary.state {
        RunState::Completed => "there was not one complete response".to_owned(),
        state => format!("the test is {state}"),
    };
    let failures = summary.findings.iter().filter(|finding| finding.severity == Severity::Failure);
    Answer::Failed(std::iter::once(first).chain(failures.map(|finding| finding.text.clone())).collect())
}

fn drivers(summary: &Summary) -> Answer {
    if !summary.state.is_over() {
        return Answer::Unknown("the end of the test was not seen");
    }
    let is_done = |row: &&DriverSummary| matches!(row.state, DriverRowState::Done | DriverRowState::Original);
    let others: Vec<String> = summary
        .drivers
        .iter()
        .filter(|row| !is_done(row))
        .map(|row| format!("{} ({})", row.node_id, row.state))
        .collect();
    match &others[..] {
        [] => Answer::Passed,
        others => {
            let names = format_names(others, MAX_NAMED);
            Answer::Failed(vec![format!(
                "{} of {} drivers did not finish: {names}",
                others.len(),
                summary.drivers.len()
            )])
        }
    }
}

fn generator(summary: &Summary) -> Answer {
    if summary.total.requests == 0 {
        return Answer::Unknown("nothing was sent, or the drivers do not report what they sent");
    }
    if summary.findings.is_empty() {
        return Answer::Unknown("the orchestrator sent no findings");
    }
    let against = summary.findings.iter().filter(|finding| GENERATOR.contains(&finding.code.as_str()));
    let texts: Vec<String> = against.map(|finding| finding.text.clone()).collect();
    if texts.is_empty() { Answer::Passed } else { Answer::Failed(texts) }
}

fn counts(summary: &Summary) -> Answer {
    if !summary.state.is_over() {
        return Answer::Unknown("the end of the test was not seen");
    }
    if summary.is_original_only() {
        return Answer::Unknown("drivers of the original protocol report no counts");
    }
    let differences = summary.conservation.differences();
    if differences.is_empty() { Answer::Passed } else { Answer::Failed(differences) }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{finding, good, row, threshold};
    use super::*;

    fn answers(summary: &Summary) -> [Answer; 4] {
        of_test(summary).map(|check| check.answer)
    }

    fn reasons(answer: &Answer) -> String {
        let Answer::Failed(reasons) = answer else { panic!("{answer:?}") };
        reasons.join("|")
    }

    #[test]
    fn a_good_test_passes_everything() {
        assert_eq!(answers(&good()), [const { Answer::Passed }; 4]);
    }

    #[test]
    fn a_test_without_a_response_or_without_an_end_fails() {
        let mut summary = good();
        summary.total.responses = 0;
        summary.findings = vec![finding("errors", Severity::Failure, "Nothing answered.")];
        let text = reasons(&answers(&summary)[0]);
        assert_eq!(text, "there was not one complete response|Nothing answered.");
        summary.state = RunState::Unknown;
        let [completed, drivers, _, counts] = answers(&summary);
        assert!(reasons(&completed).starts_with("the test is unknown"), "{completed:?}");
        assert!(matches!((drivers, counts), (Answer::Unknown(_), Answer::Unknown(_))));
    }

    #[test]
    fn a_driver_that_did_not_finish_is_named_with_its_state() {
        let mut summary = good();
        summary.drivers.push(row("driver-2", DriverRowState::Lost));
        let text = reasons(&answers(&summary)[1]);
        assert_eq!(text, "1 of 2 drivers did not finish: driver-2 (lost)");
        summary.drivers.extend((3..40).map(|n| row(&format!("driver-{n}"), DriverRowState::Waiting)));
        let text = reasons(&answers(&summary)[1]);
        assert!(text.contains("38 of 39") && text.ends_with("and 28 more"), "{text}");
        summary.drivers = vec![row("old", DriverRowState::Original)];
        let [_, drivers, _, counts] = answers(&summary);
        assert_eq!(drivers, Answer::Passed);
        assert!(matches!(counts, Answer::Unknown(_)));
    }

    #[test]
    fn findings_against_the_generator_fail_its_check_and_others_do_not() {
        for code in GENERATOR {
            let mut summary = good();
            summary.findings.push(finding(code, Severity::Warning, "Too slow."));
            assert_eq!(reasons(&answers(&summary)[2]), "Too slow.", "{code}");
        }
        let mut summary = good();
        summary.findings.push(finding("target_slow", Severity::Warning, "Too slow."));
        assert_eq!(answers(&summary)[2], Answer::Passed);
        summary.findings.clear();
        assert!(matches!(answers(&summary)[2], Answer::Unknown(_)));
        summary.total.requests = 0;
        assert!(matches!(answers(&summary)[2], Answer::Unknown(_)));
    }

    #[test]
    fn counts_that_differ_fail() {
        let mut summary = good();
        summary.conservation.sent -= 1;
        assert!(reasons(&answers(&summary)[3]).contains("a difference of 1"));
    }

    #[test]
    fn every_threshold_has_a_stable_and_distinct_name() {
        let mut summary = good();
        summary.thresholds = vec![
            threshold("p99 > 250ms", Some(312.5), false),
            threshold("errors > 1%", Some(0.0), true),
            threshold("p99 > 250ms", None, true),
            threshold("max > 1s", None, false),
        ];
        let checks = of_thresholds(&summary);
        let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(
            names,
            ["fail if p99 > 250ms", "fail if errors > 1%", "fail if p99 > 250ms (2)", "fail if max > 1s"]
        );
        let text = reasons(&checks[0].answer);
        assert!(text.contains("p99 > 250ms") && text.contains("was true: 313 ms."), "{text}");
        assert_eq!(checks[1].answer, Answer::Passed);
        assert_eq!(checks[2].answer, Answer::Unknown("nothing was measured"));
        assert!(reasons(&checks[3].answer).contains("max > 1s"), "{checks:?}");
    }
}
