//! Retries with a deadline: transient errors are retried after a backoff, permanent ones end the call. Both
//! clients use it; [`Retry::next`] and [`Retry::settle`] decide, [`Retry::attempt`] only sleeps and calls.

use super::backoff::Backoff;
use crate::bus::BusError;
use crate::clock::{Clock, NS_PER_S};

/// Longest single attempt: a hung broker must not use up the time in which another one could be found.
pub const ATTEMPT_NS: u64 = 5 * NS_PER_S;

/// An attempt cut off by the deadline after less than this says nothing about the cluster.
const NEWS_NS: u64 = NS_PER_S;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Sleep until this time, then ask again.
    Wait {
        /// The end of the backoff or the deadline.
        until_ns: u64,
    },
    /// Make one attempt.
    Try {
        /// When the attempt must end.
        until_ns: u64,
    },
    /// No time is left: return this error.
    GiveUp(BusError),
}

/// The backoff after faults, and the last fault.
#[derive(Debug)]
pub struct Retry {
    /// The cluster, for messages.
    whom: String,
    backoff: Backoff,
    last_fault: Option<BusError>,
}

impl Retry {
    /// No faults yet; `whom` describes the cluster in messages.
    pub fn new(whom: String) -> Self {
        Retry { whom, backoff: Backoff::new(), last_fault: None }
    }

    /// The earliest time of the next attempt.
    pub fn not_before_ns(&self) -> u64 {
        self.backoff.not_before_ns()
    }

    /// The last fault; `None` after a success.
    pub fn last_fault(&self) -> Option<&BusError> {
        self.last_fault.as_ref()
    }

    /// Records that the cluster works.
    pub fn succeeded(&mut self) {
        self.backoff.succeeded();
        self.last_fault = None;
    }

    /// Records a fault at `now_ns`: the next attempt is made after a backoff.
    pub fn failed(&mut self, now_ns: u64, error: BusError) {
        self.backoff.failed(now_ns);
        self.last_fault = Some(error);
    }

    /// What to do at `now_ns` in a call that ends at `deadline_ns`.
    pub fn next(&self, now_ns: u64, deadline_ns: u64) -> Next {
        if now_ns >= deadline_ns {
            let none = || BusError::Unavailable(format!("no time left to contact {}", self.whom));
            return Next::GiveUp(self.last_fault.clone().unwrap_or_else(none));
        }
        if now_ns < self.not_before_ns() {
            return Next::Wait { until_ns: self.not_before_ns().min(deadline_ns) };
        }
        Next::Try { until_ns: deadline_ns.min(now_ns.saturating_add(ATTEMPT_NS)) }
    }

    /// Records the result of an attempt that ended at `now_ns`. Returns the result of the call, or `None` if
    /// the attempt must be repeated.
    pub fn settle<T>(&mut self, now_ns: u64, result: Result<T, BusError>) -> Option<Result<T, BusError>> {
        match &result {
            Ok(_) => self.succeeded(),
            Err(error) if is_fault(error) => self.failed(now_ns, error.clone()),
            Err(_) => {}
        }
        match result {
            Err(error) if error.is_transient() => None,
            settled => Some(settled),
        }
    }

    /// The result of an attempt of `limit_ns`, or the fault before it if the attempt only ran out of time:
    /// the last moments of a call say nothing new.
    fn or_earlier<T>(
        &self,
        result: Result<T, BusError>,
        limit_ns: u64,
        is_late: bool,
    ) -> Result<T, BusError> {
        match (&result, &self.last_fault) {
            (Err(error), Some(earlier)) if error.is_transient() && is_late && limit_ns < NEWS_NS => {
                Err(earlier.clone())
            }
            _ => result,
        }
    }

