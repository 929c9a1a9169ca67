//! Reads record batches (format version 2, Kafka 0.11 and later) as a broker sends them, and passes over what
//! cannot be read without stopping: compressed batches, older formats, records that are too large, rubbish.
//!
//! Layout: <https://kafka.apache.org/documentation/#recordbatch>

use kafka_protocol::records::RecordBatchDecoder;

use super::wire::{Malformed, Reader};

/// Largest record that is read, key and value, in bytes: twice what this project publishes.
pub const LARGEST_READ: usize = 2 * crate::bus::MAX_RECORD_BYTES;
/// Bytes of offset and length before each batch.
const BATCH_HEAD: usize = 12;
/// Least length of a batch that still has its format byte.
const LEAST_LENGTH: usize = 5;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its offset.
    pub offset: i64,
    /// Its key, empty where there is none.
    pub key: Vec<u8>,
    /// Its bytes, empty where there are none.
    pub value: Vec<u8>,
    /// When the broker appended it, where the topic keeps that.
    pub append_ms: Option<i64>,
}

/// Records that were not read: from which offset to before which, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// First offset.
    pub from: i64,
    /// The offset after the last.
    pub to: i64,
    /// Why.
    pub why: String,
}

/// What a run of batches held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batches {
    /// The records that can be read, in order.
    pub records: Vec<Fetched>,
    /// Where to read on; never before where this began.
    pub next: i64,
    /// What was left out.
    pub passed_over: Vec<PassedOver>,
}

/// Reads `bytes`, fetched from offset `from` on. A batch that is incomplete at their end is left for the next
/// fetch, unless it was `cut` because it is larger than what is kept of an answer: that one is passed over.
pub fn read(bytes: &[u8], from: i64, cut: bool) -> Batches {
    let mut found = Batches { next: from, ..Batches::default() };
    let mut rest = bytes;
    while let Some((head, body)) = rest.split_first_chunk::<BATCH_HEAD>() {
        let mut reader = Reader::new(head, false);
        let (Ok(base), Ok(length)) = (reader.i64(), reader.i32()) else { break };
        let length = usize::try_from(length).unwrap_or(0);
        if length < LEAST_LENGTH {
            found.pass_over(found.next.saturating_add(1), "its batch has a wrong length".to_string());
            break;
        }
        if body.len() < length {
            if cut && length > LARGEST_READ {
                let why = format!("a batch of {length} bytes is too large to read");
                found.pass_over(batch_end(base, body), why);
            }
            break;
        }
        let (batch, after) = rest.split_at(BATCH_HEAD + length);
        found.read_batch(base, batch);
        rest = after;
    }
    found
}

/// The offset after a batch's last record, from what follows the batch's head.
fn batch_end(base: i64, body: &[u8]) -> i64 {
    let last_delta = match body.get(4) {
        // Leader epoch, format, checksum and attributes come first.
        Some(2) => body.get(11..15).map_or(0, |b| i32::from_be_bytes([b[0], b[1], b[2], b[3]])),
        _ => 0,
    };
    base.saturating_add(i64::from(last_delta.max(0))).saturating_add(1)
}

impl Batches {
    fn pass_over(&mut self, to: i64, why: String) {
        let to = to.max(self.next.saturating_add(1));
        self.passed_over.push(PassedOver { from: self.next, to, why });
        self.next = to;
    }

    fn read_batch(&mut self, base: i64, batch: &[u8]) {
        let body = &batch[BATCH_HEAD..];
        let end = batch_end(base, body);
        if end <= self.next {
            return;
        }
        let before = self.records.len();
        match self.read_records(base, batch) {
            Ok(()) => self.next = end,
            Err(why) => {
                self.records.truncate(before);
                self.pass_over(end, why);
            }
        }
    }

    fn read_records(&mut self, base: i64, batch: &[u8]) -> Result<(), String> {
        let format = batch[BATCH_HEAD + 4];
        if format != 2 {
            return Err(format!("it is in record format {format}, which is older than Kafka 0.11"));
        }
        // The codec checks the checksum and the head; only the records themselves are read here.
        let infos = RecordBatchDecoder::decode_batch_info(&mut &batch[..]).map_err(|e| format!("{e:#}"))?;
        let Some(info) = infos.first() else { return Err("its batch is empty".to_string()) };
        if info.control {
            return Ok(());
        }
        if info.compression != kafka_protocol::records::Compression::None {
            return Err(format!("it is compressed with {:?}; send without compression", info.compression));
        }
        self.read_plain(base, batch).map_err(|Malformed(why)| format!("its batch is wrong: {why}"))
    }

    fn read_plain(&mut self, base: i64, batch: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(&batch[BATCH_HEAD..], false);
        reader.take(9)?; // leader epoch, format, checksum
        let append_time = reader.i16()? & 8 != 0;
        reader.take(12)?; // last offset, first timestamp
        // With LogAppendTime the batch's greatest timestamp is the append time; the records' own are the sender's.
        let append_ms = Some(reader.i64()?).filter(|_| append_time);
        reader.take(14)?; // producer id, epoch and sequence
        let count = reader.i32()?;
        for _ in 0..count {
            let length = usize::try_from(reader.varint()?).map_err(|_| Malformed("a length is negative"))?;
            let record = reader.take(length)?;
            let (delta, key, value) = read_record(record)?;
            let offset = base.saturating_add(i64::from(delta));
            if offset < self.next {
                continue;
            }
            if key.len() + value.len() > LARGEST_READ {
                let why = format!("a record of {} bytes is too large to read", key.len() + value.len());
                self.next = offset;
                self.pass_over(offset.saturating_add(1), why);
                continue;
            }
            self.records.push(Fetched { offset, key: key.to_vec(), value: value.to_vec(), append_ms });
        }
        Ok(())
    }
}

/// Offset within the batch, key and value; headers are left out.
fn read_record(record: &[u8]) -> Result<(i32, &[u8], &[u8]), Malformed> {
    let mut reader = Reader::new(record, false);
    reader.i8()?; // attributes
    reader.varlong()?; // timestamp
    let delta = reader.varint()?;
    let key = counted(&mut reader)?;
    let value = counted(&mut reader)?;
    Ok((delta, key, value))
}

fn counted<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    // -1 stands for null.
    let length = usize::try_from(reader.varint()?).unwrap_or(0);
    reader.take(length)
}

#[cfg(test)]
mod tests;
