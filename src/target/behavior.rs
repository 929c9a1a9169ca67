//! What the target does with the k-th request. Pure.

use crate::units::{format_duration, parse_duration};
use std::time::Duration;

/// Maximum delay or stall interval.
pub const LONGEST: Duration = Duration::from_secs(600);

/// Periodic pauses in which all answers are held, like garbage collections or a failing disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Time from the start of one stall to the start of the next; also the time until the first one.
    pub every: Duration,
    /// How long each lasts.
    pub length: Duration,
}

impl std::str::FromStr for Stall {
    type Err = String;

    /// Parses `EVERY:FOR`, like `10s:1s`.
    fn from_str(text: &str) -> Result<Stall, String> {
        let (every, length) = text
            .split_once(':')
            .ok_or_else(|| format!("stall {text:?}: use EVERY:FOR, like 10s:1s (every 10 s for 1 s)"))?;
        let stall = Stall { every: parse_duration(every)?, length: parse_duration(length)? };
        if stall.length.is_zero() || stall.length >= stall.every || stall.every > LONGEST {
            return Err(format!(
                "stall {text:?}: FOR must be longer than 0 and shorter than EVERY ({}), and EVERY at most {}",
                format_duration(stall.every),
                format_duration(LONGEST)
            ));
        }
        Ok(stall)
    }
}

/// How a target answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Behavior {
    /// Time from a request to its answer.
    pub delay: Duration,
    /// Share of requests that are answered 500, from 0 to 1.
    pub error_rate: f64,
    /// When all answers are held.
    pub stall: Option<Stall>,
}

/// The response to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Time from now to the answer.
    pub hold: Duration,
    /// Whether the answer is a 500.
    pub fail: bool,
}

impl Behavior {
    /// What to do with the `k`-th request (from 0), `elapsed` after the target's start.
    pub fn act(&self, k: u64, elapsed: Duration) -> Action {
        let stalled = self.stall.map_or(Duration::ZERO, |stall| stall.left_at(elapsed));
        Action { hold: self.delay.max(stalled), fail: self.fails(k) }
    }

    /// Spreads the errors evenly and exactly: of the first n requests, floor(n · rate) fail. No randomness.
    fn fails(&self, k: u64) -> bool {
        // Integer billionths, so that the spread does not drift however long a target runs.
        let share = (self.error_rate.clamp(0.0, 1.0) * 1e9).round() as u128;
        let failed = |n: u64| u128::from(n) * share / 1_000_000_000;
        failed(k.saturating_add(1)) > failed(k)
    }

    /// Whether answers may ever be held.
    pub fn holds(&self) -> bool {
        !self.delay.is_zero() || self.stall.is_some()
    }
}

impl Stall {
    /// The remaining time of the current stall, zero if there is none.
    fn left_at(&self, elapsed: Duration) -> Duration {
        let round_ns = self.every.as_nanos().max(1);
        let rounds = elapsed.as_nanos() / round_ns;
        if rounds == 0 {
            return Duration::ZERO;
        }
        let into_ns = u64::try_from(elapsed.as_nanos() % round_ns).unwrap_or(u64::MAX);
        self.length.saturating_sub(Duration::from_nanos(into_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_plain_target_answers_at_once() {
        let action = Behavior::default().act(7, ms(5));
        assert_eq!(action, Action { hold: Duration::ZERO, fail: false });
        assert!(!Behavior::default().holds());
    }

    #[test]
    fn errors_are_spread_exactly() {
        for (rate, n, expected) in
            [(0.01, 1_000, 10), (0.5, 9, 4), (1.0, 5, 5), (0.0, 100, 0), (1.0 / 3.0, 999, 332)]
        {
            let behavior = Behavior { error_rate: rate, ..Behavior::default() };
            let failed = (0..n).filter(|k| behavior.act(*k, ms(0)).fail).count();
            assert_eq!(failed, expected, "{rate} of {n}");
        }
        let half = Behavior { error_rate: 0.5, ..Behavior::default() };
        let pattern: Vec<bool> = (0..4).map(|k| half.act(k, ms(0)).fail).collect();
        assert_eq!(pattern, [false, true, false, true]);
    }

    #[test]
    fn errors_do_not_drift_after_very_many_requests() {
        let behavior = Behavior { error_rate: 0.01, ..Behavior::default() };
        let late = 1_000_000_000_000_000_000;
        let failed = (late..late + 10_000).filter(|k| behavior.act(*k, ms(0)).fail).count();
        assert_eq!(failed, 100);
    }

    #[test]
    fn a_stall_holds_arriving_requests_until_its_end() {
        let stall = Stall { every: ms(10_000), length: ms(1_000) };
        let behavior = Behavior { delay: ms(5), stall: Some(stall), ..Behavior::default() };
        let hold_at = |at: u64| behavior.act(0, ms(at)).hold;
        assert_eq!(hold_at(0), ms(5), "the first stall comes after one interval");
        assert_eq!(hold_at(9_999), ms(5));
        assert_eq!(hold_at(10_000), ms(1_000));
        assert_eq!(hold_at(10_600), ms(400));
        assert_eq!(hold_at(10_998), ms(5), "never shorter than the delay");
        assert_eq!(hold_at(11_000), ms(5));
        assert_eq!(hold_at(50_250), ms(750));
        assert!(behavior.holds());
    }

    #[test]
    fn stalls_are_parsed_and_checked() {
        assert_eq!("10s:1s".parse(), Ok(Stall { every: ms(10_000), length: ms(1_000) }));
        for text in ["10s", "1s:1s", "1s:2s", "10s:0s", "x:1s", "1h:1s"] {
            let error = text.parse::<Stall>().expect_err(text);
            assert!(error.contains("stall") || error.contains("duration"), "{error}");
        }
    }
}
