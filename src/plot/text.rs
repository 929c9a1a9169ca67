//! Short numbers for ticks, labels and captions.

use crate::units::{format_count, format_figure, trim_number};

/// A number with few digits: `0.2`, `1,500`, `20k`, `3M`.
pub fn number(value: f64) -> String {
    let value = if value.abs() < 1e-12 { 0.0 } else { value };
    match value.abs() {
        v if v >= 1e6 => format!("{}M", trim_number(value / 1e6)),
        v if v >= 1e4 => format!("{}k", trim_number(value / 1e3)),
        v if v >= 1e3 && value > 0.0 => format_count(value.round() as u64),
        v if v >= 0.001 || v == 0.0 => trim_number(value),
        _ => format!("{value:.0e}"),
    }
}

/// A time in ms, in the unit that fits: `200 µs`, `5 ms`, `2 s`.
pub fn ms(ms: f64) -> String {
    match ms {
        ms if ms <= 0.0 => "0 ms".to_owned(),
        ms if ms < 0.9995 => format!("{} µs", number((ms * 1e6).round() / 1e3)),
        ms if ms < 999.5 => format!("{} ms", number(ms)),
        ms => format!("{} s", number(ms / 1e3)),
    }
}

/// A measured time in ms with three significant digits: `215 µs`, `12.3 ms`, `1.23 s`.
pub fn measured_ms(ms: f64) -> String {
    match ms {
        ms if ms < 0.9995 => format!("{} µs", format_count((ms * 1e3).round().max(0.0) as u64)),
        ms if ms < 999.5 => format!("{} ms", format_figure(ms)),
        ms => format!("{} s", format_figure(ms / 1e3)),
    }
}

/// A measured rate or count: whole from 100 on.
pub fn measured(value: f64) -> String {
    if value.fract() == 0.0 && value >= 0.0 { format_count(value as u64) } else { format_figure(value) }
}

/// A share of 1: `12.5 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A tick of a time axis, in the unit of its steps.
pub fn elapsed_tick(seconds: f64, step_s: f64) -> String {
    let (unit_s, unit) = match step_s {
        step if step >= 86_400.0 => (86_400.0, "d"),
        step if step >= 3_600.0 => (3_600.0, "h"),
        step if step >= 60.0 => (60.0, "min"),
        _ => (1.0, "s"),
    };
    format!("{} {unit}", trim_number(seconds / unit_s))
}

/// Time since the start: `12 s`, `3:05` (min:s), `1:02:03` (h:min:s).
pub fn elapsed(seconds: u64) -> String {
    let (h, min, s) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (h, min) {
        (0, 0) => format!("{s} s"),
        (0, min) => format!("{min}:{s:02}"),
        (h, min) => format!("{h}:{min:02}:{s:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases =
            [(0.0, "0"), (0.25, "0.25"), (1_500.0, "1,500"), (20_000.0, "20k"), (2_500_000.0, "2.5M")];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
        assert_eq!(
            [0.0, 0.02, 0.5, 1.0, 50.0, 1_000.0, 20_000.0].map(ms).join(" "),
            "0 ms 20 µs 500 µs 1 ms 50 ms 1 s 20 s"
        );
        assert_eq!(
            [0.0123, 0.2154, 1.2345, 12.345, 123.45, 999.7, 12_345.0].map(measured_ms).join(" "),
            "12 µs 215 µs 1.23 ms 12.3 ms 123 ms 1.00 s 12.3 s"
        );
        assert_eq!((measured(12.0), measured(12.3456)), ("12".to_owned(), "12.3".to_owned()));
    }

    #[test]
    fn times_are_read_at_a_glance() {
        assert_eq!([7, 65, 3_723].map(elapsed).join(" "), "7 s 1:05 1:02:03");
        assert_eq!(elapsed_tick(5_400.0, 1_800.0), "90 min");
        assert_eq!(elapsed_tick(172_800.0, 86_400.0), "2 d");
    }
}
