//! Reads record batches (format version 2, Kafka 0.11 and later) as a broker sends them. What cannot be read
//! is skipped: older formats, oversized records, compressed batches that decode to more than the limit,
//! malformed batches. Records of aborted transactions are dropped.
//!
//! Layout: <https://kafka.apache.org/documentation/#recordbatch>

use super::compression;
use super::transactions::{Aborted, Transactions};
use super::wire::{Malformed, Reader};
use kafka_protocol::records::{BatchDecodeInfo, Compression, RecordBatchDecoder};

/// Largest record (key and value) that is read, in bytes: twice what this project publishes.
pub const LARGEST_READ: usize = 2 * crate::bus::MAX_RECORD_BYTES;
/// Largest compressed batch that is read, in bytes of decoded records: the amount one Fetch requests.
pub const LARGEST_DECODED: usize = 4 << 20;
/// Offset and length before each batch, in bytes.
const BATCH_HEAD: usize = 12;
/// Minimum length of a batch that includes its format byte.
const LEAST_LENGTH: usize = 5;
/// Offset of the records in a batch, in bytes.
pub(super) const RECORDS_AT: usize = 61;
/// Key of a control record: the transaction was aborted.
const ABORT_MARKER: i16 = 0;

/// How much of one response is still accepted; the rest is left to the next Fetch. A few bytes can hold very
/// many records, especially if compressed.
#[derive(Debug)]
pub struct Room {
    /// Number of records.
    pub records: usize,
    /// Bytes of decoded batches; the last batch may exceed it.
    pub decoded: usize,
}

impl Room {
    /// The limits for one response.
    pub fn of_an_answer() -> Self {
        Room { records: 10_000, decoded: LARGEST_DECODED }
    }

    fn is_full(&self) -> bool {
        self.records == 0 || self.decoded == 0
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its offset.
    pub offset: i64,
    /// Its key; empty if absent.
    pub key: Vec<u8>,
    /// Its value; empty if absent.
    pub value: Vec<u8>,
    /// When the broker appended it, if the topic stores that.
    pub append_ms: Option<i64>,
}

/// A range of skipped records and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// First offset.
    pub from: i64,
    /// The offset after the last.
    pub to: i64,
    /// The reason.
    pub why: String,
}

/// The contents of a sequence of batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batches {
    /// The readable records, in order.
    pub records: Vec<Fetched>,
    /// The offset to read next; never before the start offset.
    pub next: i64,
    /// What was skipped.
    pub passed_over: Vec<PassedOver>,
}

/// One partition's part of a response.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Record batches.
    pub bytes: &'a [u8],
    /// The offset they were fetched from.
    pub from: i64,
    /// Whether they are truncated because the response exceeds the size limit.
    pub cut: bool,
    /// The aborted transactions among them.
    pub aborted: &'a [Aborted],
}

/// Reads as much of `part` as there is `room` for. An incomplete batch at the end is left for the next fetch,
/// unless it was cut because it exceeds the response limit: then it is skipped.
pub fn read(part: Part<'_>, room: &mut Room) -> Batches {
    let mut found = Batches { next: part.from, ..Batches::default() };
    let mut transactions = Transactions::new(part.aborted);
    let mut rest = part.bytes;
    while let Some((head, body)) = rest.split_first_chunk::<BATCH_HEAD>()
        && !room.is_full()
    {
        let mut reader = Reader::new(head, false);
        let (Ok(base), Ok(length)) = (reader.i64(), reader.i32()) else { break };
        let length = usize::try_from(length).unwrap_or(0);
        if length < LEAST_LENGTH {
            found.pass_over(found.next.saturating_add(1), "its batch has an invalid length".to_string());
            break;
        }
        if body.len() < length {
            if part.cut && length > LARGEST_READ {
                let why = format!("a batch of {length} bytes is too large to read");
                found.pass_over(batch_end(base, body), why);
            }
            break;
        }
        let (batch, after) = rest.split_at(BATCH_HEAD + length);
        found.read_batch(base, batch, &mut transactions, room);
        rest = after;
    }
    found
}

