//! The report of a run: one HTML file that needs no script, and no request to anywhere.
//!
//! A pure function of the result, the histograms behind it and the saved records, so `floodgate report`
//! writes the same bytes as the saving of the test did.

mod ab;
pub mod checks;
mod drivers;
mod head;
mod origin;
mod plan;
mod seconds;
#[cfg(test)]
mod tests;
mod tiles;
mod totals;

use crate::html::standalone;
use crate::plot::{self, Limit, Mark, Timeline};
use crate::stats::histogram::Packed;
use crate::stats::summary::Summary;
use maud::{Markup, html};
pub use origin::{Clock, Records};

const STYLE: &str = include_str!("style.css");

/// Everything that a report shows.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The result.
    pub summary: &'a Summary,
    /// The fleet's latencies second by second; empty if they are not known.
    pub intervals: &'a [(u64, Packed)],
    /// The fleet's latencies; `None` if only the result is known.
    pub latency: Option<&'a Packed>,
    /// The fleet's service times; likewise.
    pub service: Option<&'a Packed>,
    /// Losses of drivers and the STOP.
    pub events: &'a [Mark],
    /// The saved records; `None` if there are none.
    pub records: Option<&'a Records>,
}

impl<'a> Report<'a> {
    /// A report of the result alone, without what only histograms and records show.
    pub fn of(summary: &'a Summary) -> Report<'a> {
        Report { summary, intervals: &[], latency: None, service: None, events: &[], records: None }
    }

    /// The whole file.
    pub fn render(&self) -> String {
        let summary = self.summary;
        let title = format!("{} {} - Floodgate report", summary.test_id, summary.state);
        let body = html! {
            (head::title(summary))
            (head::verdict(summary))
            (head::thresholds(summary))
            (tiles::tiles(summary))
            (ab::section(summary))
            (plan::section(summary))
            (self.course())
            (self.distributions())
            (totals::answers(summary))
            (checks::section(summary))
            (drivers::section(summary, self.records))
            (totals::conservation(summary))
            (seconds::section(summary, self.intervals))
            (origin::section(summary, self.records))
        };
        standalone(&title, &[STYLE, plot::STYLE], &body)
    }

    /// Second by second.
    fn course(&self) -> Markup {
        let timeline = Timeline::new(&self.summary.series, self.intervals);
        let thresholds = &self.summary.thresholds;
        let limits = Limit::of_latency(thresholds);
        let breaches = Mark::of_breaches(thresholds);
        let events: Vec<Mark> = self.events.iter().cloned().chain(breaches).collect();
        html! {
            h2 { "Over time" }
            (plot::rate("rate", &timeline, &events))
            (plot::latency("latency", &timeline, &events, &limits))
            (plot::errors("errors", &timeline, &events))
            (plot::generator("generator", &timeline, &events))
        }
    }

    fn distributions(&self) -> Markup {
        let latency = self.latency.map(|times| ("latency", times));
        let service = self.service.filter(|times| !times.is_empty()).map(|times| ("service", times));
        let known: Vec<_> = latency.into_iter().chain(service).collect();
        html! {
            h2 { "Distribution" }
            @if let Some(latency) = self.latency {
                (plot::percentiles("percentiles", "Latency by percentile", &known))
                (plot::histogram("histogram", "Latency histogram", latency))
            } @else {
                p.dim { "The distribution is not known here: it needs the records of the test." }
            }
        }
    }
}
