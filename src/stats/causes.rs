//! Why requests failed: a few distinct causes for each kind of error, with counts.
//!
//! A client counts a cause under a small key and formats its text only when it sees the key for the first
//! time, so a million refused connections format one text.

use super::outcome::ErrorKind;
use serde::{Deserialize, Serialize};

/// Maximum number of distinct causes per kind in a report or a result: the most frequent ones.
pub const MAX_CAUSES: usize = 4;
/// Maximum number of distinct causes counted per kind, the first ones; further requests are only in the
/// kind's count.
const MOST_COUNTED: usize = 64;
/// The cause if the driver's host had no free local port for a connection.
pub const NO_PORT: &str = "no free local port";
/// The cause if the driver's process or host had no free file descriptor.
pub const NO_DESCRIPTOR: &str = "no free file descriptor";
/// The cause if the server's certificate was issued by an authority that the client does not trust.
pub const UNTRUSTED: &str = "the issuer of the server's certificate is not trusted";
/// Maximum length of a cause's text, in characters.
pub const MAX_CAUSE_CHARS: usize = 200;

/// Distinguishes the causes of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A number: an OS error, or a discriminant.
    Number(i64),
    /// A fixed text.
    Text(&'static str),
}

impl From<i32> for Key {
    fn from(number: i32) -> Key {
        Key::Number(i64::from(number))
    }
}

impl From<&'static str> for Key {
    fn from(text: &'static str) -> Key {
        Key::Text(text)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cause {
    kind: ErrorKind,
    key: Key,
    text: String,
    count: u64,
}

/// The causes that one thread saw; those of several threads can be merged. Takes no memory while empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Causes(Vec<Cause>);

impl Causes {
    /// Counts one request that failed with `kind` for the cause that `key` identifies. `words` formats the
    /// cause and is called for new keys only.
    pub fn count(&mut self, kind: ErrorKind, key: impl Into<Key>, words: impl FnOnce() -> String) {
        self.add(kind, key.into(), 1, words);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Causes) {
        for cause in &other.0 {
            self.add(cause.kind, cause.key, cause.count, || cause.text.clone());
        }
    }

    /// Whether no cause was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns everything counted so far and resets this.
    #[must_use]
    pub fn take(&mut self) -> Causes {
        std::mem::take(self)
    }

    /// The most frequent causes of each kind, as reports contain them.
    pub fn samples(&self) -> Vec<ErrorSample> {
        let mut samples = Samples::default();
        self.0.iter().for_each(|cause| samples.add(cause.kind.name(), &cause.text, cause.count, None));
        samples.sorted()
    }

    fn add(&mut self, kind: ErrorKind, key: Key, count: u64, words: impl FnOnce() -> String) {
        if let Some(known) = self.0.iter_mut().find(|cause| cause.kind == kind && cause.key == key) {
            known.count += count;
        } else if self.0.iter().filter(|cause| cause.kind == kind).count() < MOST_COUNTED {
            self.0.push(Cause { kind, key, text: short(&words()), count });
        }
    }
}

/// One cause of errors in reports and results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorSample {
    /// The kind of error.
    pub kind: String,
    /// Why, in words.
    pub cause: String,
    /// Requests that failed for this cause.
    pub count: u64,
    /// In results: the drivers that saw it, or some of them if there are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drivers: Vec<String>,
}

/// Maximum number of drivers named for one cause.
const MAX_DRIVERS: usize = 5;

/// The samples of several drivers, merged by kind and text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples(Vec<ErrorSample>);

impl Samples {
    /// Adds `count` requests that failed on `driver`.
    pub fn add(&mut self, kind: &str, cause: &str, count: u64, driver: Option<&str>) {
        let cause = short(cause);
        let known = self.0.iter().position(|sample| sample.kind == kind && sample.cause == cause);
        let is_full = || self.0.iter().filter(|sample| sample.kind == kind).count() >= MOST_COUNTED;
        let at = match known {
            Some(at) => at,
            None if is_full() => return,
            None => {
                self.0.push(ErrorSample { kind: kind.to_owned(), cause, ..ErrorSample::default() });
                self.0.len() - 1
            }
        };
        let sample = &mut self.0[at];
        sample.count = sample.count.saturating_add(count);
        let new = driver.filter(|name| !sample.drivers.iter().any(|known| known == name));
        if let Some(name) = new.filter(|_| sample.drivers.len() < MAX_DRIVERS) {
            sample.drivers.push(name.to_owned());
        }
    }

