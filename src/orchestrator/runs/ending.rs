//! The END of a run: everything that its result needs besides the plan and the reports.

use super::{Now, Run};
use crate::message::{End, EndState, Headline, Word};

impl Run {
    /// The END as this process sees it. The caller adds what only it knows: clocks and headline figures.
    pub fn to_end(&self, now: Now) -> End {
        let mut failed = self.objections(now);
        failed.extend(self.loss());
        let state = match (failed.is_empty(), &self.stopped) {
            (false, _) => EndState::Failed,
            (true, Some(_)) => EndState::Aborted,
            (true, None) => EndState::Completed,
        };
        let else_lost = self.started_at_ms.map(|_| self.overdue());
        End {
            test_id: self.config.test_id.clone(),
            trigger: Word::End,
            ended_at_ms: now.broker_ms,
            state,
            started_at_ms: self.started_at_ms,
            stopped: self.stopped.clone(),
            failed,
            drivers: self.members.iter().map(|member| member.to_end(else_lost.as_deref())).collect(),
            originals: self.originals.to_end(),
            clock_unknown: Vec::new(),
            notes: self.notes.clone(),
            headline: Headline::default(),
        }
    }

    /// Why a driver whose final report is still pending counts as lost.
    fn overdue(&self) -> String {
        let after = if self.stopped.is_some() { "the STOP" } else { "the planned end" };
        format!("it did not finish within timeout + {} s after {after}", super::CLOSE_AFTER_MS / 1_000.0)
    }
}
