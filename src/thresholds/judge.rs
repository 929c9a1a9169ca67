//! Judges conditions second by second. Pure: the same seconds in the same order give the same results.

use super::Threshold;
use super::figures::{SecondFigures, Sums, of_result};
use crate::stats::histogram::round_ms;
use crate::stats::summary::{Conservation, RequestSummary, Stats, ThresholdResult};

/// The conditions of one test, and what is known about them.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    watches: Vec<Watch>,
    /// Conditions that this version does not understand.
    unknown: Vec<String>,
    /// What the conditions are about.
    parts: Vec<Part>,
}

/// All requests together, or those with one name, as far as conditions are about them.
#[derive(Clone, Debug, Default)]
struct Part {
    request: Option<String>,
    sums: Box<Sums>,
    /// The newest second that was judged.
    judged: u64,
}

#[derive(Clone, Debug)]
struct Watch {
    threshold: Threshold,
    /// The second since which it is true.
    since: Option<u64>,
    /// With `for`: the newest value, or the worst one of the time through which it was true.
    value: Option<f64>,
    breach: Breach,
}

/// With `for`: whether it was true for long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breach {
    NotYet,
    /// And it still is.
    Now,
    /// That time is over; what was found stays.
    Over,
}

impl Judge {
    /// Nothing is judged yet. Malformed conditions are refused where they are written; those of a newer
    /// version stay without a value.
    pub fn new(expressions: &[String]) -> Judge {
        let (mut watches, mut unknown) = (Vec::new(), Vec::new());
        for text in expressions {
            match Threshold::parse(text) {
                Ok(threshold) => watches.push(Watch::new(threshold)),
                Err(_) => unknown.push(text.clone()),
            }
        }
        let mut parts: Vec<Part> = Vec::new();
        for Watch { threshold, .. } in &watches {
            if !parts.iter().any(|part| part.request == threshold.request) {
                parts.push(Part { request: threshold.request.clone(), ..Part::default() });
            }
        }
        Judge { watches, unknown, parts }
    }

    /// What the conditions are about: all requests together (`None`), or those with a name. With it, the
    /// newest second that was judged; 0 before the first.
    pub fn subjects(&self) -> impl Iterator<Item = (Option<&str>, u64)> {
        self.parts.iter().map(|part| (part.request.as_deref(), part.judged))
    }

    /// Judges the next second of a subject; earlier ones are ignored.
    pub fn second(&mut self, subject: Option<&str>, second: &SecondFigures) {
        let mut parts = self.parts.iter_mut();
        let Some(part) = parts.find(|part| part.request.as_deref() == subject) else { return };
        if second.second <= part.judged {
            return;
        }
        part.judged = second.second;
        part.sums.add(second);
        let about = |watch: &&mut Watch| watch.threshold.request.as_deref() == subject;
        self.watches.iter_mut().filter(about).for_each(|watch| watch.second(second, &part.sums));
    }

    /// Why the test must be stopped, if a condition says so.
    pub fn abort(&self) -> Option<String> {
        let mut aborting = self.watches.iter().filter(|watch| watch.threshold.abort);
        aborting.find(|watch| watch.is_true()).map(|watch| watch.threshold.reason())
    }

    /// The results, by the figures so far.
    pub fn results(
        &self,
        total: &Stats,
        requests: &[RequestSummary],
        conservation: &Conservation,
    ) -> Vec<ThresholdResult> {
        let planned = self.parts.iter().find(|part| part.request.is_none());
        let planned = planned.and_then(|part| part.sums.planned());
        let nothing = Stats::default();
        let known = self.watches.iter().map(|watch| match &watch.threshold.request {
            None => watch.result(total, conservation, planned),
            Some(name) => {
                let own = requests.iter().find(|one| one.name == *name);
                watch.result(own.map_or(&nothing, |one| &one.stats), conservation, None)
            }
        });
        let unknown = self.unknown.iter().map(|text| ThresholdResult {
            expression: text.clone(),
            value: None,
            passed: true,
            since_s: None,
        });
        known.chain(unknown).collect()
    }
}

impl Watch {
    fn new(threshold: Threshold) -> Watch {
        Watch { threshold, since: None, value: None, breach: Breach::NotYet }
    }

