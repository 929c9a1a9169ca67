//! Colours: how good or bad what a text says is.

use crate::stats::states::{DriverRowState, RunState};
use crate::stats::verdict::Severity;

/// How good or bad a text is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Neither.
    Plain,
    /// Of little interest.
    Dim,
    /// As it should be.
    Good,
    /// Going on right now.
    Live,
    /// Worth a look.
    Warn,
    /// An error.
    Bad,
}

impl Tone {
    /// Its class in the style.
    pub fn class(self) -> &'static str {
        match self {
            Tone::Plain => "plain",
            Tone::Dim => "dim",
            Tone::Good => "good",
            Tone::Live => "live",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
        }
    }
}

/// The colour of a state. That a test is completed says nothing of its result.
pub fn of_run(state: RunState) -> Tone {
    match state {
        RunState::Running | RunState::Finishing => Tone::Live,
        RunState::Ready | RunState::Completed => Tone::Plain,
        RunState::Aborted | RunState::Unknown => Tone::Warn,
        RunState::Failed => Tone::Bad,
    }
}

/// The colour of a driver in a test.
pub fn of_driver(state: DriverRowState) -> Tone {
    use DriverRowState as State;
    match state {
        State::Running | State::Finishing => Tone::Live,
        State::Ready | State::Done => Tone::Plain,
        State::Waiting | State::Original => Tone::Dim,
        State::Lost | State::Unreported | State::Refused => Tone::Bad,
        State::Unknown => Tone::Warn,
    }
}

/// The colour of a finding.
pub fn of_severity(severity: Option<Severity>) -> Tone {
    match severity {
        None | Some(Severity::Info) => Tone::Plain,
        Some(Severity::Warning) => Tone::Warn,
        Some(Severity::Failure) => Tone::Bad,
    }
}
