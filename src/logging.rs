//! Logs: to standard error, one line each. Standard output is for results alone.

use log::LevelFilter;
use simplelog::{ConfigBuilder, LevelPadding, WriteLogger};
use std::io::{Stderr, Write};
use std::sync::{Mutex, PoisonError};

/// Takes each complete line in place of standard error, so that a progress bar is not torn.
pub type Printer = Box<dyn Fn(&str) + Send>;

static PRINTER: Mutex<Option<Printer>> = Mutex::new(None);

/// Sends log lines through `printer`, or, with none, to standard error again.
pub fn set_printer(printer: Option<Printer>) {
    *PRINTER.lock().unwrap_or_else(PoisonError::into_inner) = printer;
}

/// Where the lines go: gathers whole ones, so that those of two threads or processes do not mix.
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
                // A log that cannot be written must not end the process.
                None => drop(self.stderr.write_all(&line)),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts logging at `level`, each line with its time (UTC) where `timed`. A second call changes nothing.
///
/// What the libraries say of themselves is left out: their faults reach us as errors and are told in our words.
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
    // It fails only where a logger is there already.
    let _ = WriteLogger::init(level, config, sink);
}
