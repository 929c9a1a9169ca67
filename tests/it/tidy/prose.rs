//! Checks of the text: line lengths, idioms, and one style for modules, imports and documented errors.

use super::source::Source;
use std::collections::BTreeSet;

const MAX_COLUMNS: usize = 110;

/// Phrases that were replaced by plainer ones and must not come back. Each is matched in lower case.
const IDIOMS: [(&str, &str); 20] = [
    ("where there is none", "if absent"),
    ("for ever", "permanently"),
    ("rubbish", "malformed"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("in vain", "without success"),
    ("sign of life", "heartbeat"),
    ("at the most", "at most"),
    ("greatest less", "maximum minus"),
    ("bring along", "send"),
    ("a quieter host", "a less loaded host"),
    ("every daily", "common tasks"),
    ("anew", "again"),
    ("keep the plan", "keep up with the schedule"),
    ("plan was kept", "schedule met"),
    ("every connection was busy", "had to wait for a free connection"),
    ("by which its operator", "shown for this node"),
    ("longest wait for one", "response timeout"),
    ("ending in order", "shutting down"),
    ("the bus is away", "Kafka is unavailable"),
];

/// Lines that are too long. Raw strings, URLs and rows of tables cannot be wrapped.
pub fn columns(sources: &[Source]) -> Vec<String> {
    let unwrappable = |line: &str| {
        ["r#\"", "https://", "//! |"].iter().any(|mark| line.contains(mark))
            || line.trim_start().starts_with('"')
    };
    each_line(sources, |line| {
        let columns = line.chars().count();
        (columns > MAX_COLUMNS && !unwrappable(line))
            .then(|| format!("{columns} columns, at most {MAX_COLUMNS}"))
    })
}

/// Phrases in the list above.
pub fn idioms(sources: &[Source]) -> Vec<String> {
    each_line(sources, |line| {
        let line = line.to_lowercase();
        let found = IDIOMS.iter().find(|(idiom, _)| holds(&line, idiom));
        found.map(|(idiom, plain)| format!("{idiom:?}: write {plain:?}"))
    })
}

/// Whether the line contains the idiom as whole words.
fn holds(line: &str, idiom: &str) -> bool {
    line.match_indices(idiom).any(|(at, _)| {
        let around = [line[..at].chars().next_back(), line[at + idiom.len()..].chars().next()];
        !around.into_iter().flatten().any(char::is_alphanumeric)
    })
}

fn each_line(sources: &[Source], problem: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let lines = |source: &Source| -> Vec<String> {
        let found = source.text.lines().enumerate().filter_map(|(at, line)| Some((at + 1, problem(line)?)));
        found.map(|(number, what)| format!("{}:{number}: {what}", source.path)).collect()
    };
    sources.iter().flat_map(lines).collect()
}

/// A module with several files is a folder with a `mod.rs`, so `#[path]` is not needed.
pub fn folders(sources: &[Source]) -> Vec<String> {
    let folders: BTreeSet<&str> = sources.iter().filter_map(|s| Some(s.path.rsplit_once('/')?.0)).collect();
    let mut problems = Vec::new();
    for source in sources {
        if folders.contains(source.path.trim_end_matches(".rs")) {
            problems.push(format!("{}: move it into its folder as mod.rs", source.path));
        }
        if source.code.contains("#[path") {
            problems.push(format!("{}: #[path]: use a folder with mod.rs", source.path));
        }
    }
    problems
}

/// Imports form one block, which rustfmt sorts.
pub fn imports(sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for source in sources {
        let mut was_import = false;
        let mut gap = false;
        for (number, line) in source.code.lines().enumerate() {
            let is_import = line.starts_with("use ");
            if is_import && gap {
                problems.push(format!("{}:{}: a blank line between imports", source.path, number + 1));
            }
            gap = line.is_empty() && (was_import || gap);
            was_import = is_import || (was_import && (line.starts_with(' ') || line.starts_with('}')));
        }
    }
    problems
}

/// Errors are documented under a heading, as in the standard library.
pub fn error_sections(sources: &[Source]) -> Vec<String> {
    each_line(sources, |line| {
        let inline = line.trim_start().starts_with("///") && line.contains(" Errors:");
        inline.then(|| "put the errors under `# Errors`".to_owned())
    })
}
