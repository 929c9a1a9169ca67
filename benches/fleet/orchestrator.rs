//! The orchestrator process, and what it costs.

use floodgate::clock;
use floodgate::fetch;
use floodgate::stats::summary::Summary;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// Kernel ticks of user and system time per second, on every Linux.
const TICKS_PER_S: f64 = 100.0;
const PATIENCE: Duration = Duration::from_secs(10);
/// A driver sends every 4 ms for 20 s.
const PLAN: &str = r#"{"test_id":"bench","test_type":"TSUNAMI","test_message_delay":4,"duration_ms":20000,"timeout_ms":5000,"target_url":"http://127.0.0.1:8000/ping"}"#;

pub struct Orchestrator {
    child: Child,
    /// Host and port.
    addr: String,
}

/// How long `/dashboard` took, in ms.
pub struct Looks(Vec<f64>);

impl Looks {
    pub fn median_ms(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(0.0)
    }

    pub fn max_ms(&self) -> f64 {
        self.0.last().copied().unwrap_or(0.0)
    }
}

impl Orchestrator {
    pub fn start(program: &str, kafka: &str, prefix: &str) -> Result<Orchestrator, String> {
        let mut child = Command::new(program)
            .args(["--kafka", kafka, "--topic-prefix", prefix, "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{program}: {e}"))?;
        let mut errors = BufReader::new(child.stderr.take().ok_or("no standard error")?);
        let mut said = String::new();
        while !said.contains("ready: http://") {
            if errors.read_line(&mut said).map_err(|e| e.to_string())? == 0 {
                return Err(format!("the orchestrator did not start: {said}"));
            }
        }
        let addr = said.split("ready: http://").nth(1).and_then(|rest| rest.split('/').next());
        let addr = addr.ok_or("no address")?.to_owned();
        // Whatever it says later must not block it.
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        Ok(Orchestrator { child, addr })
    }

    /// How many drivers are alive and have sent a heartbeat.
    pub fn alive(&self) -> Result<usize, String> {
        let page = dashboard(&self.addr)?;
        let fleet = page["fleet"].as_array().cloned().unwrap_or_default();
        Ok(fleet.iter().filter(|node| node["state"] == "alive" && !node["activity"].is_null()).count())
    }

    pub fn configure(&self) -> Result<(), String> {
        let failed = |e: std::io::Error| format!("POST /configure: {e}");
        let mut stream = TcpStream::connect(&self.addr).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let (addr, length) = (&self.addr, PLAN.len());
        let head = "Content-Type: application/json\r\nConnection: close";
        write!(
            stream,
            "POST /configure HTTP/1.1\r\nHost: {addr}\r\nContent-Length: {length}\r\n{head}\r\n\r\n{PLAN}"
        )
        .map_err(failed)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(failed)?;
        if answer.starts_with("HTTP/1.1 202") { Ok(()) } else { Err(answer) }
    }

    /// The newest test's result so far.
    pub fn result(&self) -> Result<Option<Summary>, String> {
        let mut page = dashboard(&self.addr)?;
        serde_json::from_value(page["test"].take()).map_err(|e| format!("/dashboard: {e}"))
    }

    /// Reads `/dashboard` every second for so long.
    pub fn look(&self, during: Duration) -> JoinHandle<Result<Looks, String>> {
        let addr = self.addr.clone();
        std::thread::spawn(move || {
            let (begun_ns, mut took_ms) = (clock::now_ns(), Vec::new());
            for second in 1..=during.as_secs() {
                clock::sleep_until(begun_ns + second * clock::NS_PER_S - clock::NS_PER_S / 4);
                let asked_ns = clock::now_ns();
                fetch::get(&format!("http://{addr}/dashboard"), PATIENCE).map_err(|e| e.to_string())?;
                took_ms.push((clock::now_ns() - asked_ns) as f64 / 1e6);
            }
            took_ms.sort_by(f64::total_cmp);
            Ok(Looks(took_ms))
        })
    }

    /// CPU time so far, user and system.
    pub fn cpu_s(&self) -> Result<f64, String> {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
        // The name may contain spaces; the fields after it are counted from 3.
        let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        Ok(ticks.iter().sum::<f64>() / TICKS_PER_S)
    }

    /// Peak memory, in MB.
    pub fn peak_mb(&self) -> Result<f64, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        let kb: f64 = line.split_whitespace().next().and_then(|word| word.parse().ok()).ok_or("no VmHWM")?;
        Ok(kb * 1_024.0 / 1e6)
    }
}

impl Drop for Orchestrator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn dashboard(addr: &str) -> Result<serde_json::Value, String> {
    let page = fetch::get(&format!("http://{addr}/dashboard"), PATIENCE).map_err(|e| e.to_string())?;
    serde_json::from_slice(&page.body).map_err(|e| format!("/dashboard: {e}"))
}
