//! `floodgate run --replay-times`, as a process against a real server.

use crate::support::http_server::{Received, Server};
use crate::support::process::{run, stderr, stdout};
use crate::support::scratch::Scratch;
use floodgate::stats::summary::Summary;
use std::collections::BTreeMap;
use std::path::Path;

fn server() -> Server {
    Server::start(|conn| {
        while conn.request().is_some() {
            if !conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
                return;
            }
        }
    })
}

/// A recording of this many requests within 300 ms, in bursts of three.
fn recording(count: usize, path: impl Fn(usize) -> String) -> String {
    let line =
        |n: usize| format!("{{\"offset_ms\": {}{}}}\n", (n / 3 * 3) as f64 * 300.0 / count as f64, path(n));
    (0..count).map(line).collect()
}

/// Runs a recording with these flags; returns the result, what the server received, and what was logged.
fn replay(server: &Server, dir: &Path, file: &str, flags: &[&str]) -> (Summary, Vec<Received>, String) {
    let before = server.received().len();
    let path = dir.join("times.jsonl");
    std::fs::write(&path, file).expect("writes");
    let words = ["run", "--json", "--replay-times", path.to_str().expect("UTF-8"), &server.url("")];
    let output = run("floodgate", &[&words[..], flags].concat(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut received = server.received().split_off(before);
    // The question whether it is a floodgate-target.
    received.retain(|one| one.line() != "GET /metrics HTTP/1.1");
    (serde_json::from_str(&stdout(&output)).expect("a result"), received, stderr(&output))
}

fn numbered(n: usize) -> String {
    format!(", \"path\": \"/items/{n:03}?x=a,b\", \"status\": 200")
}

#[test]
fn each_recorded_request_is_sent_once_whatever_the_number_of_drivers() {
    let (server, dir) = (server(), Scratch::new("recorded"));
    for (drivers, more) in [
        ("1", &["--connections", "1"][..]),
        ("2", &[]),
        ("3", &["--client", "ureq"]),
        ("3", &["--duration", "1h", "-n", "100000", "--fail-if", "achieved < 100%"]),
    ] {
        let flags = [&["--drivers", drivers], more].concat();
        let (summary, received, log) = replay(&server, dir.path(), &recording(150, numbered), &flags);
        assert_eq!((summary.total.requests, summary.total.responses), (150, 150), "{flags:?}");
        let expected: Vec<_> = (0..150).map(|n| format!("GET /items/{n:03}?x=a,b HTTP/1.1")).collect();
        let mut lines: Vec<_> = received.iter().map(|one| one.line().to_owned()).collect();
        if drivers != "1" {
            lines.sort();
        }
        assert_eq!(lines, expected, "{flags:?}");
        assert_eq!(summary.conservation.differences(), Vec::<String>::new());
        let planned: u64 = summary.series.iter().filter_map(|point| point.planned).sum();
        assert_eq!(planned, 150);
        let rows: Vec<u64> = summary.drivers.iter().map(|row| row.stats.requests).collect();
        let parts = drivers.parse::<u64>().expect("a number");
        assert_eq!(rows, vec![150 / parts; parts as usize]);
        assert!(!log.contains("sorted"), "{log}");
        // The starts are long and for programs only.
        let starts = &summary.plan["starts"];
        assert_eq!((&starts["count"], starts.get("gaps")), (&serde_json::json!(150), None));
    }
}

#[test]
fn a_recording_can_be_cut_sped_up_and_warmed_up() {
    let (server, dir) = (server(), Scratch::new("recorded-cut"));
    // In reverse order.
    let times: String =
        recording(150, |_| String::new()).lines().rev().map(|line| format!("{line}\n")).collect();
    let elapsed = |flags: &[&str], requests: u64, duration_ms: u64| {
        let (summary, received, log) = replay(&server, dir.path(), &times, flags);
        assert_eq!((summary.total.requests, received.len() as u64), (requests, requests), "{flags:?}");
        assert_eq!(summary.plan["duration_ms"], duration_ms, "{flags:?}");
        assert!(log.contains("times.jsonl: line 4 is earlier than the one before it: sorted"), "{log}");
    };
    elapsed(&["--drivers", "2"], 150, 295);
    elapsed(&["--replay-speed", "10"], 150, 30);
    elapsed(&["--replay-speed", "0.5"], 150, 589);
    elapsed(&["-n", "31"], 31, 295);
    // The first 51 are at 0, 6 and so on up to 96 ms.
    elapsed(&["--duration", "100ms"], 51, 100);
    elapsed(&["--duration", "100ms", "--replay-speed", "2"], 102, 100);
    elapsed(&["--requests-per-driver", "20", "--drivers", "2"], 40, 295);
    let (summary, received, _) =
        replay(&server, dir.path(), &times, &["--warmup", "100ms", "--drivers", "3"]);
    // Within a second, the mean rate is 150/s.
    assert_eq!((summary.total.requests, received.len()), (150, 165));
}

#[test]
fn the_times_of_one_file_go_with_the_urls_of_another() {
    let (server, dir) = (server(), Scratch::new("recorded-urls"));
    let urls = dir.path().join("urls.txt");
    std::fs::write(&urls, "/a\n/b\n").expect("writes");
    let times = recording(60, |_| ", \"method\": \"POST\"".to_owned());
    let flags = ["--urls", urls.to_str().expect("UTF-8"), "--drivers", "2", "--method", "PUT"];
    let (_, received, log) = replay(&server, dir.path(), &times, &flags);
    let mut found = BTreeMap::<&str, u32>::new();
    received.iter().for_each(|one| *found.entry(one.line()).or_default() += 1);
    assert_eq!(found, BTreeMap::from([("PUT /a HTTP/1.1", 30), ("PUT /b HTTP/1.1", 30)]));
    assert!(log.contains("times.jsonl: all requests are PUT, also those recorded as POST"), "{log}");
}

#[test]
fn many_starts_travel_in_the_plan_and_a_saved_run_is_recomputed_from_it() {
    let (server, dir) = (server(), Scratch::new("recorded-many"));
    let saved = dir.path().join("runs");
    // Gaps of 699 and 1,301 us, which take two bytes each.
    let ms = |n: usize| (n * 1_000 + n % 2 * 301) as f64 / 1e3;
    let times: String = (0..200_000).map(|n| format!("{{\"offset_ms\": {}}}\n", ms(n))).collect();
    let flags = ["--duration", "400ms", "--drivers", "3", "--out", saved.to_str().expect("UTF-8")];
    let (summary, received, _) = replay(&server, dir.path(), &times, &flags);
    assert_eq!((summary.total.requests, received.len()), (400, 400));
    assert_eq!(summary.plan["starts"]["count"], 200_000);
    let folder = std::fs::read_dir(&saved).expect("saved").next().expect("one").expect("read").path();
    let replayed = run("floodgate", &["replay", "--json", folder.to_str().expect("UTF-8")], &[]);
    assert_eq!(stdout(&replayed), std::fs::read_to_string(folder.join("summary.json")).expect("read"));
    let html = std::fs::read_to_string(folder.join("report.html")).expect("a report");
    assert!(html.contains("as recorded: 200,000 requests within 200s") && html.len() < 300_000);
    let records = std::fs::read_to_string(folder.join("records.jsonl")).expect("records");
    let plan = records.lines().find(|line| line.contains("\"test_config\"")).expect("a plan");
    assert!(plan.len() > 500_000 && plan.len() < 1_000_000, "{} bytes", plan.len());
}

#[test]
fn paths_that_do_not_fit_beside_the_starts_stay_in_their_file() {
    let (server, dir) = (server(), Scratch::new("recorded-paths"));
    let path = |n: usize| format!("/items/{n:06}");
    let line = |n: usize| format!("{{\"offset_ms\": {n}, \"path\": \"{}\"}}\n", path(n));
    let times: String = (0..20_000).map(line).collect();
    let flags = ["--duration", "200ms", "--drivers", "3"];
    let (summary, received, _) = replay(&server, dir.path(), &times, &flags);
    assert_eq!((summary.total.requests, &summary.plan["feeds"][0]["count"]), (200, &20_000.into()));
    let mut lines: Vec<_> = received.iter().map(|one| one.line().to_owned()).collect();
    lines.sort();
    assert_eq!(lines, (0..200).map(|n| format!("GET {} HTTP/1.1", path(n))).collect::<Vec<_>>());
}
