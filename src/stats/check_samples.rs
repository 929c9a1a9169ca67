//! Responses that failed a check, as reports and results show them: what came back.

use super::failures::{Failure, Failures, MAX_ALIKE, MAX_FAILURES};
use crate::check::SAMPLE_BYTES;
use serde::{Deserialize, Serialize};

/// Maximum size of all samples of a report or a result, in bytes. Each request has its first ones before any
/// has more.
const MAX_BYTES: usize = 32 * 1024;
/// What a sample takes in JSON besides its texts, in bytes.
const REST_BYTES: usize = 150;
/// Maximum number of samples that are read from one report.
const MAX_READ: usize = 500;
/// Maximum number of characters of a name.
const MAX_NAME_CHARS: usize = 100;

/// A response that failed a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckSample {
    /// The name of its request; absent if the plan names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// When it was complete, in ms after the start of its driver's measurement.
    pub at_ms: u64,
    /// In results: the driver that received it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The checks that it failed.
    pub checks: Vec<String>,
    /// Its status.
    pub status: u16,
    /// The first 500 bytes of its body. What is not UTF-8 or a control character is replaced.
    pub body: String,
    /// Bytes of its whole body.
    pub body_bytes: u64,
}

/// What a driver knows about one of its requests.
#[derive(Clone, Copy, Debug)]
pub struct Failing<'a> {
    /// The request's name.
    pub request: Option<&'a str>,
    /// The names of its checks.
    pub checks: &'a [String],
    /// The first responses that failed one.
    pub failures: &'a Failures,
}

/// The samples of a report. `origin_ns` is the start of the measurement.
pub fn samples(requests: &[Failing<'_>], origin_ns: u64) -> Vec<CheckSample> {
    let of = |failing: &Failing<'_>| {
        let sample = |failure: &Failure| CheckSample {
            request: failing.request.map(str::to_owned),
            at_ms: failure.ended_ns.saturating_sub(origin_ns) / 1_000_000,
            driver: None,
            checks: failure.failed.checks().filter_map(|at| failing.checks.get(at).cloned()).collect(),
            status: failure.status,
            body: text(&failure.body, failure.body_bytes),
            body_bytes: failure.body_bytes,
        };
        failing.failures.iter().map(sample).collect()
    };
    bounded(requests.iter().map(of).collect())
}

/// The samples of a report that anyone may have written, within the limits.
pub fn read(samples: &[CheckSample]) -> Vec<CheckSample> {
    let short = |text: &String| clipped(text, MAX_NAME_CHARS);
    let sample = |sample: &CheckSample| CheckSample {
        request: sample.request.as_ref().map(short),
        driver: None,
        checks: sample.checks.iter().take(crate::check::limits::CHECKS).map(short).collect(),
        body: clipped(&sample.body, SAMPLE_BYTES),
        ..sample.clone()
    };
    bounded(vec![samples.iter().take(MAX_READ).map(sample).collect()])
}

/// The samples of all drivers: of each request the first ones, whatever order they come in. `requests` are
/// the names in the plan; if there are none, the samples have none.
pub fn merged<'s>(
    samples: impl Iterator<Item = (&'s str, &'s CheckSample)>,
    requests: &[&str],
) -> Vec<CheckSample> {
    let named = |(driver, sample): (&str, &CheckSample)| CheckSample {
        driver: Some(driver.to_owned()),
        ..sample.clone()
    };
    let mut all: Vec<CheckSample> = samples.map(named).collect();
    all.sort();
    let names: Vec<Option<&str>> = match requests {
        [] => vec![None],
        names => names.iter().map(|name| Some(*name)).collect(),
    };
    let of = |name: &Option<&str>| {
        let mut kept: Vec<CheckSample> = Vec::new();
        for sample in all.iter().filter(|sample| sample.request.as_deref() == *name) {
            let alike = kept.iter().filter(|other| other.checks == sample.checks).count();
            if kept.len() < MAX_FAILURES && alike < MAX_ALIKE {
                kept.push(sample.clone());
            }
        }
        kept
    };
    bounded(names.iter().map(of).collect())
}

/// As many samples as the limit allows: the first one of each list, then the second one of each.
fn bounded(lists: Vec<Vec<CheckSample>>) -> Vec<CheckSample> {
    let mut left = MAX_BYTES;
    let mut taken = vec![0; lists.len()];
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    for round in 0..longest {
        for (list, taken) in lists.iter().zip(&mut taken) {
            let Some(sample) = list.get(round).filter(|_| *taken == round) else { continue };
            let Some(rest) = left.checked_sub(size(sample)) else { continue };
            (left, *taken) = (rest, round + 1);
        }
    }
    lists.into_iter().zip(taken).flat_map(|(list, taken)| list.into_iter().take(taken)).collect()
}

fn size(sample: &CheckSample) -> usize {
    REST_BYTES + sample.body.len() + sample.checks.iter().map(String::len).sum::<usize>()
}

/// Bytes of a body as text. A character that the limit cuts is left out.
fn text(body: &[u8], body_bytes: u64) -> String {
    let is_cut = body_bytes > body.len() as u64;
    let begins =
        |end: &[u8]| std::str::from_utf8(end).is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none());
    let rest = (1..=3.min(body.len())).find(|n| is_cut && begins(&body[body.len() - n..]));
    let whole = &body[..body.len() - rest.unwrap_or(0)];
    clipped(&String::from_utf8_lossy(whole), SAMPLE_BYTES)
}

