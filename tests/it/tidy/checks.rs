//! The checks: sources in, problems out.

use super::source::{Source, tokens};
use std::collections::{BTreeMap, BTreeSet};

const MAX_FILE_LINES: usize = 500;
const MAX_FUNCTION_LINES: usize = 70;

/// Layer of each top-level module; a module imports only its own layer and those below it.
const LAYERS: [(&str, u8); 42] = [
    ("units", 0),
    ("check", 0),
    ("plan", 0),
    ("plan_file", 0),
    ("schedule", 0),
    ("message", 0),
    ("stats", 0),
    ("broker_time", 0),
    ("thresholds", 0),
    ("html", 0),
    ("plot", 0),
    ("report", 0),
    ("compare", 0),
    ("curl", 0),
    ("vegeta", 0),
    ("recording", 0),
    ("digest", 0),
    ("template", 0),
    ("feed", 0),
    ("spelling", 0),
    ("clock", 1),
    ("complaints", 1),
    ("dns", 1),
    ("fetch", 1),
    ("files", 1),
    ("host", 1),
    ("logging", 1),
    ("signals", 1),
    ("store", 1),
    ("threads", 1),
    ("terminal", 1),
    ("tls", 1),
    ("bus", 1),
    ("http", 1),
    ("driver", 2),
    ("orchestrator", 2),
    ("target", 2),
    ("cli", 3),
    ("run", 3),
    ("programs", 3),
    ("fuzzing", 3),
    ("lib", 3),
];

/// Imports that are forbidden although the layers allow them.
const FORBIDDEN: [(&str, &[&str]); 7] = [
    ("stats", &["message", "thresholds", "html", "plot", "report", "compare", "curl", "digest"]),
    ("bus", &["stats", "plan", "schedule", "message", "http"]),
    ("http", &["bus", "message", "schedule"]),
    ("store", &["http", "schedule"]),
    ("driver", &["orchestrator", "target"]),
    ("orchestrator", &["driver", "target"]),
    ("target", &["driver", "orchestrator"]),
];

/// What layer 0 may not use.
const NOT_IN_VALUES: [&[&str]; 6] = [
    &["std", "::", "net"],
    &["std", "::", "thread"],
    &["std", "::", "fs"],
    &["std", "::", "process"],
    &["std", "::", "env"],
    &["log", "::"],
];

/// The only places where each crate with side effects may be named.
const PLACES: [(&str, &[&str]); 11] = [
    ("toml", &["plan_file/"]),
    ("tiny_http", &["http/server/"]),
    ("ureq", &["http/ureq_client/"]),
    ("httparse", &["http/native/", "http/server/"]),
    ("rustix", &["host/", "http/os/", "terminal.rs"]),
    ("kafka_protocol", &["bus/kafka/"]),
    ("kafka", &["bus/kafka/legacy/"]),
    ("simplelog", &["logging.rs"]),
    ("clap", &["cli/"]),
    // Behind the feature "tls", each of them.
    (
        "rustls",
        &[
            "tls/with/",
            "http/cause.rs",
            "http/tls_cause.rs",
            "bus/kafka/tls_errors.rs",
            "bus/kafka/tls_faults.rs",
        ],
    ),
    ("signal_hook", &["signals.rs"]),
];

/// Calls that only the clock may make.
const CLOCK: [&[&str]; 3] =
    [&["Instant", "::", "now"], &["SystemTime", "::", "now"], &["thread", "::", "sleep"]];

/// Panics if standard error cannot be written, as on a full disk.
const PANICKING: &[&str] = &["eprintln", "!"];

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

fn top(source: &Source) -> String {
    source.module().first().cloned().unwrap_or_else(|| "lib".to_owned())
}

/// Checks the imports against the tables, and layer 0 for side effects.
pub fn layers(sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for source in sources {
        let from = top(source);
        let Some(own) = layer(&from) else {
            problems
                .push(format!("{}: module {from:?} belongs to no layer: add it to the table", source.path));
            continue;
        };
        let imported: BTreeSet<String> =
            source.paths().into_iter().filter_map(|path| path.into_iter().next()).collect();
        for to in imported.iter().filter(|to| **to != from) {
            let Some(theirs) = layer(to) else { continue };
            let forbidden = FORBIDDEN.iter().any(|(name, not)| *name == from && not.contains(&to.as_str()));
            if theirs > own || forbidden {
                problems.push(format!("{}: {from} may not import {to}", source.path));
            }
        }
        if own == 0 {
            let words = flat(&tokens(&source.code));
            for effect in NOT_IN_VALUES.iter().filter(|effect| holds(&words, effect)) {
                problems.push(format!("{}: layer 0 may not use {}", source.path, effect.concat()));
            }
        }
    }
    problems
}

/// Resolves `std::{fmt, net::X}` to `std::fmt` and `std::net::X`, one after the other.
fn flat(words: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut prefixes: Vec<Vec<String>> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let after_path = at > 0 && words[at - 1] == "::";
        if word == "{" && (after_path || !prefixes.is_empty()) {
            let begin = out.iter().rposition(|w| [";", ",", "use", "{", "}"].contains(&w.as_str()));
            let prefix = out[begin.map_or(0, |b| b + 1)..].to_vec();
            prefixes.push(prefix);
        } else if word == "}" && !prefixes.is_empty() {
            prefixes.pop();
            out.push(",".to_owned());
        } else if word == "," && !prefixes.is_empty() {
            out.push(",".to_owned());
            out.extend(prefixes.last().cloned().unwrap_or_default());
        } else {
            out.push(word.clone());
        }
    }
    out
}

fn holds(words: &[String], pattern: &[&str]) -> bool {
    let own_word = |at: usize| at == 0 || words[at - 1] != "::" || pattern.len() > 2;
    words.windows(pattern.len()).enumerate().any(|(at, window)| window == pattern && own_word(at))
}

