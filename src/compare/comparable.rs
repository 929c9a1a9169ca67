//! Whether two runs can be compared at all, and what else differs.

use super::figures::Figure;
use super::floor::lag_ms;
use super::run::Run;
use crate::plan::words::shown_plan;
use crate::stats::states::RunState;
use crate::stats::verdict::{Finding, LAG_FLOOR_MS, LAG_SHARE};
use crate::units::{clip, format_ms, format_names};
use serde_json::Value;
use std::collections::BTreeMap;

/// Findings that say that a run measured its generator.
const GENERATOR: [&str; 2] = ["generator_saturated", "ports_exhausted"];
/// The finding that requests were late. It is about the tail: figures that the lag does not reach can be
/// compared.
const LAG: &str = "generator_lag";
/// Fields of a plan that say nothing about the load.
const IDENTITY: [&str; 6] = ["test_id", "drivers", "thresholds", "previous", "on_driver_loss", "seed"];
/// Fields that may differ on purpose, or that do not change what one request takes.
const NOTED: [&str; 6] =
    ["target_url", "duration_ms", "message_count_per_driver", "fleet.requests", "warmup_ms", "timeout_ms"];
/// Most runs that are named in a note.
const MAX_NAMES: usize = 20;
/// The longest value that is quoted, in characters.
const MAX_QUOTED: usize = 60;

/// What is to be said before any figure.
#[derive(Debug, Default, PartialEq)]
pub struct Comparable {
    /// Why the runs cannot be compared; empty if they can.
    pub reasons: Vec<String>,
    /// What differs without preventing a comparison.
    pub notes: Vec<String>,
}

/// Checks each run by itself, and its plan and fleet against the first one.
pub fn check(a: &[Run], b: &[Run]) -> Comparable {
    let mut found = Comparable::default();
    let sides = [("A", a), ("B", b)];
    let runs = sides.into_iter().flat_map(|(side, runs)| {
        let name =
            move |at: usize| if runs.len() > 1 { format!("{side}{}", at + 1) } else { side.to_owned() };
        runs.iter().enumerate().map(move |(at, run)| (name(at), run))
    });
    let mut first: Option<(String, &Run)> = None;
    let mut late = Vec::new();
    for (name, run) in runs {
        found.reasons.extend(own(&name, run));
        if let Some(lag) = run.summary.findings.iter().find(|finding| finding.code == LAG) {
            late.push((name.clone(), lag.text.trim_end_matches('.').to_owned()));
        }
        match &first {
            Some((first_name, first)) => differences((first_name, first), (&name, run), &mut found),
            None => first = Some((name, run)),
        }
    }
    if a.len() + b.len() > 2 && !late.is_empty() {
        let names: Vec<String> = late.into_iter().map(|(name, _)| name).collect();
        found.notes.push(format!("the generator was late in {}", format_names(&names, MAX_NAMES)));
    } else {
        found.notes.extend(late.into_iter().map(|(name, text)| format!("{name}: {text}")));
    }
    found
}

/// Checks a run in which both targets were loaded. Drivers that were lost were lost to both.
pub fn check_one(a: &[Run], b: &[Run]) -> Comparable {
    let mut found = Comparable::default();
    for run in a {
        found.reasons = measured("the run", run);
        let late = run.summary.findings.iter().filter(|finding| finding.code == LAG);
        let late = late.map(|finding| finding.text.trim_end_matches('.').to_owned());
        found.notes = late.chain(lost("the run", run)).collect();
    }
    let sides = a.iter().map(|run| ("A", run)).chain(b.iter().map(|run| ("B", run)));
    found.reasons.extend(sides.filter_map(|(name, run)| unanswered(name, run)));
    found
}

/// Why the generator was too late in one of the runs for this figure to be compared: by the rule of the
/// verdict, at the figure's own percentile.
pub fn lags(figure: Figure, a: &[Run], b: &[Run]) -> Option<String> {
    let lagging = |run: &&Run| run.summary.findings.iter().any(|finding| finding.code == LAG);
    let of = |run: &Run| {
        let (lag_ms, ms) = (lag_ms(figure, &run.summary.total), run.value(figure)?);
        (lag_ms > LAG_FLOOR_MS.max(LAG_SHARE * ms)).then_some(lag_ms)
    };
    let is_time = figure.unit() == "ms";
    let worst = a.iter().chain(b).filter(lagging).filter_map(of).reduce(f64::max).filter(|_| is_time)?;
    Some(format!("the generator itself was {} late at this percentile", format_ms(worst)))
}

