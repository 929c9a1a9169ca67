//! The log of a simulation, decoded once.

use super::bus::{BEGAN_MS, SimulatedBus};
use floodgate::bus::{Record, Topic};
use floodgate::clock::NS_PER_MS;
use floodgate::message::{End, Metrics, NodeRef, TestConfig, Trigger, Word, decode, decode_config};
use std::collections::BTreeSet;

/// A plan that counts, and when it was appended, in broker time.
pub struct Test {
    pub config: TestConfig,
    pub configured_ms: i64,
}

/// A record of `metrics`.
pub enum Entry {
    Report { test_id: String, node: NodeRef, sequence: u64, is_final: bool },
    End(Box<End>, i64),
}

/// Which plans count, in the order of the log: the first with its predecessor, and with its id.
#[derive(Default)]
struct Chain {
    ids: BTreeSet<String>,
    predecessors: BTreeSet<String>,
}

impl Chain {
    fn counts(&mut self, config: &TestConfig) -> bool {
        let is_new = self.ids.insert(config.test_id.clone());
        is_new && self.predecessors.insert(config.previous.clone().expect("its predecessor"))
    }
}

/// Which tests have no END yet.
#[derive(Default)]
pub struct Progress {
    chain: Chain,
    read: [usize; 2],
    open: BTreeSet<String>,
}

impl Progress {
    /// Reads what was appended since.
    pub fn read(&mut self, bus: &SimulatedBus) {
        let (plans, metrics) = (bus.records_of(Topic::TestConfig), bus.records_of(Topic::Metrics));
        for record in &plans[self.read[0]..] {
            let config = plan(record);
            if self.chain.counts(&config) {
                self.open.insert(config.test_id);
            }
        }
        for record in metrics[self.read[1]..].iter().filter(|record| !is_report(record)) {
            self.open.remove(&decode::<End>(&record.value).expect("an END").test_id);
        }
        self.read = [plans.len(), metrics.len()];
    }

    pub fn open(&self) -> &BTreeSet<String> {
        &self.open
    }
}

/// Everything that decides about a test.
pub struct History {
    pub tests: Vec<Test>,
    pub triggers: Vec<(Trigger, i64)>,
    pub metrics: Vec<Entry>,
}

impl History {
    pub fn of(bus: &SimulatedBus) -> History {
        let mut chain = Chain::default();
        let plans = bus.records_of(Topic::TestConfig).iter();
        let tests = plans.map(|record| Test { config: plan(record), configured_ms: appended_ms(record) });
        let triggers = bus.records_of(Topic::Trigger).iter();
        let triggers = triggers.filter_map(|r| Some((decode::<Trigger>(&r.value).ok()?, appended_ms(r))));
        History {
            tests: tests.filter(|test| chain.counts(&test.config)).collect(),
            triggers: triggers.collect(),
            metrics: bus.records_of(Topic::Metrics).iter().map(entry).collect(),
        }
    }

    /// The END that counts, and when it was appended.
    pub fn end(&self, test_id: &str) -> Option<(&End, i64)> {
        self.metrics.iter().find_map(|entry| match entry {
            Entry::End(end, at_ms) if end.test_id == test_id => Some((&**end, *at_ms)),
            _ => None,
        })
    }

    /// The END of each test.
    pub fn ends(&self) -> impl Iterator<Item = &End> {
        self.tests.iter().filter_map(|test| self.end(&test.config.test_id)).map(|(end, _)| end)
    }

    /// The reports that count: number, and whether it is the final one.
    pub fn counted(&self, test_id: &str) -> Vec<(&NodeRef, u64, bool)> {
        let is_end = |entry: &&Entry| matches!(entry, Entry::End(end, _) if end.test_id == test_id);
        let before = self.metrics.iter().take_while(|entry| !is_end(entry));
        let reports = before.filter_map(|entry| match entry {
            Entry::Report { test_id: id, node, sequence, is_final } if id == test_id => {
                Some((node, *sequence, *is_final))
            }
            _ => None,
        });
        reports.collect()
    }

    /// The first record of this kind: its place, and when it was appended.
    pub fn first(&self, test_id: &str, word: Word) -> Option<(usize, &Trigger, i64)> {
        let all = self.triggers.iter().enumerate().map(|(place, (trigger, at_ms))| (place, trigger, *at_ms));
        all.into_iter().find(|(_, trigger, _)| trigger.test_id == test_id && trigger.trigger == word)
    }

    /// The start that counts: the first `YES`, unless a STOP precedes it.
    pub fn start(&self, test_id: &str) -> Option<&Trigger> {
        let (place, yes, _) = self.first(test_id, Word::Yes)?;
        let stop = self.first(test_id, Word::Stop);
        stop.is_none_or(|(stop, ..)| place < stop).then_some(yes)
    }
}

fn plan(record: &Record) -> TestConfig {
    decode_config(&record.value).expect("a plan")
}

fn appended_ms(record: &Record) -> i64 {
    record.append_ms.expect("an append time")
}

/// Reports have the key of their driver, ENDs that of their test.
pub fn is_report(record: &Record) -> bool {
    record.key.starts_with('d')
}

fn entry(record: &Record) -> Entry {
    if !is_report(record) {
        return Entry::End(Box::new(decode(&record.value).expect("an END")), appended_ms(record));
    }
    let report = decode::<Metrics>(&record.value).expect("a report");
    Entry::Report {
        test_id: report.test_id,
        node: NodeRef { node_id: report.node_id, epoch: report.epoch.expect("an epoch") },
        sequence: report.sequence.expect("a number"),
        is_final: report.is_final,
    }
}

/// The records that decide something, with the times at which they were appended.
pub fn lines(bus: &SimulatedBus) -> Vec<(u64, String)> {
    let topics = [Topic::TestConfig, Topic::Trigger, Topic::Metrics];
    let records = topics.into_iter().flat_map(|topic| bus.records_of(topic));
    records.map(|record| ((appended_ms(record) - BEGAN_MS) as u64 * NS_PER_MS, line(record))).collect()
}

fn line(record: &Record) -> String {
    let what = match record.topic {
        Topic::Metrics if is_report(record) => {
            let report = decode::<Metrics>(&record.value).expect("a report");
            let last = if report.is_final { " (final)" } else { "" };
            let (id, epoch) = (report.test_id, report.epoch.unwrap_or(0));
            format!("{id}: report {:?} of epoch {epoch}{last}", report.sequence.unwrap_or(0))
        }
        _ => String::from_utf8_lossy(&record.value).into_owned(),
    };
    format!("{} {} {}: {what}", record.topic.name(), record.offset, record.key)
}
