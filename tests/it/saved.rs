//! Saved runs of whole processes: `floodgate run --out` and `floodgate replay`.

use crate::orchestrator::support::{SOON, local, orchestrator, wait_alive, wait_state};
use crate::support::process::{run, stderr, stdout};
use crate::support::scratch::Scratch;
use floodgate::driver;
use floodgate::message::{TestConfig, TestType};
use floodgate::plan::Defaults;
use floodgate::stats::summary::Summary;
use floodgate::target;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// A short run, saved in `dir`; returns its folder and what it printed.
fn saved(dir: &Scratch) -> (PathBuf, String) {
    let words = ["run", "--duration", "2s", "--rate", "100", "--json", "--out", dir.word()];
    let output = run("floodgate", &words, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let entries = dir.entries();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert!(stderr(&output).contains(&format!("saved in {}", entries[0].display())), "{}", stderr(&output));
    (entries[0].clone(), stdout(&output))
}

fn replay(words: &[&str]) -> (Option<i32>, String, String) {
    let output = run("floodgate", &[&["replay"], words].concat(), &[]);
    (output.status.code(), stdout(&output), stderr(&output))
}

fn codes(json: &str) -> Vec<String> {
    let summary: Summary = serde_json::from_str(json).expect("a summary");
    summary.findings.into_iter().map(|finding| finding.code).collect()
}

#[test]
fn a_run_is_saved_and_replayed_byte_for_byte_also_when_it_is_damaged() {
    let dir = Scratch::new("saved");
    let (folder, printed) = saved(&dir);
    assert_eq!(fs::read_to_string(folder.join("summary.json")).expect("read"), printed);
    let word = folder.to_str().expect("UTF-8");
    assert_eq!(replay(&[word, "--json"]), (Some(0), printed.clone(), String::new()));
    let records = fs::read_to_string(folder.join("records.jsonl")).expect("read");
    let copy = dir.path().join("copy.jsonl");
    let copy_word = copy.to_str().expect("UTF-8");
    let replay_of = |text: &str| {
        fs::write(&copy, text).expect("written");
        replay(&[copy_word, "--json"])
    };
    assert_eq!(replay_of(&records).1, printed);
    assert!(replay(&[word]).1.contains("planned 200 = sent 200"), "{}", replay(&[word]).1);

    // Cut off in the middle of the third report.
    let third = records.lines().take(3).map(|line| line.len() + 1).sum::<usize>() + 50;
    let (code, cut, _) = replay_of(&records[..third]);
    assert_eq!((code, codes(&cut)[..2].join(" ")), (Some(0), "records_cut records_damaged".to_owned()));
    assert!(cut.contains("line 4: the file is cut off here"), "{cut}");
    // A line that someone edited.
    let edited = records.replacen("\"topic\":\"metrics\"", "\"topic\":\"matrics\"", 1);
    let (code, text, _) = replay_of(&edited);
    assert_eq!((code, codes(&text)[0].as_str()), (Some(0), "records_damaged"));
    assert!(text.contains("line 2: unknown topic"), "{text}");
    // Lines that someone exchanged.
    let mut lines: Vec<&str> = records.lines().collect();
    lines.swap(1, 2);
    let (_, text, _) = replay_of(&(lines.join("\n") + "\n"));
    assert!(text.contains("line 3: offset 0 of metrics follows 1"), "{text}");
}

#[test]
fn the_report_of_a_saved_run_is_written_again_in_the_same_bytes() {
    let dir = Scratch::new("report");
    let (folder, _) = saved(&dir);
    let word = folder.to_str().expect("UTF-8");
    let report = |words: &[&str]| run("floodgate", &[&["report", word], words].concat(), &[]);
    let path = folder.join("report.html");
    let text = fs::read_to_string(&path).expect("read");
    assert!(text.contains("id=\"latency\"") && text.contains("id=\"histogram\""), "{text}");
    assert!(text.len() < 100_000, "{} bytes", text.len());
    assert_eq!(stdout(&report(&["-o", "-"])), text);
    fs::remove_file(&path).expect("removed");
    let output = report(&[]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""), "{}", stderr(&output));
    assert_eq!(stderr(&output), format!("wrote {}\n", path.display()));
    assert_eq!(fs::read_to_string(&path).expect("read"), text);

    let output = report(&["-o", "/dev/null/x.html"]);
    assert!(
        output.status.code() == Some(1) && stderr(&output).contains("/dev/null/x.html cannot be written")
    );
    // A file that is cut off has a report that says so.
    let records = folder.join("records.jsonl");
    let whole = fs::read_to_string(&records).expect("read");
    fs::write(&records, whole.lines().take(3).map(|line| line.to_owned() + "\n").collect::<String>())
        .expect("written");
    let cut = stdout(&report(&["-o", "-"]));
    assert!(cut.contains("ends before the end of the test") && cut.contains("id=\"rate\""), "{cut}");
    fs::remove_file(&records).expect("removed");
    assert_eq!(report(&[]).status.code(), Some(1));
}

