//! The programs as processes: output, exit codes, signals.

use crate::raw_http;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};

fn command(program: &str, words: &[&str]) -> Command {
    let path = match program {
        "floodgate" => env!("CARGO_BIN_EXE_floodgate"),
        "floodgate-orchestrator" => env!("CARGO_BIN_EXE_floodgate-orchestrator"),
        "floodgate-driver" => env!("CARGO_BIN_EXE_floodgate-driver"),
        "floodgate-target" => env!("CARGO_BIN_EXE_floodgate-target"),
        other => panic!("no program {other:?}"),
    };
    let mut command = Command::new(path);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FLOODGATE_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a program to its end.
pub fn run(program: &str, words: &[&str], env: &[(&str, &str)]) -> Output {
    command(program, words).envs(env.iter().copied()).output().expect("the program starts")
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A program that runs until it is told to end.
struct Running {
    child: Child,
    errors: BufReader<std::process::ChildStderr>,
}

impl Running {
    fn start(program: &str, words: &[&str], env: &[(&str, &str)]) -> Running {
        let mut child = command(program, words).envs(env.iter().copied()).spawn().expect("spawn");
        let errors = BufReader::new(child.stderr.take().expect("stderr"));
        Running { child, errors }
    }

    /// The next line on standard error that holds `text`.
    fn line(&mut self, text: &str) -> String {
        let mut all = String::new();
        loop {
            let begin = all.len();
            let read = self.errors.read_line(&mut all).expect("stderr");
            assert!(read > 0, "no line with {text:?} in: {all}");
            if all[begin..].contains(text) {
                return all[begin..].to_owned();
            }
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill").success());
    }

    fn end(mut self) -> (Option<i32>, String) {
        drop(self.errors);
        let mut text = String::new();
        if let Some(mut out) = self.child.stdout.take() {
            std::io::Read::read_to_string(&mut out, &mut text).expect("stdout");
        }
        (self.child.wait().expect("wait").code(), text)
    }
}

/// The address in a line like `ready: http://127.0.0.1:8000/ping`.
fn addr_in(line: &str) -> SocketAddr {
    let rest = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    rest.and_then(|addr| addr.parse().ok()).unwrap_or_else(|| panic!("no address in {line:?}"))
}

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
        assert_eq!(counts[key], 600, "{key}");
    }
    assert_eq!((&counts["errors"], &counts["never_sent"]), (&0.into(), &0.into()));
}

#[test]
fn a_run_prints_a_table_and_its_progress_elsewhere() {
    let output = run("floodgate", &["--duration", "2500ms", "--rate", "100"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let (out, err) = (stdout(&output), stderr(&output));
    assert!(out.contains("planned 500 = sent 500 + never sent 0"), "{out}");
    assert!(out.contains("target counted 500 = sent 500"), "{out}");
    assert!(err.contains(" requests  ") && !out.contains("no errors\n2/"), "{err}");
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
}

#[test]
fn nothing_reached_is_exit_code_1_and_errors_come_first() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("free port");
    let url = format!("http://{free}/");
    let output = run("floodgate", &["--url", &url, "--requests", "5", "--timeout", "1s"], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let out = stdout(&output);
    let head = out.split("AVALANCHE").next().unwrap_or_default();
    assert!(head.contains("Errors: ") && head.contains("connect 10"), "{out}");
}

#[test]
fn a_run_against_errors_is_exit_code_0_and_says_so_first() {
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

#[test]
fn ctrl_c_prints_the_partial_result_and_exits_130() {
    let mut floodgate = Running::start("floodgate", &["--json", "--duration", "60s", "--rate", "50"], &[]);
    floodgate.line("requests");
    floodgate.signal("-INT");
    let (code, out) = floodgate.end();
    assert_eq!(code, Some(130));
    let summary: serde_json::Value = serde_json::from_str(&out).expect("one JSON document");
    assert_eq!(summary["state"], "aborted");
    assert!(summary["total"]["responses"].as_u64().is_some_and(|n| n > 50), "{out}");
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    // Nobody ever answers here: the first Ctrl-C alone would wait for the drivers' end.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
    let url = format!("http://{}/", silent.local_addr().expect("addr"));
    let mut floodgate =
        Running::start("floodgate", &["--url", &url, "--duration", "60s", "--timeout", "60s"], &[]);
    floodgate.line("requests");
    floodgate.signal("-INT");
    floodgate.signal("-TERM");
    assert_eq!(floodgate.end().0, Some(130));
}

#[test]
fn a_target_listens_counts_and_ends_in_order() {
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
fn a_role_without_its_bus_gives_up_with_a_message() {
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
