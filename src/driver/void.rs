//! Which plans a driver ignores. Pure.
//!
//! A plan names the test before it. Of two orchestrators that configure at once, both name the same one, and
//! the first plan in the topic counts: for every driver and every orchestrator, since all read the same log.
//! A later copy of that plan is ignored, too: Kafka may append a record twice, even after its test has ended.
//! So is a plan whose STOP was read first, since topics are read independently.

use crate::message::TestConfig;
use crate::plan::limits;
use crate::units::clip;
use std::collections::VecDeque;

/// Maximum number of remembered tests. Plans that compete are neighbors in the topic.
const MAX_KNOWN: usize = 64;

/// The latest plans, and the latest tests that were stopped before their plan was read.
#[derive(Debug, Default)]
pub struct Successors {
    /// The test before each plan, and its own.
    plans: VecDeque<(String, String)>,
    stopped: VecDeque<String>,
}

impl Successors {
    /// Notes a plan, whichever drivers it names. Returns whether to ignore it: a plan has already taken its
    /// place, or it was stopped. A plan that does not say what it follows is never ignored.
    pub fn is_void(&mut self, config: &TestConfig) -> bool {
        let Some(previous) = &config.previous else { return false };
        let (previous, test_id) = (known_part(previous), known_part(&config.test_id));
        if self.plans.iter().any(|(taken, _)| *taken == previous) {
            return true;
        }
        let is_stopped = self.stopped.contains(&test_id);
        note(&mut self.plans, (previous, test_id));
        is_stopped
    }

    /// Notes a STOP or END.
    pub fn stop(&mut self, test_id: &str) {
        let test_id = known_part(test_id);
        if self.plans.iter().all(|(_, known)| *known != test_id) {
            note(&mut self.stopped, test_id);
        }
    }
}

/// Longer names belong to no test.
fn known_part(test_id: &str) -> String {
    clip(test_id, limits::TEST_ID_CHARS)
}

fn note<T>(known: &mut VecDeque<T>, new: T) {
    if known.len() >= MAX_KNOWN {
        known.pop_front();
    }
    known.push_back(new);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::TestType;

    fn plan(test_id: &str, previous: &str) -> TestConfig {
        let previous = Some(previous.to_owned());
        TestConfig { previous, ..TestConfig::new(test_id, TestType::Tsunami) }
    }

    #[test]
    fn only_the_first_plan_after_a_test_counts() {
        let mut seen = Successors::default();
        assert!(!seen.is_void(&plan("a", "")));
        assert!(seen.is_void(&plan("b", "")));
        assert!(seen.is_void(&plan("a", "")), "a duplicate of the record");
        assert!(!seen.is_void(&plan("c", "a")));
        assert!(seen.is_void(&plan("d", "a")) && seen.is_void(&plan("a", "a")));
        let alone = TestConfig::new("e", TestType::Tsunami);
        assert!(!seen.is_void(&alone) && !seen.is_void(&TestConfig { test_id: "f".to_owned(), ..alone }));
    }

    #[test]
    fn a_plan_whose_stop_was_read_first_is_void_and_keeps_its_place() {
        let mut seen = Successors::default();
        seen.stop("a");
        assert!(seen.is_void(&plan("a", "")) && seen.is_void(&plan("b", "")));
        assert!(!seen.is_void(&plan("b", "a")));
        seen.stop("b");
        assert!(!seen.is_void(&plan("b", "b")), "an id that is used again");
        let alone = TestConfig::new("a", TestType::Tsunami);
        assert!(!seen.is_void(&alone), "an original orchestrator may use an id again");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut seen = Successors::default();
        assert!(!seen.is_void(&plan("first", "start")));
        for n in 0..MAX_KNOWN - 1 {
            assert!(!seen.is_void(&plan(&"x".repeat(10_000), &format!("{n}{}", "x".repeat(10_000)))));
        }
        assert!(seen.is_void(&plan("second", "start")));
        assert!(!seen.is_void(&plan("x", "one more")));
        assert!(!seen.is_void(&plan("second", "start")), "forgotten");
        (0..2 * MAX_KNOWN).for_each(|_| seen.stop(&"y".repeat(10_000)));
        assert_eq!((seen.plans.len(), seen.stopped.len()), (MAX_KNOWN, MAX_KNOWN));
        let names = seen.plans.iter().flat_map(|(previous, own)| [previous, own]).chain(&seen.stopped);
        assert!(names.into_iter().all(|name| name.len() < 500));
    }
}
