//! How the generator spent its time: the evidence that tells a starved generator from a slow target.
//!
//! Lag covers only the send side: a connection is free once its response was *read*, so the time that a
//! response waits unread looks like the target's. A worker that always has work to do, or that waits for a
//! CPU, reads late.

use serde::{Deserialize, Serialize};

/// How one worker, or several together, spent their time, in ns. Can be summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// Observed time of the workers.
    pub observed_ns: u64,
    /// The part of it for which the kernel's CPU accounting was available.
    pub known_ns: u64,
    /// On a CPU.
    pub on_cpu_ns: u64,
    /// Runnable, but without a CPU.
    pub waited_ns: u64,
    /// Rests of a closed loop that let responses accumulate.
    pub rested_ns: u64,
}

impl Witness {
    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Witness) {
        self.observed_ns += other.observed_ns;
        self.known_ns += other.known_ns;
        self.on_cpu_ns += other.on_cpu_ns;
        self.waited_ns += other.waited_ns;
        self.rested_ns += other.rested_ns;
    }

    /// The shares as reports contain them; `None` if nothing was observed.
    pub fn generator(&self) -> Option<Generator> {
        if self.observed_ns == 0 {
            return None;
        }
        let share = |part: u64, whole: u64| (part as f64 / whole as f64).min(1.0);
        let known = |part: u64| (self.known_ns > 0).then(|| share(part, self.known_ns));
        Some(Generator {
            busy: known(self.on_cpu_ns + self.waited_ns),
            cpu_wait: known(self.waited_ns),
            rest: Some(share(self.rested_ns, self.observed_ns)).filter(|rest| *rest > 0.0),
            worker_s: self.observed_ns as f64 / 1e9,
            ..Generator::default()
        })
    }
}

/// Where the target runs, as seen from a driver. Omitted if it is another host or unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetOn {
    /// The same process: they share its CPUs.
    SameProcess,
    /// The same host.
    SameHost,
}

/// How a driver's workers, or a fleet's, have spent their time since the measurement began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Generator {
    /// Share of the workers' time during which they had work to do: on a CPU or waiting for one. `None` if
    /// the kernel does not report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<f64>,
    /// Share of their time during which they were runnable but got no CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_wait: Option<f64>,
    /// Share of their time during which they let responses accumulate: the generator's own delay within
    /// service times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<f64>,
    /// Total time of all workers, the base of each share, in s.
    pub worker_s: f64,
    /// Sockets in TIME_WAIT on the driver's host for each local port that connections can use; omitted if
    /// there are few. For a fleet, the maximum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports_waiting: Option<f64>,
    /// Where the target runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_on: Option<TargetOn>,
    /// Whether the server's certificate was not verified.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
    /// Whether it was reached through a proxy, which then is part of what was measured.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub proxied: bool,
}

/// Largest plausible total time of workers, in s: 100,000 of them for the longest plan.
const MAX_WORKER_S: f64 = 1e11;
/// Largest plausible number of sockets in TIME_WAIT per port: each pair of addresses has all ports.
const MAX_PORTS_WAITING: f64 = 1e6;

impl Generator {
    /// Drops implausible values: a share outside 0 to 1 becomes unknown.
    #[must_use]
    pub fn checked(self) -> Generator {
        let share = |share: Option<f64>| share.filter(|share| (0.0..=1.0).contains(share));
        let worker_s = Some(self.worker_s).filter(|s| (0.0..MAX_WORKER_S).contains(s)).unwrap_or(0.0);
        Generator {
            busy: share(self.busy),
            cpu_wait: share(self.cpu_wait),
            rest: share(self.rest),
            worker_s,
            ports_waiting: self.ports_waiting.filter(|share| (0.0..=MAX_PORTS_WAITING).contains(share)),
            ..self
        }
    }

    /// The shares over all workers of several drivers.
    pub fn of_fleet<'a>(drivers: impl Iterator<Item = &'a Generator> + Clone) -> Generator {
        let mean = |share: fn(&Generator) -> Option<f64>| {
            let known =
                drivers.clone().filter_map(|g| share(g).map(|share| (share * g.worker_s, g.worker_s)));
            let (part, whole) = known.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            (whole > 0.0).then(|| part / whole)
        };
        Generator {
            busy: mean(|g| g.busy),
            cpu_wait: mean(|g| g.cpu_wait),
            // A driver that does not rest omits this field.
            rest: mean(|g| Some(g.rest.unwrap_or(0.0))).filter(|rest| *rest > 0.0),
            worker_s: drivers.clone().map(|g| g.worker_s).sum(),
            ports_waiting: drivers.clone().filter_map(|g| g.ports_waiting).reduce(f64::max),
            target_on: drivers.clone().filter_map(|g| g.target_on).min(),
            unverified: drivers.clone().any(|g| g.unverified),
            proxied: drivers.clone().any(|g| g.proxied),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_time_for_which_they_were_known() {
        assert_eq!(Witness::default().generator(), None);
        let mut all = Witness { observed_ns: 1_000, rested_ns: 200, ..Witness::default() };
        let unknown = all.generator().expect("observed");
        assert_eq!((unknown.busy, unknown.cpu_wait, unknown.rest), (None, None, Some(0.2)));
        let other =
            Witness { observed_ns: 1_000, known_ns: 1_000, on_cpu_ns: 500, waited_ns: 100, rested_ns: 0 };
        all.merge(&other);
        let both = all.generator().expect("observed");
        assert_eq!((both.busy, both.cpu_wait, both.rest), (Some(0.6), Some(0.1), Some(0.1)));
        // A tick may be accounted slightly after the clock is read.
        let over = Witness { known_ns: 10, observed_ns: 10, on_cpu_ns: 11, ..Witness::default() };
        assert_eq!(over.generator().and_then(|g| g.busy), Some(1.0));
    }

    #[test]
    fn a_fleets_shares_are_over_the_time_of_all_its_workers() {
        let driver = |busy, worker_s| Generator { busy, worker_s, ..Generator::default() };
        let near = Generator {
            target_on: Some(TargetOn::SameHost),
            unverified: true,
            proxied: true,
            ..driver(None, 100.0)
        };
        let all = [driver(Some(0.2), 30.0), driver(Some(0.6), 10.0), near];
        let fleet = Generator::of_fleet(all.iter());
        assert!((fleet.busy.expect("known for two drivers") - 0.3).abs() < 1e-9);
        assert_eq!((fleet.cpu_wait, fleet.worker_s, fleet.rest), (None, 140.0, None));
        assert_eq!(fleet.target_on, Some(TargetOn::SameHost));
        assert!(fleet.unverified && fleet.proxied);
        assert_eq!(Generator::of_fleet([].iter()), Generator::default());
    }

    #[test]
    fn implausible_values_become_unknown() {
        let odd = Generator {
            busy: Some(-0.1),
            cpu_wait: Some(f64::NAN),
            worker_s: f64::INFINITY,
            ..Generator::default()
        };
        assert_eq!(odd.checked(), Generator::default());
        let fine = Generator { busy: Some(1.0), cpu_wait: Some(0.0), worker_s: 2.0, ..Generator::default() };
        assert_eq!(fine.checked(), fine);
    }
}
