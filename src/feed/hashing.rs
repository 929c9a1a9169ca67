//! Reads a file, and hashes, counts and limits what is read.

use super::MAX_BYTES;
use crate::units::hex;
use hmac_sha256::Hash;
use std::io::{self, Read};

/// A reader that keeps the SHA-256 of what passed.
pub struct Hashing<R> {
    inner: R,
    hash: Hash,
    bytes: u64,
}

impl<R: Read> Hashing<R> {
    pub fn new(inner: R) -> Hashing<R> {
        Hashing { inner, hash: Hash::new(), bytes: 0 }
    }

    /// The hash, in hex.
    pub fn sha256(self) -> String {
        hex(&self.hash.finalize())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes += count as u64;
        if self.bytes > MAX_BYTES {
            let why = format!("is too large: a feed has at most {MAX_BYTES} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

/// The SHA-256 of everything that can be read, in hex.
///
/// # Errors
/// What cannot be read, or that it is too large.
pub fn sha256(input: impl Read) -> io::Result<String> {
    let mut hashing = Hashing::new(input);
    io::copy(&mut hashing, &mut io::sink())?;
    Ok(hashing.sha256())
}
