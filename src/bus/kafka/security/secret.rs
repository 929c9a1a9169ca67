//! A text that no log, error or debug output shows.

use crate::files;
use std::fmt;
use std::path::Path;

/// Largest file of settings, certificates or secrets, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Longest password or token, in bytes.
const MAX_SECRET_BYTES: usize = 64 << 10;

/// A password, token or key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text, for its one purpose.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// A file of at most 1 MiB.
///
/// # Errors
/// Why it cannot be read; the path is left to the caller.
pub fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    files::read_limited(path, MAX_FILE_BYTES)
}

/// The one line of a file: a password or a token. The line ending is removed.
///
/// # Errors
/// Why there is none, without its content; the path is left to the caller.
pub fn read_secret(path: &Path) -> Result<Secret, String> {
    let text = String::from_utf8(read_file(path)?).map_err(|_| "is not UTF-8".to_owned())?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err("is empty".to_owned());
    }
    if line.len() > MAX_SECRET_BYTES || line.contains(['\n', '\0']) {
        return Err(format!("must hold one line of at most {MAX_SECRET_BYTES} bytes"));
    }
    Ok(Secret::new(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "(hidden) Some((hidden))");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn a_secret_is_the_only_line_of_its_file() {
        let path = std::env::temp_dir().join(format!("floodgate-secret-{}", std::process::id()));
        let read = |text: &str| {
            std::fs::write(&path, text).expect("written");
            read_secret(&path)
        };
        for text in [" pass word", " pass word\n", " pass word\r\n"] {
            assert_eq!(read(text), Ok(Secret::new(" pass word")), "{text:?}");
        }
        for bad in ["", "\n", "hunter2\nmore\n", "hunter2\0", &"h".repeat(MAX_SECRET_BYTES + 1)] {
            assert!(read(bad).is_err_and(|e| !e.contains("hunter2")), "{bad:?}");
        }
        assert!(read(&"h".repeat(1 << 21)).is_err_and(|e| e.contains("too large")));
        std::fs::remove_file(&path).expect("removed");
        assert!(read_secret(&path).is_err_and(|e| e.contains("cannot be opened")));
    }
}
