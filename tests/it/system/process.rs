//! The programs as child processes that a test starts and signals. None of them outlives its test.

use floodgate::clock;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Far longer than any step takes when it works.
pub const SOON: Duration = Duration::from_secs(60);

/// Waits until `found` returns a value. On timeout, `state` describes what there was instead.
pub fn wait<T>(what: &str, state: impl Fn() -> String, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline_ns = clock::now_ns() + clock::to_ns(SOON);
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(clock::now_ns() < deadline_ns, "timed out waiting for: {what}; state: {}", state());
        clock::sleep(Duration::from_millis(50));
    }
}

/// A running program.
pub struct Process {
    name: String,
    child: Child,
    said: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    printed: Arc<Mutex<String>>,
}

impl Process {
    /// Starts a program with flags and environment variables. It does not inherit the variables of this
    /// process that would configure it.
    pub fn start(name: &str, program: &str, words: &[&str], variables: &[(&str, &str)]) -> Process {
        let mut command = Command::new(path(program));
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FLOODGATE_")) {
            command.env_remove(name);
        }
        let mut child = command.envs(variables.iter().copied()).spawn().expect("the program starts");
        let (said, printed) = (Arc::<Mutex<String>>::default(), Arc::<Mutex<String>>::default());
        let readers = vec![
            gather(child.stderr.take().expect("stderr"), Arc::clone(&said)),
            gather(child.stdout.take().expect("stdout"), Arc::clone(&printed)),
        ];
        Process { name: name.to_owned(), child, said, readers, printed }
    }

    /// Everything that it has written to standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a line on standard error that contains `text`.
    pub fn line(&mut self, text: &str) -> String {
        let (said, name) = (Arc::clone(&self.said), self.name.clone());
        let all = || said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        wait(&format!("{text:?} from {name}"), all, || {
            let found =
                all().split_inclusive('\n').find(|l| l.contains(text) && l.ends_with('\n'))?.to_owned();
            Some(found)
        })
    }

    /// Its command line, as every user of this host can read it.
    pub fn command_line(&self) -> String {
        let bytes = std::fs::read(format!("/proc/{}/cmdline", self.child.id())).expect("it runs");
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process can be signalled");
    }

    /// Waits until it has exited or was killed. Returns its exit code, standard output and standard error.
    pub fn end(mut self) -> Ended {
        let said = Arc::clone(&self.said);
        let text = || said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let what = format!("end of {}", self.name);
        let status = wait(&what, text, || self.child.try_wait().expect("wait"));
        self.readers.drain(..).for_each(|reader| reader.join().expect("reader"));
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ended { code: status.code(), printed, said: self.said() }
    }

    /// Shuts it down with SIGTERM.
    pub fn terminate(self) -> Ended {
        self.signal(Signal::TERM);
        self.end()
    }

    /// Kills it with SIGKILL.
    pub fn kill(self) {
        self.signal(Signal::KILL);
        assert_eq!(self.end().code, None, "killed by the signal");
    }
}

/// The outcome of a process that has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub printed: String,
    pub said: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of {}:\n{}", self.name, self.said());
        }
    }
}

fn gather(from: impl Read + Send + 'static, into: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

fn path(program: &str) -> &'static str {
    match program {
        "floodgate" => env!("CARGO_BIN_EXE_floodgate"),
        "floodgate-orchestrator" => env!("CARGO_BIN_EXE_floodgate-orchestrator"),
        "floodgate-driver" => env!("CARGO_BIN_EXE_floodgate-driver"),
        "floodgate-target" => env!("CARGO_BIN_EXE_floodgate-target"),
        other => panic!("unknown program {other:?}"),
    }
}

/// The address in a line like `ready: http://127.0.0.1:8000/ping`.
pub fn addr_in(line: &str) -> SocketAddr {
    let rest = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    rest.and_then(|addr| addr.parse().ok()).unwrap_or_else(|| panic!("no address in {line:?}"))
}
