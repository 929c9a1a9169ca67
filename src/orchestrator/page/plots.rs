//! The course of the newest test: rate, latency, errors, and the generator's own part, on one time axis.

use super::plan;
use crate::plot::{self, Limit, Mark, Timeline};
use crate::stats::histogram::Packed;
use crate::stats::states::RunState;
use crate::stats::summary::Summary;
use maud::{Markup, html};

/// The plots of a test, from the seconds in the log.
pub struct Plots<'a> {
    summary: &'a Summary,
    timeline: Timeline,
    marks: Vec<Mark>,
}

impl<'a> Plots<'a> {
    /// `intervals` are the latencies of each second, which are only necessary if there are more seconds than
    /// a plot can show.
    pub fn new(summary: &'a Summary, intervals: &[(u64, Packed)]) -> Plots<'a> {
        let timeline = Timeline::new(&summary.series, intervals);
        // A running test grows into its planned time.
        let planned_s = plan::planned_s(&summary.plan).filter(|_| !summary.state.is_over());
        let timeline = timeline.until(planned_s.unwrap_or(0.0));
        Plots { summary, timeline, marks: marks(summary) }
    }

    /// Planned, sent and answered requests, and latency.
    pub fn course(&self) -> Markup {
        let limits = Limit::of_latency(&self.summary.thresholds);
        html! {
            section aria-label="Course of the test" {
                (plot::rate("rate", &self.timeline, &self.marks))
                (plot::latency("latency", &self.timeline, &self.marks, &limits))
            }
        }
    }

    /// Failed requests second by second.
    pub fn errors(&self) -> Markup {
        html! {
            @if self.summary.total.errors_total() > 0 {
                (plot::errors("failures", &self.timeline, &self.marks))
            }
        }
    }

    /// Whose fault it is, second by second.
    pub fn generator(&self) -> Markup {
        html! {
            section aria-label="The generator's own part" {
                (plot::generator("generator", &self.timeline, &self.marks))
            }
        }
    }
}

/// Lost drivers, the STOP, and thresholds from when they failed.
fn marks(summary: &Summary) -> Vec<Mark> {
    let lost = summary.drivers.iter().filter(|driver| driver.state.is_missing());
    let lost = lost.map(|driver| Mark::new(driver.stats.elapsed_s, format!("{} lost", driver.node_id)));
    let stop = (summary.state == RunState::Aborted && summary.total.elapsed_s > 0.0)
        .then(|| Mark::new(summary.total.elapsed_s, "STOP"));
    lost.chain(stop).chain(Mark::of_breaches(&summary.thresholds)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::states::DriverRowState;
    use crate::stats::summary::{DriverSummary, SeriesPoint, Stats};

    #[test]
    fn a_lost_driver_and_a_stop_are_marked_where_they_happened() {
        let stats = |elapsed_s| Stats { elapsed_s, ..Stats::default() };
        let lost = DriverSummary { node_id: "d2".to_owned(), state: DriverRowState::Lost, stats: stats(4.0) };
        let done = DriverSummary { state: DriverRowState::Done, ..lost.clone() };
        let point = |second| SeriesPoint { second, requests: 5, complete: true, ..SeriesPoint::default() };
        let summary = Summary {
            state: RunState::Aborted,
            drivers: vec![lost, done],
            total: stats(9.0),
            series: (1..=9).map(point).collect(),
            ..Summary::default()
        };
        assert_eq!(marks(&summary), [Mark::new(4.0, "d2 lost"), Mark::new(9.0, "STOP")]);
        let page = Plots::new(&summary, &[]).course().into_string();
        assert!(page.contains("d2 lost") && page.contains("STOP"), "{page}");
        assert_eq!(page.matches("<figure").count(), 2);
    }
}