    fn second(&mut self, second: &SecondFigures, sums: &Sums) {
        match self.threshold.for_s {
            Some(for_s) => self.second_of_time(second, for_s),
            None => {
                let value = sums.value(self.threshold.metric);
                let is_true = value.is_some_and(|value| self.threshold.is_true_of(value));
                self.since = if is_true { self.since.or(Some(second.second)) } else { None };
            }
        }
    }

    fn second_of_time(&mut self, second: &SecondFigures, for_s: u64) {
        if self.breach == Breach::Over {
            return;
        }
        let threshold = &self.threshold;
        // A second without responses has no latency: it neither begins nor ends such a time.
        let value = second.value(threshold.metric);
        let is_true = value.map_or(self.since.is_some(), |value| threshold.is_true_of(value));
        match (is_true, self.since) {
            (true, Some(_)) => {
                let worst = [self.value, value].into_iter().flatten();
                self.value = worst.reduce(|a, b| threshold.worse(a, b));
            }
            (true, None) => (self.since, self.value) = (Some(second.second), value),
            (false, _) if self.breach == Breach::Now => self.breach = Breach::Over,
            (false, _) => (self.since, self.value) = (None, value.or(self.value)),
        }
        let has_lasted = self.since.is_some_and(|since| second.second - since + 1 >= for_s);
        if self.breach == Breach::NotYet && has_lasted {
            self.breach = Breach::Now;
        }
    }

    /// Whether it is true by the seconds so far.
    fn is_true(&self) -> bool {
        match self.threshold.for_s {
            Some(_) => self.breach != Breach::NotYet,
            None => self.since.is_some(),
        }
    }

