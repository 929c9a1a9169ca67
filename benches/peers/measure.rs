//! One run of a client as a whole process: CPU time as the kernel accounts for it, peak memory, output.

use super::tools::Tool;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Kernel clock ticks per second (`USER_HZ`), 100 on all Linux architectures in use.
const TICKS_PER_S: f64 = 100.0;

/// A finished process.
pub struct Finished {
    cpu_s: f64,
    wall_s: f64,
    peak_kb: u64,
    output: String,
}

/// A measured run.
#[derive(Clone)]
pub struct Run {
    /// CPU time per request, in µs.
    pub cpu_us: f64,
    /// Requests per second.
    pub rps: f64,
    /// Peak memory in MB.
    pub peak_mb: f64,
}

impl Finished {
    /// Divides by the number of requests that the tool reports.
    pub fn counted(&self, tool: &Tool) -> Result<Run, String> {
        let (requests, seconds) = tool.requests(&self.output).ok_or_else(|| {
            let end: String =
                self.output.chars().rev().take(600).collect::<Vec<_>>().into_iter().rev().collect();
            format!("{}: no count of requests in its output:\n{end}", tool.name)
        })?;
        Ok(Run {
            cpu_us: self.cpu_s * 1e6 / requests,
            rps: requests / seconds.unwrap_or(self.wall_s),
            peak_mb: self.peak_kb as f64 / 1e3,
        })
    }
}

/// Runs a command until it ends, at most for `timeout`.
#[allow(clippy::disallowed_methods)]
pub fn run(command: &[String], timeout: Duration) -> Result<Finished, String> {
    let before_s = children_cpu_s()?;
    let begin = Instant::now();
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("{}: {e}", command[0]))?;
    let mut stdout = child.stdout.take().ok_or("no output")?;
    let reader = std::thread::spawn(move || {
        let mut output = String::new();
        let _ = stdout.read_to_string(&mut output);
        output
    });
    let peak_kb = wait(&mut child, begin, timeout)?;
    let wall_s = begin.elapsed().as_secs_f64();
    let output = reader.join().map_err(|_| "the reading thread panicked")?;
    Ok(Finished { cpu_s: children_cpu_s()? - before_s, wall_s, peak_kb, output })
}

#[allow(clippy::disallowed_methods)]
fn wait(child: &mut Child, begin: Instant, timeout: Duration) -> Result<u64, String> {
    let mut peak_kb = 0;
    loop {
        peak_kb = peak_kb.max(peak_of_tree_kb(child.id()));
        if child.try_wait().map_err(|e| e.to_string())?.is_some() {
            return Ok(peak_kb);
        }
        if begin.elapsed() > timeout {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("a client did not end in {} s", timeout.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// User and system time of all children that have ended, from `/proc/self/stat` (fields 16 and 17, proc(5)).
fn children_cpu_s() -> Result<f64, String> {
    let stat = std::fs::read_to_string("/proc/self/stat").map_err(|e| format!("/proc/self/stat: {e}"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(13) + ticks(14)) / TICKS_PER_S)
}

/// Maximum peak memory of a process and its children.
fn peak_of_tree_kb(pid: u32) -> u64 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let of_children = children.split_whitespace().filter_map(|child| child.parse().ok()).map(peak_kb);
    of_children.fold(peak_kb(pid), u64::max)
}

fn peak_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}