    /// Retries `once`, which is given the time at which its attempt must end, until it succeeds, fails
    /// permanently or the deadline passes.
    pub fn attempt<T>(
        &mut self,
        clock: &impl Clock,
        deadline_ns: u64,
        mut once: impl FnMut(u64) -> Result<T, BusError>,
    ) -> Result<T, BusError> {
        loop {
            let now_ns = clock.now_ns();
            match self.next(now_ns, deadline_ns) {
                Next::Wait { until_ns } => drop(clock.rest(until_ns - now_ns)),
                Next::GiveUp(error) => return Err(error),
                Next::Try { until_ns } => {
                    let result =
                        self.or_earlier(once(until_ns), until_ns - now_ns, clock.now_ns() >= until_ns);
                    if let Some(settled) = self.settle(clock.now_ns(), result) {
                        return settled;
                    }
                }
            }
        }
    }
}

/// Whether the error says something about the cluster. A rejected record does not mean that it is faulty.
pub fn is_fault(error: &BusError) -> bool {
    matches!(error, BusError::Unavailable(_) | BusError::Unsupported(_) | BusError::Denied(_))
}

/// The log lines of a long wait: the first fault and every different one, so that the user sees why it waits.
#[derive(Debug)]
pub struct Waiting {
    whom: String,
    told: String,
}

impl Waiting {
    /// Nothing logged yet; `whom` describes the cluster.
    pub fn new(whom: String) -> Self {
        Waiting { whom, told: String::new() }
    }

