//! Wake-up coalescing in a closed loop, like interrupt coalescing in network cards.
//!
//! If the target is slightly slower than the loop, the worker's thread falls asleep after nearly every
//! response, and each sleep and wake-up costs both sides about as much as a response. A short rest before the
//! next poll lets several responses accumulate, so that one wake-up serves them all. Rests must not distort
//! the measurement: in a closed loop the mean latency is the number of connections divided by the throughput
//! (Little's law), so rests are used only if they do not lower the throughput. Trials check this repeatedly,
//! in short alternating windows with and without rests.
//!
//! Pure: times and counts go in, rest durations come out.

/// Maximum rest, and so the maximum time that a response waits because of one.
pub const MAX_REST_NS: u64 = 50_000;
/// A poll that returned this many responses was worth its wake-up.
pub const ENOUGH_RESPONSES: u64 = 8;
/// With fewer requests in flight, the target could run out of work during a rest.
const LEAST_IN_FLIGHT: usize = 16;
/// If a maximum rest would gather fewer responses than this, at the rate without rests, rests are not tried.
const LEAST_GAIN: f64 = 2.0;
/// Rests are kept if the throughput with them is at least this fraction of that without: windows always
/// differ by a few responses.
const SAME_RATE: f64 = 0.995;
/// Number of windows in a trial, alternately without and with rests. The best of each kind are compared,
/// because any other disturbance only makes a window slower.
const TRIAL_WINDOWS: u32 = 8;
/// Duration of a window.
const WINDOW_NS: u64 = 20_000_000;
/// How long rests are kept after a successful trial. A trial takes 160 ms, half of it without rests: one per
/// second would waste a few percent of what rests save.
const KEPT_NS: u64 = 5_000_000_000;
/// How long to wait after a failed trial before the next one.
const LEFT_NS: u64 = 10_000_000_000;

/// Decides when a worker rests.
#[derive(Debug)]
pub struct Coalescing {
    is_resting: bool,
    /// Until when the last trial's decision holds; 0 during a trial.
    settled_until_ns: u64,
    /// Completed windows of the trial.
    tried: u32,
    /// Best rates of the trial, in responses per ns: without rests, with rests.
    best: [f64; 2],
    /// Duration of a rest, derived from the trial's rate without rests.
    rest_ns: u64,
    window_began_ns: u64,
    responses: u64,
}

impl Coalescing {
    /// Starts with a trial.
    pub fn new(now_ns: u64) -> Coalescing {
        Coalescing {
            is_resting: false,
            settled_until_ns: 0,
            tried: 0,
            best: [0.0; 2],
            rest_ns: MAX_REST_NS,
            window_began_ns: now_ns,
            responses: 0,
        }
    }

    /// How long to rest before the next poll, after one that returned `completed` responses, with `in_flight`
    /// requests in flight; 0 for no rest.
    #[inline]
    pub fn rest_ns(&mut self, now_ns: u64, completed: u64, in_flight: usize) -> u64 {
        self.responses += completed;
        if now_ns >= self.window_began_ns + WINDOW_NS {
            self.end_window(now_ns);
        }
        let is_due = self.is_resting && completed < ENOUGH_RESPONSES && in_flight >= LEAST_IN_FLIGHT;
        if is_due { self.rest_ns } else { 0 }
    }

    fn end_window(&mut self, now_ns: u64) {
        let rate = self.responses as f64 / (now_ns - self.window_began_ns) as f64;
        (self.window_began_ns, self.responses) = (now_ns, 0);
        if now_ns < self.settled_until_ns {
            return;
        }
        if self.settled_until_ns > 0 || (!self.is_resting && rate * (MAX_REST_NS as f64) < LEAST_GAIN) {
            return self.begin_trial();
        }
        let best = &mut self.best[usize::from(self.is_resting)];
        *best = best.max(rate);
        self.rest_ns = rest_ns(self.best[0]);
        self.tried += 1;
        self.is_resting = !self.is_resting;
        if self.tried == TRIAL_WINDOWS {
            self.settle(now_ns);
        }
    }

    fn begin_trial(&mut self) {
        (self.is_resting, self.settled_until_ns) = (false, 0);
        (self.tried, self.best) = (0, [0.0; 2]);
    }

