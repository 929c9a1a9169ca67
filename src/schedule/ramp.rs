//! A rate that changes linearly, stage by stage.
//!
//! With rates in millionths of a request per second and times in ms, twice the area under the rate is a whole
//! number of units of 1/2,000,000,000 request. So stage boundaries are exact, no matter how long the test is.
//! Only the position inside a stage is computed in floating point, accurate to a nanosecond.

/// Units in twice the area of one request.
const UNITS_PER_REQUEST: u128 = 2_000_000_000;
const NS_PER_MS: f64 = 1e6;

#[derive(Clone, Debug, PartialEq)]
struct Leg {
    start_ms: u64,
    length_ms: u64,
    from: u64,
    to: u64,
    /// Units before this leg.
    units_before: u128,
    units_after: u128,
}

/// Planned starts under a piecewise linear rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Ramp {
    legs: Vec<Leg>,
}

impl Ramp {
    /// `from` is a rate, and each stage is a duration in ms and a rate; rates are millionths of a request per
    /// second.
    pub fn new(from: u64, stages: &[(u64, u64)]) -> Ramp {
        let mut legs: Vec<Leg> = Vec::with_capacity(stages.len());
        let (mut start_ms, mut rate, mut units) = (0, from, 0u128);
        for &(length_ms, to) in stages {
            let units_after = units + (u128::from(rate) + u128::from(to)) * u128::from(length_ms);
            legs.push(Leg { start_ms, length_ms, from: rate, to, units_before: units, units_after });
            (start_ms, rate, units) = (start_ms + length_ms, to, units_after);
        }
        Ramp { legs }
    }

    /// When the k-th request at `speed` times the rate starts, in ns; `None` after the last stage.
    pub fn start_ns(&self, k: u128, speed: u64) -> Option<u64> {
        let speed = u128::from(speed);
        let wanted = k * UNITS_PER_REQUEST;
        let index = self.legs.partition_point(|leg| leg.units_after * speed <= wanted);
        let leg = self.legs.get(index)?;
        let inside = (wanted - leg.units_before * speed) as f64 / speed as f64;
        Some(leg.start_ms * NS_PER_MS as u64 + leg.place_ns(inside))
    }

    /// How many requests at `speed` times the rate start before `end_ns`.
    pub fn starting_before(&self, end_ns: u64, speed: u64) -> u128 {
        let last = self.legs.last().map_or(0, |leg| leg.units_after);
        let all = (last * u128::from(speed)).div_ceil(UNITS_PER_REQUEST);
        // Starts never decrease with k, so binary search finds the boundary.
        let (mut low, mut high) = (0u128, all);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.start_ns(middle, speed) {
                Some(start_ns) if start_ns < end_ns => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }
}

impl Leg {
    /// How far into the leg its area reaches `units`: the root of from·2t + slope·t² = units, in a form
    /// without cancellation.
    fn place_ns(&self, units: f64) -> u64 {
        if units <= 0.0 {
            return 0;
        }
        let from = self.from as f64;
        let slope = (self.to as f64 - from) / self.length_ms as f64;
        let root = (from * from + slope * units).max(0.0).sqrt();
        let t_ms = (units / (from + root)).clamp(0.0, self.length_ms as f64);
        (t_ms * NS_PER_MS) as u64
    }
}
