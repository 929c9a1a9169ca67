//! What a report says of the saved records: their hash, and the clocks in their heartbeats.

use super::lines;
use crate::bus::Topic;
use crate::message::{Heartbeat, decode};
use crate::report::{Clock, Records};
use crate::units::hex;
use hmac_sha256::Hash;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

/// Maximum number of drivers whose clocks are read.
const MAX_CLOCKS: usize = 1_000;
/// Longest line that is read as one, in bytes; it only has to hold a heartbeat.
const MAX_LINE_BYTES: u64 = 64 << 10;

/// Reads a file of records once.
///
/// # Errors
/// It cannot be read.
pub fn examine(path: &Path) -> io::Result<Records> {
    let mut input = BufReader::with_capacity(1 << 16, File::open(path)?);
    let (mut hash, mut bytes, mut line) = (Hash::new(), 0u64, Vec::new());
    let mut clocks = BTreeMap::new();
    while input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? > 0 {
        hash.update(&line);
        bytes += line.len() as u64;
        if let Some(clock) = clock(&line)
            && (clocks.len() < MAX_CLOCKS || clocks.contains_key(&clock.node_id))
        {
            clocks.insert(clock.node_id.clone(), clock);
        }
        line.clear();
    }
    Ok(Records { sha256: hex(&hash.finalize()), bytes, clocks: clocks.into_values().collect() })
}

/// The clock in a heartbeat; `None` in any other record.
fn clock(line: &[u8]) -> Option<Clock> {
    // Reports are far more frequent, and are not parsed.
    let begin = format!("{{\"topic\":\"{}\"", Topic::Heartbeat.name());
    let record = lines::read(line.strip_suffix(b"\n").filter(|line| line.starts_with(begin.as_bytes()))?);
    let heartbeat: Heartbeat = decode(&record.ok()?.value).ok()?;
    let offset_ms = heartbeat.clock_offset_ms.filter(|ms| ms.is_finite())?;
    Some(Clock { node_id: heartbeat.node_id, offset_ms, error_ms: heartbeat.clock_error_ms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Record;

    #[test]
    fn the_hash_is_that_of_the_file_and_clocks_are_the_last_ones() {
        let heartbeat = |offset: i64, value: &str| {
            let (key, value) = ("d".to_owned(), value.as_bytes().to_vec());
            lines::write(&Record {
                topic: Topic::Heartbeat,
                partition: 0,
                offset,
                key,
                value,
                append_ms: None,
            })
        };
        let mut text = b"abc\n".to_vec();
        text.extend(vec![b'x'; 100_000]);
        text.push(b'\n');
        text.extend(heartbeat(1, r#"{"node_id":"d","clock_offset_ms":5.0}"#));
        text.extend(heartbeat(2, r#"{"node_id":"d","clock_offset_ms":-1.25,"clock_error_ms":0.5}"#));
        text.extend(heartbeat(3, r#"{"node_id":"e"}"#));
        let path = std::env::temp_dir().join(format!("floodgate-examine-{}", std::process::id()));
        std::fs::write(&path, &text).expect("written");
        let found = examine(&path).expect("read");
        assert_eq!(found.bytes, text.len() as u64);
        assert_eq!(found.clock("d").as_deref(), Some("-1.25 ± 0.50"));
        assert_eq!((found.clock("e"), found.clocks.len()), (None, 1));
        std::fs::write(&path, "abc").expect("written");
        // The test vector of FIPS 180-2.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(examine(&path).expect("read").sha256, expected);
        std::fs::remove_file(&path).expect("removed");
        assert!(examine(&path).is_err());
    }
}
