//! Human-readable numbers: `250ms`, `1.5s`, `1%`, `12,345`, `1.2 MB`.

use std::fmt::Write as _;
use std::time::Duration;

/// Milliseconds of a day.
pub const MS_PER_DAY: i64 = 86_400_000;
/// The last millisecond of the year 9999; later times are written as this.
pub const LAST_MS: i64 = 253_402_300_799_999;

/// Parses a duration with a unit: `250us`, `10ms`, `1.5s`, `2m` or `1h`. A bare `0` needs no unit.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let hint = || format!("duration {text:?}: use a number with a unit, like 250us, 10ms, 1.5s, 2m or 1h");
    let trimmed = text.trim();
    if trimmed == "0" {
        return Ok(Duration::ZERO);
    }
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(hint)?;
    let (number, unit) = trimmed.split_at(split);
    let value: f64 = number.parse().map_err(|_| hint())?;
    let seconds_per_unit = match unit.trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        _ => return Err(hint()),
    };
    let seconds = value * seconds_per_unit;
    // Ten years: far above every limit of a plan, far below the maximum of a Duration.
    if seconds > 3.2e8 {
        return Err(format!("duration {text:?} is longer than ten years"));
    }
    Ok(Duration::from_nanos((seconds * 1e9).round() as u64))
}

/// Parses a share: `1%`, `0.5%`, or a fraction from 0 to 1.
pub fn parse_fraction(text: &str) -> Result<f64, String> {
    let hint = || format!("share {text:?}: use a percentage like 1% or a number from 0 to 1");
    let trimmed = text.trim();
    let (number, divisor) = trimmed.strip_suffix('%').map_or((trimmed, 1.0), |n| (n, 100.0));
    let value: f64 = number.trim().parse().map_err(|_| hint())?;
    let fraction = value / divisor;
    if (0.0..=1.0).contains(&fraction) { Ok(fraction) } else { Err(hint()) }
}

/// Formats a duration in the largest fitting unit: `250us`, `10ms`, `1.5s`.
pub fn format_duration(duration: Duration) -> String {
    let us = duration.as_micros();
    if us == 0 {
        "0s".to_owned()
    } else if us < 1_000 {
        format!("{us}us")
    } else if us < 1_000_000 {
        format!("{}ms", trim_number(us as f64 / 1e3))
    } else {
        format!("{}s", trim_number(us as f64 / 1e6))
    }
}

/// Like [`format_duration`], of whole milliseconds.
pub fn format_duration_ms(ms: u64) -> String {
    format_duration(Duration::from_millis(ms))
}

/// Formats ms as [`format_figure`] does: `0.215 ms`, `12.3 ms`, `1,234 ms`.
pub fn format_ms(ms: f64) -> String {
    format!("{} ms", format_figure(ms))
}

/// Formats a number with thousands separators and three significant digits, but at most three decimals:
/// `1,234`, `12.3`, `1.23`, `0.012`.
pub fn format_figure(value: f64) -> String {
    // A number that is rounded up to the next power of ten has one decimal less.
    match value.abs() {
        v if v >= 99.95 => format_count(value.round() as u64),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Formats a number of at least 0: with thousands separators if it is whole, else as it is: `2,000`, `0.5`.
pub fn format_number(value: f64) -> String {
    let is_whole = value.fract() == 0.0 && value >= 0.0;
    if is_whole { format_count(value as u64) } else { trim_number(value) }
}

/// Formats a sum with its parts: `sent 5 = responses 4 + errors 1`, with `≠` if they do not add up.
pub fn format_sum(name: &str, total: u64, parts: &[(&str, u64)]) -> String {
    let found = sum(parts.iter().map(|(_, n)| *n));
    let sign = if total == found { "=" } else { "≠" };
    let parts: Vec<_> = parts.iter().map(|(name, n)| format!("{name} {}", format_count(*n))).collect();
    format!("{name} {} {sign} {}", format_count(total), parts.join(" + "))
}

/// The sum of counts that came from outside: at most the largest number instead of a wrong one.
pub fn sum(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}

/// Lists the first `most` names and counts the rest: `a, b and 3 more`.
pub fn format_names<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let shown = names.iter().take(most).map(S::as_ref).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {} more", format_count(more as u64)),
    }
}

/// Formats a whole number with thousands separators.
pub fn format_count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats bytes in decimal units: `812 B`, `1.24 MB`.
pub fn format_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{} {}", format_figure(value), UNITS[unit]) }
}

