//! Checks the structure and the text of the sources: imports, sizes, places of side effects, and style.

mod checks;
mod prose;
mod source;

use checks::{cycles, effects, layers, measure, sizes};
use prose::{columns, error_sections, folders, idioms, imports};
use source::Source;
use std::path::Path;

/// Every Rust file under `folder`, with its path relative to it.
fn read(folder: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(&path).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(folder).expect("inside").to_string_lossy().into_owned();
                found.push(Source::new(&name, &std::fs::read_to_string(&path).expect("source")));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn own() -> Vec<Source> {
    let sources = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 50, "only {} files were found", sources.len());
    sources
}

/// Every Rust source except these checks, which contain the idioms.
fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "bin", "tests", "benches", "fuzz/fuzz_targets"] {
        let named = |source: Source| Source { path: format!("{folder}/{}", source.path), ..source };
        sources.extend(read(&root.join(folder)).into_iter().map(named));
    }
    sources.retain(|source| !source.path.starts_with("tests/it/tidy/"));
    sources
}

/// The sources, the documentation and the tools.
fn texts() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = all();
    let mut paths: Vec<_> = ["README.md", "Justfile", "Cargo.toml", ".ci/run", "scripts/kafka"]
        .map(|name| root.join(name))
        .into();
    let docs = std::fs::read_dir(root.join("docs")).expect("docs/").map(|entry| entry.expect("entry").path());
    paths.extend(docs.filter(|path| path.extension().is_none_or(|kind| kind != "png")));
    for path in paths {
        let name = path.strip_prefix(root).expect("inside").to_string_lossy().into_owned();
        texts.push(Source::new(&name, &std::fs::read_to_string(&path).expect("text")));
    }
    texts
}

fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn imports_follow_the_layers() {
    none(layers(&own()));
}

#[test]
fn there_is_no_import_cycle() {
    none(cycles(&own()));
}

#[test]
fn files_and_functions_are_short() {
    none(sizes(&own()));
}

#[test]
fn side_effects_stay_in_their_places() {
    none(effects(&own()));
}

#[test]
fn lines_are_short() {
    none(columns(&all()));
}

#[test]
fn old_idioms_do_not_come_back() {
    none(idioms(&texts()));
}

#[test]
fn modules_imports_and_error_sections_have_one_style() {
    let sources = all();
    none([folders(&sources), imports(&sources), error_sections(&sources)].concat());
}

/// `just sizes` prints it.
#[test]
fn the_sizes_are_printed() {
    let measured = measure(&own());
    println!("{measured}");
    assert!(measured.starts_with("src: "), "{measured}");
}

#[test]
fn a_long_line_an_idiom_and_another_style_are_found() {
    let long = format!("// {}", "x".repeat(108));
    assert_eq!(columns(&made(&[("a.rs", &long)])).len(), 1);
    assert_eq!(columns(&made(&[("a.rs", &long[..110])])), Vec::<String>::new());
    assert_eq!(idioms(&made(&[("a.rs", "// It waits For Ever, and for every one.")])).len(), 1);
    assert_eq!(idioms(&made(&[("a.rs", "// for every recommended one")])), Vec::<String>::new());
    assert_eq!(folders(&made(&[("a.rs", ""), ("a/b.rs", "")])).len(), 1);
    assert_eq!(folders(&made(&[("a/mod.rs", "#[path = \"c.rs\"]\nmod b;"), ("a/b.rs", "")])).len(), 1);
    let two_blocks = "use a::b;\nuse c::{\n    d,\n};\n\nuse e::f;\n";
    assert_eq!(imports(&made(&[("a.rs", two_blocks)])).len(), 1);
    assert_eq!(imports(&made(&[("a.rs", "use a::b;\nuse c;\n\nfn f() {}\n")])), Vec::<String>::new());
    assert_eq!(error_sections(&made(&[("a.rs", "/// Reads. Errors: 404.")])).len(), 1);
}

fn made(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().map(|(path, text)| Source::new(path, text)).collect()
}

