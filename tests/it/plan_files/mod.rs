//! Plan files: what they set, their errors, their documentation, and a run.

mod docs;
mod running;
mod same;
mod wrong;
mod wrong_data;

use crate::support::scratch::Scratch;
use floodgate::cli::{Floodgate, Task, try_parse};
use floodgate::run::Settings;

fn scratch() -> Scratch {
    Scratch::new("plan")
}

/// What a command line sets up.
fn settings(words: &[&str]) -> Result<Settings, String> {
    let all = ["floodgate", "run"].iter().chain(words);
    match try_parse::<Floodgate>(all.copied())?.into_task() {
        Task::Run(args) => args.settings(),
        other => panic!("{other:?}"),
    }
}
