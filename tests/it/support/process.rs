//! Runs this package's programs as processes.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

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

/// Its standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Its standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A program that runs until it is stopped.
pub struct Running {
    child: Child,
    errors: Option<BufReader<ChildStderr>>,
}

impl Running {
    /// Starts it.
    pub fn start(program: &str, words: &[&str], env: &[(&str, &str)]) -> Running {
        let mut child = command(program, words).envs(env.iter().copied()).spawn().expect("spawn");
        let errors = BufReader::new(child.stderr.take().expect("stderr"));
        Running { child, errors: Some(errors) }
    }

    /// The next line on standard error that contains `text`.
    pub fn line(&mut self, text: &str) -> String {
        let errors = self.errors.as_mut().expect("stderr");
        let mut all = String::new();
        loop {
            let begin = all.len();
            let read = errors.read_line(&mut all).expect("stderr");
            assert!(read > 0, "no line with {text:?} in: {all}");
            if all[begin..].contains(text) {
                return all[begin..].to_owned();
            }
        }
    }

    /// Sends a signal: `-INT`, `-STOP`…
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill").success());
    }

    /// Waits for its end; returns its exit code and standard output.
    pub fn end(mut self) -> (Option<i32>, String) {
        self.errors = None;
        let mut text = String::new();
        if let Some(mut out) = self.child.stdout.take() {
            std::io::Read::read_to_string(&mut out, &mut text).expect("stdout");
        }
        (self.child.wait().expect("wait").code(), text)
    }
}

impl Drop for Running {
    /// Leaves no process behind if a test fails; does nothing if it has already ended.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in a line like `ready: http://127.0.0.1:8000/ping`.
pub fn addr_in(line: &str) -> SocketAddr {
    let rest = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    rest.and_then(|addr| addr.parse().ok()).unwrap_or_else(|| panic!("no address in {line:?}"))
}