    fn settle(&mut self, now_ns: u64) {
        let [without, with] = self.best;
        self.is_resting = with >= SAME_RATE * without;
        self.settled_until_ns = now_ns + if self.is_resting { KEPT_NS } else { LEFT_NS };
    }
}

/// The time in which enough responses arrive at `rate`. A longer rest could let a fast target with few
/// connections run out of work, and the trial would reject it.
fn rest_ns(rate: f64) -> u64 {
    ((ENOUGH_RESPONSES as f64 / rate) as u64).min(MAX_REST_NS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::NS_PER_S as S;

    /// A loop of polls, each of which returns `target(time since the last poll)` responses. Returns the
    /// number of rests in each second.
    fn rests(seconds: u64, in_flight: usize, target: fn(elapsed_ns: u64) -> u64) -> Vec<u64> {
        const LOOK_NS: u64 = 10_000;
        let mut coalescing = Coalescing::new(0);
        let (mut now_ns, mut rested_ns) = (0, 0);
        let mut rests = vec![0; seconds as usize];
        while now_ns < seconds * S {
            let elapsed_ns = LOOK_NS + rested_ns;
            rested_ns = coalescing.rest_ns(now_ns, target(elapsed_ns), in_flight);
            rests[(now_ns / S) as usize] += u64::from(rested_ns > 0);
            now_ns += LOOK_NS + rested_ns;
        }
        rests
    }

    #[test]
    fn a_target_that_is_the_bottleneck_is_polled_less_often() {
        // 100,000 responses/s, regardless of the loop.
        let rests = rests(4, 32, |elapsed_ns| elapsed_ns / 10_000);
        assert!(rests[1..].iter().all(|n| *n > 14_000), "{rests:?}");
        assert!(rests[0] > 10_000, "the trial takes a part of the first second: {rests:?}");
    }

    #[test]
    fn a_rest_is_as_long_as_enough_responses_take() {
        let longest_rest_ns = |rate: u64| {
            let mut coalescing = Coalescing::new(0);
            let looks = (0..50_000).map(|look| coalescing.rest_ns(look * 10_000, rate / 100_000, 32));
            looks.max().expect("looks were made")
        };
        assert!((39_000..=40_000).contains(&longest_rest_ns(200_000)));
        assert!((19_500..=20_000).contains(&longest_rest_ns(400_000)));
        assert_eq!(longest_rest_ns(100_000), MAX_REST_NS, "80 µs would delay a response too long");
    }

    #[test]
    fn rests_that_lower_the_throughput_are_tried_and_dropped() {
        // One response per poll: a rest is lost time.
        let rests = rests(11, 32, |_| 1);
        assert!(rests[0] > 0 && rests[0] < 1_500, "{rests:?}");
        assert_eq!(rests[1..10], [0; 9]);
        assert!(rests[10] > 0, "tried again after a while: {rests:?}");
    }

    #[test]
    fn rests_that_would_gather_little_are_not_tried() {
        let slow = |elapsed_ns: u64| elapsed_ns / 30_000;
        assert_eq!(rests(2, 32, slow), [0, 0]);
        assert_eq!(rests(2, LEAST_IN_FLIGHT - 1, |elapsed_ns| elapsed_ns / 10_000), [0, 0]);
    }

    #[test]
    fn a_poll_with_enough_responses_is_followed_by_the_next_at_once() {
        let rests = rests(2, 256, |elapsed_ns| (elapsed_ns / 1_000).min(64));
        assert_eq!(rests, [0, 0]);
    }

    #[test]
    fn a_target_that_becomes_idle_ends_the_rests() {
        let mut coalescing = Coalescing::new(0);
        let mut now_ns = 60_000;
        let mut last_rest_ns = 0;
        while now_ns < 10 * S {
            let per_look = if now_ns < 2 * S { 6 } else { 0 };
            let rest_ns = coalescing.rest_ns(now_ns, per_look, 32);
            last_rest_ns = if rest_ns > 0 { now_ns } else { last_rest_ns };
            now_ns += 60_000;
        }
        assert!((2 * S..6 * S).contains(&last_rest_ns), "{last_rest_ns}");
    }
}
