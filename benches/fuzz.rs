//! Runs many inputs through every parser: `just fuzz 1000000`. Fails at the first panic, or if peak memory
//! grows beyond a bound.

use floodgate::clock;
use floodgate::fuzzing::{Generator, TARGETS, attempt};
use std::process::ExitCode;

/// Maximum growth of peak memory, in kB.
const MOST_KB: u64 = 64 * 1024;

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let inputs = numbers.first().copied().unwrap_or(1_000_000);
    let seed = numbers.get(1).copied().unwrap_or(1);
    match run(inputs, seed) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}\nSeed {seed}.");
            ExitCode::FAILURE
        }
    }
}

fn run(inputs: u64, seed: u64) -> Result<String, String> {
    let (before_kb, begun_ns) = (peak_kb()?, clock::now_ns());
    let each = inputs.div_ceil(TARGETS.len() as u64);
    for (number, target) in TARGETS.iter().enumerate() {
        let (seeds, mut generator) = ((target.seeds)(), Generator::new(seed ^ (number as u64) << 32));
        let target_ns = clock::now_ns();
        for _ in 0..each {
            attempt(target, &generator.input(&seeds))?;
        }
        let us = (clock::now_ns() - target_ns) / 1_000 / each.max(1);
        eprintln!("{:14} {each} inputs, {us} µs each, peak {} kB", target.name, peak_kb()?);
    }
    let grown_kb = peak_kb()?.saturating_sub(before_kb);
    let seconds = (clock::now_ns() - begun_ns) / clock::NS_PER_S;
    let text = format!(
        "{} inputs over {} parsers in {seconds} s: no panic; the peak memory grew by {grown_kb} kB",
        each * TARGETS.len() as u64,
        TARGETS.len()
    );
    if grown_kb <= MOST_KB { Ok(text) } else { Err(format!("{text}: at most {MOST_KB} kB are allowed")) }
}

/// Peak memory of this process, in kB.
fn peak_kb() -> Result<u64, String> {
    let status =
        std::fs::read_to_string("/proc/self/status").map_err(|e| format!("/proc/self/status: {e}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    line.split_whitespace().next().and_then(|word| word.parse().ok()).ok_or_else(|| format!("VmHWM: {line}"))
}