#[test]
fn what_is_no_saved_run_is_refused_with_a_reason() {
    let dir = Scratch::new("refused");
    let path = dir.path().join("records.jsonl");
    for (text, reason) in [
        ("", "no plan of a test is among the records"),
        ("nonsense\n", "line 1: it is no record"),
        ("{\"topic\":\"metrics\",\"offset\":1,\"value\":{}}\n", "no plan"),
    ] {
        fs::write(&path, text).expect("written");
        let (code, out, error) = replay(&[dir.word()]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{text}");
        assert!(error.contains(reason) && error.contains("records.jsonl"), "{error}");
    }
    fs::remove_file(&path).expect("removed");
    assert!(replay(&[dir.word()]).2.contains("cannot be opened"));
    for words in [&[][..], &["--kafka", "a:1"], &["x", "--kafka", "a:1"], &["x", "--test-id", "a/b"]] {
        assert_eq!(replay(words).0, Some(2), "{words:?}");
    }
}

#[test]
fn a_run_whose_result_cannot_be_saved_goes_on_and_says_so() {
    let dir = Scratch::new("unsaved");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("written");
    let words = ["run", "--duration", "1s", "--rate", "50", "--json", "--out", file.to_str().expect("UTF-8")];
    let output = run("floodgate", &words, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stdout(&output);
    assert_eq!(codes(&text)[0], "not_saved");
    let summary: Summary = serde_json::from_str(&text).expect("a summary");
    assert!(summary.verdict[0].contains("was not saved in"), "{}", summary.verdict[0]);
    assert_eq!(summary.total.responses, 50);
}

#[test]
fn a_driver_saves_its_own_figures_which_equal_the_result() {
    let dir = Scratch::new("data");
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let target = target::start(target::Config::plain(SocketAddr::from(([127, 0, 0, 1], 0)))).expect("target");
    let url = format!("http://{}/ping", target.addr());
    let config = driver::Config {
        node_id: "d/1".to_owned(),
        node_ip: "127.0.0.1".to_owned(),
        defaults: Defaults { target_url: Some(url), ..Defaults::default() },
        connect_timeout: SOON,
        data: Some(dir.path().join("new")),
        ..driver::Config::default()
    };
    let driver = driver::start(Arc::clone(&bus), config).expect("driver");
    wait_alive(&control, 1);
    let mut plan = TestConfig::new("own", TestType::Avalanche);
    plan.message_count_per_driver = Some(50);
    control.configure(plan).expect("configured");
    let summary = wait_state(&control, "own", "completed");
    driver.shutdown();
    let paths: Vec<PathBuf> = fs::read_dir(dir.path().join("new"))
        .expect("read")
        .map(|entry| entry.expect("entry").path())
        .collect();
    assert!(paths.len() == 1 && paths[0].to_string_lossy().ends_with("Z-own-d_1.json"), "{paths:?}");
    let text = fs::read_to_string(&paths[0]).expect("read");
    let own: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&own["schema"], &own["node_id"]), (&"floodgate.driver/1".into(), &"d/1".into()));
    assert_eq!(own["counts"]["responses"], summary.total.responses);
    let latency_ms = summary.total.latency_ms.as_ref().expect("responses");
    assert_eq!(own["latency_ms"], serde_json::to_value(latency_ms).expect("JSON"));
}