    /// The most frequent samples of each kind, most frequent first.
    pub fn sorted(mut self) -> Vec<ErrorSample> {
        self.0.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cause.cmp(&b.cause)));
        let mut kept: Vec<ErrorSample> = Vec::new();
        for sample in self.0 {
            if kept.iter().filter(|other| other.kind == sample.kind).count() < MAX_CAUSES {
                kept.push(sample);
            }
        }
        kept
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_CAUSE_CHARS) {
        Some(_) => text.chars().take(MAX_CAUSE_CHARS - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_formatted_once_and_counted_each_time() {
        let (mut causes, mut worded) = (Causes::default(), 0);
        for _ in 0..1_000 {
            causes.count(ErrorKind::Connect, 111, || {
                worded += 1;
                "connection refused".to_owned()
            });
        }
        causes.count(ErrorKind::Tls, "no certificate", || "the server wants a certificate".to_owned());
        assert_eq!(worded, 1);
        let mut merged = Causes::default();
        merged.merge(&causes);
        merged.merge(&causes.take());
        assert!(causes.is_empty());
        let samples = merged.samples();
        let first = (samples[0].kind.as_str(), samples[0].cause.as_str(), samples[0].count);
        assert_eq!(first, ("connect", "connection refused", 2_000));
        assert_eq!((samples[1].kind.as_str(), samples[1].count), ("tls", 2));
    }

    #[test]
    fn causes_are_few_and_short() {
        let mut causes = Causes::default();
        for number in 0..100 {
            causes.count(ErrorKind::Connect, number, || "é".repeat(1_000) + &number.to_string());
        }
        causes.count(ErrorKind::Dns, 1, || "no such name".to_owned());
        let samples = causes.samples();
        // Truncated, they have the same text.
        assert_eq!(samples.len(), 2);
        assert_eq!(samples[0].count, MOST_COUNTED as u64);
        assert_eq!(samples[0].cause.chars().count(), MAX_CAUSE_CHARS);
    }

    #[test]
    fn the_most_frequent_cause_is_kept_although_rare_ones_came_first() {
        let mut causes = Causes::default();
        for number in 0..6 {
            causes.count(ErrorKind::Connect, number, || format!("odd {number}"));
        }
        (0..9).for_each(|_| causes.count(ErrorKind::Connect, NO_PORT, || NO_PORT.to_owned()));
        let of_one = causes.samples();
        assert_eq!((of_one.len(), of_one[0].cause.as_str(), of_one[0].count), (MAX_CAUSES, NO_PORT, 9));
        let mut samples = Samples::default();
        (0..6).for_each(|n| samples.add("connect", &format!("odd {n}"), 1, Some("d1")));
        samples.add("connect", NO_PORT, 1_000_000, Some("d2"));
        let of_all = samples.sorted();
        assert_eq!((of_all.len(), of_all[0].cause.as_str()), (MAX_CAUSES, NO_PORT));
    }

    #[test]
    fn samples_of_several_drivers_merge_and_name_some_of_them() {
        let mut samples = Samples::default();
        for n in 0..10 {
            samples.add("connect", "refused", 2, Some(&format!("d{n}")));
            samples.add("connect", &format!("odd {n}"), 1, Some("d0"));
        }
        samples.add("connect", "refused", 1, Some("d0"));
        let sorted = samples.sorted();
        assert_eq!((sorted.len(), sorted[0].count), (MAX_CAUSES, 21));
        assert_eq!(sorted[0].drivers, ["d0", "d1", "d2", "d3", "d4"]);
    }
}
