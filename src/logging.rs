//! Logging to standard error, one line per message. Standard output is reserved for results.

use log::LevelFilter;
use simplelog::{ConfigBuilder, LevelPadding, WriteLogger};
use std::io::{Stderr, Write};
use std::sync::{Mutex, PoisonError};

/// Receives each complete line instead of standard error, so that logs do not tear a progress bar.
pub type Printer = Box<dyn Fn(&str) + Send>;

static PRINTER: Mutex<Option<Printer>> = Mutex::new(None);

/// Sends log lines to `printer`, or to standard error again if `None`.
pub fn set_printer(printer: Option<Printer>) {
    *PRINTER.lock().unwrap_or_else(PoisonError::into_inner) = printer;
}

/// Buffers complete lines, so that those of different threads or processes do not mix.
struct Sink {
    stderr: Stderr,
    pending: Vec<u8>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            match PRINTER.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                Some(print) => print(String::from_utf8_lossy(&line).trim_end()),
                // A failed write to the log must not end the process.
                None => drop(self.stderr.write_all(&line)),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts logging at `level`, with UTC timestamps if `timed`. A second call does nothing.
///
/// Messages of libraries are suppressed: their faults reach us as errors, which we report ourselves.
pub fn start(level: LevelFilter, timed: bool) {
    let config = ConfigBuilder::new()
        .set_time_level(if timed { LevelFilter::Error } else { LevelFilter::Off })
        .set_time_format_rfc3339()
        .set_level_padding(LevelPadding::Right)
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Debug)
        .set_location_level(LevelFilter::Off)
        .add_filter_allow_str("floodgate")
        .build();
    let sink = Sink { stderr: std::io::stderr(), pending: Vec::new() };
    // Fails only if a logger is already set.
    let _ = WriteLogger::init(level, config, sink);
}
