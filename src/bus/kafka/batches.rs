//! Reads record batches (format version 2, Kafka 0.11 and later) as a broker sends them, and passes over what
//! cannot be read without stopping: older formats, records that are too large, compressed batches that would
//! decode to more than is kept, malformed ones. Records of aborted transactions are left out.
//!
//! Layout: <https://kafka.apache.org/documentation/#recordbatch>

use kafka_protocol::records::{BatchDecodeInfo, Compression, RecordBatchDecoder};

use super::compression;
use super::transactions::{Aborted, Transactions};
use super::wire::{Malformed, Reader};

/// Largest record that is read, key and value, in bytes: twice what this project publishes.
pub const LARGEST_READ: usize = 2 * crate::bus::MAX_RECORD_BYTES;
/// Largest compressed batch that is read, in bytes of its decoded records: what one Fetch asks for.
pub const LARGEST_DECODED: usize = 4 << 20;
/// Bytes of offset and length before each batch.
const BATCH_HEAD: usize = 12;
/// Least length of a batch that still has its format byte.
const LEAST_LENGTH: usize = 5;
/// Bytes of a batch before its records.
const RECORDS_AT: usize = 61;
/// In the key of a control record: its transaction was aborted.
const ABORT_MARKER: i16 = 0;

/// How much one answer may still bring: what is beyond is left to the next Fetch. A few bytes can hold very many
/// records, compressed ones above all.
#[derive(Debug)]
pub struct Room {
    /// Records.
    pub records: usize,
    /// Bytes of decoded batches; the last one may go beyond.
    pub decoded: usize,
}

impl Room {
    /// What is taken of one answer.
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

/// One partition's part of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Record batches.
    pub bytes: &'a [u8],
    /// From which offset on they were fetched.
    pub from: i64,
    /// They end early because the answer is larger than what is kept of one.
    pub cut: bool,
    /// The transactions in them that were aborted.
    pub aborted: &'a [Aborted],
}

/// Reads `part` as far as there is `room`. A batch that is incomplete at its end is left for the next fetch, unless
/// it was cut because it is larger than what is kept of an answer: that one is passed over.
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
            found.pass_over(found.next.saturating_add(1), "its batch has a wrong length".to_string());
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

    fn read_batch(&mut self, base: i64, batch: &[u8], transactions: &mut Transactions, room: &mut Room) {
        let body = &batch[BATCH_HEAD..];
        let end = batch_end(base, body);
        transactions.advance(end - 1);
        let before = self.records.len();
        match self.read_records(base, batch, transactions, room) {
            // No room was left for the rest of it.
            Ok(Some(offset)) => self.next = offset,
            Ok(None) => self.next = self.next.max(end),
            Err(why) if end > self.next => {
                self.records.truncate(before);
                self.pass_over(end, why);
            }
            Err(_) => {}
        }
    }

    /// Reads one batch; returns the offset of the first record that there is no room for, if any.
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
            0 | 1 => return Err(format!("it is in record format {format}, which is older than Kafka 0.11")),
            _ => return Err(format!("it is in record format {format}, which this version does not know")),
        }
        // The codec checks the checksum and the head; only the records themselves are read here.
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
            // A refused one cost as much as the largest.
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
    format!("its batch is wrong: {why}")
}

/// When the broker appended a batch, where the topic keeps that.
fn append_ms(batch: &[u8]) -> Result<Option<i64>, Malformed> {
    let mut reader = Reader::new(&batch[BATCH_HEAD..], false);
    reader.take(9)?; // leader epoch, format, checksum
    let append_time = reader.i16()? & 8 != 0;
    reader.take(12)?; // last offset, first timestamp
    // With LogAppendTime the batch's greatest timestamp is the append time; the records' own are the sender's.
    let greatest_ms = reader.i64()?;
    Ok(append_time.then_some(greatest_ms))
}

/// Whether the only record of a control batch says that its transaction was aborted.
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
