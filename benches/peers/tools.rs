//! The available clients.

use super::calls::{self, Load};
use super::counts::{self, Counted};
use std::process::{Command, Stdio};

/// The core that every client is pinned to; the server uses the first one.
const CLIENT_CORE: &str = "1";

/// A client.
pub struct Tool {
    /// Its name in the table.
    pub name: &'static str,
    program: String,
    build: fn(&str, &Load) -> Vec<String>,
    count: fn(&str) -> Option<Counted>,
}

impl Tool {
    /// A client with this program, command line and output.
    pub fn new(
        name: &'static str,
        program: &str,
        build: fn(&str, &Load) -> Vec<String>,
        count: fn(&str) -> Option<Counted>,
    ) -> Tool {
        Tool { name, program: program.to_owned(), build, count }
    }

    /// The full command line.
    pub fn command(&self, load: &Load) -> Vec<String> {
        let mut command = calls::words(&format!("taskset -c {CLIENT_CORE}"));
        command.extend((self.build)(&self.program, load));
        command
    }

    /// Whether it is the bare loop of system calls, which supports neither TLS nor reading bodies.
    pub fn is_floor(&self) -> bool {
        self.name.starts_with("floor")
    }

    /// The number of requests in an output, and their duration in seconds if the tool reports it.
    pub fn requests(&self, output: &str) -> Option<Counted> {
        (self.count)(output).filter(|(requests, _)| *requests > 0.0)
    }
}

/// All clients that send one request, in table order.
pub fn all() -> Result<Vec<Tool>, String> {
    let itself = std::env::current_exe().map_err(|e| e.to_string())?.display().to_string();
    Ok(vec![
        Tool { name: "floor", program: itself.clone(), build: calls::floor, count: counts::floor },
        Tool { name: "floor-resting", program: itself, build: calls::floor_resting, count: counts::floor },
        Tool {
            name: "floodgate",
            program: env!("CARGO_BIN_EXE_floodgate").to_owned(),
            build: calls::floodgate,
            count: counts::floodgate,
        },
        Tool {
            name: "floodgate --client ureq",
            program: env!("CARGO_BIN_EXE_floodgate").to_owned(),
            build: calls::floodgate_ureq,
            count: counts::floodgate,
        },
        Tool { name: "wrk", program: "wrk".to_owned(), build: calls::wrk, count: counts::wrk },
        Tool { name: "ab", program: "ab".to_owned(), build: calls::ab, count: counts::ab },
        Tool { name: "oha", program: "oha".to_owned(), build: calls::oha, count: counts::oha },
        Tool { name: "hey", program: "hey".to_owned(), build: calls::hey, count: counts::hey },
        Tool { name: "vegeta", program: "vegeta".to_owned(), build: calls::vegeta, count: counts::vegeta },
        Tool { name: "k6", program: "k6".to_owned(), build: calls::k6, count: counts::k6 },
    ])
}

/// Keeps those that are wanted and installed; floodgate and the floor always are.
pub fn keep_installed(tools: &mut Vec<Tool>, only: Option<&[String]>) {
    tools.retain(|tool| {
        let is_wanted = only.is_none_or(|only| only.iter().any(|name| name == tool.name));
        is_wanted && (tool.program.contains('/') || exists(&tool.program))
    });
}

fn exists(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let there = found.is_ok_and(|status| status.success());
    if !there {
        eprintln!("{program} is not installed: skipped");
    }
    there
}