#[test]
fn a_forbidden_import_is_found() {
    let forbidden = [
        ("stats/a.rs", "use crate::clock;"),
        ("plan/mod.rs", "fn f() { crate::host::limits::max(); }"),
        ("stats/a.rs", "use crate::{units, message::Stage};"),
        ("bus/kafka/a.rs", "use crate::plan::Plan;"),
        ("bus/mod.rs", "use crate::stats::counts::Counts;"),
        ("http/native/mod.rs", "use crate::bus::Topic;"),
        ("driver/a.rs", "use crate::orchestrator::Control;"),
        ("target/mod.rs", "use super::driver;"),
        ("http/mod.rs", "use crate::run::table;"),
        ("driver/a.rs", "use crate::cli;"),
        ("schedule/mod.rs", "use std::thread;"),
        ("units.rs", "use std::{fmt, net::TcpStream};"),
        ("message.rs", "fn f() { log::info!(\"x\"); }"),
        ("novel.rs", "use crate::units;"),
    ];
    let others = made(&[
        ("units.rs", ""),
        ("clock.rs", ""),
        ("message.rs", ""),
        ("http/mod.rs", ""),
        ("driver/mod.rs", ""),
        ("orchestrator/mod.rs", ""),
        ("run/mod.rs", ""),
        ("cli/mod.rs", ""),
        ("plan/mod.rs", ""),
        ("stats/counts.rs", ""),
        ("bus/mod.rs", ""),
    ]);
    for (path, text) in forbidden {
        let mut sources = others.clone();
        sources.retain(|source| source.path != path);
        sources.push(Source::new(path, text));
        assert_eq!(layers(&sources).len(), 1, "{path}: {text}: {:?}", layers(&sources));
    }
    let allowed = [
        ("run/mod.rs", "use crate::driver; use crate::orchestrator::Control;"),
        ("driver/mod.rs", "use crate::{clock, plan::Plan};\n// use crate::orchestrator;"),
        ("stats/a.rs", "const TEXT: &str = \"crate::clock\"; use super::units;"),
        ("http/mod.rs", "mod tests { use super::*; }"),
    ];
    for (path, text) in allowed {
        let mut sources = others.clone();
        sources.retain(|source| source.path != path);
        sources.push(Source::new(path, text));
        assert_eq!(layers(&sources), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn an_import_cycle_is_found() {
    let cases: [&[(&str, &str)]; 4] = [
        &[
            ("driver/a.rs", "use super::b::X;"),
            ("driver/b.rs", "use crate::driver::a::Y;"),
            ("driver/mod.rs", ""),
        ],
        &[("a.rs", "use crate::b;"), ("b.rs", "use crate::c;"), ("c.rs", "fn f() { crate::a::g(); }")],
        &[("a/mod.rs", "use crate::b;"), ("b/mod.rs", ""), ("b/c.rs", "use crate::a;")],
        &[("a.rs", "use crate::b as other;"), ("b.rs", "use super::{a::{X, Y}};")],
    ];
    for files in cases {
        let found = cycles(&made(files));
        assert!(!found.is_empty(), "{files:?}");
        assert!(found[0].contains(" → "), "{found:?}");
    }
    // A folder's mod.rs and its files may know each other: together they are one module.
    let fine = [("a/mod.rs", "mod b; use b::X;"), ("a/b.rs", "use super::Y; mod tests { use super::X; }")];
    assert_eq!(cycles(&made(&fine)), Vec::<String>::new());
}

#[test]
fn a_long_file_and_a_long_function_are_found() {
    let body = |lines: usize| format!("fn long() {{\n{}}}\n", "    x();\n".repeat(lines - 2));
    assert_eq!(sizes(&made(&[("a.rs", &body(70)), ("b.rs", &"//\n".repeat(500))])), Vec::<String>::new());
    let found = sizes(&made(&[("a.rs", &body(71)), ("b.rs", &"//\n".repeat(501))]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("a.rs") && found[0].contains("long") && found[0].contains("71"), "{found:?}");
    let inside = format!(
        "impl X {{
    /// {{
    pub fn y<T: Into<u8>>(&self) -> [u8; 2] {{
{}    }}
}}
",
        "        x();
"
        .repeat(80)
    );
    assert_eq!(sizes(&made(&[("a.rs", &inside)])).len(), 1);
    let declared =
        format!("trait T {{\n    fn a(&self);\n}}\nstruct S {{\n{}}}\n", "    a: u8,\n".repeat(90));
    assert_eq!(sizes(&made(&[("a.rs", &declared)])), Vec::<String>::new());
}

#[test]
fn a_side_effect_outside_its_place_is_found() {
    let forbidden = [
        ("driver/a.rs", "use tiny_http::Server;"),
        ("http/mod.rs", "fn f() { ureq::get(\"x\"); }"),
        ("bus/mod.rs", "use kafka_protocol::messages;"),
        ("bus/local.rs", "use ::kafka::client::KafkaClient;"),
        ("bus/mod.rs", "use kafka::client::KafkaClient;"),
        ("run/mod.rs", "use clap::Parser;"),
        ("driver/worker.rs", "let now = std::time::Instant::now();"),
        ("driver/worker.rs", "use std::time::SystemTime; fn f() { SystemTime::now(); }"),
        ("target/mod.rs", "thread::sleep(d);"),
        ("target/mod.rs", "use std::thread::sleep;"),
        ("orchestrator/a.rs", "use rustix::net;"),
        ("http/mod.rs", "use httparse;"),
        ("programs/mod.rs", "eprintln!(\"x\");"),
    ];
    for (path, text) in forbidden {
        assert_eq!(effects(&made(&[(path, text)])).len(), 1, "{path}: {text}");
    }
    let allowed = [
        ("http/server/mod.rs", "use tiny_http::Server;"),
        ("clock/mod.rs", "Instant::now(); SystemTime::now(); std::thread::sleep(d);"),
        ("bus/kafka/legacy/client.rs", "use ::kafka::client::KafkaClient;"),
        ("cli/mod.rs", "use crate::bus::kafka::KafkaConnector;"),
        ("driver/a.rs", "// tiny_http::Server\nlet text = \"ureq::get\"; clock::sleep(d);"),
    ];
    for (path, text) in allowed {
        assert_eq!(effects(&made(&[(path, text)])), Vec::<String>::new(), "{path}: {text}");
    }
}
