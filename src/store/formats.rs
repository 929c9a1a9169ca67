//! The files of a saved run that other tools read: CSV, and HdrHistogram's interval log.

use crate::stats::histogram::{Histogram, Packed};
use crate::stats::summary::SeriesPoint;
use crate::units::utc;
use std::io::{self, Write};

/// Second by second, with the names that the summary uses. Empty fields are unknown.
pub fn write_series(points: &[SeriesPoint], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "second,planned,requests,responses,errors,error_statuses,failed_checks,queued,p50_ms,p90_ms,p99_ms,\
         max_ms,lag_p99_ms,busy,complete"
    )?;
    for point in points {
        // Names every field, so that a new one is not forgotten here.
        let SeriesPoint {
            second,
            planned,
            requests,
            responses,
            errors,
            error_statuses,
            failed_checks,
            queued,
            p50_ms,
            p90_ms,
            p99_ms,
            max_ms,
            lag_p99_ms,
            busy,
            complete,
        } = point;
        let planned = planned.map_or(String::new(), |planned| planned.to_string());
        write!(
            out,
            "{second},{planned},{requests},{responses},{errors},{error_statuses},{failed_checks},{queued},"
        )?;
        for figure in [p50_ms, p90_ms, p99_ms, max_ms, lag_p99_ms, busy] {
            write!(out, "{},", figure.map_or(String::new(), |figure| figure.to_string()))?;
        }
        writeln!(out, "{complete}")?;
    }
    Ok(())
}

/// Java's `HistogramLogWriter`, format 1.3: one line per second, values in µs, maxima in ms. What belongs to
/// no second that is still known follows as one interval with the tag `other_seconds`, so that the sum of all
/// lines is the total.
pub fn write_interval_log(
    start_ms: f64,
    intervals: &[(u64, Packed)],
    total: &Histogram,
    out: &mut dyn Write,
) -> io::Result<()> {
    let start_s = start_ms / 1_000.0;
    writeln!(out, "#[Histogram log format version 1.3]")?;
    writeln!(out, "#[StartTime: {start_s:.3} (seconds since epoch), {}]", utc(start_ms))?;
    writeln!(out, "#[BaseTime: {start_s:.3} (seconds since epoch)]")?;
    writeln!(out, "#[Latency in microseconds]")?;
    writeln!(out, r#""StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram""#)?;
    let mut placed = Histogram::new();
    for (second, latency) in intervals {
        let histogram = latency.histogram();
        let (from_s, max_ms) = (second.saturating_sub(1), histogram.max_ms());
        let encoded = histogram.encode().map_err(io::Error::other)?;
        writeln!(out, "{from_s}.000,1.000,{max_ms:.3},{encoded}")?;
        placed.add(latency);
    }
    let rest = total.since(&placed);
    if rest.is_empty() {
        return Ok(());
    }
    let length_s = intervals.iter().map(|(second, _)| *second).max().unwrap_or(1).max(1);
    let encoded = rest.encode().map_err(io::Error::other)?;
    writeln!(out, "Tag=other_seconds,0.000,{length_s}.000,{:.3},{encoded}", rest.max_ms())
}

/// Reads the seconds that `write_interval_log` wrote. Lines with a tag belong to no second.
///
/// # Errors
/// The number of the line that is no interval, and why.
pub fn read_interval_log(text: &str) -> Result<Vec<(u64, Packed)>, String> {
    let mut seconds = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.is_empty() || line.starts_with(['#', '"', 'T']) {
            continue;
        }
        let fields: Vec<&str> = line.split(',').collect();
        let [from_s, _length_s, _max_ms, encoded] = fields[..] else {
            return Err(format!("line {number}: 4 fields are required, not {}", fields.len()));
        };
        let from_s = from_s.parse::<f64>().ok().filter(|from_s| (0.0..1e9).contains(from_s));
        let from_s = from_s.ok_or_else(|| format!("line {number}: it begins with no time"))?;
        let latency = Packed::decode(encoded).map_err(|why| format!("line {number}: {why}"))?;
        seconds.push((from_s as u64 + 1, latency));
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ms: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        ms.iter().for_each(|ms| histogram.record_us(ms * 1_000));
        histogram
    }

    fn interval(second: u64, ms: &[u64]) -> (u64, Packed) {
        (second, Packed::decode(&of(ms).encode().expect("encodes")).expect("decodes"))
    }

    fn log(intervals: &[(u64, Packed)], total: &Histogram) -> String {
        let mut out = Vec::new();
        write_interval_log(1_795_885_810_250.0, intervals, total, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_series_is_csv() {
        let known = SeriesPoint {
            second: 1,
            planned: Some(11),
            requests: 10,
            responses: 9,
            errors: 1,
            error_statuses: 3,
            failed_checks: 4,
            queued: 2,
            p50_ms: Some(0.5),
            p90_ms: Some(3.0),
            p99_ms: Some(12.25),
            max_ms: Some(20.0),
            lag_p99_ms: Some(0.25),
            busy: Some(0.5),
            complete: true,
        };
        let unknown = SeriesPoint { second: 2, ..SeriesPoint::default() };
        let mut out = Vec::new();
        write_series(&[known, unknown], &mut out).expect("written");
        let expected = "second,planned,requests,responses,errors,error_statuses,failed_checks,queued,\
             p50_ms,p90_ms,p99_ms,max_ms,lag_p99_ms,busy,complete\n\
             1,11,10,9,1,3,4,2,0.5,3,12.25,20,0.25,0.5,true\n2,,0,0,0,0,0,0,,,,,,,false\n";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }

    #[test]
    fn the_interval_log_has_the_bytes_that_others_read() {
        let text = log(&[interval(1, &[1, 2]), interval(3, &[4])], &of(&[1, 2, 4]));
        let expected = include_str!("golden/latency.hlog");
        assert_eq!(text, expected, "{text}");
    }

    #[test]
    fn the_interval_log_can_be_read_again() {
        let seconds = [interval(1, &[1, 2]), interval(3, &[4])];
        let text = log(&seconds, &of(&[1, 2, 4, 4]));
        assert_eq!(read_interval_log(&text), Ok(seconds.to_vec()));
        assert!(text.contains("Tag="), "{text}");
        for (bad, why) in
            [("1.000,1.000,2.0", "not 3"), ("x,1,1,1", "no time"), ("1.0,1.0,1.0,HIST", "line 1: ")]
        {
            assert!(read_interval_log(bad).is_err_and(|e| e.contains(why)), "{bad}");
        }
    }

    #[test]
    fn what_belongs_to_no_second_is_kept_apart() {
        let text = log(&[interval(2, &[1])], &of(&[1, 7, 7]));
        let last = text.lines().last().expect("lines");
        assert!(last.starts_with("Tag=other_seconds,0.000,2.000,7.00"), "{last}");
        let rest = Histogram::decode(last.rsplit(',').next().expect("fields")).expect("decodes");
        assert_eq!(rest.count(), 2);
        let alone = log(&[], &of(&[1]));
        assert!(alone.lines().last().expect("lines").starts_with("Tag=other_seconds,0.000,1.000,1.0"));
        assert_eq!(log(&[], &Histogram::new()).lines().count(), 5);
    }
}
