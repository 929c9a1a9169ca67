//! The result as a Markdown table.

use super::measure::Run;
use super::tools::Tool;
use std::fmt::Write;

/// The test machine and method.
pub fn head(rounds: usize, seconds: u64, bytes: usize) -> String {
    format!(
        "Machine: {}; medians of {rounds} rounds of {seconds} s, clients in turn; bodies of {bytes} bytes.\n",
        machine()
    )
}

/// Medians per client, and the median over the rounds of its ratio to wrk.
pub fn render(tools: &[Tool], connections: usize, server: &str, runs: &[Vec<Run>]) -> String {
    let mut text = format!("\n{connections} connections, closed loop, {server}, the client on another:\n\n");
    let runs_of = |name: &str| tools.iter().position(|tool| tool.name == name).map(|index| &runs[index]);
    let wrk = runs_of("wrk");
    text.push_str("| client | CPU µs/request | against wrk | requests/s | against wrk | peak MB |\n");
    text.push_str("|---|---:|---:|---:|---:|---:|\n");
    for (tool, own) in tools.iter().zip(runs) {
        let cpu = median(own.iter().map(|run| run.cpu_us));
        let rps = median(own.iter().map(|run| run.rps));
        let peak = median(own.iter().map(|run| run.peak_mb));
        let ratio = |of| wrk.map_or("-".to_owned(), |wrk| format!("{:.2}", ratio(own, wrk, of)));
        let (cpu_ratio, rps_ratio) = (ratio(|run| run.cpu_us), ratio(|run| run.rps));
        let _ =
            writeln!(text, "| {} | {cpu:.2} | {cpu_ratio} | {rps:.0} | {rps_ratio} | {peak:.1} |", tool.name);
    }
    if let Some(own) = runs_of("floodgate") {
        text += &compare(own, tools, runs);
    }
    text
}

/// CPU per request of floodgate relative to each other client.
fn compare(own: &[Run], tools: &[Tool], runs: &[Vec<Run>]) -> String {
    let others = tools.iter().zip(runs).filter(|(tool, _)| !tool.name.starts_with("floodgate"));
    let parts =
        others.map(|(tool, theirs)| format!("{:.3} of {}", ratio(own, theirs, |run| run.cpu_us), tool.name));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { String::new() } else { format!("\nCPU of floodgate: {}.\n", parts.join(", ")) }
}

/// The median over the rounds of one metric's ratio.
fn ratio(own: &[Run], theirs: &[Run], of: fn(&Run) -> f64) -> f64 {
    median(own.iter().zip(theirs).map(|(a, b)| of(a) / of(b)))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{}, {cores} cores, Linux {}", model.trim_start_matches([' ', '\t', ':']), kernel.trim())
}
