//! The programs as processes: output, exit codes, signals.

use crate::raw_http;
use crate::support::process::{Running, addr_in, run, stderr, stdout};

#[test]
fn a_run_prints_exactly_one_json_document_with_equal_counts() {
    let output = run("floodgate", &["--json", "--requests", "300", "--connections", "4"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("one JSON document");
    assert_eq!(summary["schema"], "floodgate.summary/1");
    assert_eq!(summary["state"], "completed");
    assert_eq!(summary["drivers"].as_array().map(Vec::len), Some(2));
    let counts = &summary["conservation"];
    for key in ["planned", "sent", "responses", "target_seen"] {
        assert_eq!(counts[key], 300, "{key}");
    }
    assert_eq!((&counts["errors"], &counts["never_sent"]), (&0.into(), &0.into()));
}

#[test]
fn conditions_decide_the_exit_code() {
    let code = |conditions: &[&str], duration: &str| {
        let plan = ["--rate", "500", "--duration", duration, "--json"];
        let conditions = conditions.iter().flat_map(|condition| ["--fail-if", condition]);
        let output = run("floodgate", &plan.into_iter().chain(conditions).collect::<Vec<_>>(), &[]);
        let summary: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("one JSON document");
        let passed = summary["thresholds"].as_array().expect("a list").clone();
        let passed = passed.iter().map(|one| one["passed"].as_bool().expect("a boolean")).collect::<Vec<_>>();
        (output.status.code(), passed, summary["total"]["requests"].as_u64().expect("a number"))
    };
    let fine = code(&["errors > 0", "status.5xx > 0", "achieved < 100%"], "1s");
    assert_eq!(fine, (Some(0), vec![true; 3], 500));
    let (exit, passed, _) = code(&["max < 1h", "errors > 0"], "1s");
    assert_eq!((exit, passed), (Some(3), vec![false, true]));
    let (exit, passed, sent) = code(&["status.2xx > 0 for 1s, abort"], "1m");
    assert_eq!((exit, passed), (Some(3), vec![false]));
    assert!(sent < 15_000, "stopped early: {sent} of 30,000");
}

#[test]
fn totals_are_exact_over_any_number_of_drivers() {
    for drivers in ["1", "2", "3", "7"] {
        let plan = ["--rate", "1000", "--requests", "1000", "--connections", "10", "--warmup", "100ms"];
        let output = run("floodgate", &[&["--json", "--drivers", drivers], &plan[..]].concat(), &[]);
        let summary: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("one JSON document");
        let counts = &summary["conservation"];
        let found =
            ["planned", "sent", "responses", "warmup_sent", "target_seen"].map(|key| counts[key].as_u64());
        assert_eq!(
            found,
            [1_000, 1_000, 1_000, 100, 1_100].map(Some),
            "{drivers} drivers: {}",
            stderr(&output)
        );
        let points = summary["series"].as_array().expect("a list");
        let planned: u64 = points.iter().map(|point| point["planned"].as_u64().expect("a number")).sum();
        assert_eq!(planned, 1_000, "{drivers} drivers: {points:?}");
        assert_eq!(
            summary["plan"]["fleet"],
            serde_json::json!({"rate": 1000, "requests": 1000, "connections": 10})
        );
        let elapsed_s = summary["total"]["elapsed_s"].as_f64().expect("time");
        assert!((0.99..3.0).contains(&elapsed_s), "{drivers} drivers took {elapsed_s} s for 1 s of load");
    }
}

#[test]
fn a_run_prints_a_table_and_its_progress_on_standard_error() {
    let output = run("floodgate", &["--duration", "2500ms", "--rate", "100"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let (out, err) = (stdout(&output), stderr(&output));
    assert!(out.contains("planned 250 = sent 250 + never sent 0"), "{out}");
    assert!(out.contains("target counted 250 = sent 250"), "{out}");
    assert!(err.contains(" requests  ") && !out.contains("no errors\n2/"), "{err}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
}

#[test]
fn nothing_reached_the_server_is_exit_code_1_and_errors_come_first() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("free port");
    let url = format!("http://{free}/");
    let output = run("floodgate", &["--url", &url, "--requests", "5", "--timeout", "1s"], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let out = stdout(&output);
    let head = out.split("AVALANCHE").next().unwrap_or_default();
    assert!(head.starts_with("Could not connect to 127.0.0.1:") && head.contains("(5 of 5)"), "{out}");
}

#[test]
fn without_one_complete_response_the_exit_code_is_1() {
    // The system accepts connections, but nothing ever answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
    let url = format!("http://{}/", silent.local_addr().expect("addr"));
    let output = run("floodgate", &["--json", "--url", &url, "-n", "4", "--timeout", "300ms"], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let summary: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!((&summary["state"], &summary["total"]["errors"]["timeout"]), (&"completed".into(), &4.into()));
}

#[test]
fn a_proxy_in_the_environment_is_ignored_with_a_warning() {
    let proxy = [("http_proxy", "http://127.0.0.1:1")];
    let output = run("floodgate", &["-n", "4"], &proxy);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output).matches("http_proxy is ignored:").count(), 1, "{}", stderr(&output));
}

#[test]
fn a_run_with_errors_is_exit_code_0_and_reports_them_first() {
    let mut target =
        Running::start("floodgate-target", &["--listen", "127.0.0.1:0", "--error-rate", "10%"], &[]);
    let url = format!("http://{}/ping", addr_in(&target.line("ready")));
    let output = run("floodgate", &["--json", "--url", &url, "--requests", "100", "--drivers", "1"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(summary["total"]["status"], serde_json::json!({"200": 90, "500": 10}));
    target.signal("-TERM");
    assert_eq!(target.end().0, Some(0));
}

/// A signal stops the load; the partial result is printed and names the signal.
fn stopped_by(signal: &str, name: &str, exit_code: i32) {
    let mut floodgate = Running::start("floodgate", &["--json", "--duration", "60s", "--rate", "100"], &[]);
    floodgate.line("requests");
    floodgate.signal(signal);
    let (code, out) = floodgate.end();
    assert_eq!(code, Some(exit_code), "{signal}");
    let summary: serde_json::Value = serde_json::from_str(&out).expect("one JSON document");
    assert_eq!(summary["state"], "aborted");
    assert!(summary["total"]["responses"].as_u64().is_some_and(|n| n > 50), "{out}");
    assert!(summary["verdict"].to_string().contains(name), "{out}");
}

#[test]
fn ctrl_c_prints_the_partial_result_and_exits_130() {
    stopped_by("-INT", "Ctrl-C", 130);
}

#[test]
fn sigterm_prints_the_partial_result_and_exits_143() {
    stopped_by("-TERM", "SIGTERM", 143);
}

#[test]
fn sighup_prints_the_partial_result_and_exits_129() {
    stopped_by("-HUP", "SIGHUP", 129);
}

#[test]
fn a_result_that_cannot_be_written_is_exit_code_1() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let (reader, broken) = std::io::pipe().expect("pipe");
    drop(reader);
    for out in [std::process::Stdio::from(full), std::process::Stdio::from(broken)] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_floodgate"));
        let command = command.args(["--requests", "5", "--drivers", "1"]).stdout(out);
        let output = command.stderr(std::process::Stdio::piped()).output().expect("runs");
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("cannot write the result"), "{}", stderr(&output));
    }
}

#[test]
fn a_message_that_cannot_be_written_changes_no_exit_code() {
    let role = ["driver", "--kafka", "127.0.0.1:1", "--connect-timeout", "100ms", "--node-id", "a"];
    let role = [&role[..], &["--node-ip", "127.0.0.1", "--target", "http://127.0.0.1:1/"]].concat();
    for (words, code) in [(&["run", "--no-such-flag"][..], 2), (&role, 1)] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let (reader, broken) = std::io::pipe().expect("pipe");
        drop(reader);
        for errors in [std::process::Stdio::from(full), std::process::Stdio::from(broken)] {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_floodgate"));
            let status = command.args(words).stderr(errors).status().expect("runs");
            assert_eq!(status.code(), Some(code), "{words:?}");
        }
    }
}

#[test]
fn a_help_text_that_cannot_be_written_is_exit_code_1() {
    for words in [&["--help"][..], &["--version"], &["driver", "--help"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_floodgate"));
        let output = command.args(words).stdout(full).output().expect("runs");
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(stderr(&output).contains("cannot write to standard output"), "{}", stderr(&output));
    }
}

#[test]
fn a_second_signal_exits_at_once() {
    // Nothing ever answers here: after only one signal, the program would wait for the drivers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
    let url = format!("http://{}/", silent.local_addr().expect("addr"));
    let mut floodgate =
        Running::start("floodgate", &["--url", &url, "--duration", "60s", "--timeout", "60s"], &[]);
    floodgate.line("requests");
    floodgate.signal("-INT");
    floodgate.signal("-TERM");
    assert_eq!(floodgate.end().0, Some(143));
}

#[test]
fn a_target_listens_counts_and_shuts_down() {
    let env = [("FLOODGATE_LISTEN", "127.0.0.1:0")];
    let mut target = Running::start("floodgate-target", &[], &env);
    let addr = addr_in(&target.line("ready"));
    assert_eq!(raw_http::get(addr, "/ping").body, "pong");
    let second = run("floodgate-target", &["--listen", &addr.to_string()], &[]);
    assert_eq!(second.status.code(), Some(1));
    assert!(
        stderr(&second).contains("in use") && stderr(&second).contains("--listen"),
        "{}",
        stderr(&second)
    );
    target.signal("-TERM");
    target.line("1 requests");
    assert_eq!(target.end().0, Some(0));
}

#[test]
fn a_role_that_cannot_reach_its_bus_exits_with_a_message() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("free port");
    let broker = free.to_string();
    let words = ["--kafka", &broker, "--connect-timeout", "500ms"];
    let orchestrator = run("floodgate-orchestrator", &words, &[]);
    assert_eq!(orchestrator.status.code(), Some(1));
    assert!(stderr(&orchestrator).contains(&broker), "{}", stderr(&orchestrator));
    let named = ["--node-id", "d1", "--node-ip", "127.0.0.1", "--target", "http://127.0.0.1:1/"];
    let driver = run("floodgate-driver", &[&words[..], &named[..]].concat(), &[]);
    assert_eq!(driver.status.code(), Some(1));
    assert!(stderr(&driver).contains(&broker), "{}", stderr(&driver));
}
