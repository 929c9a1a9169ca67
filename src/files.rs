//! Files that a command line, a plan or a properties file names, with a limit on their size.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Reads a file of at most `most` bytes.
///
/// # Errors
/// Why it cannot be read, without its name.
pub fn read_limited(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    read_all(File::open(path).map_err(|e| format!("cannot be opened: {e}"))?, most)
}

/// Reads at most `most` bytes to the end.
///
/// # Errors
/// Why they cannot be read.
pub fn read_all(from: impl Read, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("is too large: at most {most} bytes"));
    }
    Ok(bytes)
}
