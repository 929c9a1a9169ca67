//! The conditions of a plan, judged second by second.

use super::Test;
use crate::orchestrator::losses::planned_in;
use crate::orchestrator::parts::parts;
use crate::thresholds::Judge;

impl Test {
    /// Judges the seconds that were closed since; a condition may say that the test must stop.
    pub(super) fn judge(&mut self) {
        let judged = self.judge.judged();
        if self.judge.is_empty() || self.figures.closed_second() <= judged {
            return;
        }
        let members = parts(&self.run);
        let planned_in = planned_in(&self.run, &self.figures, &members);
        for mut second in self.figures.closed_after(judged) {
            second.planned = planned_in(second.second);
            self.judge.second(&second);
        }
        drop(planned_in);
        self.run.breached = self.judge.abort();
    }

    /// Judges all seconds again: what was judged while the test ran depends on when late reports came.
    pub(super) fn judge_again(&mut self) {
        self.judge = Judge::new(&self.run.config.thresholds);
        self.judge();
    }
}
