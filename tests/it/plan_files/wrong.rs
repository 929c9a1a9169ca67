//! Compares the answers to broken plan files with one file, word by word.
//! `UPDATE_GOLDEN=1 cargo test --test it plan_files` rewrites it; review its diff.

use super::{scratch, settings};
use crate::support::golden::assert_in_file;
use crate::support::scratch::Scratch;
use floodgate::cli::{Floodgate, Task, try_parse};
use std::fmt::Write as _;

/// Plan files that `floodgate plan check` refuses.
const FILES: [&[u8]; 71] = [
    b"rat = 5",
    b"vus = 10\nduration = \"10s\"",
    b"test_type = \"AVALANCHE\"\n[fleet]\nrate = 100",
    b"method = \"POST\"",
    b"[request]\nmethod = \"POST\"\nrate = 5",
    b"[request]\nbdy = \"x\"",
    b"'sur\\nprise' = 1",
    b"rate = \"fast\"",
    b"rate = \"500\"",
    b"rate = 0",
    b"rate = [1, 2]",
    b"rate = 2e9",
    b"rate = nan",
    b"count = 1.5",
    b"count = 99_999_999_999_999_999_999_999_999_999_999_999_999_999",
    b"requests = 10_000",
    b"requests = []",
    b"requests = { name = \"search\" }",
    b"requests_per_driver = 10",
    b"[[requests]]\nname = \"search\"\nweigth = 6",
    b"rate = 5\n\n[[requests]]\nurl = \"/\"\n\n[[requests]]\nname = \"order.p95\"\nweight = 0",
    b"[[requests]]\nname = \"lag\"\nurl = \"http://other/\"\nduration = \"10s\"",
    b"[[requests]]\nname = \"a\"\n[[requests]]\nname = \"a\"\nurl = \"search\"",
    b"[[requests]]\nname = \"a\"\nbody = 'x'\nbody_file = 'y'",
    b"[[requests]]\nname = \"a\"\nurl = \"/a b\"",
    b"[[requests]]\nname = \"a\"\nurl = \"http://joe:swordfish@h/x\"",
    b"[request]\nmethod = \"PUT\"\n[[requests]]\nname = \"a\"",
    b"ab = [\"http://a/\", \"http://b/\"]\n[[requests]]\nname = \"a\"",
    b"fail_if = [\"order.p95 > 1s\"]\n[[requests]]\nname = \"search\"\n[[requests]]\nname = \"cart\"",
    b"fail_if = [\"order.p95 > 1s\"]",
    b"connections = -1",
    b"connections = 0x1_0000_0000",
    b"duration = 10",
    b"duration = \"10\"",
    b"warmup = \"2h\"",
    b"delay = \"0s\"",
    b"timeout = 00:00:10",
    b"test_type = \"flood\"",
    b"test_type = true",
    b"target_url = \"127.0.0.1:8000/ping\"",
    b"target_url = \"http://joe:swordfish@127.0.0.1/\"",
    b"ab = [\"http://a/\"]",
    b"ab = [\"http://a/\", \"b\"]\ntarget_url = \"http://c/\"",
    b"stages = \"30s\"",
    b"stages = \"0s:100,5s:1000\"",
    b"stages = [{ duration = \"30s\", rat = 1 }, 7, { duration = \"1m\" }]",
    b"stages = \"30s:100\"\nduration = \"10s\"",
    b"rate = 5\nrate_per_driver = 5",
    b"connections = 5\nconnections_per_driver = 5",
    b"test_type = \"avalanche\"\ndelay = \"10ms\"",
    b"delay = \"10ms\"\nrate = 5",
    b"fail_if = \"p99 > 250ms\"",
    b"fail_if = [\n  \"p99 > 1s\",\n  \"errors > 1% , stop\",\n]",
    b"fail_if = [\"p99 > 1s\", \"achieved < 99%\"]",
    b"client = \"curl\"\non_driver_loss = \"panic\"\nmax_requests_per_connection = 0",
    b"[request]\nmethod = \"G E T\"\nbody = \"x\"\nbody_file = \"x\"",
    b"[request.headers]\n\"bad name\" = \"x\"\ncontent-length = \"5\"\nx-count = 5\n\
      authorization = [\"swordfish\"]",
    b"host = \"http://shop.example/\"\ninsecure = \"yes\"",
    b"request = { headers = [\"a: b\"] }",
    b"[request]\nbody_file = \"no/such/file\"",
    b"[request]\nbody = 7",
    b"[request]\nexpect = 200",
    b"[request]\nexpect = { stat = 200, headers = { etag = \"exists\" } }",
    b"[request.expect]\nstatus = [200, \"ok\"]\ncontains = 7\nmax_bytes = -1",
    b"[request.expect]\nstatus = 100\ncontains = [\"a\", \"\", \"a\"]",
    b"[request.expect.json]\nid = 1\n\"/count\" = \"> many\"\n\"/items\" = \"length > few\"",
    b"[request]\nexpect = { json = { \"/at\" = 2026-01-01 }, max_bytes = 1.5 }",
    b"[request.expect.header]\n\"bad name\" = \"x\"\nx-count = 5\nvary = \"\"",
    b"[request]\nmethod = \"HEAD\"\nexpect = { status = 200, contains = \"x\" }",
    b"[[requests]]\nname = \"a\"\n[[requests]]\nname = \"b\"\nexpect = { json = { \"a/b\" = 1 } }",
    b"fail_if = [\"failed_checks > 0\", \"a.failed_checks > 1%\"]\n[[requests]]\nname = \"a\"",
];

