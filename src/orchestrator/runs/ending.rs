//! The END of a run: everything that its result needs besides the plan and the reports.

use super::deciding::lost;
use super::{Now, Run};
use crate::message::{DriverEnd, End, EndState, Fate, Headline, Word};

impl Run {
    /// The END as this process sees it. The caller adds what only it knows: clocks and headline figures.
    pub fn to_end(&self, now: Now) -> End {
        let else_lost = self.started_at_ms.map(|_| self.overdue());
        let drivers: Vec<DriverEnd> =
            self.members.iter().map(|member| member.to_end(else_lost.as_deref())).collect();
        let mut failed = self.objections(now);
        failed.extend(self.loss_among(&drivers));
        let state = match (failed.is_empty(), &self.stopped) {
            (false, _) => EndState::Failed,
            (true, Some(_)) => EndState::Aborted,
            (true, None) => EndState::Completed,
        };
        End {
            test_id: self.config.test_id.clone(),
            trigger: Word::End,
            ended_at_ms: now.broker_ms,
            state,
            started_at_ms: self.started_at_ms,
            stopped: self.stopped.clone(),
            failed,
            drivers,
            originals: self.originals.to_end(),
            clock_unknown: Vec::new(),
            notes: self.notes.clone(),
            headline: Headline::default(),
        }
    }

    /// The first driver that must not have been lost.
    fn loss_among(&self, drivers: &[DriverEnd]) -> Option<String> {
        let gone =
            drivers.iter().find(|driver| matches!(driver.fate, Fate::Lost | Fate::Left | Fate::Refused));
        let gone = gone.filter(|_| self.fails_by_loss())?;
        Some(lost(&gone.node.node_id, gone.reason.as_deref().unwrap_or("no reason is known")))
    }

    /// Why a driver whose final report is still pending counts as lost.
    fn overdue(&self) -> String {
        let after = if self.stopped.is_some() { "the STOP" } else { "the planned end" };
        format!("it did not finish within timeout + {} s after {after}", super::CLOSE_AFTER_MS / 1_000.0)
    }
}