/// What a run by itself lacks.
fn own(name: &str, run: &Run) -> Vec<String> {
    let mut reasons = measured(name, run);
    reasons.extend(unanswered(name, run));
    reasons.extend(lost(name, run));
    reasons
}

fn unanswered(name: &str, run: &Run) -> Option<String> {
    run.summary.total.latency_ms.is_none().then(|| format!("{name} has no complete response"))
}

fn lost(name: &str, run: &Run) -> Option<String> {
    let lost = run.summary.drivers.iter().filter(|row| row.state.is_missing()).count();
    (lost > 0).then(|| format!("{name} lost {lost} of its drivers"))
}

/// Why a run measured something other than its target, or not all of it.
fn measured(name: &str, run: &Run) -> Vec<String> {
    let summary = &run.summary;
    let mut reasons = Vec::new();
    if summary.state != RunState::Completed {
        reasons.push(format!("{name} did not complete (its state is {})", summary.state.as_str()));
    }
    let is_lag = |finding: &&Finding| finding.code == LAG;
    if let Some(lag) = summary.findings.iter().find(is_lag).filter(|_| summary.total.lag_ms.is_none()) {
        reasons.push(format!("{name} measured its generator rather than the target: {}", lag.text));
    }
    for finding in summary.findings.iter().filter(|finding| GENERATOR.contains(&finding.code.as_str())) {
        reasons.push(format!("{name} measured its generator rather than the target: {}", finding.text));
    }
    reasons
}

/// Plans and fleets that differ.
fn differences(a: (&str, &Run), b: (&str, &Run), found: &mut Comparable) {
    let fleet = |run: &Run| run.summary.drivers.len();
    if fleet(a.1) != fleet(b.1) {
        let (ours, theirs) = (fleet(a.1), fleet(b.1));
        found.reasons.push(format!("the fleets differ: {ours} drivers in {}, {theirs} in {}", a.0, b.0));
    }
    let (shown_a, shown_b) = (shown_plan(&a.1.summary.plan), shown_plan(&b.1.summary.plan));
    let (shown_a, shown_b) = (fields(&shown_a), fields(&shown_b));
    let (plan_a, plan_b) = (fields(&a.1.summary.plan), fields(&b.1.summary.plan));
    let mut names: Vec<&String> = plan_a.keys().chain(plan_b.keys()).collect();
    names.sort();
    names.dedup();
    for name in names.into_iter().filter(|name| plan_a.get(*name) != plan_b.get(*name)) {
        let (ours, theirs) = (quoted(shown_a.get(name).copied()), quoted(shown_b.get(name).copied()));
        let text = match ours == theirs {
            true => format!("{name} differs between {} and {}, in a part that is not shown", a.0, b.0),
            false => format!("{name} is {ours} in {} and {theirs} in {}", a.0, b.0),
        };
        let is_noted = NOTED.contains(&name.as_str()) || name.starts_with("request.");
        if is_noted {
            found.notes.push(text)
        } else {
            found.reasons.push(format!("the plans differ: {text}"))
        }
    }
}

/// The fields of a plan by name; those of `fleet` and `request` by `fleet.rate` and so on.
fn fields(plan: &Value) -> BTreeMap<String, &Value> {
    let mut fields = BTreeMap::new();
    for (name, value) in plan.as_object().into_iter().flatten() {
        match (name.as_str(), value.as_object()) {
            (name, _) if IDENTITY.contains(&name) => {}
            ("fleet" | "request", Some(inner)) => {
                fields.extend(inner.iter().map(|(part, value)| (format!("{name}.{part}"), value)));
            }
            _ => {
                fields.insert(name.clone(), value);
            }
        }
    }
    fields
}

