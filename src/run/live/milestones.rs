//! When a line is written where there is no terminal: for each tenth of the test and for what is wrong, at
//! intervals.

use crate::clock::NS_PER_S;

/// Minimum time between two lines.
pub const PAUSE_NS: u64 = 5 * NS_PER_S;
/// Lines of a whole test.
const STEPS: f64 = 10.0;

/// What was said so far.
#[derive(Debug)]
pub struct Milestones {
    /// The next tenth to be mentioned.
    next: u32,
    /// Nothing is due before.
    earliest_ns: u64,
    /// Nothing but a tenth is due before.
    quiet_until_ns: u64,
    /// The newest text about something wrong.
    said: String,
}

impl Milestones {
    /// Begins at `now_ns`.
    pub fn new(now_ns: u64) -> Milestones {
        Milestones { next: 1, earliest_ns: now_ns, quiet_until_ns: now_ns + PAUSE_NS, said: String::new() }
    }

    /// Whether a line is due at `share` of the test, of which `wrong` is what is wrong or delayed, if
    /// anything is.
    pub fn is_due(&mut self, now_ns: u64, share: f64, wrong: &str) -> bool {
        let step = (share * STEPS + 1e-9) as u32;
        let is_news = !wrong.is_empty() && wrong != self.said && now_ns >= self.quiet_until_ns;
        if now_ns < self.earliest_ns || (step < self.next && !is_news) {
            return false;
        }
        self.next = self.next.max(step + 1);
        wrong.clone_into(&mut self.said);
        self.earliest_ns = now_ns + PAUSE_NS;
        self.quiet_until_ns = self.earliest_ns;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which a test of this length says something, polled ten times a second.
    fn said_at(length_s: u64, wrong: impl Fn(u64) -> &'static str) -> Vec<u64> {
        let mut milestones = Milestones::new(0);
        let at = |tenth: &u64| {
            let share = *tenth as f64 / (10 * length_s) as f64;
            milestones.is_due(tenth * NS_PER_S / 10, share.min(1.0), wrong(tenth / 10))
        };
        (0..=20 * length_s).filter(at).map(|tenth| tenth / 10).collect()
    }

    #[test]
    fn every_tenth_is_said_once_but_not_more_often_than_every_five_seconds() {
        assert_eq!(said_at(600, |_| ""), [60, 120, 180, 240, 300, 360, 420, 480, 540, 600]);
        assert_eq!(said_at(10, |_| ""), [1, 6, 11], "the last one while the end is waited for");
        assert_eq!(said_at(2, |_| ""), [0]);
    }

    #[test]
    fn what_is_wrong_is_said_once() {
        let wrong = |s: u64| if s < 70 { "" } else { "driver-1 is lost" };
        assert_eq!(said_at(600, wrong)[..3], [60, 70, 120]);
        assert_eq!(said_at(1_000, |_| "no answer")[..2], [5, 100]);
    }
}