    /// The line to log for this error; `None` if it was logged last or ends the wait.
    pub fn line(&mut self, error: &BusError) -> Option<String> {
        let text = error.to_string();
        if !error.is_transient() || text == self.told {
            return None;
        }
        self.told = text;
        Some(format!("waiting for {}: {}", self.whom, self.told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, NS_PER_MS};

    const DEADLINE_NS: u64 = 20 * NS_PER_S;

    fn retry() -> Retry {
        Retry::new("kafka a:1".to_owned())
    }

    fn away(text: &str) -> BusError {
        BusError::Unavailable(text.to_owned())
    }

    #[test]
    fn an_attempt_is_cut_off_by_its_limit_or_by_the_deadline() {
        let retry = retry();
        assert_eq!(retry.next(0, DEADLINE_NS), Next::Try { until_ns: ATTEMPT_NS });
        assert_eq!(retry.next(DEADLINE_NS - 1, DEADLINE_NS), Next::Try { until_ns: DEADLINE_NS });
        assert_eq!(retry.next(7, u64::MAX), Next::Try { until_ns: 7 + ATTEMPT_NS });
    }

    #[test]
    fn the_backoff_is_waited_for_but_never_beyond_the_deadline() {
        let mut retry = retry();
        assert_eq!(retry.settle::<()>(1_000, Err(away("a"))), None);
        let due_ns = retry.not_before_ns();
        assert!(due_ns > 1_000);
        assert_eq!(retry.next(1_000, DEADLINE_NS), Next::Wait { until_ns: due_ns });
        assert_eq!(retry.next(1_000, due_ns - 1), Next::Wait { until_ns: due_ns - 1 });
        assert_eq!(retry.next(due_ns, DEADLINE_NS), Next::Try { until_ns: due_ns + ATTEMPT_NS });
    }

    #[test]
    fn the_last_fault_is_what_a_late_call_returns() {
        let mut retry = retry();
        let Next::GiveUp(BusError::Unavailable(text)) = retry.next(5, 5) else { panic!("no time left") };
        assert_eq!(text, "no time left to contact kafka a:1");
        retry.settle::<()>(0, Err(away("first")));
        retry.settle::<()>(0, Err(away("second")));
        assert_eq!(retry.next(5, 5), Next::GiveUp(away("second")));
        assert_eq!(retry.settle(9, Ok(3)), Some(Ok(3)));
        assert_eq!((retry.not_before_ns(), retry.last_fault()), (0, None));
    }

    #[test]
    fn permanent_errors_end_the_call_and_only_unsupported_is_a_fault() {
        let mut retry = retry();
        let rejected = BusError::Rejected("no".to_owned());
        assert_eq!(retry.settle::<()>(0, Err(rejected.clone())), Some(Err(rejected)));
        let large = BusError::TooLarge { bytes: 9, text: "9".to_owned() };
        assert_eq!(retry.settle::<()>(0, Err(large.clone())), Some(Err(large)));
        assert_eq!((retry.not_before_ns(), retry.last_fault()), (0, None));
        let unsupported = BusError::Unsupported("old".to_owned());
        assert_eq!(retry.settle::<()>(0, Err(unsupported.clone())), Some(Err(unsupported.clone())));
        assert_eq!(retry.last_fault(), Some(&unsupported));
        assert!(retry.not_before_ns() > 0);
    }

    #[test]
    fn a_call_retries_until_it_succeeds() {
        let (clock, mut tries) = (ManualClock::default(), Vec::new());
        let done = retry().attempt(&clock, DEADLINE_NS, |until_ns| {
            tries.push((clock.now_ns(), until_ns));
            if tries.len() < 4 { Err(away("x")) } else { Ok("done") }
        });
        assert_eq!(done, Ok("done"));
        assert_eq!(tries.len(), 4);
        for pair in tries.windows(2) {
            assert!(pair[1].0 >= pair[0].0 + 25 * NS_PER_MS, "without a backoff: {tries:?}");
        }
        assert!(tries.iter().all(|(now_ns, until_ns)| *until_ns == now_ns + ATTEMPT_NS));
    }

    #[test]
    fn a_call_that_never_succeeds_ends_at_its_deadline_with_the_last_fault() {
        let (clock, mut tries) = (ManualClock::default(), 0);
        let failed = retry().attempt::<()>(&clock, DEADLINE_NS, |until_ns| {
            tries += 1;
            // Every attempt hangs until its limit.
            clock.advance_to_ns(until_ns);
            Err(away(&format!("attempt {tries}")))
        });
        // Four attempts of 5 s and a little backoff do not fit: the fourth is cut off by the deadline.
        assert_eq!((tries, failed), (4, Err(away("attempt 4"))));
        assert_eq!(clock.now_ns(), DEADLINE_NS);
    }

    #[test]
    fn a_short_last_attempt_does_not_hide_the_fault_before_it() {
        let (silent, refused) = (Err::<(), _>(away("silent")), Err(away("refused")));
        let mut retry = retry();
        assert_eq!(retry.or_earlier(silent.clone(), 1, true), silent, "there is no earlier one");
        retry.failed(0, away("refused"));
        assert_eq!(retry.or_earlier(silent.clone(), NEWS_NS - 1, true), refused);
        assert_eq!(retry.or_earlier(silent.clone(), NEWS_NS, true), silent, "long enough");
        assert_eq!(retry.or_earlier(silent.clone(), NEWS_NS - 1, false), silent, "not for lack of time");
        assert_eq!(retry.or_earlier(Ok(()), 1, true), Ok(()));
    }

    #[test]
    fn a_backoff_outlives_the_call() {
        let (clock, mut retry) = (ManualClock::default(), retry());
        retry.attempt::<()>(&clock, 1, |_| Err(away("x"))).unwrap_err();
        let due_ns = retry.not_before_ns();
        assert!(due_ns > 1, "still backing off");
        let mut began_ns = None;
        let done = retry.attempt(&clock, DEADLINE_NS, |_| {
            began_ns = Some(clock.now_ns());
            Ok(())
        });
        assert_eq!((done, began_ns), (Ok(()), Some(due_ns)));
    }

    #[test]
    fn a_wait_logs_only_what_is_new() {
        let mut waiting = Waiting::new("kafka a:1".to_owned());
        assert_eq!(waiting.line(&away("x")).as_deref(), Some("waiting for kafka a:1: x"));
        assert_eq!(waiting.line(&away("x")), None);
        assert_eq!(waiting.line(&away("y")).as_deref(), Some("waiting for kafka a:1: y"));
        assert_eq!(waiting.line(&BusError::Rejected("no".to_owned())), None);
    }
}