/// Files that are no TOML, or no text.
const MALFORMED: [&[u8]; 9] = [
    b"rate = 5 6",
    b"rate = fast",
    b"rate",
    b"rate = 5\nrate = 6",
    b"target_url = \"http://127.0.0.1/\nrate = 5",
    b"[request\nmethod = \"GET\"",
    b"[request.headers]\nauthorization = \"Bearer swordfish\nrate = 5",
    b"stages = [{ duration = \"30s\", rate = 1 ",
    b"rate = 5\n# caf\xe9",
];

/// Flags over a plan file that is valid, and the answer.
const FLAGS: [(&str, &str); 6] = [
    ("stages = \"30s:100\"", "--duration 10s"),
    ("rate = 5", "--test-type tsunami"),
    ("test_type = \"avalanche\"\nrate = 5", "--delay 10ms"),
    ("connections = 1", "--drivers 3"),
    ("duration = \"10s\"", "--stages 10s:0"),
    ("rate = 5", "--ab http://127.0.0.1/"),
];

/// What `floodgate` prints before it exits with code 2; the file is called plan.toml.
fn answer(scratch: &Scratch, text: &[u8], words: &str) -> String {
    let path = scratch.path().join("plan.toml");
    std::fs::write(&path, text).expect("writes");
    let name = path.to_str().expect("UTF-8");
    let refused = match words {
        "" => {
            match try_parse::<Floodgate>(["floodgate", "plan", "check", name]).expect("valid").into_task() {
                Task::Plan(args) => args.text().map(drop),
                other => panic!("{other:?}"),
            }
        }
        _ => settings(&[name].into_iter().chain(words.split(' ')).collect::<Vec<_>>()).map(drop),
    };
    let shown = String::from_utf8_lossy(text);
    refused.expect_err(&shown).replace(&format!("{}/", scratch.word()), "")
}

fn answers() -> String {
    let scratch = scratch();
    let mut out = String::new();
    for text in FILES.iter().chain(&MALFORMED) {
        let _ = writeln!(out, "{}\nerror: {}\n", String::from_utf8_lossy(text), answer(&scratch, text, ""));
    }
    for (text, words) in FLAGS {
        let _ = writeln!(out, "$ floodgate run plan.toml {words}\n{text}");
        let _ = writeln!(out, "error: {}\n", answer(&scratch, text.as_bytes(), words));
    }
    out
}

#[test]
fn every_broken_plan_file_gets_the_answer_in_the_file() {
    let found = answers();
    assert_in_file("wrong_plans.txt", &found);
    let answers: Vec<_> = found.split("\n\n").filter_map(|pair| pair.split_once("\nerror: ")).collect();
    assert_eq!(answers.len(), FILES.len() + MALFORMED.len() + FLAGS.len());
    assert!(!answers.iter().any(|(_, answer)| answer.contains("swordfish")), "an answer repeats a password");
}

#[test]
fn a_file_that_is_missing_or_too_large_is_named() {
    let scratch = scratch();
    let path = scratch.path().join("large.toml");
    std::fs::write(&path, vec![b' '; 1_000_001]).expect("writes");
    let large = settings(&[path.to_str().expect("UTF-8")]).expect_err("too large");
    assert!(large.ends_with("large.toml: is too large: at most 1000000 bytes"), "{large}");
    let missing = settings(&["/no/such/plan.toml"]).expect_err("missing");
    assert!(missing.starts_with("/no/such/plan.toml: cannot be opened: No such file"), "{missing}");
}
