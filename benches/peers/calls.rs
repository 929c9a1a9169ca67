//! The command line of each client.

use std::path::Path;

/// The load for a client: a closed loop.
pub struct Load<'a> {
    /// What to load.
    pub url: &'a str,
    /// For HTTPS, the server's self-signed certificate (PEM).
    pub certificate: Option<&'a Path>,
    /// Connections.
    pub connections: usize,
    /// Seconds.
    pub seconds: u64,
}

/// Splits a command line whose words contain no spaces.
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// `flag` if the server's certificate is not publicly trusted.
fn lenient<'a>(load: &Load, flag: &'a str) -> &'a str {
    if load.certificate.is_some() { flag } else { "" }
}

/// The floor that wakes up for each answer.
pub fn floor(program: &str, load: &Load) -> Vec<String> {
    words(&format!("{program} floor {} {} {} wakes", load.url, load.connections, load.seconds))
}

/// The floor that rests like floodgate.
pub fn floor_resting(program: &str, load: &Load) -> Vec<String> {
    words(&format!("{program} floor {} {} {} rests", load.url, load.connections, load.seconds))
}

/// floodgate with its native client.
pub fn floodgate(program: &str, load: &Load) -> Vec<String> {
    let Load { url, connections, seconds, .. } = load;
    let run = format!("{program} run --json --drivers 1 --url {url}");
    let mut command = words(&format!("{run} --connections {connections} --duration {seconds}s"));
    if let Some(certificate) = load.certificate {
        command.extend(["--ca-cert".to_owned(), certificate.display().to_string()]);
    }
    command
}

/// floodgate with its ureq client.
pub fn floodgate_ureq(program: &str, load: &Load) -> Vec<String> {
    let mut command = floodgate(program, load);
    command.extend(words("--client ureq"));
    command
}

/// wrk, which checks no certificate.
pub fn wrk(program: &str, Load { url, connections, seconds, .. }: &Load) -> Vec<String> {
    words(&format!("{program} -t1 -c{connections} -d{seconds}s --latency {url}"))
}

/// ab, which checks no certificate.
pub fn ab(program: &str, Load { url, connections, seconds, .. }: &Load) -> Vec<String> {
    words(&format!("{program} -k -c {connections} -t {seconds} -n 100000000 {url}"))
}

/// oha.
pub fn oha(program: &str, load: &Load) -> Vec<String> {
    let Load { url, connections, seconds, .. } = load;
    let insecure = lenient(load, "--insecure");
    words(&format!("{program} -z {seconds}s -c {connections} {insecure} --no-tui --output-format json {url}"))
}

/// hey, which checks no certificate.
pub fn hey(program: &str, Load { url, connections, seconds, .. }: &Load) -> Vec<String> {
    words(&format!("{program} -z {seconds}s -c {connections} -cpus 1 {url}"))
}

/// vegeta, whose attack and report are two processes.
pub fn vegeta(program: &str, load: &Load) -> Vec<String> {
    let Load { url, connections, seconds, .. } = load;
    let insecure = lenient(load, "-insecure");
    let attack =
        format!("{program} attack {insecure} -rate=0 -max-workers={connections} -duration={seconds}s");
    let pipe = format!("echo GET {url} | GOMAXPROCS=1 {attack} | {program} report -type=json");
    vec!["sh".to_owned(), "-c".to_owned(), pipe]
}

/// k6, with a minimal script.
pub fn k6(program: &str, load: &Load) -> Vec<String> {
    let Load { url, connections, seconds, .. } = load;
    let script = std::env::temp_dir().join("floodgate-bench-k6.js");
    let text = format!(
        "import http from 'k6/http';\nexport default function () {{ http.get('{url}'); }}\n\
         export function handleSummary(data) {{ return {{ stdout: JSON.stringify(data) }}; }}\n"
    );
    // If the script cannot be written, k6 itself reports the error.
    let _ = std::fs::write(&script, text);
    let insecure = lenient(load, "--insecure-skip-tls-verify");
    words(&format!(
        "{program} run --quiet --no-usage-report {insecure} --vus {connections} --duration {seconds}s {}",
        script.display()
    ))
}
