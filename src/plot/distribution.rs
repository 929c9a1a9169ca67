//! Distributions of times: percentile curves and histograms.

use super::axis::Axis;
use super::course::ink;
use super::figure::{Figure, Table, nothing};
use super::panel::{Ink, Line, Mark, Panel};
use super::path;
use super::text::{measured, measured_ms, ms, percent};
use crate::stats::histogram::Packed;
use crate::units::trim_number;
use maud::Markup;

/// Points of a percentile curve, evenly spaced on its axis.
const CURVE_POINTS: usize = 120;
/// The axis of a percentile curve ends here: 99.99999 %.
const MAX_NINES: f64 = 7.0;
/// Percentiles in tables.
const LEVELS: [f64; 9] = [0.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0];
/// About how many bars a histogram has.
const BARS: f64 = 60.0;
/// Stands in place of a plot without data.
const NOTHING: &str = "No response was received.";

/// Percentile curves of named distributions, on the axis of HdrHistogram's plots: 90 %, 99 %, 99.9 % have
/// equal distances, since the place of percentile p is log10(1 / (1 - p)).
pub fn percentiles(id: &str, title: &str, distributions: &[(&str, &Packed)]) -> Markup {
    let known: Vec<_> = distributions.iter().filter(|(_, times)| !times.is_empty()).collect();
    let curves: Vec<_> = known.iter().map(|(_, times)| curve(times)).collect();
    let values = || curves.iter().flatten().map(|(_, ms)| *ms);
    let (Some(min), Some(max)) = (values().reduce(f64::min), values().reduce(f64::max)) else {
        return nothing(id, title, NOTHING);
    };
    let nines = curves.iter().filter_map(|curve| curve.last()).map(|(x, _)| *x).fold(1.0, f64::max);
    let lines = known.iter().zip(&curves).enumerate().map(|(number, ((name, _), curve))| Line {
        name: (*name).to_owned(),
        ink: ink(number),
        points: curve.iter().copied().map(Some).collect(),
    });
    let panel = Panel {
        label: title.to_owned(),
        is_short: false,
        unit: "",
        x: nines_axis(nines),
        y: Axis::log(min, max, ms),
        gaps: Vec::new(),
        shade: String::new(),
        bars: String::new(),
        bar_ink: Ink::Blue,
        lines: lines.collect(),
        marks: &[],
        limits: &[],
    };
    let keys = known.iter().enumerate().map(|(number, (name, times))| {
        let [p99] = times.percentiles_ms([99.0]);
        (ink(number), format!("{name} p99 {}", measured_ms(p99)))
    });
    let columns: Vec<_> = known.iter().map(|(name, times)| (*name, *times)).collect();
    let (keys, table) = (keys.collect(), levels(&columns));
    Figure { id, title, keys, panels: vec![panel], notes: Vec::new(), table }.render()
}

/// A curve from the minimum to the maximum: places on the axis, with times in ms.
fn curve(times: &Packed) -> Vec<(f64, f64)> {
    let nines = (times.count() as f64).log10().clamp(0.1, MAX_NINES);
    let mut places = [0.0; CURVE_POINTS];
    places.iter_mut().enumerate().for_each(|(n, at)| *at = nines * n as f64 / (CURVE_POINTS - 1) as f64);
    let values = times.percentiles_ms(places.map(|at| 100.0 * (1.0 - 10f64.powf(-at))));
    let max = times.percentiles_ms([100.0])[0];
    let mut curve: Vec<_> = places.into_iter().zip(values).collect();
    if let Some(last) = curve.last_mut() {
        last.1 = max;
    }
    curve
}

fn nines_axis(nines: f64) -> Axis {
    let half = (2f64.log10(), "50 %".to_owned());
    let more = (1..=nines.floor() as i32).map(|n| {
        let share = 100.0 * (1.0 - 10f64.powi(-n));
        (f64::from(n), format!("{share:.*} %", (n - 2).max(0) as usize))
    });
    Axis::fixed(0.0, nines, std::iter::once(half).chain(more).collect())
}

fn levels(distributions: &[(&str, &Packed)]) -> Table {
    let columns: Vec<_> = distributions.iter().map(|(_, times)| times.percentiles_ms(LEVELS)).collect();
    let name = |level: f64| match level {
        0.0 => "min".to_owned(),
        100.0 => "max".to_owned(),
        level => format!("{} %", trim_number(level)),
    };
    let cells = |row: usize| columns.iter().map(move |column| measured_ms(column[row]));
    let rows = LEVELS.iter().enumerate();
    Table {
        heads: std::iter::once("percentile")
            .chain(distributions.iter().map(|d| d.0))
            .map(str::to_owned)
            .collect(),
        rows: rows.map(|(row, level)| std::iter::once(name(*level)).chain(cells(row)).collect()).collect(),
    }
}

/// One bar of a histogram: times from `from_us` to below `to_us`.
struct Bar {
    from_us: u64,
    to_us: u64,
    count: u64,
}

