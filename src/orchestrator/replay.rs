//! Recomputes the result of a test from its records, through the same fold that a running orchestrator uses.

use super::core::Core;
pub use super::core::Finished;
use super::inbox::{self, Message};
use super::runs::Now;
use crate::bus::Record;
use crate::stats::summary::Summary;

/// One test, read from its records in log order.
#[derive(Debug)]
pub struct Replay {
    core: Core,
    test_id: Option<String>,
}

impl Replay {
    /// Nothing read yet. Without a `test_id`, it is the first test whose plan is read.
    pub fn new(test_id: Option<String>) -> Replay {
        Replay { core: Core::replaying(), test_id }
    }

    /// Reads one record; those of other tests are ignored.
    ///
    /// # Errors
    /// What is wrong with the record, which is then ignored.
    pub fn add(&mut self, record: &Record) -> Result<(), String> {
        let message = inbox::read(record)?;
        if let (Message::Config(config, _), None) = (&message, &self.test_id) {
            self.test_id = Some(config.test_id.clone());
        }
        if message.test_id().is_some_and(|id| self.test_id.as_deref().is_none_or(|own| own == id)) {
            // Only what stands in the records may count, not when they are read.
            let broker_ms = record.append_ms.map_or(0.0, |ms| ms as f64);
            self.core.message(&message, Now { ns: 0, broker_ms });
        }
        Ok(())
    }

    /// The test with this id has been closed: later records change nothing.
    pub fn is_over(&self) -> bool {
        self.core.has_finished()
    }

    /// The result. It is final if the END was among the records, otherwise as far as they go.
    ///
    /// # Errors
    /// No plan of the test was found.
    pub fn finish(mut self) -> Result<Replayed, String> {
        if let Some(finished) = self.core.take_finished().pop() {
            return Ok(Replayed::Whole(Box::new(finished)));
        }
        let summary = self.test_id.as_deref().and_then(|id| self.core.summary(id));
        match (summary, self.test_id) {
            (Some(summary), _) => Ok(Replayed::Cut(Box::new(summary))),
            (None, Some(id)) => Err(format!("the plan of test {id:?} is not among the records")),
            (None, None) => Err("no plan of a test is among the records".to_owned()),
        }
    }
}

/// What the records gave.
#[derive(Debug)]
pub enum Replayed {
    /// The END was among the records.
    Whole(Box<Finished>),
    /// The records end before the END: the result so far.
    Cut(Box<Summary>),
}

impl Replayed {
    /// The result.
    pub fn summary(&self) -> &Summary {
        match self {
            Replayed::Whole(finished) => &finished.summary,
            Replayed::Cut(summary) => summary,
        }
    }
}
