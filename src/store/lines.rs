//! Bus records as lines of JSON: `{"topic":…,"partition":…,"offset":…,"append_ms":…,"key":…,"value":…}`.
//!
//! The value stands in the line as it was on the bus, byte for byte, if it is JSON (line breaks between its
//! parts become spaces, and white space around it is dropped), otherwise as `value_base64`.

use crate::bus::{Record, Topic};
use crate::message::secrets;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io::{self, BufRead, Read as _};

/// Longest line that is read, in bytes. A record that was read has at most 2 MB, in base64 a third more, and
/// its key may be escaped.
pub const MAX_LINE_BYTES: usize = 3_000_000;

#[derive(Serialize)]
struct Written<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    append_ms: Option<i64>,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

#[derive(Deserialize)]
struct Read<'a> {
    topic: String,
    #[serde(default)]
    partition: i32,
    offset: i64,
    #[serde(default)]
    append_ms: Option<i64>,
    #[serde(default)]
    key: String,
    #[serde(borrow, default, deserialize_with = "some")]
    value: Option<&'a RawValue>,
    #[serde(default)]
    value_base64: Option<String>,
}

/// Also `null` is a value.
fn some<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// One line with its newline. The values of header fields that contain secrets are hidden, as on every page.
pub fn write(record: &Record) -> Vec<u8> {
    let value = without_secrets(record);
    let raw = serde_json::from_slice::<&RawValue>(&value).ok().map(one_line);
    let line = Written {
        topic: record.topic.name(),
        partition: record.partition,
        offset: record.offset,
        append_ms: record.append_ms,
        key: &record.key,
        value: raw.as_deref(),
        value_base64: raw.is_none().then(|| BASE64.encode(&value)),
    };
    // Texts, numbers and checked JSON always have a JSON form.
    let mut text = serde_json::to_vec(&line).unwrap_or_default();
    text.push(b'\n');
    text
}

/// A plan without its secrets. A plan that has none stays as it is.
fn without_secrets(record: &Record) -> Cow<'_, [u8]> {
    let value = Cow::Borrowed(record.value.as_slice());
    if record.topic != Topic::TestConfig {
        return value;
    }
    let Ok(plan) = serde_json::from_slice::<serde_json::Value>(&record.value) else { return value };
    let mut hidden = plan.clone();
    secrets::hide(&mut hidden);
    // Original orchestrators wrap their plan.
    hidden.get_mut("test_config").into_iter().for_each(secrets::hide);
    if hidden == plan { value } else { Cow::Owned(hidden.to_string().into_bytes()) }
}

/// JSON has line breaks only between its parts: inside texts they are escaped.
fn one_line(raw: &RawValue) -> Cow<'_, RawValue> {
    if !raw.get().contains(['\n', '\r']) {
        return Cow::Borrowed(raw);
    }
    match RawValue::from_string(raw.get().replace(['\n', '\r'], " ")) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(raw),
    }
}