    fn result(&self, total: &Stats, conservation: &Conservation, planned: Option<u64>) -> ThresholdResult {
        let threshold = &self.threshold;
        let (value, is_true) = match threshold.for_s {
            Some(_) => (self.value, self.is_true()),
            None => {
                let value = of_result(threshold.metric, total, conservation, planned);
                (value, value.is_some_and(|value| threshold.is_true_of(value)))
            }
        };
        ThresholdResult {
            expression: threshold.expression.clone(),
            value: value.map(round_ms),
            passed: !is_true,
            since_s: self.since.filter(|_| is_true).map(|second| second - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::histogram::{Histogram, Packed};

    /// Seconds with 10 requests each: `Some(ms)` is the latency of all, `None` is a second without responses.
    fn judged(expression: &str, seconds: &[Option<u64>]) -> Judge {
        let mut judge = Judge::new(&[expression.to_owned()]);
        let lag = Packed::default();
        for (before, ms) in seconds.iter().enumerate() {
            let mut latency = Histogram::new();
            ms.iter().for_each(|ms| (0..10).for_each(|_| latency.record_us(ms * 1_000)));
            let responses = latency.count();
            judge.second(
                None,
                &SecondFigures {
                    second: before as u64 + 1,
                    planned: Some(20),
                    requests: 10,
                    responses,
                    errors: 10 - responses,
                    failed_checks: responses / 2,
                    status: &[(200, responses / 2), (503, responses / 2)],
                    latency: &Packed::from(&latency),
                    lag: &lag,
                },
            );
        }
        judge
    }

    fn result(expression: &str, seconds: &[Option<u64>]) -> (bool, Option<f64>, Option<u64>) {
        let results = judged(expression, seconds).results(&Stats::default(), &[], &Conservation::default());
        (results[0].passed, results[0].value.map(f64::round), results[0].since_s)
    }

    const SLOW_FOR_THREE: [Option<u64>; 7] =
        [Some(5), Some(30), Some(5), Some(30), Some(40), Some(30), Some(5)];

    #[test]
    fn a_condition_with_a_time_needs_consecutive_seconds_and_keeps_the_worst_value_of_them() {
        assert_eq!(result("p99 > 20ms for 3s", &SLOW_FOR_THREE), (false, Some(40.0), Some(3)));
        assert_eq!(result("p99 > 20ms for 4s", &SLOW_FOR_THREE), (true, Some(5.0), None));
        assert_eq!(result("p99 > 20ms for 2s", &SLOW_FOR_THREE[..4]), (true, Some(30.0), None));
        assert_eq!(result("p99 <= 6ms for 1s", &SLOW_FOR_THREE), (false, Some(5.0), Some(0)));
        let again = [SLOW_FOR_THREE, [Some(99); 7]].concat();
        assert_eq!(result("p99 > 20ms for 3s", &again), (false, Some(40.0), Some(3)), "the first such time");
    }

    #[test]
    fn a_second_without_responses_neither_begins_nor_ends_such_a_time() {
        let hangs = [Some(30), None, None, Some(30), Some(5)];
        assert_eq!(result("p99 > 20ms for 4s", &hangs), (false, Some(30.0), Some(0)));
        assert_eq!(
            result("p99 > 20ms for 3s", &[None, None, None, Some(30), None]),
            (true, Some(30.0), None)
        );
        assert_eq!(result("errors > 50% for 2s", &hangs), (false, Some(100.0), Some(1)));
        assert_eq!(result("p99 > 1ms for 1s", &[]), (true, None, None));
    }

    #[test]
    fn counts_and_rates_of_single_seconds() {
        let seconds = [Some(5), None, Some(5)];
        for (expression, expected) in [
            ("errors >= 10 for 1s", (false, Some(10.0), Some(1))),
            ("throughput < 10 for 1s", (false, Some(0.0), Some(1))),
            ("status.5xx >= 50% for 1s", (false, Some(50.0), Some(0))),
            ("status.503 > 5 for 1s", (true, Some(5.0), None)),
            ("failed_checks >= 50% for 1s", (false, Some(50.0), Some(0))),
            ("failed_checks > 5 for 1s", (true, Some(5.0), None)),
            ("achieved < 100% for 3s", (false, Some(50.0), Some(0))),
            ("lag.p99 > 0 for 1s", (true, None, None)),
        ] {
            assert_eq!(result(expression, &seconds), expected, "{expression}");
        }
    }

    #[test]
    fn a_condition_about_the_whole_test_is_judged_by_all_seconds_so_far_and_ends_with_the_result() {
        let aborts = |expression: &str, seconds: &[Option<u64>]| judged(expression, seconds).abort();
        let half = [Some(5), Some(30)];
        assert_eq!(aborts("p90 > 20ms, abort", &half[..1]), None);
        assert_eq!(aborts("p90 > 20ms, abort", &half), Some("p90 > 20ms was true".to_owned()));
        assert_eq!(aborts("p90 > 20ms", &half), None, "without abort");
        assert_eq!(aborts("p50 > 20ms, abort", &half), None, "the median of both");
        assert_eq!(aborts("errors > 5, abort", &[None]), Some("errors > 5 was true".to_owned()));
        let forty = aborts("p99 > 20ms for 2s, abort", &[Some(30), Some(40)]);
        assert_eq!(forty, Some("p99 > 20ms was true for 2s".to_owned()));
        let judge = judged("errors > 5", &[Some(5), None]);
        let of = |errors: u64| {
            let total = Stats { errors: [("timeout".to_owned(), errors)].into(), ..Stats::default() };
            judge.results(&total, &[], &Conservation::default()).remove(0)
        };
        assert_eq!((of(12).passed, of(12).value, of(12).since_s), (false, Some(12.0), Some(1)));
        assert_eq!((of(5).passed, of(5).since_s), (true, None), "the result decides");
    }

    #[test]
    fn seconds_are_judged_once_and_nothing_is_kept_without_conditions() {
        let mut judge = Judge::new(&[]);
        assert!(judge.subjects().next().is_none());
        let newer = Judge::new(&["p99 > 1s through 3s".to_owned()]);
        let results = newer.results(&Stats::default(), &[], &Conservation::default());
        assert_eq!((results[0].value, results[0].passed), (None, true), "of a newer version");
        assert_eq!(judge.abort(), None);
        judge = judged("errors > 15", &[None]);
        let packed = Packed::default();
        let again = SecondFigures {
            second: 1,
            planned: None,
            requests: 10,
            responses: 0,
            errors: 10,
            failed_checks: 0,
            status: &[],
            latency: &packed,
            lag: &packed,
        };
        judge.second(None, &again);
        assert_eq!((judge.subjects().next(), judge.watches[0].since), (Some((None, 1)), None));
        judge.second(None, &SecondFigures { second: 2, ..again });
        assert_eq!(judge.watches[0].since, Some(2));
    }
}
