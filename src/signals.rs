//! Ctrl-C, SIGTERM and SIGHUP: the first one requests a graceful shutdown, the second one exits immediately.

use crate::clock::{self, NS_PER_MS};
use crate::host::limits::explain;
use crate::threads;
use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::fmt;
use std::thread::JoinHandle;
use std::time::Duration;

/// The same signal again within this time is the same request: timeout(1) sends it to the process and to its
/// group.
const ECHO_NS: u64 = 100 * NS_PER_MS;

/// The signal that asked the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(i32);

impl Signal {
    /// Exit code of a process ended by the signal: 128 plus its number (129, 130 or 143).
    pub fn exit_code(self) -> u8 {
        u8::try_from(128 + self.0).unwrap_or(u8::MAX)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            SIGTERM => "SIGTERM",
            SIGHUP => "SIGHUP",
            _ => "Ctrl-C",
        })
    }
}

/// Listens for the signals until it is dropped.
pub struct Interrupts {
    first: Receiver<Signal>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Interrupts {
    /// Starts listening. SIGHUP stays ignored if it was ignored at the start (`nohup`). The error says what
    /// the system refused.
    pub fn listen() -> Result<Interrupts, String> {
        let fail =
            |e: std::io::Error| format!("cannot listen for Ctrl-C, SIGTERM and SIGHUP: {}", explain(&e));
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(fail)?;
        let handle = signals.handle();
        if !is_ignored(SIGHUP) {
            handle.add_signal(SIGHUP).map_err(fail)?;
        }
        let (tell, first) = bounded(1);
        let body = move || {
            let mut first = None;
            for signal in signals.forever().map(Signal) {
                let now_ns = clock::now_ns();
                match first {
                    None => {
                        first = Some((signal, now_ns));
                        let _ = tell.try_send(signal);
                    }
                    Some(first) if ends_at_once(first, (signal, now_ns)) => {
                        std::process::exit(i32::from(signal.exit_code()));
                    }
                    Some(_) => {}
                }
            }
        };
        let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(body);
        let thread = thread.map_err(|e| format!("cannot start thread signals: {}", threads::why_not(&e)))?;
        Ok(Interrupts { first, handle, thread: Some(thread) })
    }

    /// As if SIGTERM had been received.
    #[cfg(test)]
    pub fn received() -> Interrupts {
        let (tell, first) = bounded(1);
        tell.try_send(Signal(SIGTERM)).expect("there is room");
        let mut interrupts = Interrupts::listen().expect("listens");
        interrupts.first = first;
        interrupts
    }

    /// Waits for the first signal.
    pub fn wait(&self) {
        let _ = self.first.recv();
    }

    /// Waits for the first signal for up to `timeout`; returns it only once.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Signal> {
        self.first.recv_timeout(timeout).ok()
    }
}

/// Whether a signal is more than the first one or its echo; each with its time in ns.
fn ends_at_once(first: (Signal, u64), signal: (Signal, u64)) -> bool {
    signal.0 != first.0 || signal.1 > first.1 + ECHO_NS
}

/// Whether this process ignores a signal: a bit in the kernel's `SigIgn` mask (proc(5)).
fn is_ignored(signal: i32) -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_echo_of_a_signal_is_the_same_request() {
        let first = (Signal(SIGTERM), 7);
        assert!(!ends_at_once(first, first));
        assert!(!ends_at_once(first, (Signal(SIGTERM), 7 + ECHO_NS)));
        assert!(ends_at_once(first, (Signal(SIGTERM), 8 + ECHO_NS)));
        assert!(ends_at_once(first, (Signal(SIGINT), 8)), "another signal is no echo");
    }
}
