//! How files are written. Tests replace it by a disk that is full.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// A file being written.
pub trait Output: Write + Send {
    /// Waits until everything is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

impl Output for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Creates files.
pub trait Disk: Send + Sync {
    /// Creates a new file.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>>;
}

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files;

impl Disk for Files {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(File::create_new(path)?))
    }
}

/// A disk that fails once a number of bytes has been written to it, for tests.
#[cfg(test)]
pub struct Small {
    /// Bytes left.
    pub left: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

#[cfg(test)]
impl Disk for Small {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        struct Limited(File, std::sync::Arc<std::sync::atomic::AtomicU64>);
        impl Write for Limited {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                use std::sync::atomic::Ordering::SeqCst;
                let left = self.1.load(SeqCst);
                if (left as usize) < bytes.len() {
                    return Err(io::Error::from(io::ErrorKind::StorageFull));
                }
                self.1.store(left - bytes.len() as u64, SeqCst);
                self.0.write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                self.0.flush()
            }
        }
        impl Output for Limited {
            fn sync(&mut self) -> io::Result<()> {
                self.0.sync_all()
            }
        }
        Ok(Box::new(Limited(File::create_new(path)?, std::sync::Arc::clone(&self.left))))
    }
}
