//! Drivers that stand out from the others, by name: in a large fleet nobody reads every row.

use crate::stats::summary::{DriverSummary, Summary};
use crate::stats::verdict::{BUSY_SHARE, LATE_MS};
use crate::units::{format_count, format_figure, format_ms};

/// Least number of comparable drivers: of two, nobody can say which one is odd.
const LEAST_DRIVERS: usize = 3;
/// A 99th percentile stands out above this multiple of the drivers' median, if it also exceeds it by
/// [`P99_FLOOR_MS`].
const P99_FACTOR: f64 = 2.0;
/// By how much a 99th percentile that stands out exceeds the drivers' median at least, in ms.
const P99_FLOOR_MS: f64 = 1.0;
/// A rate stands out below this part of the drivers' median.
const RATE_PART: f64 = 0.9;
/// A share of errors stands out above this multiple of the fleet's, if it also exceeds [`ERROR_FLOOR`].
const ERROR_FACTOR: f64 = 2.0;
/// The least share of errors that can stand out.
const ERROR_FLOOR: f64 = 0.01;

/// A driver that stands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// Its position among the test's drivers.
    pub position: usize,
    /// Its name.
    pub name: String,
    /// How it stands out: `p99 412 ms (median of the drivers 38.0 ms)`.
    pub what: String,
}

/// All of them, in the order of the test's drivers.
pub fn find(summary: &Summary) -> Vec<Outlier> {
    let usual = Usual::of(summary);
    let found = summary.drivers.iter().enumerate().filter_map(|(position, driver)| {
        let what = usual.oddities(driver);
        let name = driver.node_id.clone();
        (!what.is_empty()).then(|| Outlier { position, name, what: what.join(", ") })
    });
    found.collect()
}

/// What is usual for the drivers of one test; `None` if too few can be compared.
struct Usual {
    rate_rps: Option<f64>,
    p99_ms: Option<f64>,
    errors: f64,
}

impl Usual {
    fn of(summary: &Summary) -> Usual {
        let median = |read: fn(&DriverSummary) -> Option<f64>| {
            let drivers = summary.drivers.iter().filter(|driver| !driver.is_original());
            let mut values: Vec<f64> = drivers.filter_map(read).filter(|value| value.is_finite()).collect();
            values.sort_by(f64::total_cmp);
            (values.len() >= LEAST_DRIVERS).then(|| values[values.len() / 2])
        };
        let total = &summary.total;
        let errors = total.errors_total().saturating_add(total.error_statuses());
        Usual {
            rate_rps: median(|driver| Some(driver.stats.throughput_rps)),
            p99_ms: median(p99),
            errors: errors as f64 / total.requests.max(1) as f64,
        }
    }

    fn oddities(&self, driver: &DriverSummary) -> Vec<String> {
        let stats = &driver.stats;
        let mut found = Vec::new();
        if driver.state.is_missing() {
            found.push(driver.state.as_str().to_owned());
        }
        if driver.is_original() || stats.requests == 0 {
            return found;
        }
        if let Some(usual) = self.rate_rps.filter(|usual| stats.throughput_rps < RATE_PART * usual) {
            let (own, usual) = (format_figure(stats.throughput_rps), format_figure(usual));
            found.push(format!("{own} responses/s (median of the drivers {usual})"));
        }
        if let (Some(own), Some(usual)) = (p99(driver), self.p99_ms)
            && own > P99_FACTOR * usual
            && own > usual + P99_FLOOR_MS
        {
            found.push(format!("p99 {} (median of the drivers {})", format_ms(own), format_ms(usual)));
        }
        let errors = stats.errors_total().saturating_add(stats.error_statuses());
        let share = errors as f64 / stats.requests as f64;
        if share > ERROR_FLOOR && share > ERROR_FACTOR * self.errors {
            found.push(format!("{} errors ({} %)", format_count(errors), format_figure(100.0 * share)));
        }
        if let Some(late_ms) = stats.start_skew_ms.filter(|ms| *ms > LATE_MS) {
            found.push(format!("started {} after the first", format_ms(late_ms)));
        }
        if let Some(busy) = stats.busy.filter(|busy| *busy >= BUSY_SHARE) {
            found.push(format!("busy {} %", format_figure(100.0 * busy)));
        }
        found
    }
}

fn p99(driver: &DriverSummary) -> Option<f64> {
    driver.stats.latency_ms.as_ref().map(|latency| latency.p99)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::histogram::Histogram;
    use crate::stats::states::DriverRowState;
    use crate::stats::summary::Stats;

    fn driver(name: &str, rate: f64, ms: u64) -> DriverSummary {
        let mut latency = Histogram::new();
        latency.record_us(ms * 1_000);
        let latency_ms = latency.distribution();
        let stats = Stats { requests: 100, throughput_rps: rate, latency_ms, ..Stats::default() };
        DriverSummary { node_id: name.to_owned(), state: DriverRowState::Running, stats }
    }

    fn found(drivers: Vec<DriverSummary>) -> Vec<String> {
        let mut total = Stats { requests: 100 * drivers.len() as u64, ..Stats::default() };
        for driver in &drivers {
            driver
                .stats
                .errors
                .iter()
                .for_each(|(kind, n)| *total.errors.entry(kind.clone()).or_default() += n);
        }
        let summary = Summary { drivers, total, ..Summary::default() };
        find(&summary).into_iter().map(|outlier| format!("{} {}", outlier.name, outlier.what)).collect()
    }

    #[test]
    fn a_fleet_of_equals_has_no_outlier() {
        assert_eq!(found((0..9).map(|n| driver("d", 100.0 + f64::from(n), 10)).collect()), [""; 0]);
        assert_eq!(found(vec![driver("a", 100.0, 10), driver("b", 1.0, 900)]), [""; 0], "two: who is odd?");
    }

    #[test]
    fn the_odd_one_is_named_with_what_is_odd() {
        let mut fleet: Vec<_> = (0..5).map(|n| driver(&format!("d{n}"), 100.0, 10)).collect();
        fleet[1] = driver("slow", 50.0, 80);
        fleet[3].stats.errors = [("timeout".to_owned(), 40)].into();
        fleet[4].state = DriverRowState::Lost;
        assert_eq!(
            found(fleet),
            [
                "slow 50.0 responses/s (median of the drivers 100), \
                    p99 80.1 ms (median of the drivers 10.0 ms)",
                "d3 40 errors (40.0 %)",
                "d4 lost"
            ]
        );
    }
}
