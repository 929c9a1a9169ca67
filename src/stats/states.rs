//! The states of a test and of its drivers, as they appear in results.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Configured; its drivers are getting ready.
    #[default]
    Ready,
    /// The gate is open.
    Running,
    /// The load is over; waiting for the last reports.
    Finishing,
    /// Ended normally.
    Completed,
    /// Ended by STOP.
    Aborted,
    /// It never started, or a driver was lost and the plan says `on_driver_loss: fail`.
    Failed,
    /// The end was not seen, because `floodgate run` lost the orchestrator. Also any state unknown to this
    /// version.
    #[serde(other)]
    Unknown,
}

impl RunState {
    /// The word in results.
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Ready => "ready",
            RunState::Running => "running",
            RunState::Finishing => "finishing",
            RunState::Completed => "completed",
            RunState::Aborted => "aborted",
            RunState::Failed => "failed",
            RunState::Unknown => "unknown",
        }
    }

    /// Whether nothing more will happen.
    pub fn is_over(self) -> bool {
        matches!(self, RunState::Completed | RunState::Aborted | RunState::Failed)
    }
}

/// The state of one driver of a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriverRowState {
    /// Not ready yet.
    #[default]
    Waiting,
    /// Waiting for the start.
    Ready,
    /// Sending.
    Running,
    /// Waiting for requests in flight, or for its final report to be accepted.
    Finishing,
    /// Its final report is in.
    Done,
    /// It was lost before the end.
    Lost,
    /// Its final report was not accepted.
    Unreported,
    /// It refused the plan.
    Refused,
    /// A driver of the original protocol, which does not report its state.
    Original,
    /// A state unknown to this version.
    #[serde(other)]
    Unknown,
}

impl DriverRowState {
    /// Whether a test that completed did so without the driver: it was lost, it refused to start, or its
    /// final report was not accepted.
    pub fn is_missing(self) -> bool {
        use DriverRowState::{Lost, Refused, Unreported};
        matches!(self, Lost | Refused | Unreported)
    }

    /// The word in results.
    pub fn as_str(self) -> &'static str {
        match self {
            DriverRowState::Waiting => "waiting",
            DriverRowState::Ready => "ready",
            DriverRowState::Running => "running",
            DriverRowState::Finishing => "finishing",
            DriverRowState::Done => "done",
            DriverRowState::Lost => "lost",
            DriverRowState::Unreported => "unreported",
            DriverRowState::Refused => "refused",
            DriverRowState::Original => "original",
            DriverRowState::Unknown => "unknown",
        }
    }

    /// Whether this state is normal and need not be shown next to the driver's name.
    pub fn is_ordinary(self) -> bool {
        use DriverRowState::{Done, Finishing, Ready, Running};
        matches!(self, Done | Ready | Running | Finishing)
    }
}

macro_rules! words {
    ($($state:ty),*) => {$(
        impl fmt::Display for $state {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl PartialEq<&str> for $state {
            fn eq(&self, word: &&str) -> bool {
                self.as_str() == *word
            }
        }
    )*};
}
words!(RunState, DriverRowState);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn states_are_written_as_words_in_json() {
        use {DriverRowState as D, RunState as R};
        let runs = [R::Ready, R::Running, R::Finishing, R::Completed, R::Aborted, R::Failed, R::Unknown];
        for state in runs {
            assert_eq!(json!(state), json!(state.as_str()));
            assert_eq!(serde_json::from_value::<R>(json!(state)).expect("read"), state);
        }
        let rows =
            [D::Waiting, D::Ready, D::Running, D::Finishing, D::Done, D::Lost, D::Unreported, D::Refused];
        for state in rows.into_iter().chain([D::Original, D::Unknown]) {
            assert_eq!(json!(state), json!(state.as_str()));
            assert_eq!(serde_json::from_value::<D>(json!(state)).expect("read"), state);
        }
        assert_eq!(
            serde_json::from_value::<R>(json!("paused")).expect("read"),
            R::Unknown,
            "from a later version"
        );
    }
}
