//! Plan files: what they set, their errors, their documentation, and a run.

mod docs;
mod running;
mod same;
mod wrong;
mod wrong_data;

use crate::support::scratch::Scratch;
use floodgate::cli::{Floodgate, Task, try_parse};
use floodgate::run::Settings;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of its own for each call, since tests run at the same time.
fn scratch() -> Scratch {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    Scratch::new(&format!("plan-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// What a command line sets up.
fn settings(words: &[&str]) -> Result<Settings, String> {
    let all = ["floodgate", "run"].iter().chain(words);
    match try_parse::<Floodgate>(all.copied())?.into_task() {
        Task::Run(args) => args.settings(),
        other => panic!("{other:?}"),
    }
}