/// Formats a number without trailing zeros: `1.5`, `20`, `0.001`.
pub fn trim_number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A time in ms since 1970 as part of a file name: `20261128T171010Z`.
pub fn utc_stamp(ms: f64) -> String {
    let ms = (ms as i64).clamp(0, LAST_MS);
    let (year, month, day) = civil(ms / MS_PER_DAY);
    let seconds = ms % MS_PER_DAY / 1_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// A time in ms since 1970, to be read: `2026-11-28T17:10:10Z`.
pub fn utc(ms: f64) -> String {
    let text = utc_stamp(ms);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let date = format!("{}-{}-{}", part(0, 4), part(4, 6), part(6, 8));
    format!("{date}T{}:{}:{}Z", part(9, 11), part(11, 13), part(13, 15))
}

/// Year, month and day of a day counted from 1970-01-01. Years begin in March, so that leap days come last.
pub fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// Makes external text safe for messages and logs: at most `most_chars` characters, no control characters.
pub fn clip(text: &str, most_chars: usize) -> String {
    let mut clipped = String::new();
    let mut chars = text.chars();
    for c in chars.by_ref().take(most_chars) {
        if c.is_control() { clipped.extend(c.escape_default()) } else { clipped.push(c) }
    }
    if !chars.as_str().is_empty() {
        clipped.push('…');
    }
    clipped
}

/// A name in an error: at most `most_chars` characters of it, and in quotes unless it is plain.
pub fn quoted(name: &str, most_chars: usize) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic());
    let name = clip(name, most_chars);
    if plain { name } else { format!("\"{name}\"") }
}

/// A text without the leading byte order mark that some programs write.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// 64-bit FNV-1a. Source: <http://www.isthe.com/chongo/tech/comp/fnv/>.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The text of an error of `serde_json` without its line and column, for JSON that is a part of a text.
pub fn without_place(error: &str) -> &str {
    error.split(" at line ").next().unwrap_or_default()
}

/// The greatest common divisor, by Euclid's algorithm; `gcd(0, b)` is `b`.
pub fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_with_their_units() {
        let cases = [("250us", 250), ("10ms", 10_000), ("1.5s", 1_500_000), ("2m", 120_000_000), ("0", 0)];
        for (text, us) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_micros(us)), "{text}");
        }
        for text in ["", "10", "ms", "-1s", "1 day", "1e3s", "9999999999h", "1.2.3s"] {
            let error = parse_duration(text).expect_err(text);
            assert!(error.contains("duration"), "{error}");
        }
    }

    #[test]
    fn fractions_and_percentages_are_parsed() {
        assert_eq!(parse_fraction("1%"), Ok(0.01));
        assert_eq!(parse_fraction("0.25"), Ok(0.25));
        for text in ["101%", "-1%", "x", "1.5", "NaN"] {
            assert!(parse_fraction(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_short_and_readable() {
        assert_eq!(format_count(1_234_567), "1,234,567");
        assert_eq!(format_count(12), "12");
        assert_eq!(format_bytes(812), "812 B");
        assert_eq!(format_bytes(1_240_000), "1.24 MB");
        assert_eq!(format_ms(0.2154), "0.215 ms");
        assert_eq!(format_ms(1_234.4), "1,234 ms");
        assert_eq!(format_duration(Duration::from_micros(1_500)), "1.5ms");
        assert_eq!(format_duration(Duration::from_secs(20)), "20s");
        assert_eq!(trim_number(1.5), "1.5");
    }

    #[test]
    fn untrusted_text_is_clipped_and_cannot_control_a_terminal() {
        assert_eq!(clip("déjà vu", 7), "déjà vu");
        assert_eq!(clip("déjà vu", 4), "déjà…");
        assert_eq!(clip("a\n\u{1b}[31mb", 100), "a\\n\\u{1b}[31mb");
        assert_eq!(clip("", 0), "");
    }

    #[test]
    fn figures_have_three_digits_also_where_they_are_rounded_up() {
        for (value, text) in [
            (0.0004, "0.000"),
            (0.0125, "0.013"),
            (0.9996, "1.00"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (99.94, "99.9"),
            (99.96, "100"),
            (1_234.4, "1,234"),
        ] {
            assert_eq!(format_figure(value), text, "{value}");
        }
    }

    #[test]
    fn numbers_sums_and_names_are_readable() {
        assert_eq!((format_number(2_000.0), format_number(0.5)), ("2,000".to_owned(), "0.5".to_owned()));
        assert_eq!(format_duration_ms(1_500), "1.5s");
        assert_eq!(
            format_sum("sent", 1_005, &[("responses", 1_004), ("errors", 1)]),
            "sent 1,005 = responses 1,004 + errors 1"
        );
        assert_eq!(format_sum("sent", 1, &[("errors", u64::MAX), ("x", 9)]).matches('≠').count(), 1);
        assert_eq!((sum([1, 2]), sum([u64::MAX, 9])), (3, u64::MAX));
        let names = ["a", "b", "c"];
        assert_eq!(
            (format_names(&names, 3), format_names(&names, 2)),
            ("a, b, c".into(), "a, b and 1 more".into())
        );
        assert_eq!(format_names::<&str>(&[], 2), "");
    }
}
