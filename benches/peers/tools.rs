//! The clients: how each is called, and where its output says how many requests it made.

use serde_json::Value;
use std::process::{Command, Stdio};

/// The core that every client is pinned to; the server has the first one.
const CLIENT_CORE: &str = "1";

/// Requests, and the seconds that they took where the tool says so.
type Counted = (f64, Option<f64>);

/// A client.
pub struct Tool {
    /// Its name in the table.
    pub name: &'static str,
    program: String,
    build: fn(&str, &str, usize, u64) -> Vec<String>,
    count: fn(&str) -> Option<Counted>,
}

impl Tool {
    /// The whole command line for a closed loop of `connections` over `seconds`.
    pub fn command(&self, url: &str, connections: usize, seconds: u64) -> Vec<String> {
        let mut command = words(&format!("taskset -c {CLIENT_CORE}"));
        command.extend((self.build)(&self.program, url, connections, seconds));
        command
    }

    /// Requests in an output, and the seconds that they took where the tool says so.
    pub fn requests(&self, output: &str) -> Option<Counted> {
        (self.count)(output).filter(|(requests, _)| *requests > 0.0)
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// All clients that can be run here, in the order of the table; floodgate and the floor always.
pub fn installed(only: Option<&[String]>) -> Result<Vec<Tool>, String> {
    let itself = std::env::current_exe().map_err(|e| e.to_string())?.display().to_string();
    let all = [
        Tool { name: "floor", program: itself, build: floor, count: own_count },
        Tool {
            name: "floodgate",
            program: env!("CARGO_BIN_EXE_floodgate").to_owned(),
            build: floodgate,
            count: own_summary,
        },
        Tool {
            name: "floodgate --client ureq",
            program: env!("CARGO_BIN_EXE_floodgate").to_owned(),
            build: floodgate_ureq,
            count: own_summary,
        },
        Tool { name: "wrk", program: "wrk".to_owned(), build: wrk, count: wrk_count },
        Tool { name: "ab", program: "ab".to_owned(), build: ab, count: ab_count },
        Tool { name: "oha", program: "oha".to_owned(), build: oha, count: oha_count },
        Tool { name: "hey", program: "hey".to_owned(), build: hey, count: hey_count },
        Tool { name: "vegeta", program: "vegeta".to_owned(), build: vegeta, count: vegeta_count },
        Tool { name: "k6", program: "k6".to_owned(), build: k6, count: k6_count },
    ];
    let wanted = |tool: &Tool| only.is_none_or(|only| only.iter().any(|name| name == tool.name));
    Ok(all
        .into_iter()
        .filter(wanted)
        .filter(|tool| tool.program.contains('/') || exists(&tool.program))
        .collect())
}

fn exists(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let there = found.is_ok_and(|status| status.success());
    if !there {
        eprintln!("{program} is not installed and stays out");
    }
    there
}

fn floor(program: &str, url: &str, connections: usize, seconds: u64) -> Vec<String> {
    words(&format!("{program} floor {url} {connections} {seconds}"))
}

fn floodgate(program: &str, url: &str, connections: usize, seconds: u64) -> Vec<String> {
    words(&format!(
        "{program} run --json --drivers 1 --url {url} --connections {connections} --duration {seconds}s"
    ))
}

fn floodgate_ureq(program: &str, url: &str, connections: usize, seconds: u64) -> Vec<String> {
    let mut command = floodgate(program, url, connections, seconds);
    command.extend(words("--client ureq"));
    command
}

fn wrk(program: &str, url: &str, connections: usize, seconds: u64) -> Vec<String> {
    words(&format!("{program} -t1 -c{connections} -d{seconds}s --latency {url}"))
}

fn ab(program: &str, url: &str, connections: usize, seconds: u64) -> Vec<String> {
    words(&format!("{program} -k -c {connections} -t {seconds} -n 100000000 {url}"))
}

fn oha(program: &str, url: &str, connections: usize, seconds: u64) -> Vec<String> {
    words(&format!("{program} -z {seconds}s -c {connections} --no-tui --output-format json {url}"))
}

fn hey(program: &str, url: &str, connections: usize, seconds: u64) -> Vec<String> {
    words(&format!("{program} -z {seconds}s -c {connections} -cpus 1 {url}"))
}

fn vegeta(program: &str, url: &str, connections: usize, seconds: u64) -> Vec<String> {
    let attack = format!("{program} attack -rate=0 -max-workers={connections} -duration={seconds}s");
    let pipe = format!("echo GET {url} | GOMAXPROCS=1 {attack} | {program} report -type=json");
    vec!["sh".to_owned(), "-c".to_owned(), pipe]
}

fn k6(program: &str, url: &str, connections: usize, seconds: u64) -> Vec<String> {
    let script = std::env::temp_dir().join("floodgate-bench-k6.js");
    let text = format!(
        "import http from 'k6/http';\nexport default function () {{ http.get('{url}'); }}\n\
         export function handleSummary(data) {{ return {{ stdout: JSON.stringify(data) }}; }}\n"
    );
    // Where it cannot be written k6 itself fails with words.
    let _ = std::fs::write(&script, text);
    let run = format!(
        "{program} run --quiet --no-usage-report --vus {connections} --duration {seconds}s {}",
        script.display()
    );
    words(&run)
}

fn number_after(output: &str, mark: &str) -> Option<f64> {
    let rest = &output[output.find(mark)? + mark.len()..];
    rest.split_whitespace().next()?.trim_end_matches(['s', ',']).parse().ok()
}

fn json(output: &str) -> Option<Value> {
    serde_json::from_str(&output[output.find('{')?..]).ok()
}

fn own_count(output: &str) -> Option<Counted> {
    Some((number_after(output, "requests ")?, number_after(output, "seconds ")))
}

fn own_summary(output: &str) -> Option<Counted> {
    let total = &json(output)?["total"];
    Some((total["responses"].as_f64()?, total["elapsed_s"].as_f64()))
}

fn wrk_count(output: &str) -> Option<Counted> {
    let line = output.lines().find(|line| line.contains(" requests in "))?;
    let requests = line.split_whitespace().next()?.parse().ok()?;
    Some((requests, number_after(line, " requests in ")))
}

fn ab_count(output: &str) -> Option<Counted> {
    Some((number_after(output, "Complete requests:")?, number_after(output, "Time taken for tests:")))
}

fn oha_count(output: &str) -> Option<Counted> {
    let result = json(output)?;
    let codes = result["statusCodeDistribution"].as_object()?;
    Some((codes.values().filter_map(Value::as_f64).sum(), result["summary"]["total"].as_f64()))
}

fn hey_count(output: &str) -> Option<Counted> {
    let line = output.lines().find(|line| line.trim_end().ends_with("responses"))?;
    let requests = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((requests, number_after(output, "Total:")))
}

fn vegeta_count(output: &str) -> Option<Counted> {
    let result = json(output)?;
    Some((result["requests"].as_f64()?, result["duration"].as_f64().map(|ns| ns / 1e9)))
}

fn k6_count(output: &str) -> Option<Counted> {
    let result = json(output)?;
    let requests = result["metrics"]["http_reqs"]["values"]["count"].as_f64()?;
    Some((requests, result["state"]["testRunDurationMs"].as_f64().map(|ms| ms / 1e3)))
}
