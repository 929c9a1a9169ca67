//! The conditions of `--fail-if`: their grammar, and whether they are true.
//!
//! ```text
//! [REQUEST.]METRIC OP VALUE [for DURATION][, abort]
//! ```
//!
//! A condition is about all requests together, or about the one with this name.
//! A condition without `for` is about the whole test so far; with `for`, it must be true of each second
//! through that time. A condition that is true means that the test has failed.

mod figures;
mod grammar;
mod judge;

use crate::check::Status;
pub use figures::SecondFigures;
pub use grammar::Malformed;
pub use judge::Judge;

use crate::check::Expect;
use crate::message::{NamedRequest, RequestSpec, TestConfig};
use crate::plan::{AB_NAMES, Fixed, Plan, PlanError};
use crate::stats::summary::ThresholdResult;
use crate::units::{format_count, format_duration_ms, format_figure, format_ms, trim_number};

/// Maximum number of conditions of one test.
pub const MAX_THRESHOLDS: usize = 50;

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// As it was written.
    pub expression: String,
    /// The name of the request that it is about; `None` for all together.
    pub request: Option<String>,
    /// What is compared.
    pub metric: Metric,
    /// How.
    pub comparison: Comparison,
    /// With what: times in ms, shares in %, rates in requests/s.
    pub limit: f64,
    /// For how many seconds it must be true; `None` for the whole test so far.
    pub for_s: Option<u64>,
    /// Whether the test is stopped when it is true.
    pub abort: bool,
}

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// A figure of a distribution of times.
    Time(Times, Figure),
    /// Failed requests.
    Errors(Amount),
    /// Responses with this status.
    Status(Status, Amount),
    /// Responses that failed a check.
    FailedChecks(Amount),
    /// Responses per second.
    Throughput,
    /// Requests sent, as a share of those that the plan has.
    Achieved,
    /// Planned requests that were given up unsent.
    NeverSent(Amount),
}

/// Which times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Planned start to last byte.
    Latency,
    /// Send to last byte; known at the end only.
    Service,
    /// The generator's own delay.
    Lag,
}

/// Which figure of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Minimum.
    Min,
    /// Arithmetic mean.
    Mean,
    /// Median.
    P50,
    /// 90th percentile.
    P90,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// 99.9th percentile.
    P999,
    /// Maximum.
    Max,
}

/// How requests or responses are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Their number.
    Count,
    /// Their share in %.
    Percent,
}

/// How a value is compared with the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

impl Threshold {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong, with a caret under it.
    pub fn parse(text: &str) -> Result<Threshold, Malformed> {
        grammar::parse(text)
    }

    /// Whether this value makes the condition true.
    pub fn is_true_of(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Above => value > self.limit,
            Comparison::AtLeast => value >= self.limit,
            Comparison::Below => value < self.limit,
            Comparison::AtMost => value <= self.limit,
        }
    }

    /// The one of two values that is further beyond the limit.
    fn worse(&self, a: f64, b: f64) -> f64 {
        match self.comparison {
            Comparison::Above | Comparison::AtLeast => a.max(b),
            Comparison::Below | Comparison::AtMost => a.min(b),
        }
    }

    /// A value of this metric with its unit: `312 ms`, `1.2 %`, `950/s`, `12`.
    fn show(&self, value: f64) -> String {
        match self.metric {
            Metric::Time(..) => format_ms(value),
            Metric::Errors(Amount::Count)
            | Metric::Status(_, Amount::Count)
            | Metric::FailedChecks(Amount::Count)
            | Metric::NeverSent(Amount::Count) => format_count(value as u64),
            Metric::Throughput => format!("{}/s", format_figure(value)),
            Metric::Achieved
            | Metric::Errors(Amount::Percent)
            | Metric::Status(_, Amount::Percent)
            | Metric::FailedChecks(Amount::Percent)
            | Metric::NeverSent(Amount::Percent) => format!("{} %", trim_number(value)),
        }
    }

    /// Why a STOP is written when the condition is true.
    pub fn reason(&self) -> String {
        let through = self.for_s.map_or(String::new(), |s| format!(" for {}", format_duration_ms(s * 1_000)));
        format!("{} was true{through}", condition(&self.expression))
    }
}

