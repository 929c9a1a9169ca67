//! The records of one test on their way to `records.jsonl`.
//!
//! The topics are read independently, so two readers of one log see their records interleaved differently.
//! The file has one order for all of them: the plan, the reports up to the END, then what the result does
//! not depend on, topic by topic, up to the time of the END.

use super::disk::{Disk, Output};
use super::lines::{self, Lines, MAX_LINE_BYTES};
use crate::bus::{Record, Topic};
use crate::message::{End, decode};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file in the folder of a saved run.
pub const RECORDS: &str = "records.jsonl";
/// Maximum size of the records of one test, in bytes.
const MAX_BYTES: u64 = 4 << 30;
/// Maximum size of reports that were read before their plan, in bytes.
const MAX_EARLY_BYTES: usize = 4 << 20;
/// Bytes collected before they are written.
const BUFFER_BYTES: usize = 64 << 10;

/// The records of one test, in files inside a temporary folder.
pub struct Recording {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    /// The plan and the reports.
    main: Option<BufWriter<Box<dyn Output>>>,
    others: BTreeMap<Topic, BufWriter<Box<dyn Output>>>,
    /// Reports that were read before the plan.
    early: Vec<u8>,
    /// The newest offset and its append time of each partition.
    newest: BTreeMap<(Topic, i32), (i64, Option<i64>)>,
    /// Append time of the END, once it was read.
    end: Option<Option<i64>>,
    bytes: u64,
    trouble: Option<String>,
}

impl Recording {
    /// Nothing recorded yet; the folder is created for the first record.
    pub fn new(folder: PathBuf, disk: Arc<dyn Disk>) -> Recording {
        Recording {
            folder,
            disk,
            main: None,
            others: BTreeMap::new(),
            early: Vec::new(),
            newest: BTreeMap::new(),
            end: None,
            bytes: 0,
            trouble: None,
        }
    }

    /// The temporary folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the records are incomplete.
    pub fn has_failed(&self) -> bool {
        self.trouble.is_some()
    }

    /// Whether the plan of the test was recorded.
    pub fn has_plan(&self) -> bool {
        self.main.is_some()
    }

    /// Adds a record of the test. Repeated ones and reports after the END are left out.
    pub fn add(&mut self, record: &Record) {
        let is_late = record.topic == Topic::Metrics && self.end.is_some();
        if self.trouble.is_some() || is_late || !self.is_new(record) {
            return;
        }
        let line = lines::write(record);
        // No reader accepts a message of that size either.
        if line.len() > MAX_LINE_BYTES {
            return;
        }
        self.bytes += line.len() as u64;
        if self.bytes > MAX_BYTES {
            return self.fail(format!("the records of one test take more than {} GB", MAX_BYTES >> 30));
        }
        if let Err(e) = self.place(record.topic, &line) {
            return self.fail(e.to_string());
        }
        if record.topic == Topic::Metrics && is_end(&record.value) {
            self.end = Some(record.append_ms);
        }
    }

    /// Gives up: the records are incomplete. What was written makes room for the rest of the result.
    pub fn fail(&mut self, why: String) {
        self.trouble.get_or_insert(why);
        (self.main, self.early) = (None, Vec::new());
        self.others.clear();
        let names = Topic::ALL.map(part).into_iter().chain([RECORDS.to_owned()]);
        names.for_each(|name| drop(fs::remove_file(self.folder.join(name))));
    }

    /// Completes `records.jsonl` in the temporary folder.
    ///
    /// # Errors
    /// Why there is no such file.
    pub fn finish(&mut self) -> Result<(), String> {
        if self.main.is_none() && self.trouble.is_none() {
            self.trouble = Some("the plan of the test was not read".to_owned());
        }
        if self.trouble.is_none()
            && let Err(e) = self.complete()
        {
            self.fail(e.to_string());
        }
        self.trouble.clone().map_or(Ok(()), Err)
    }

    /// Whether this record was not read before. Offsets begin again when a topic is created again.
    fn is_new(&mut self, record: &Record) -> bool {
        let place = (record.topic, record.partition);
        let own = (record.offset, record.append_ms);
        if let Some((offset, append_ms)) = self.newest.get(&place)
            && record.offset <= *offset
            && record.append_ms <= *append_ms
        {
            return false;
        }
        self.newest.insert(place, own);
        true
    }

    fn place(&mut self, topic: Topic, line: &[u8]) -> io::Result<()> {
        match topic {
            Topic::TestConfig if self.main.is_none() => {
                let mut main = self.create(RECORDS)?;
                main.write_all(line)?;
                main.write_all(&std::mem::take(&mut self.early))?;
                self.main = Some(main);
            }
            Topic::Metrics => match &mut self.main {
                Some(main) => main.write_all(line)?,
                None if self.early.len() + line.len() > MAX_EARLY_BYTES => {
                    return Err(io::Error::other("too many reports were read before the plan"));
                }
                None => self.early.extend_from_slice(line),
            },
            _ => {
                if !self.others.contains_key(&topic) {
                    let file = self.create(&part(topic))?;
                    self.others.insert(topic, file);
                }
                self.others.get_mut(&topic).map_or(Ok(()), |file| file.write_all(line))?;
            }
        }
        Ok(())
    }

    fn create(&self, name: &str) -> io::Result<BufWriter<Box<dyn Output>>> {
        fs::create_dir_all(&self.folder)?;
        Ok(BufWriter::with_capacity(BUFFER_BYTES, self.disk.create(&self.folder.join(name))?))
    }

    fn complete(&mut self) -> io::Result<()> {
        let Some(mut main) = self.main.take() else { return Ok(()) };
        for (topic, mut file) in std::mem::take(&mut self.others) {
            file.flush()?;
            let path = self.folder.join(part(topic));
            for record in Lines::new(BufReader::new(File::open(&path)?)).flatten() {
                if self.is_before_end(&record) {
                    main.write_all(&lines::write(&record))?;
                }
            }
            fs::remove_file(&path)?;
        }
        main.flush()?;
        main.get_mut().sync()
    }

    fn is_before_end(&self, record: &Record) -> bool {
        let end_ms = self.end.flatten();
        end_ms.is_none_or(|end_ms| record.append_ms.is_none_or(|ms| ms <= end_ms))
    }
}

/// The file that collects the records of one topic.
fn part(topic: Topic) -> String {
    format!("{}.part", topic.name())
}

/// Reports are far more frequent, so only what may be an END is parsed as one.
fn is_end(value: &[u8]) -> bool {
    let word = br#""trigger""#;
    value.windows(word.len()).any(|window| window == word) && decode::<End>(value).is_ok()
}
