//! `floodgate compare` as a process: its output and every exit code.

use crate::support::process::{run, stderr, stdout};
use crate::support::scratch::Scratch;
use floodgate::stats::histogram::Histogram;
use floodgate::stats::states::RunState;
use floodgate::stats::summary::{Stats, Summary};
use serde_json::Value;
use std::fs;

/// Results without records, around these medians; returns their paths.
fn results(dir: &Scratch, side: &str, all_ms: &[u64], state: RunState) -> Vec<String> {
    let one = |(at, ms): (usize, &u64)| {
        let mut histogram = Histogram::new();
        (0..1_000).for_each(|n| histogram.record_us(ms * (900 + n / 5)));
        let total = Stats {
            requests: 1_000,
            responses: 1_000,
            elapsed_s: 2.0,
            throughput_rps: 500.0,
            latency_ms: histogram.distribution(),
            ..Stats::default()
        };
        let summary = Summary { state, total, ..Summary::default() };
        let path = dir.path().join(format!("{side}{at}.json"));
        fs::write(&path, summary.document()).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    all_ms.iter().enumerate().map(one).collect()
}

fn compare(words: &[&str]) -> (Option<i32>, String, String) {
    let output = run("floodgate", &[&["compare"], words].concat(), &[]);
    (output.status.code(), stdout(&output), stderr(&output))
}

/// The options, then A, `--` and B.
fn sides<'a>(options: &[&'a str], a: &'a [String], b: &'a [String]) -> Vec<&'a str> {
    let words = |runs: &'a [String]| runs.iter().map(String::as_str);
    options.iter().copied().chain(words(a)).chain(["--"]).chain(words(b)).collect()
}

#[test]
fn several_runs_a_side_give_a_word_and_an_exit_code() {
    let dir = Scratch::new("compare");
    let a = results(&dir, "a", &[50, 51, 49, 52, 48], RunState::Completed);
    let slow = results(&dir, "b", &[60, 61, 59, 62, 63], RunState::Completed);
    let noisy = results(&dir, "c", &[50, 51, 49, 61, 62], RunState::Completed);
    let (code, out, errors) = compare(&sides(&[], &a, &slow));
    assert_eq!((code, errors.as_str()), (Some(0), ""), "a difference alone is no failure");
    assert!(out.starts_with("B is slower than A: p50 +22 %"), "{out}");
    assert!(out.contains("Hodges-Lehmann") && out.contains("5 runs, 5,000 requests"), "{out}");

    let (code, out, _) = compare(&sides(&["--fail-if", "p99 > +10%"], &a, &slow));
    assert_eq!(code, Some(3));
    assert!(out.contains("fail if p99 > +10%: FAILED"), "{out}");
    for passes in ["p99 > +50%", "p99 < -1%", "errors > +1%", "throughput < -5%"] {
        assert_eq!(compare(&sides(&["--strict", "--fail-if", passes], &a, &slow)).0, Some(0), "{passes}");
    }

    let (code, out, errors) = compare(&sides(&["--fail-if", "p50 > +1%"], &a, &noisy));
    assert_eq!(code, Some(0), "{out}");
    assert!(errors.contains("unclear") && errors.contains("p50 > +1%"), "{errors}");
    assert_eq!(compare(&sides(&["--strict", "--fail-if", "p50 > +1%"], &a, &noisy)).0, Some(3));
    assert_eq!(compare(&sides(&["--strict"], &a, &noisy)).0, Some(3));
    let (code, out, _) = compare(&sides(&["--strict", "--noise", "10%"], &a, &a));
    assert_eq!(code, Some(0), "{out}");
    assert!(out.starts_with("No difference in p50, p90, p99, p99.9, mean, throughput and errors."), "{out}");

    let page = dir.path().join("page.html");
    let words = sides(&["--json", "--html", page.to_str().expect("UTF-8")], &a, &slow);
    let (code, out, _) = compare(&words);
    let document: Value = serde_json::from_str(&out).expect("one document");
    assert_eq!((code, &document["schema"]), (Some(0), &"floodgate.compare/1".into()));
    assert_eq!(document["figures"][0]["word"], "slower");
    assert!(fs::read_to_string(&page).expect("written").contains("B is slower than A"));
}

#[test]
fn what_cannot_be_compared_says_why() {
    let dir = Scratch::new("incomparable");
    let a = results(&dir, "a", &[50], RunState::Completed);
    let stopped = results(&dir, "b", &[60], RunState::Aborted);
    let (code, out, errors) = compare(&[&a[0], &stopped[0], "--fail-if", "p99 > +1%"]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("Not comparable: B did not complete (its state is aborted)"), "{out}");
    assert!(errors.contains("not comparable"), "{errors}");
    assert_eq!(compare(&[&a[0], &stopped[0], "--strict"]).0, Some(3));
    let (code, out, _) = compare(&[&a[0], &a[0]]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("Unclear:") && out.contains("no latencies second by second"), "{out}");
}

#[test]
fn wrong_command_lines_and_unreadable_runs_have_their_own_codes() {
    let dir = Scratch::new("compare-wrong");
    let a = results(&dir, "a", &[50, 51, 52], RunState::Completed);
    let refused = |words: &[&str], why: &str| {
        let (code, out, errors) = compare(words);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{words:?}");
        assert!(errors.contains(why), "{words:?}: {errors}");
    };
    refused(&[], "RUN");
    refused(&[&a[0], &a[1], &a[2]], "separate the two sides by --");
    refused(&[&a[0], "--", &a[1], &a[2]], "1 against 2 runs");
    refused(
        &[&a[0], "--", &a[1], "--strict"],
        "--strict: everything after -- is a run of B: put the flags before",
    );
    refused(&[&a[0], &a[1], "--noise", "x"], "--noise");
    refused(&[&a[0], &a[1], "--fail-if", "p99 > 10%"], "\n  p99 > 10%\n        ^");
    for (path, why) in [("/nonexistent", "cannot be opened"), (dir.word(), "contains neither records.jsonl")]
    {
        let (code, out, errors) = compare(&[&a[0], path]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{path}");
        assert!(errors.contains(why), "{errors}");
    }
    let (code, out, errors) = compare(&[&a[0]]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "one run may be an A/B run");
    assert!(errors.contains("by the records of the run"), "{errors}");
    let broken = dir.path().join("broken.json");
    fs::write(&broken, "{}x").expect("written");
    let (code, _, errors) = compare(&[&a[0], broken.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("broken.json: it is no result of a run"), "{errors}");
}

#[test]
fn saved_runs_are_replayed() {
    let dir = Scratch::new("compare-saved");
    for _ in 0..2 {
        let words = ["run", "--duration", "1s", "--rate", "50", "--out", dir.word()];
        let output = run("floodgate", &words, &[]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let folders: Vec<String> =
        dir.entries().iter().map(|path| path.to_str().expect("UTF-8").to_owned()).collect();
    let short = |word: &str| {
        let (code, out, errors) = compare(&[&folders[0], word, "--json"]);
        assert_eq!(code, Some(0), "{errors}");
        let document: Value = serde_json::from_str(&out).expect("one document");
        assert_eq!(document["method"]["name"], "none", "{out}");
        assert!(
            document["figures"][0]["reason"].as_str().expect("a text").contains("1 s is too short"),
            "{out}"
        );
    };
    for word in
        [folders[1].clone(), format!("{}/summary.json", folders[1]), format!("{}/records.jsonl", folders[1])]
    {
        short(&word);
    }
}