/// A histogram with bars of equal width on a logarithmic axis, and marks at the median and p99.
pub fn histogram(id: &str, title: &str, times: &Packed) -> Markup {
    let bars = bars(times);
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return nothing(id, title, NOTHING) };
    let in_ms = |us: u64| us as f64 / 1_000.0;
    let share = |bar: &Bar| 100.0 * bar.count as f64 / times.count() as f64;
    let x = Axis::log(in_ms(first.from_us), in_ms(last.to_us), ms);
    let y =
        Axis::linear(bars.iter().map(share).fold(0.0, f64::max), |value| format!("{} %", trim_number(value)));
    let [p50, p99] = times.percentiles_ms([50.0, 99.0]);
    let marks = [Mark::new(p50, "p50"), Mark::new(p99, "p99")];
    // The smallest bar is still visible.
    let height = |bar: &Bar| y.at(share(bar)).max(0.006);
    let place = |bar: &Bar| (x.at(in_ms(bar.from_us)), x.at(in_ms(bar.to_us)), height(bar));
    let drawn = path::bars(bars.iter().filter(|bar| bar.count > 0).map(place));
    let row = |bar: &Bar| {
        let range = format!("{} to {}", measured_ms(in_ms(bar.from_us)), measured_ms(in_ms(bar.to_us)));
        vec![range, measured(bar.count as f64), percent(share(bar) / 100.0)]
    };
    let rows = bars.iter().filter(|bar| bar.count > 0).map(row).collect();
    let heads = [title, "responses", "share"].map(str::to_owned).to_vec();
    let panel = Panel {
        is_short: false,
        label: format!("{title}: {} responses", measured(times.count() as f64)),
        unit: "",
        x,
        y,
        gaps: Vec::new(),
        shade: String::new(),
        bars: drawn,
        bar_ink: Ink::Blue,
        lines: Vec::new(),
        marks: &marks,
        limits: &[],
    };
    let keys = vec![(Ink::Blue, format!("{} responses", measured(times.count() as f64)))];
    Figure { id, title, keys, panels: vec![panel], notes: Vec::new(), table: Table { heads, rows } }.render()
}

/// Bars from the minimum to the maximum. None is narrower than a few of the histogram's own buckets, which
/// would draw a comb.
fn bars(times: &Packed) -> Vec<Bar> {
    let mut values = times.values().peekable();
    let Some((min, _)) = values.peek().copied() else { return Vec::new() };
    let max = times.values().last().map_or(min, |(value, _)| value) + 1;
    let factor = (max as f64 / min as f64).powf(1.0 / BARS).max(1.0 + 3.0 / min as f64).max(1.004);
    let mut bars = Vec::new();
    let (mut from_us, mut edge) = (min, min as f64);
    while from_us < max {
        edge *= factor;
        let to_us = (edge.round() as u64).max(from_us + 1);
        let mut count = 0u64;
        while let Some((_, n)) = values.next_if(|(value, _)| *value < to_us) {
            count = count.saturating_add(n);
        }
        bars.push(Bar { from_us, to_us, count });
        from_us = to_us;
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::histogram::Histogram;

    fn times(values_us: impl IntoIterator<Item = u64>) -> Packed {
        let mut histogram = Histogram::new();
        values_us.into_iter().for_each(|us| histogram.record_us(us));
        Packed::from(&histogram)
    }

    #[test]
    fn a_curve_goes_from_the_minimum_to_the_maximum_and_never_down() {
        let curve = curve(&times((1..=1_000).map(|n| n * 10)));
        assert_eq!((curve[0], curve[CURVE_POINTS - 1].1), ((0.0, 0.01), 10.007), "the ends of the buckets");
        assert!((curve[CURVE_POINTS - 1].0 - 3.0).abs() < 1e-9, "1,000 times: up to 99.9 %");
        assert!(curve.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        let at = |share: f64| curve.iter().min_by(|a, b| (a.0 - share).abs().total_cmp(&(b.0 - share).abs()));
        assert!((at(1.0).expect("p90").1 - 9.0).abs() < 0.3, "{:?}", at(1.0));
    }

    #[test]
    fn the_axis_has_nines() {
        let labels: Vec<_> = nines_axis(4.3).ticks().map(|(_, label)| label.to_owned()).collect();
        assert_eq!(labels.join(" | "), "50 % | 90 % | 99 % | 99.9 % | 99.99 %");
    }

    #[test]
    fn several_distributions_share_a_plot() {
        let (a, b, none) = (times(1..=100), times(200..=300), Packed::default());
        let markup = percentiles("p", "Latency", &[("A", &a), ("empty", &none), ("<B>", &b)]).into_string();
        assert!(markup.contains("A p99 99 µs") && markup.contains("&lt;B&gt; p99 299 µs"), "{markup}");
        assert!(!markup.contains("empty"), "{markup}");
        assert!(percentiles("p", "Latency", &[("A", &none)]).into_string().contains(NOTHING));
    }

    #[test]
    fn bars_hold_every_time_once() {
        let spreads: [Vec<u64>; 5] = [
            vec![1],
            vec![7; 90],
            (20..30).collect(),
            (1..=5_000).map(|n| n * n).collect(),
            vec![3_600_000_000, 1],
        ];
        for values in spreads {
            let bars = bars(&times(values.clone()));
            assert_eq!(bars.iter().map(|bar| bar.count).sum::<u64>(), values.len() as u64);
            assert!(bars.windows(2).all(|pair| pair[0].to_us == pair[1].from_us));
            assert!(bars.len() <= BARS as usize + 1, "{}", bars.len());
            assert!(bars.iter().all(|bar| bar.from_us < bar.to_us));
        }
        assert!(histogram("h", "Latency", &Packed::default()).into_string().contains(NOTHING));
    }
}
