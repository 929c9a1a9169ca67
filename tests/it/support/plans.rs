//! Plan files, run as processes.

use super::process::{run, stderr, stdout};
use super::scratch::Scratch;
use floodgate::stats::summary::Summary;

/// Runs a plan file with these flags and with these other files in its folder. Returns the exit code and the
/// result.
pub fn run_plan(text: &str, beside: &[(&str, &str)], flags: &[&str]) -> (Option<i32>, Summary) {
    let dir = Scratch::new("run-plan");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("writes");
    write("plan.toml", text);
    beside.iter().for_each(|(name, text)| write(name, text));
    let path = dir.path().join("plan.toml");
    let words = ["run", path.to_str().expect("UTF-8"), "--json"];
    let output = run("floodgate", &[&words, flags].concat(), &[]);
    let summary = serde_json::from_str(&stdout(&output));
    (output.status.code(), summary.unwrap_or_else(|error| panic!("{error}: {}", stderr(&output))))
}
