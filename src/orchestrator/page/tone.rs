//! Colours of what only the page shows: nodes of the fleet.

use crate::html::Tone;

/// The colour of a node in the fleet.
pub fn of_presence(state: &str) -> Tone {
    match state {
        "alive" => Tone::Good,
        "dead" => Tone::Bad,
        _ => Tone::Dim,
    }
}

/// The colour of what a living node does.
pub fn of_activity(activity: &str) -> Tone {
    match activity {
        "running" | "finishing" => Tone::Live,
        "refused" => Tone::Bad,
        _ => Tone::Plain,
    }
}