/// At most this many characters, and no control characters but line ends and tabs.
fn clipped(text: &str, most: usize) -> String {
    let plain = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.replace("\r\n", "\n").chars().take(most).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Failed, Seen};

    fn failures(bodies: &[&[u8]]) -> Failures {
        let mut failures = Failures::default();
        for (n, body) in bodies.iter().enumerate() {
            let mut failed = Failed::default();
            failed.add(n % 3);
            let seen = Seen { status: 500, head: b"", body, body_bytes: body.len() as u64 };
            failures.note(1_000_000 * (n as u64 + 2), failed, &seen);
        }
        failures
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_sample_names_its_checks_and_shows_its_body_as_text() {
        let long = ["ä".repeat(400).into_bytes(), b"x".to_vec()].concat();
        let failures = failures(&[b"plain\r\n\ttext", b"\x00\xff\x1b[31m", &long, &long[1..]]);
        let checks = names(&["status", "contains hits", "json /id"]);
        let failing = Failing { request: Some("order"), checks: &checks, failures: &failures };
        let samples = samples(&[failing], 1_000_000);
        let shown: Vec<_> = samples.iter().map(|s| (s.at_ms, s.checks.join(","), s.body.as_str())).collect();
        assert_eq!(shown[0], (1, "status".to_owned(), "plain\n\ttext"));
        assert_eq!(shown[1], (2, "contains hits".to_owned(), "\u{fffd}\u{fffd}\u{fffd}[31m"));
        assert_eq!(shown[2].2, "ä".repeat(250), "cut between two characters");
        assert_eq!(shown[3].2, format!("\u{fffd}{}", "ä".repeat(249)), "cut within one");
        assert_eq!((samples[0].request.as_deref(), samples[2].body_bytes), (Some("order"), 801));
    }

    #[test]
    fn all_requests_have_samples_before_one_has_many() {
        let body = "x".repeat(SAMPLE_BYTES);
        let failures = failures(&[body.as_bytes(); 9]);
        let checks = names(&["a", "b", "c"]);
        let requests: Vec<String> = (0..40).map(|n| format!("r{n:02}")).collect();
        let failing: Vec<_> = requests
            .iter()
            .map(|request| Failing { request: Some(request), checks: &checks, failures: &failures })
            .collect();
        let samples = samples(&failing, 0);
        let size = serde_json::to_vec(&samples).expect("JSON").len();
        assert!((MAX_BYTES / 2..MAX_BYTES).contains(&size), "{size} bytes");
        let counts: Vec<usize> = requests
            .iter()
            .map(|name| samples.iter().filter(|s| s.request.as_ref() == Some(name)).count())
            .collect();
        assert!(counts.iter().all(|count| (1..=2).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_merge_does_not_depend_on_the_order() {
        let sample = |request: &str, at_ms: u64, check: &str| CheckSample {
            request: Some(request.to_owned()),
            at_ms,
            checks: vec![check.to_owned()],
            ..CheckSample::default()
        };
        let mut all = Vec::new();
        for n in 0..8 {
            all.push(("d1", sample("order", 2 * n, "status")));
            all.push(("d2", sample("order", 2 * n + 1, "status")));
            all.push(("d1", sample("order", 100 + n, &format!("json /{n}"))));
            all.push(("d2", sample("search", n, "status")));
            all.push(("d2", sample("unknown", n, "status")));
        }
        let merge = |all: &[(&'static str, CheckSample)]| {
            merged(all.iter().map(|(driver, sample)| (*driver, sample)), &["search", "order"])
        };
        let expected = merge(&all);
        let order: Vec<_> = expected
            .iter()
            .filter(|one| one.request.as_deref() == Some("order"))
            .map(|one| (one.at_ms, one.driver.as_deref().unwrap_or_default()))
            .collect();
        let first = [(0, "d1"), (1, "d2"), (2, "d1"), (3, "d2"), (4, "d1")];
        assert_eq!(order[..5], first);
        assert_eq!(order[5..].iter().map(|(at, _)| *at).collect::<Vec<_>>(), [100, 101, 102, 103, 104]);
        assert_eq!((expected.len(), expected[0].request.as_deref()), (15, Some("search")));
        for by in 1..all.len() {
            all.rotate_left(by);
            all.swap(0, by);
            assert_eq!(merge(&all), expected);
        }
    }

    #[test]
    fn what_others_wrote_is_bounded() {
        let long = "\u{1b}é".repeat(10_000);
        let wrong = CheckSample {
            request: Some(long.clone()),
            checks: vec![long.clone(); 100],
            driver: Some(long.clone()),
            body: long,
            ..CheckSample::default()
        };
        let read = read(&vec![wrong; 1_000]);
        assert!((1..50).contains(&read.len()), "{}", read.len());
        assert_eq!((read[0].checks.len(), &read[0].driver), (16, &None));
        assert!(read[0].body.chars().count() == SAMPLE_BYTES && !read[0].body.contains('\u{1b}'));
        assert!(merged(read.iter().map(|sample| ("d", sample)), &[]).is_empty(), "they have a name");
    }
}