/// Reads one line without its newline.
///
/// # Errors
/// What is wrong with it.
pub fn read(line: &[u8]) -> Result<Record, String> {
    let line: Read = serde_json::from_slice(line).map_err(|e| format!("it is no record: {e}"))?;
    let topic = Topic::ALL.into_iter().find(|topic| topic.name() == line.topic);
    let value = match (line.value, line.value_base64) {
        (Some(raw), None) => raw.get().as_bytes().to_vec(),
        (None, Some(text)) => BASE64.decode(text).map_err(|e| format!("value_base64: {e}"))?,
        _ => return Err("it has no value: one of value and value_base64 is required".to_owned()),
    };
    Ok(Record {
        topic: topic.ok_or_else(|| {
            let names: Vec<&str> = Topic::ALL.into_iter().map(Topic::name).collect();
            let shown = crate::units::clip(&line.topic, 50);
            format!("unknown topic {shown:?}: one of {} is required", names.join(", "))
        })?,
        partition: line.partition,
        offset: line.offset,
        key: line.key,
        value,
        append_ms: line.append_ms,
    })
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

/// The records of a file, one after another. Damaged lines are reported and skipped.
pub struct Lines<R> {
    input: R,
    line: u64,
    buffer: Vec<u8>,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// Reads from the beginning of `input`.
    pub fn new(input: R) -> Lines<R> {
        Lines { input, line: 0, buffer: Vec::new(), ended: false }
    }

    /// The number of the last line, from 1; 0 before the first.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next line, in the buffer; whether there is one.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        let most = MAX_LINE_BYTES as u64 + 1;
        self.input.by_ref().take(most).read_until(b'\n', &mut self.buffer)?;
        Ok(!self.buffer.is_empty())
    }

    /// Reads to the end of a line that is too long.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let read = self.input.fill_buf()?;
            let (skipped, ends) = match read.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (read.len(), read.is_empty()),
            };
            self.input.consume(skipped);
            if ends {
                return Ok(());
            }
        }
    }

    fn take(&mut self) -> io::Result<Option<Result<Record, String>>> {
        while self.fill()? {
            self.line += 1;
            let is_whole = self.buffer.ends_with(b"\n");
            if !is_whole && self.buffer.len() > MAX_LINE_BYTES {
                self.skip_line()?;
                return Ok(Some(Err(format!("it is longer than {MAX_LINE_BYTES} bytes"))));
            }
            let text = self.buffer.trim_ascii();
            if text.is_empty() {
                continue;
            }
            return Ok(Some(read(text).map_err(|what| match is_whole {
                true => what,
                false => format!("the file is cut off here, in the middle of a record ({what})"),
            })));
        }
        Ok(None)
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Record, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let taken = self.take();
        self.ended = !matches!(taken, Ok(Some(_)));
        let found = taken.unwrap_or_else(|e| Some(Err(format!("the file cannot be read further: {e}"))))?;
        Some(found.map_err(|what| Damage { line: self.line.max(1), what }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(topic: Topic, value: &[u8]) -> Record {
        let key = "driver-1".to_owned();
        Record { topic, partition: 0, offset: 7, key, value: value.to_vec(), append_ms: Some(1_000) }
    }

    fn text(record: &Record) -> String {
        String::from_utf8(write(record)).expect("text")
    }

    #[test]
    fn json_stays_as_it_is_and_other_bytes_become_base64() {
        let kept = record(Topic::Metrics, br#"{"b":1.50,"a":"\u00e9","b":2}"#);
        let line = text(&kept);
        let expected = concat!(
            r#"{"topic":"metrics","partition":0,"offset":7,"append_ms":1000,"key":"driver-1","#,
            r#""value":{"b":1.50,"a":"\u00e9","b":2}}"#,
            "\n"
        );
        assert_eq!(line, expected);
        assert_eq!(read(line.trim().as_bytes()), Ok(kept));
        for bytes in [&b"\xff\x00"[..], b"", b"{", b"{} {}", b"\xef\xbb\xbf{}"] {
            let other = record(Topic::Heartbeat, bytes);
            assert!(text(&other).contains("value_base64"), "{bytes:?}");
            assert_eq!(read(text(&other).trim().as_bytes()), Ok(other));
        }
    }

    /// What is kept of a value without line breaks inside.
    fn kept(value: &[u8]) -> Vec<u8> {
        let json = serde_json::from_slice::<&RawValue>(value);
        json.map_or(value.to_vec(), |json| json.get().as_bytes().to_vec())
    }

    #[test]
    fn white_space_around_a_value_is_dropped() {
        for value in [&b"0\t"[..], b" 0", b"\r\n0\n", b"\t0 "] {
            let back = read(text(&record(Topic::Trigger, value)).trim().as_bytes());
            assert_eq!(back, Ok(record(Topic::Trigger, b"0")), "{value:?}");
        }
    }

    #[test]
    fn a_record_is_one_line() {
        let pretty = record(Topic::Trigger, b"{\r\n  \"a\": \"x\\ny\"\n}");
        let line = text(&pretty);
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let back = read(line.trim().as_bytes()).expect("read");
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&back.value).expect("JSON"),
            serde_json::from_slice::<serde_json::Value>(&pretty.value).expect("JSON")
        );
        let null = record(Topic::Trigger, b"null");
        assert_eq!(read(text(&null).trim().as_bytes()), Ok(null));
        // No time, and a key that needs escapes.
        let odd = Record { append_ms: None, key: "a\n\"b".to_owned(), ..record(Topic::Register, b"1") };
        assert_eq!(read(text(&odd).trim().as_bytes()), Ok(odd));
    }

    #[test]
    fn secrets_of_a_plan_are_not_saved() {
        let plan = br#"{"test_id":"t","request":{"headers":[["Authorization","Bearer x"],["A","1.50"]]}}"#;
        let line = text(&record(Topic::TestConfig, plan));
        assert!(line.contains("(hidden)") && line.contains("1.50") && !line.contains("Bearer"), "{line}");
        let wrapped = [b"{\"test_config\":", &plan[..], b"}"].concat();
        let line = text(&record(Topic::TestConfig, &wrapped));
        assert!(line.contains("(hidden)") && !line.contains("Bearer"), "{line}");
    }

    fn all(bytes: &[u8]) -> Vec<Result<i64, Damage>> {
        Lines::new(bytes).map(|read| read.map(|record| record.offset)).collect()
    }

    #[test]
    fn damaged_lines_are_named_and_the_others_are_read() {
        let good = text(&record(Topic::Metrics, b"{}"));
        let file = format!("{good}\nnonsense\n{good}{}", &good[..20]);
        let found = all(file.as_bytes());
        assert_eq!((found.len(), &found[0], &found[2]), (4, &Ok(7), &Ok(7)));
        let damage = |at: usize| found[at].clone().expect_err("damaged");
        assert_eq!(damage(1).line, 3);
        assert!(damage(1).what.starts_with("it is no record: "), "{:?}", damage(1));
        assert_eq!(damage(3).line, 5);
        assert!(damage(3).what.contains("cut off"), "{:?}", damage(3));
        // Without the last newline, the last record is still whole.
        assert_eq!(all(good.trim_end().as_bytes()), [Ok(7)]);
        assert_eq!(all(b"\n\r\n  \n"), []);
        assert_eq!(all(b""), []);
    }

    #[test]
    fn a_line_without_end_takes_no_memory_and_hides_no_other() {
        let good = text(&record(Topic::Metrics, b"{}"));
        for more in [1, 2, 100_000] {
            let long = "x".repeat(MAX_LINE_BYTES + more);
            let found = all(format!("{long}\n{good}").as_bytes());
            assert_eq!(found.len(), 2);
            assert!(
                found[0].as_ref().is_err_and(|damage| damage.line == 1 && damage.what.contains("longer"))
            );
            assert_eq!(found[1], Ok(7));
            assert_eq!(all(long.as_bytes()).len(), 1);
        }
    }

    #[test]
    fn foreign_lines_are_refused_with_a_reason() {
        for (line, word) in [
            ("7", "no record"),
            ("{}", "topic"),
            (r#"{"topic":"nonsense","offset":1,"value":{}}"#, "heartbeat"),
            (r#"{"topic":"metrics","offset":1}"#, "value"),
            (r#"{"topic":"metrics","offset":1,"value":1,"value_base64":"AA=="}"#, "value"),
            (r#"{"topic":"metrics","offset":1,"value_base64":"%"}"#, "value_base64"),
            (r#"{"topic":"metrics","offset":1e99,"value":1}"#, "no record"),
        ] {
            assert!(read(line.as_bytes()).is_err_and(|e| e.contains(word)), "{line}");
        }
    }

    proptest! {
        #[test]
        fn every_record_is_read_back(value in prop::collection::vec(any::<u8>(), 0..60), key in ".*") {
            let one = Record { key, ..record(Topic::Register, &value) };
            let back = read(text(&one).trim_end_matches('\n').as_bytes());
            prop_assert_eq!(back, Ok(Record { value: kept(&value), ..one }));
        }

        #[test]
        fn any_file_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = all(&bytes);
        }
    }
}
