//! Ctrl-C and SIGTERM: the first one is a request to end in order, the second one ends the process at once.

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::thread::JoinHandle;
use std::time::Duration;

/// Exit code of a process that Ctrl-C ended: 128 and the number of SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Listens for both signals from now on, until it is dropped.
pub struct Interrupts {
    first: Receiver<()>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Interrupts {
    /// Begins to listen. The error says what the system refused.
    pub fn listen() -> Result<Interrupts, String> {
        let fail = |e: std::io::Error| format!("cannot listen for Ctrl-C and SIGTERM: {e}");
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(fail)?;
        let handle = signals.handle();
        let (tell, first) = bounded(1);
        let body = move || {
            for (count, _) in signals.forever().enumerate() {
                if count > 0 {
                    std::process::exit(i32::from(INTERRUPTED));
                }
                let _ = tell.try_send(());
            }
        };
        let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(body).map_err(fail)?;
        Ok(Interrupts { first, handle, thread: Some(thread) })
    }

    /// Waits for the first signal.
    pub fn wait(&self) {
        let _ = self.first.recv();
    }

    /// Waits for the first signal up to `timeout`; says once that it came.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.first.recv_timeout(timeout).is_ok()
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
