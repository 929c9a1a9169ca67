//! Which faults the simulated bus injects, and how many it did.

use super::random::Random;
use floodgate::clock::NS_PER_MS;

/// How often the bus fails and how slow it is. Times are in ms, chances in 1,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A publish fails and nothing is appended.
    pub refused: u32,
    /// A publish is appended, but its acknowledgement is lost: a caller that retries appends it twice.
    pub lost_ack: u32,
    /// A publish fails, and up to `late_ms` later it is appended nevertheless.
    pub late: u32,
    /// The longest delay of such a record.
    pub late_ms: u64,
    /// A poll, or a question for offsets, fails.
    pub failed_read: u32,
    /// The longest time until an acknowledgement arrives.
    pub ack_ms: u64,
    /// The longest time until a role sees a record; each role and topic has its own delays.
    pub delay_ms: u64,
    /// Records that are delayed ten times as long, and with them all later ones of their topic.
    pub slow: u32,
}

impl Faults {
    /// A bus that works, and delivers at once.
    pub fn none() -> Self {
        Faults::default()
    }

    /// Another mixture for each seed: from almost none to many.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::of(seed, &[0xfa]);
        let mut rate = |most: u64| {
            let most = random.up_to(most);
            random.up_to(most) as u32
        };
        Faults {
            refused: rate(150),
            lost_ack: rate(150),
            late: rate(150),
            late_ms: 6_000,
            failed_read: rate(100),
            ack_ms: u64::from(rate(100)),
            delay_ms: u64::from(rate(200)),
            slow: rate(30),
        }
    }

    /// The longest time until a role sees a record.
    pub fn longest_delay_ms(&self) -> u64 {
        if self.slow > 0 { 10 * self.delay_ms } else { self.delay_ms }
    }

    /// How long a role waits for a record after it was appended.
    pub fn visible_after_ns(&self, random: &mut Random) -> u64 {
        let scale = if random.chance(self.slow) { 10 } else { 1 };
        random.up_to(self.delay_ms * NS_PER_MS) * scale
    }
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records in the logs.
    pub appended: u64,
    /// Publishes whose caller knows that they succeeded.
    pub acknowledged: u64,
    /// Publishes that failed without an effect.
    pub refused: u64,
    /// Publishes that were appended although their caller was told that they failed.
    pub lost_acks: u64,
    /// Publishes that were appended after their caller was told that they failed.
    pub late: u64,
    /// Polls and questions for offsets that failed.
    pub failed_reads: u64,
    /// Publishes of a role that was cut off, or during an outage.
    pub cut_publishes: u64,
    /// Reads of a role that was cut off, or during an outage.
    pub cut_reads: u64,
    /// Records that a role saw after younger ones of other topics.
    pub reordered: u64,
    /// Records that a role saw more than a second late.
    pub over_a_second: u64,
    /// How often a role was cut off.
    pub cuts: u64,
    /// How often the whole bus was down.
    pub outages: u64,
    /// Records removed by retention.
    pub trimmed: u64,
}

impl Counts {
    /// Names and numbers, for a table.
    pub fn rows(&self) -> [(&'static str, u64); 13] {
        [
            ("records appended", self.appended),
            ("publishes acknowledged", self.acknowledged),
            ("publishes refused", self.refused),
            ("acknowledgements lost", self.lost_acks),
            ("appended late", self.late),
            ("reads failed", self.failed_reads),
            ("publishes while cut off", self.cut_publishes),
            ("reads while cut off", self.cut_reads),
            ("records reordered between topics", self.reordered),
            ("records over 1 s late", self.over_a_second),
            ("roles cut off", self.cuts),
            ("outages of the bus", self.outages),
            ("records removed by retention", self.trimmed),
        ]
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Counts) {
        let mine = [
            &mut self.appended,
            &mut self.acknowledged,
            &mut self.refused,
            &mut self.lost_acks,
            &mut self.late,
            &mut self.failed_reads,
            &mut self.cut_publishes,
            &mut self.cut_reads,
            &mut self.reordered,
            &mut self.over_a_second,
            &mut self.cuts,
            &mut self.outages,
            &mut self.trimmed,
        ];
        for (mine, (_, theirs)) in mine.into_iter().zip(other.rows()) {
            *mine += theirs;
        }
    }
}