/// Import cycles between top-level modules, and between files. A file and its folder's `mod.rs` may import
/// each other: together they are one module.
pub fn cycles(sources: &[Source]) -> Vec<String> {
    let modules: BTreeMap<Vec<String>, &Source> = sources.iter().map(|s| (s.module(), s)).collect();
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut tops: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.path != "lib.rs") {
        let from = source.module();
        for path in source.paths() {
            let known = (1..=path.len()).rev().map(|length| path[..length].to_vec());
            let Some(to) = known.into_iter().find(|prefix| modules.contains_key(prefix)) else { continue };
            if !from.starts_with(&to) {
                files.entry(source.path.clone()).or_default().insert(modules[&to].path.clone());
            }
            if from[0] != to[0] {
                tops.entry(from[0].clone()).or_default().insert(to[0].clone());
            }
        }
    }
    cycle(&tops).into_iter().chain(cycle(&files)).collect()
}

/// One cycle of a graph, if any.
fn cycle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    fn visit(
        graph: &BTreeMap<String, BTreeSet<String>>,
        at: &str,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<String> {
        if let Some(begin) = way.iter().position(|step| step == at) {
            return Some(format!("cycle: {} → {at}", way[begin..].join(" → ")));
        }
        if !done.insert(at.to_owned()) {
            return None;
        }
        way.push(at.to_owned());
        let found = graph.get(at).and_then(|next| next.iter().find_map(|to| visit(graph, to, way, done)));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|start| visit(graph, start, &mut Vec::new(), &mut done))
}

/// Files and functions that are too long.
pub fn sizes(sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for source in sources {
        if source.lines > MAX_FILE_LINES {
            problems.push(format!("{}: {} lines, at most {MAX_FILE_LINES}", source.path, source.lines));
        }
        for (name, lines) in functions(&source.code) {
            if lines > MAX_FUNCTION_LINES {
                let path = &source.path;
                problems.push(format!("{path}: fn {name} has {lines} lines, at most {MAX_FUNCTION_LINES}"));
            }
        }
    }
    problems
}

/// Statistics of files and functions: number, and total, median, 90th percentile and maximum in lines.
pub fn measure(sources: &[Source]) -> String {
    let files = sources.iter().map(|source| (source.path.clone(), source.lines)).collect();
    let functions = sources.iter().flat_map(|source| functions(&source.code)).collect();
    format!("src: {}\n     {}", spread("files", files), spread("functions", functions))
}

fn spread(what: &str, mut named: Vec<(String, usize)>) -> String {
    named.sort_by_key(|(_, lines)| *lines);
    let total: usize = named.iter().map(|(_, lines)| lines).sum();
    let at = |share: usize| named.get((named.len() * share / 100).min(named.len().saturating_sub(1)));
    let lines = |share| at(share).map_or(0, |(_, lines)| *lines);
    let (name, longest) = named.last().cloned().unwrap_or_default();
    let count = named.len();
    format!(
        "{count} {what}, {total} lines, median {}, p90 {}, longest {longest} ({name})",
        lines(50),
        lines(90)
    )
}

/// Every function with a body, and its number of lines from `fn` to the closing brace.
fn functions(code: &str) -> Vec<(String, usize)> {
    let mut words: Vec<(usize, String)> = Vec::new();
    for (number, line) in code.lines().enumerate() {
        words.extend(tokens(line).into_iter().map(|word| (number, word)));
    }
    let mut found = Vec::new();
    for at in 0..words.len() {
        let name = words.get(at + 1).filter(|(_, w)| w.starts_with(|c: char| c.is_alphabetic() || c == '_'));
        if let (("fn", begin), Some((_, name))) = ((words[at].1.as_str(), words[at].0), name)
            && let Some(end) = end_of_body(&words[at..])
        {
            found.push((name.clone(), end - begin + 1));
        }
    }
    found
}

/// The line of the brace that closes the first body; `None` for a declaration without a body.
fn end_of_body(words: &[(usize, String)]) -> Option<usize> {
    let (mut braces, mut others) = (0usize, 0usize);
    for (line, word) in words {
        match word.as_str() {
            "(" | "[" => others += 1,
            ")" | "]" => others = others.saturating_sub(1),
            ";" if braces == 0 && others == 0 => return None,
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(*line);
                }
            }
            _ => {}
        }
    }
    words.last().map(|(line, _)| *line)
}

/// Crates and clock calls outside their places.
pub fn effects(sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for source in sources {
        let words = tokens(&source.code);
        for (name, places) in PLACES {
            if names_crate(&words, name) && !places.iter().any(|place| source.path.starts_with(place)) {
                problems.push(format!("{}: {name} may only be named in {}", source.path, places.join(", ")));
            }
        }
        for call in CLOCK.iter().filter(|call| holds(&words, call)) {
            if source.path != "clock/mod.rs" {
                problems.push(format!("{}: {} belongs in clock/", source.path, call.concat()));
            }
        }
        if holds(&words, PANICKING) {
            problems.push(format!("{}: use run::live::say instead of eprintln!", source.path));
        }
    }
    problems
}

/// `name::…`, `use name;` or `::name`, where the word begins the path.
fn names_crate(words: &[String], name: &str) -> bool {
    (0..words.len()).filter(|at| words[*at] == name).any(|at| {
        let before = |back: usize| at.checked_sub(back).map(|i| words[i].as_str());
        let leading = before(1) == Some("::")
            && before(2).is_none_or(|w| {
                !w.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>') || w == "use"
            });
        let first = before(1) != Some("::");
        let goes_on = words.get(at + 1).is_some_and(|w| w == "::");
        leading || (first && goes_on) || before(1) == Some("use")
    })
}
