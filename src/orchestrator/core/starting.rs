//! Starting: from what the log said before this process began to what is followed from now on.

use super::chain::Past;
use super::{Core, Test};
use crate::message::{End, EndState};
use crate::orchestrator::dashboard::HistoryRow;
use crate::orchestrator::runs::Now;
use crate::stats::states::RunState;

/// How many of the newest tests are read in full, so that their results are there after a restart.
const MAX_READ: usize = 3;
/// Maximum number of tests without an END that are continued, or ended if their time is over.
const MAX_CONTINUED: usize = 10;

impl Core {
    /// A core that reads what stands in the log before it takes part.
    pub fn starting() -> Core {
        Core { is_learning: true, is_catching_up: true, ..Core::default() }
    }

    /// Chooses the tests to follow among those read so far, none configured more than `history_ms` before the
    /// newest: this host's clock may be wrong. Returns the append time from which `metrics` must be read;
    /// `None` to read only what is new.
    pub fn follow(&mut self, history_ms: f64, now: Now) -> Option<i64> {
        self.is_learning = false;
        let past = self.chain.take_past();
        let newest_ms = past.iter().map(|past| past.configured_ms).fold(f64::NEG_INFINITY, f64::max);
        let (mut read, mut continued, mut from_ms) = (0, 0, None);
        let mut tests = Vec::new();
        for past in past.into_iter().rev() {
            let recent = newest_ms - past.configured_ms <= history_ms;
            let (room, taken) = match past.end {
                Some(_) => (MAX_READ, &mut read),
                None => (MAX_CONTINUED, &mut continued),
            };
            if let Some(end) = past.end.as_deref().filter(|_| recent) {
                self.history.push_back(row(&past, end));
            }
            if !recent || *taken >= room {
                continue;
            }
            *taken += 1;
            let Some(test) = self.past_test(past, now) else { continue };
            let configured_ms = test.run.configured_ms as i64;
            from_ms = Some(from_ms.map_or(configured_ms, |from_ms: i64| from_ms.min(configured_ms)));
            tests.push(test);
        }
        self.tests.extend(tests.into_iter().rev());
        from_ms
    }

    fn past_test(&mut self, past: Past, now: Now) -> Option<Test> {
        let mut test = self.new_test(&past.config, past.configured_ms, false, now)?;
        for (trigger, append_ms) in &past.triggers {
            test.run.trigger(trigger, *append_ms, now);
        }
        test.index = past.end;
        Some(test)
    }

    /// Everything that stood in the log at the start has been read.
    pub fn caught_up(&mut self, now: Now) {
        self.is_catching_up = false;
        self.heard_since_ns = now.ns;
        // The log has dropped the END of these tests, and perhaps their reports.
        let indexed: Vec<End> = self.tests.iter().filter_map(|test| test.index.as_deref().cloned()).collect();
        for end in indexed {
            self.end(&end, now);
        }
        self.sort_history();
    }

    /// Whether the records from before the start are still being read.
    pub fn is_catching_up(&self) -> bool {
        self.is_catching_up
    }

    fn sort_history(&mut self) {
        let started = |row: &HistoryRow| row.started_at.unwrap_or(0.0);
        self.history.make_contiguous().sort_by(|a, b| started(b).total_cmp(&started(a)));
    }
}

/// The row of a test whose reports are not read.
fn row(past: &Past, end: &End) -> HistoryRow {
    HistoryRow {
        test_id: past.config.test_id.clone(),
        test_type: past.config.test_type.name().to_owned(),
        state: match end.state {
            EndState::Completed => RunState::Completed,
            EndState::Aborted => RunState::Aborted,
            EndState::Failed => RunState::Failed,
        },
        started_at: end.started_at_ms,
        requests: end.headline.requests,
        errors: end.headline.errors,
        error_statuses: end.headline.error_statuses,
        p99_ms: end.headline.p99_ms,
    }
}
