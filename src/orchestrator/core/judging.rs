//! The conditions of a plan, judged second by second.

use super::Test;
use crate::orchestrator::losses::planned_in;
use crate::orchestrator::parts::parts;
use crate::thresholds::Judge;

impl Test {
    /// Judges the seconds that were closed since; a condition may say that the test must stop.
    pub(super) fn judge(&mut self) {
        let closed = self.figures.closed_second();
        let subjects: Vec<_> =
            self.judge.subjects().map(|(name, judged)| (name.map(str::to_owned), judged)).collect();
        if subjects.iter().all(|(_, judged)| closed <= *judged) {
            return;
        }
        let members = parts(&self.run);
        let planned_in = planned_in(&self.run, &self.figures, &members);
        for (name, judged) in &subjects {
            let Some(figures) = self.figures.of_request(name.as_deref()) else { continue };
            for mut second in figures.closed_after(*judged) {
                // How many of them were due is known of all requests together only.
                second.planned = planned_in(second.second).filter(|_| name.is_none());
                self.judge.second(name.as_deref(), &second);
            }
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
