//! Notices about why the figures of a running test are not up to date.

use super::runs::{Member, Now, Phase, Run};
use crate::clock::{NS_PER_MS, NS_PER_S};
use crate::units::format_names;

/// Drivers report twice a second; a pause up to this is not reported.
const SILENCE_NS: u64 = 3 * NS_PER_S;
/// Maximum number of drivers named in one notice.
const MOST_NAMES: usize = 3;

/// The bus cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    /// Since when, on the process's monotonic clock.
    pub since_ns: u64,
    /// Why.
    pub why: String,
}

/// Notices about missing figures; empty if there are none, and before and after the load.
pub fn notices(run: &Run, away: Option<&Away>, now: Now) -> Vec<String> {
    if !matches!(run.phase, Phase::Running | Phase::Finishing) {
        return Vec::new();
    }
    if let Some(away) = away {
        // Then no driver can be heard; the silence is not theirs.
        return vec![format!(
            "Kafka has been unavailable for {} s ({})",
            seconds(away.since_ns, now.ns),
            away.why
        )];
    }
    let Some(begin_ms) = run.measures_from_ms() else { return Vec::new() };
    // The same moment on the monotonic clock.
    let begun_ns = ((now.broker_ms - begin_ms).max(0.0) * NS_PER_MS as f64) as u64;
    let begin_ns = if now.broker_ms < begin_ms { now.ns } else { now.ns.saturating_sub(begun_ns) };
    let now_ns = now.ns;
    let heard_ns = |member: &Member| member.reported_ns.unwrap_or(0).max(begin_ns);
    let expected = run.members.iter().filter(|member| !member.done && member.lost.is_none());
    let silent: Vec<_> = expected.filter(|member| now_ns > heard_ns(member) + SILENCE_NS).collect();
    let Some(oldest_ns) = silent.iter().map(|member| heard_ns(member)).min() else { return Vec::new() };
    let names: Vec<&str> = silent.iter().map(|member| member.node.node_id.as_str()).collect();
    let names = format_names(&names, MOST_NAMES);
    vec![format!("no reports for {} s from {names}", seconds(oldest_ns, now_ns))]
}

fn seconds(since_ns: u64, now_ns: u64) -> u64 {
    now_ns.saturating_sub(since_ns) / NS_PER_S
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{NodeRef, TestConfig, TestType, Trigger};
    use crate::orchestrator::runs::Now;
    use crate::plan::Plan;

    fn at(s: u64) -> Now {
        Now { ns: s * NS_PER_S, broker_ms: s as f64 * 1_000.0 }
    }

    fn node(name: &str) -> NodeRef {
        NodeRef { node_id: name.to_owned(), epoch: 1 }
    }

    /// The gate opens at 2 s.
    fn running(names: &[&str], warmup_ms: u64) -> Run {
        let mut config = TestConfig::new("t", TestType::Tsunami);
        config.warmup_ms = Some(warmup_ms);
        config.drivers = names.iter().map(|name| node(name)).collect();
        let plan = Plan::as_written(&config).expect("a valid plan");
        let mut run = Run::new(config, plan, 0.0, true, at(0));
        run.trigger(&Trigger::start("t", 2_000.0), 1_000.0, at(1));
        assert_eq!(run.phase, Phase::Running);
        run
    }

    #[test]
    fn a_driver_whose_reports_are_missing_is_named_with_the_time() {
        let mut run = running(&["a", "b"], 0);
        assert!(notices(&run, None, at(5)).is_empty(), "three seconds are not reported");
        assert_eq!(notices(&run, None, at(6)), ["no reports for 4 s from a, b"]);
        run.reported(&node("a"), 1, at(6));
        assert_eq!(notices(&run, None, at(7)), ["no reports for 5 s from b"]);
        run.reported(&node("b"), 1, at(7));
        assert!(notices(&run, None, at(8)).is_empty());
        run.final_report(&node("a"), 10);
        run.final_report(&node("b"), 10);
        assert!(notices(&run, None, at(60)).is_empty(), "no more reports are expected");
    }

    #[test]
    fn a_warm_up_is_not_silence_and_long_name_lists_are_truncated() {
        let run = running(&["a", "b", "c", "d", "e"], 10_000);
        assert!(notices(&run, None, at(14)).is_empty());
        assert_eq!(notices(&run, None, at(16)), ["no reports for 4 s from a, b, c and 2 more"]);
    }

    #[test]
    fn while_the_bus_is_unavailable_that_is_the_reason() {
        let run = running(&["a"], 0);
        let away = Away { since_ns: at(4).ns, why: "127.0.0.1:9092: connection refused".to_owned() };
        assert_eq!(
            notices(&run, Some(&away), at(9)),
            ["Kafka has been unavailable for 5 s (127.0.0.1:9092: connection refused)"]
        );
    }
}
