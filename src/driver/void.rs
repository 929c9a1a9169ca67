//! Which plans are void. Pure.
//!
//! A plan names the test before it. Of two orchestrators that configure at once, both name the same one, and
//! the first plan in the topic counts: for every driver and every orchestrator, since all read the same log.

use crate::message::TestConfig;
use crate::plan::limits;
use crate::units::clip;
use std::collections::VecDeque;

/// Maximum number of remembered tests. Plans that compete are neighbors in the topic.
const MAX_KNOWN: usize = 64;

/// The hash of the first plan after each of the latest tests.
#[derive(Debug, Default)]
pub struct Successors(VecDeque<(String, String)>);

impl Successors {
    /// Notes a plan, whichever drivers it names. Returns whether it is void: another test has already taken
    /// its place. A plan that does not say what it follows never is.
    pub fn is_void(&mut self, config: &TestConfig) -> bool {
        let Some(previous) = &config.previous else { return false };
        // Longer names belong to no test.
        let (previous, plan) = (clip(previous, limits::TEST_ID_CHARS), config.plan_hash());
        if let Some((_, first)) = self.0.iter().find(|(known, _)| *known == previous) {
            return *first != plan;
        }
        if self.0.len() >= MAX_KNOWN {
            self.0.pop_front();
        }
        self.0.push_back((previous, plan));
        false
    }
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
    fn the_first_plan_after_a_test_counts_and_repeats_of_it_do_no_harm() {
        let mut seen = Successors::default();
        assert!(!seen.is_void(&plan("a", "")));
        assert!(seen.is_void(&plan("b", "")));
        assert!(!seen.is_void(&plan("a", "")), "a duplicate of the record");
        let other = TestConfig { duration_ms: Some(1), ..plan("a", "") };
        assert!(seen.is_void(&other), "another plan with the same id");
        assert!(!seen.is_void(&plan("c", "a")));
        assert!(seen.is_void(&plan("d", "a")) && seen.is_void(&plan("a", "a")));
        let alone = TestConfig::new("e", TestType::Tsunami);
        assert!(!seen.is_void(&alone) && !seen.is_void(&TestConfig { test_id: "f".to_owned(), ..alone }));
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
        assert_eq!(seen.0.len(), MAX_KNOWN);
        assert!(!seen.is_void(&plan("second", "start")), "forgotten");
        assert!(seen.0.iter().all(|(previous, plan)| previous.len() + plan.len() < 500));
    }
}
