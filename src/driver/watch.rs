//! How a worker spends its time, from the CPU times that the kernel keeps for each thread.
//!
//! A thread that neither runs nor waits for a CPU is idle: it waits for a response or for the next planned
//! start, or rests. So *busy* is time on a CPU plus CPU wait, no matter how the client waits. The hot loop
//! measures nothing for it: CPU times are read when counts are handed over.

use crate::clock::CpuTimes;
use crate::stats::generator::Witness;

/// A worker that sent this many requests since the last reading takes another one when it hands over.
const ENOUGH_SENT: u64 = 100;
/// A less active worker takes a reading only once per this many hand-overs: a reading takes a few µs, and a
/// driver may have thousands of workers that rarely send.
const PASSED: u32 = 4;

/// Tracks the thread's CPU times from the first measured request to the last. Pure: calls `accounts` only
/// when it needs a reading.
#[derive(Debug, Default)]
pub struct Watch {
    /// Time and value of the last reading; `None` before the first.
    last: Option<(u64, Option<CpuTimes>)>,
    has_ended: bool,
    passed: u32,
    seen: Witness,
}

impl Watch {
    /// Begins, unless already begun.
    #[inline]
    pub fn begin(&mut self, now_ns: u64, accounts: impl FnOnce() -> Option<CpuTimes>) {
        if self.last.is_none() {
            self.last = Some((now_ns, accounts()));
        }
    }

    /// Counts a rest of this duration; 0 if there was none.
    #[inline]
    pub fn rested(&mut self, ns: u64) {
        if self.last.is_some() {
            self.seen.rested_ns += ns;
        }
    }

    /// Takes a reading if the worker did enough since the last one, or if that was long ago.
    pub fn look_if_worthwhile(
        &mut self,
        now_ns: u64,
        sent: u64,
        accounts: impl FnOnce() -> Option<CpuTimes>,
    ) {
        self.passed += 1;
        if sent >= ENOUGH_SENT || self.passed >= PASSED {
            self.look(now_ns, accounts);
        }
    }

    /// Takes the last reading: the worker has nothing more to send.
    #[inline]
    pub fn end(&mut self, now_ns: u64, accounts: impl FnOnce() -> Option<CpuTimes>) {
        if !self.has_ended {
            self.look(now_ns, accounts);
            self.has_ended = true;
        }
    }

    /// What was observed since the last call.
    pub fn take(&mut self) -> Witness {
        std::mem::take(&mut self.seen)
    }

    fn look(&mut self, now_ns: u64, accounts: impl FnOnce() -> Option<CpuTimes>) {
        let Some((last_ns, before)) = self.last.filter(|_| !self.has_ended) else { return };
        let after = accounts();
        let elapsed_ns = now_ns.saturating_sub(last_ns);
        self.seen.observed_ns += elapsed_ns;
        if let Some((before, after)) = before.zip(after) {
            self.seen.known_ns += elapsed_ns;
            self.seen.on_cpu_ns += after.on_cpu_ns.saturating_sub(before.on_cpu_ns);
            self.seen.waited_ns += after.waited_ns.saturating_sub(before.waited_ns);
        }
        (self.last, self.passed) = (Some((now_ns, after)), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::NS_PER_MS as MS;

    /// A thread that runs for 30 % of the time and waits for a CPU for 20 %.
    fn accounts(now_ns: u64) -> Option<CpuTimes> {
        Some(CpuTimes { on_cpu_ns: 7 + now_ns * 3 / 10, waited_ns: now_ns / 5 })
    }

    #[test]
    fn only_the_time_from_the_first_request_to_the_last_is_observed() {
        let mut watch = Watch::default();
        watch.rested(50);
        watch.look_if_worthwhile(900 * MS, ENOUGH_SENT, || accounts(900 * MS));
        assert_eq!(watch.take(), Witness::default());
        watch.begin(1_000 * MS, || accounts(1_000 * MS));
        watch.begin(1_100 * MS, || panic!("it has begun"));
        watch.rested(100);
        watch.look_if_worthwhile(1_500 * MS, ENOUGH_SENT, || accounts(1_500 * MS));
        watch.end(2_000 * MS, || accounts(2_000 * MS));
        watch.end(3_000 * MS, || panic!("it has ended"));
        let seen = watch.take();
        assert_eq!((seen.observed_ns, seen.known_ns, seen.rested_ns), (1_000 * MS, 1_000 * MS, 100));
        assert_eq!((seen.on_cpu_ns, seen.waited_ns), (300 * MS, 200 * MS));
        assert_eq!(watch.take(), Witness::default());
    }

    #[test]
    fn an_inactive_worker_takes_few_readings_and_misses_nothing() {
        let (mut watch, mut looks) = (Watch::default(), 0);
        watch.begin(0, || accounts(0));
        for half in 1..=8 {
            watch.look_if_worthwhile(half * 500 * MS, 3, || {
                looks += 1;
                accounts(half * 500 * MS)
            });
        }
        assert_eq!((looks, watch.take().on_cpu_ns), (2, 1_200 * MS));
    }

    #[test]
    fn without_cpu_times_the_shares_are_unknown() {
        let mut watch = Watch::default();
        watch.begin(0, || None);
        watch.end(10, || accounts(10));
        let seen = watch.take();
        assert_eq!((seen.observed_ns, seen.known_ns), (10, 0));
        assert_eq!(seen.generator().and_then(|generator| generator.busy), None);
    }
}
