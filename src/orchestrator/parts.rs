//! What became of each driver of a run: while it is live from what was heard, after its END from the END
//! alone.

use super::runs::{Member, Phase, Run};
use crate::message::{DriverEnd, DriverState, Fate};
use crate::stats::states::DriverRowState;
use std::collections::BTreeMap;

/// One driver's part in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub node_id: String,
    /// Its state.
    pub state: DriverRowState,
    /// Why some of its share may not be accounted for; `None` if it was not lost.
    pub gone: Option<String>,
    /// Whether it finished its load, but its final report could not be delivered.
    pub lacks_report: bool,
    /// Whether it did its whole share.
    pub is_whole: bool,
}

/// Each driver's part, in the order of the plan.
pub fn parts(run: &Run) -> Vec<Part> {
    match &run.end {
        Some(end) => {
            let ends: BTreeMap<_, _> = end.drivers.iter().map(|driver| (&driver.node, driver)).collect();
            run.members.iter().map(|member| ended(run, member, ends.get(&member.node).copied())).collect()
        }
        None => run.members.iter().map(|member| live(run, member)).collect(),
    }
}

fn ended(run: &Run, member: &Member, found: Option<&DriverEnd>) -> Part {
    let (fate, reason) = match found {
        Some(DriverEnd { fate, reason, .. }) => (*fate, reason.clone()),
        // An END of a large fleet may list only what went wrong.
        None => (Fate::Done, None),
    };
    let has_started = run.started_at_ms.is_some();
    let state = match fate {
        Fate::Done if has_started => DriverRowState::Done,
        Fate::Done => DriverRowState::Ready,
        Fate::Lost | Fate::Left => DriverRowState::Lost,
        Fate::Refused => DriverRowState::Refused,
        Fate::Unreported => DriverRowState::Unreported,
    };
    let is_gone = fate != Fate::Done && has_started;
    Part {
        node_id: member.node.node_id.clone(),
        state,
        gone: is_gone.then(|| reason.unwrap_or_else(|| "no reason is known".to_owned())),
        lacks_report: fate == Fate::Unreported,
        is_whole: fate == Fate::Done,
    }
}

fn live(run: &Run, member: &Member) -> Part {
    let lost = member.lost.as_ref().map(|lost| lost.what.clone());
    Part {
        node_id: member.node.node_id.clone(),
        state: live_state(run, member),
        gone: member.report_refused.clone().or_else(|| member.left.clone()).or(lost),
        lacks_report: member.report_refused.is_some(),
        is_whole: member.done && member.left.is_none(),
    }
}

fn live_state(run: &Run, member: &Member) -> DriverRowState {
    if member.refused.is_some() {
        DriverRowState::Refused
    } else if member.lost.is_some() || member.left.is_some() {
        DriverRowState::Lost
    } else if member.report_refused.is_some() {
        DriverRowState::Unreported
    } else if member.done {
        DriverRowState::Done
    } else if run.phase == Phase::Running && member.state != Some(DriverState::Finishing) {
        DriverRowState::Running
    } else if run.started_at_ms.is_some() {
        DriverRowState::Finishing
    } else if member.ready {
        DriverRowState::Ready
    } else {
        DriverRowState::Waiting
    }
}