/// The condition alone, without `for` and `abort`.
fn condition(expression: &str) -> &str {
    let end = expression.find(" for ").or_else(|| expression.find(',')).unwrap_or(expression.len());
    expression[..end].trim()
}

/// The plan in a message, if it is valid, with its conditions.
///
/// # Errors
/// Those of [`check`], or else those of [`Plan::as_written`].
pub fn checked_plan(config: &TestConfig) -> Result<Plan, Vec<PlanError>> {
    check(config).and_then(|()| Plan::as_written(config))
}

/// Checks the conditions of a plan.
///
/// # Errors
/// Each condition that is malformed or cannot be judged with this plan.
pub fn check(config: &TestConfig) -> Result<(), Vec<PlanError>> {
    let error = |reason: String| PlanError { field: "thresholds".into(), reason, part: None };
    if config.thresholds.len() > MAX_THRESHOLDS {
        let count = config.thresholds.len();
        return Err(vec![error(format!("must be at most {MAX_THRESHOLDS} conditions, not {count}"))]);
    }
    let is_paced = Fixed::by(config).paced;
    let check = |text: &String| match Threshold::parse(text) {
        Err(malformed) => Some(error(malformed.to_string())),
        Ok(threshold) if threshold.metric == Metric::Achieved && !is_paced => {
            Some(error(format!("{text}: this plan sets no rate to achieve: set one, or use throughput")))
        }
        Ok(threshold) => unknown_name(config, &threshold)
            .or_else(|| unchecked(config, &threshold))
            .map(|why| error(format!("{text}: {why}"))),
    };
    let errors: Vec<PlanError> = config.thresholds.iter().filter_map(check).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// What is wrong if a condition is about a request that the plan does not have.
fn unknown_name(config: &TestConfig, threshold: &Threshold) -> Option<String> {
    let name = threshold.request.as_deref()?;
    let of_ab: &[&str] = if config.ab.is_empty() { &[] } else { &AB_NAMES };
    let names: Vec<&str> =
        config.requests.iter().map(|one| one.name.as_str()).chain(of_ab.iter().copied()).collect();
    match &names[..] {
        [] => Some(format!("{name:?} is no request of this plan: it has no requests with names")),
        all if all.contains(&name) => None,
        all => Some(format!("{name:?} is no request of this plan: use {}", all.join(", "))),
    }
}

/// What is wrong if a condition is about checks and the plan has none.
fn unchecked(config: &TestConfig, threshold: &Threshold) -> Option<String> {
    let has = |spec: Option<&RequestSpec>| {
        spec.and_then(|spec| spec.expect.as_ref()).is_some_and(|expect| *expect != Expect::default())
    };
    let is_meant = |one: &&NamedRequest| threshold.request.as_ref().is_none_or(|name| *name == one.name);
    let has_checks = has(config.request.as_ref())
        || config.requests.iter().filter(is_meant).any(|one| has(Some(&one.spec)));
    let is_about = matches!(threshold.metric, Metric::FailedChecks(_));
    (is_about && !has_checks).then(|| "nothing is checked: add expect to the request".to_owned())
}

/// The measured value of a condition with its unit; `None` if nothing was measured.
pub fn shown(result: &ThresholdResult) -> Option<String> {
    result.value.map(|value| show(Threshold::parse(&result.expression).ok().as_ref(), value))
}

/// The unit of a condition of a newer version is not known.
fn show(threshold: Option<&Threshold>, value: f64) -> String {
    threshold.map_or_else(|| trim_number(value), |threshold| threshold.show(value))
}

/// What a result of a condition means, in a sentence; `None` if there is nothing to say.
pub fn sentence(result: &ThresholdResult) -> Option<String> {
    let condition = condition(&result.expression);
    let Some(value) = result.value else {
        return Some(format!("The condition {condition} could not be judged: nothing was measured for it."));
    };
    if result.passed {
        return None;
    }
    let threshold = Threshold::parse(&result.expression).ok();
    let shown = show(threshold.as_ref(), value);
    let through = threshold.as_ref().and_then(|threshold| threshold.for_s);
    let through = through.map_or(String::new(), |s| format!(" for {}", format_duration_ms(s * 1_000)));
    let from = result.since_s.map_or(String::new(), |s| format!(" from {s} s on"));
    Some(format!("The condition {condition}{through} was true{from}: {shown}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::TestType;

    #[test]
    fn conditions_are_checked_against_the_plan() {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        assert_eq!(check(&config), Ok(()));
        config.thresholds = vec!["p99 > 1s".to_owned(), "p98 > 1s".to_owned(), "achieved < 99%".to_owned()];
        let errors = check(&config).expect_err("two are wrong");
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].reason.contains("\n  p98 > 1s\n  ^^^"), "{errors:?}");
        assert!(errors[1].reason.contains("sets no rate"), "{errors:?}");
        config.target_throughput = Some(10.0);
        config.thresholds.remove(1);
        assert_eq!(check(&config), Ok(()));
        config.thresholds = vec!["p99 > 1s".to_owned(); MAX_THRESHOLDS + 1];
        assert!(check(&config).is_err_and(|errors| errors[0].reason.contains("at most 50 conditions")));
        let why = |condition: &str, config: &TestConfig| {
            let config = TestConfig { thresholds: vec![condition.to_owned()], ..config.clone() };
            check(&config).err().map(|errors| errors[0].reason.clone())
        };
        let none = why("order.p99 > 1s", &config).expect("no names");
        assert_eq!(
            none,
            "order.p99 > 1s: \"order\" is no request of this plan: it has no requests with names"
        );
        let named = |name: &str| NamedRequest { name: name.to_owned(), ..NamedRequest::default() };
        config.requests = vec![named("search"), named("order")];
        assert_eq!(why("order.p99 > 1s", &config), None);
        assert!(why("cart.p99 > 1s", &config).is_some_and(|why| why.ends_with("use search, order")));
        let checks = ["failed_checks > 0", "order.failed_checks > 1%"].map(|text| why(text, &config));
        assert!(checks.iter().flatten().filter(|why| why.contains("nothing is checked")).count() == 2);
        config.requests[0].spec.expect = Some(serde_json::from_str(r#"{"status": 200}"#).expect("checks"));
        let checks = ["failed_checks > 0", "order.failed_checks > 1%"].map(|text| why(text, &config));
        assert!(checks[0].is_none() && checks[1].is_some(), "only search is checked: {checks:?}");
        config = TestConfig { requests: Vec::new(), ab: vec!["http://a/".to_owned(); 2], ..config };
        assert_eq!((why("b.errors > 1%", &config), why("c.p99 > 1s", &config).is_some()), (None, true));
    }

    #[test]
    fn results_are_put_into_words() {
        let result = |expression: &str, value, passed, since_s| {
            let expression = expression.to_owned();
            sentence(&ThresholdResult { expression, value, passed, since_s })
        };
        assert_eq!(result("p99 > 250ms", Some(20.0), true, None), None);
        assert_eq!(
            result("p99 > 250ms for 10s, abort", Some(312.4), false, Some(12)).as_deref(),
            Some("The condition p99 > 250ms for 10s was true from 12 s on: 312 ms.")
        );
        for (expression, value, expected) in [
            ("errors > 1%", 1.25, "errors > 1% was true: 1.25 %."),
            ("errors > 1000", 1_234.0, "errors > 1000 was true: 1,234."),
            ("throughput < 950/s, abort", 912.4, "throughput < 950/s was true: 912/s."),
        ] {
            let text = result(expression, Some(value), false, None).expect("a sentence");
            assert!(text.ends_with(expected), "{text}");
        }
        assert!(
            result("service.p99 > 1s", None, true, None).is_some_and(|text| text.contains("nothing was"))
        );
    }
}