fn quoted(value: Option<&Value>) -> String {
    value.map_or("not set".to_owned(), |value| clip(&value.to_string(), MAX_QUOTED))
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;
    use crate::stats::states::DriverRowState;
    use crate::stats::verdict::Severity;
    use serde_json::json;

    fn with(plan: Value) -> Run {
        let mut run = run(&[5.0; 10]);
        run.summary.plan = plan;
        run
    }

    fn checked(a: Run, b: Run) -> Comparable {
        check(&[a], &[b])
    }

    #[test]
    fn equal_plans_can_be_compared_whatever_their_ids() {
        let plan = |id: &str, seed: u64| json!({"test_id": id, "fleet": {"rate": 10}, "seed": seed});
        assert_eq!(checked(with(plan("a", 1)), with(plan("b", 2))), Comparable::default());
    }

    #[test]
    fn another_load_prevents_a_comparison_and_another_target_is_a_note() {
        let a = with(json!({"fleet": {"rate": 10}, "target_url": "http://old/"}));
        let b = with(json!({"fleet": {"rate": 20, "connections": 4}, "target_url": "http://new/"}));
        let found = checked(a, b);
        assert_eq!(found.reasons.len(), 2, "{found:?}");
        assert_eq!(found.reasons[1], "the plans differ: fleet.rate is 10 in A and 20 in B");
        assert!(found.reasons[0].contains("fleet.connections is not set in A and 4 in B"));
        assert_eq!(found.notes, ["target_url is \"http://old/\" in A and \"http://new/\" in B"]);
    }

    #[test]
    fn a_target_is_named_without_its_query() {
        let to = |url: &str| with(json!({"target_url": url}));
        let found = checked(to("http://old/?api_key=k1"), to("http://new/?api_key=k2"));
        assert_eq!(found.notes, ["target_url is \"http://old/?…\" in A and \"http://new/?…\" in B"]);
        let found = checked(to("http://h/?api_key=k1"), to("http://h/?api_key=k2"));
        assert_eq!(found.notes, ["target_url differs between A and B, in a part that is not shown"]);
    }

    #[test]
    fn a_run_that_measured_its_generator_or_did_not_complete_is_not_comparable() {
        let blamed = |code: &str| {
            let mut run = run(&[5.0; 10]);
            run.summary.findings = vec![Finding::new(code, Severity::Warning, "It was late.".to_owned())];
            checked(super::super::tests::run(&[5.0; 10]), run).reasons
        };
        for code in ["generator_saturated", "ports_exhausted", "generator_lag"] {
            assert_eq!(blamed(code), ["B measured its generator rather than the target: It was late."]);
        }
        assert!(blamed("target_slow").is_empty() && blamed("errors").is_empty());
        let mut stopped = run(&[5.0; 10]);
        stopped.summary.state = RunState::Aborted;
        let reasons = check(&[run(&[5.0; 10]), stopped], &[run(&[5.0; 10])]).reasons;
        assert_eq!(reasons, ["A2 did not complete (its state is aborted)"]);
    }

    #[test]
    fn another_fleet_or_a_lost_driver_prevents_a_comparison() {
        let mut b = run(&[5.0; 10]);
        b.summary
            .drivers
            .push(crate::stats::summary::DriverSummary { state: DriverRowState::Lost, ..Default::default() });
        let reasons = checked(run(&[5.0; 10]), b).reasons;
        assert_eq!(reasons, ["B lost 1 of its drivers", "the fleets differ: 0 drivers in A, 1 in B"]);
    }

    #[test]
    fn two_targets_in_one_run_share_what_is_wrong_with_it() {
        let mut one = run(&[5.0; 10]);
        one.summary.findings =
            vec![Finding::new("generator_saturated", Severity::Warning, "Busy.".to_owned())];
        let lost = crate::stats::summary::DriverSummary { state: DriverRowState::Lost, ..Default::default() };
        one.summary.drivers.push(lost);
        let mut other = run(&[5.0; 10]);
        other.summary.total.latency_ms = None;
        let found = check_one(&[one], &[other]);
        let busy = "the run measured its generator rather than the target: Busy.";
        assert_eq!(found.reasons, [busy, "B has no complete response"]);
        assert_eq!(found.notes, ["the run lost 1 of its drivers"]);
    }
}