/// The offset after a batch's last record, read from the bytes after the batch's head.
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

    fn read_batch(&mut self, base: i64, batch: &[u8], transactions: &mut Transactions, room: &mut Room) {
        let body = &batch[BATCH_HEAD..];
        let end = batch_end(base, body);
        transactions.advance(end - 1);
        let before = self.records.len();
        match self.read_records(base, batch, transactions, room) {
            // No room for the rest of it.
            Ok(Some(offset)) => self.next = offset,
            Ok(None) => self.next = self.next.max(end),
            Err(why) if end > self.next => {
                self.records.truncate(before);
                self.pass_over(end, why);
            }
            Err(_) => {}
        }
    }

    /// Reads one batch; returns the offset of the first record that did not fit, if any.
    fn read_records(
        &mut self,
        base: i64,
        batch: &[u8],
        transactions: &mut Transactions,
        room: &mut Room,
    ) -> Result<Option<i64>, String> {
        let format = batch[BATCH_HEAD + 4];
        match format {
            2 => {}
            0 | 1 => return Err(format!("it is in record format {format}, from before Kafka 0.11")),
            _ => return Err(format!("it is in record format {format}, which this version does not support")),
        }
        // The codec verifies the checksum and the head; only the records are parsed here.
        let infos = RecordBatchDecoder::decode_batch_info(&mut &batch[..]).map_err(|e| format!("{e:#}"))?;
        let Some(info) = infos.first() else { return Err("its batch is empty".to_string()) };
        let records = batch.get(RECORDS_AT..).unwrap_or_default();
        if info.control {
            if is_abort_marker(records) {
                transactions.end(info.producer_id);
            }
            return Ok(None);
        }
        let aborted = info.transactional && transactions.is_aborted(info.producer_id);
        if aborted || batch_end(base, &batch[BATCH_HEAD..]) <= self.next {
            return Ok(None);
        }
        let decoded;
        let records = if info.compression == Compression::None {
            records
        } else {
            // A refused batch costs as much as the largest one.
            let decoding = compression::decode(info.compression, records, LARGEST_DECODED);
            let cost = decoding.as_ref().map_or(LARGEST_DECODED, Vec::len);
            room.decoded = room.decoded.saturating_sub(cost);
            decoded = decoding?;
            &decoded
        };
        let append_ms = append_ms(batch).map_err(|malformed| wrong(&malformed))?;
        self.read_decoded(info, records, append_ms, room).map_err(|malformed| wrong(&malformed))
    }

    fn read_decoded(
        &mut self,
        info: &BatchDecodeInfo,
        records: &[u8],
        append_ms: Option<i64>,
        room: &mut Room,
    ) -> Result<Option<i64>, Malformed> {
        let mut reader = Reader::new(records, false);
        for _ in 0..info.record_count {
            let length = usize::try_from(reader.varint()?).map_err(|_| Malformed("a length is negative"))?;
            let (delta, key, value) = read_record(reader.take(length)?)?;
            let offset = info.min_offset.saturating_add(i64::from(delta));
            if offset < self.next {
                continue;
            }
            if room.records == 0 {
                return Ok(Some(offset));
            }
            room.records -= 1;
            if key.len() + value.len() > LARGEST_READ {
                let why = format!("a record of {} bytes is too large to read", key.len() + value.len());
                self.next = offset;
                self.pass_over(offset.saturating_add(1), why);
                continue;
            }
            self.records.push(Fetched { offset, key: key.to_vec(), value: value.to_vec(), append_ms });
        }
        Ok(None)
    }
}

fn wrong(Malformed(why): &Malformed) -> String {
    format!("its batch is malformed: {why}")
}

/// When the broker appended a batch, if the topic stores that.
fn append_ms(batch: &[u8]) -> Result<Option<i64>, Malformed> {
    let mut reader = Reader::new(&batch[BATCH_HEAD..], false);
    reader.take(9)?; // leader epoch, format, checksum
    let append_time = reader.i16()? & 8 != 0;
    reader.take(12)?; // last offset, first timestamp
    // With LogAppendTime, the batch's max timestamp is the append time; the records keep the sender's.
    let max_ms = reader.i64()?;
    Ok(append_time.then_some(max_ms))
}

/// Whether a control batch's only record marks its transaction as aborted.
fn is_abort_marker(records: &[u8]) -> bool {
    let kind = |records| {
        let mut reader = Reader::new(records, false);
        let length = usize::try_from(reader.varint()?).unwrap_or(0);
        let (_, key, _) = read_record(reader.take(length)?)?;
        let mut key = Reader::new(key, false);
        key.i16()?; // version
        key.i16()
    };
    kind(records) == Ok(ABORT_MARKER)
}

/// Offset within the batch, key and value; headers are ignored.
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
    // -1 means null.
    let length = usize::try_from(reader.varint()?).unwrap_or(0);
    reader.take(length)
}

#[cfg(test)]
mod tests;
