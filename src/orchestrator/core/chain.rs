//! The tests that the log knows: which plans count, and what is known of those that ended before this process
//! started.
//!
//! Each plan names the test before it as its author knew the log. The first plan in the topic with a given
//! predecessor counts, any later one is void: a compare-and-swap on the log, so that two orchestrators that
//! configure at the same moment agree on one test.

use crate::message::{End, TestConfig, Trigger, Word};
use crate::orchestrator::ids::UsedIds;
use std::collections::VecDeque;

/// Maximum number of tests from before the start that are remembered with their plans.
const MAX_PAST: usize = 100;

/// One test from before this process started.
#[derive(Debug)]
pub struct Past {
    /// Its plan.
    pub config: Box<TestConfig>,
    /// When that was appended, in broker time.
    pub configured_ms: f64,
    /// Its triggers, with their append times.
    pub triggers: Vec<(Trigger, f64)>,
    /// The copy of its END.
    pub end: Option<Box<End>>,
}

/// What a plan in the log means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the next test.
    Counts,
    /// Another one with the same predecessor was there before.
    Void,
    /// Its id was used before, or another program wrote it: only its id is noted.
    Foreign,
}

/// The tests of the log.
#[derive(Debug, Default)]
pub struct Chain {
    ids: UsedIds,
    predecessors: UsedIds,
    last: String,
    past: VecDeque<Past>,
}

impl Chain {
    /// Notes a plan in log order.
    pub fn add(&mut self, config: &TestConfig) -> Standing {
        let is_new = self.ids.insert(&config.test_id);
        let Some(previous) = config.previous.as_deref().filter(|_| is_new) else { return Standing::Foreign };
        if !self.predecessors.insert(previous) {
            return Standing::Void;
        }
        self.last.clone_from(&config.test_id);
        Standing::Counts
    }

    /// Notes the id of a plan that is not followed.
    pub fn note(&mut self, id: &str) {
        self.ids.insert(id);
    }

    /// Whether the id was used.
    pub fn contains(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// The newest test that counts; empty before the first.
    pub fn last(&self) -> &str {
        &self.last
    }

    /// Remembers a test from before the start.
    pub fn remember(&mut self, config: &TestConfig, configured_ms: f64) {
        if self.past.len() == MAX_PAST {
            self.past.pop_front();
        }
        let config = Box::new(config.clone());
        self.past.push_back(Past { config, configured_ms, triggers: Vec::new(), end: None });
    }

    /// Notes a trigger from before the start.
    pub fn trigger(&mut self, trigger: &Trigger, append_ms: f64) {
        let known = self.past.iter_mut().find(|past| past.config.test_id == trigger.test_id);
        // The first YES and the first STOP are enough.
        if let Some(past) = known.filter(|past| trigger.trigger != Word::End && past.triggers.len() < 4) {
            past.triggers.push((trigger.clone(), append_ms));
        }
    }

    /// Notes the copy of an END from before the start.
    pub fn end(&mut self, end: &End) {
        if let Some(past) = self.past.iter_mut().find(|past| past.config.test_id == end.test_id) {
            past.end.get_or_insert_with(|| Box::new(end.clone()));
        }
    }

    /// Hands over what was remembered, oldest first.
    pub fn take_past(&mut self) -> VecDeque<Past> {
        std::mem::take(&mut self.past)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::TestType;

    fn config(id: &str, previous: Option<&str>) -> TestConfig {
        let mut config = TestConfig::new(id, TestType::Avalanche);
        config.previous = previous.map(str::to_owned);
        config
    }

    #[test]
    fn of_two_plans_after_the_same_test_the_first_counts() {
        let mut chain = Chain::default();
        assert_eq!(chain.add(&config("a", Some(""))), Standing::Counts);
        assert_eq!(chain.add(&config("b", Some("a"))), Standing::Counts);
        assert_eq!(chain.add(&config("c", Some("a"))), Standing::Void);
        assert_eq!(chain.last(), "b");
        assert_eq!(chain.add(&config("d", Some("b"))), Standing::Counts);
        assert_eq!(chain.add(&config("b", Some("d"))), Standing::Foreign, "the id was used");
        assert_eq!(chain.add(&config("e", None)), Standing::Foreign);
        assert_eq!(chain.last(), "d");
        assert!(["a", "b", "c", "d", "e"].iter().all(|id| chain.contains(id)));
        assert_eq!(chain.add(&config("f", Some("gone"))), Standing::Counts, "its predecessor has expired");
    }
}
