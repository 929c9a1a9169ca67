//! The dashboard as a page: one document that works without scripts, and a fragment of it that the page's own
//! script fetches each second.
//!
//! The page consists of `maud` templates, which escape whatever is spliced into them: no function here has to
//! remember that a name, a reason or a state came from outside. All figures come from the log, so a page that
//! is opened late shows the same as one that was opened early. Style and script are files of their own, so
//! that the content security policy can forbid everything that stands inside the page.

mod ab;
mod assets;
mod checks;
mod conservation;
mod document;
mod drivers;
mod errors;
mod form;
mod head;
mod history;
mod notices;
mod outliers;
mod plan;
mod plots;
mod table;
#[cfg(test)]
mod tests;
mod thresholds;
mod tiles;
mod tone;

use super::dashboard::Dashboard;
use super::window::Window;
use crate::stats::histogram::Packed;
pub use assets::{POLICY, asset};
pub use document::{fragment, page, start_page, stop_failed};
pub use form::{Form, stopped_test};

/// Whether the reader of the page may start and stop tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Controls {
    /// No token is required, or the right one was sent.
    #[default]
    Shown,
    /// A token is required and was not sent: the page only asks for it.
    Locked,
}

/// What is shown to whom.
#[derive(Debug, Default)]
pub struct View {
    /// The whole fleet and the newest test with all its drivers.
    pub dashboard: Dashboard,
    /// The latencies of each second of the newest test, if it has more seconds than a plot can show.
    pub intervals: Vec<(u64, Packed)>,
    /// Which of the drivers are listed.
    pub window: Window,
    /// Whether the reader may start and stop tests.
    pub controls: Controls,
}
