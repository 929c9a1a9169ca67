//! Plan files and the program.

use super::scratch;
use crate::support::process::{run, stderr, stdout};
use floodgate::stats::summary::Summary;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn a_plan_file_is_run_against_the_built_in_target() {
    let scratch = scratch();
    // The name alone does not say that it is a plan file.
    let path = scratch.path().join("smoke");
    let text = "count = 300\nrate = 1_000\nconnections = 4\nfail_if = [\"errors > 0\"]\n\
                [request]\nmethod = \"POST\"\nbody = \"hello\"\n";
    std::fs::write(&path, text).expect("writes");
    let name = path.to_str().expect("UTF-8");
    for (words, requests) in [(vec!["run", name], 300), (vec![name, "-n", "100"], 100)] {
        let output = run("floodgate", &[&words[..], &["--json", "-q"]].concat(), &[]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let summary: Summary = serde_json::from_str(&stdout(&output)).expect("a summary");
        assert_eq!((summary.total.responses, summary.conservation.planned), (requests, requests));
        assert_eq!(summary.plan["request"]["body"], "hello");
        assert_eq!((summary.thresholds.len(), summary.drivers.len()), (1, 2));
    }
}

#[test]
fn plan_check_says_what_a_plan_does_or_what_is_wrong() {
    let scratch = scratch();
    let path = scratch.path().join("plan.toml");
    let name = path.to_str().expect("UTF-8");
    let text = "target_url = \"https://shop.example/search?token=swordfish\"\nrate = 2_000\n\
                duration = \"90s\"\ncount = 1000\nwarmup = \"5s\"\nconnections = 64\ntimeout = \"2s\"\n\
                on_driver_loss = \"fail\"\n\
                fail_if = [\"p99 > 250ms\"]\nclient = \"native\"\nmax_requests_per_connection = 100\n\
                [request]\nbody = \"hello\"\nheaders = { accept = \"*/*\", Authorization = \"swordfish\" }\n";
    std::fs::write(&path, text).expect("writes");
    let output = run("floodgate", &["plan", "check", name], &[]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    let expected = "\
type            AVALANCHE (closed loop or fixed rate)
request         POST https://shop.example/search?…
header          accept: */*
header          Authorization: (hidden)
body            5 B
load            2,000/s in total
connections     64 in total
warm-up         5s
ends            after 90s or 1,000 requests in total, whichever is first
timeout         2s
reconnects      after 100 requests
client          native
driver lost     fail
fails if        p99 > 250ms
";
    assert_eq!(stdout(&output), format!("{name} is valid\n{expected}"));
    std::fs::write(&path, "rate = 0").expect("writes");
    let output = run("floodgate", &["plan", "check", name], &[]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    let expected =
        format!("error: {name}:1:8: rate: use a number from 0.001 to 1000000000\n  1 | rate = 0\n");
    assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
    assert_eq!(run("floodgate", &["run", name], &[]).status.code(), Some(2));
}

#[test]
fn a_curl_command_becomes_the_same_plan_from_words_a_text_and_standard_input() {
    let words = ["https://shop.example/search?q=x", "-H", "Accept: text/html", "--compressed", "-k"];
    let text = "curl 'https://shop.example/search?q=x' -H 'Accept: text/html' --compressed -k";
    let by_words = run("floodgate", &[&["plan", "curl"], &words[..]].concat(), &[]);
    assert_eq!((by_words.status.code(), stderr(&by_words).as_str()), (Some(0), ""));
    let plan = stdout(&by_words);
    assert_eq!(stdout(&run("floodgate", &["plan", "curl", text], &[])), plan);
    let mut reader = Command::new(env!("CARGO_BIN_EXE_floodgate"));
    reader.args(["plan", "curl", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = reader.spawn().expect("starts");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("writes");
    assert_eq!(stdout(&child.wait_with_output().expect("ends")), plan);
    let scratch = scratch();
    let path = scratch.path().join("plan.toml");
    std::fs::write(&path, plan).expect("writes");
    let checked = stdout(&run("floodgate", &["plan", "check", path.to_str().expect("UTF-8")], &[]));
    for line in [
        "request         GET https://shop.example/search?",
        "header          Accept: text/html\n",
        "header          Accept-Encoding: gzip, deflate, br, zstd\n",
        "load            10/s in total\n",
        "certificates    are not verified\n",
    ] {
        assert!(checked.contains(line), "{line}: {checked}");
    }
}
