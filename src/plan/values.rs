//! Parsers for the values of a plan as people write them, each checked against the limits of a plan.
//!
//! Command lines and plan files use the same ones. Errors say what is allowed.

use super::feed_options::MAX_SEED;
use super::limits;
use super::request::Request;
use super::written::check_url;
use crate::message::{OnDriverLoss, Stage, TestType};
use crate::units::{format_duration, parse_duration};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// A number in a range.
pub fn number<T: FromStr + PartialOrd + Display>(
    text: &str,
    allowed: &RangeInclusive<T>,
) -> Result<T, String> {
    let (least, most) = (allowed.start(), allowed.end());
    let value = text.trim().parse::<T>().ok().filter(|value| allowed.contains(value));
    value.ok_or_else(|| format!("use a number from {least} to {most}"))
}

/// A duration in whole milliseconds.
fn duration_ms(text: &str, allowed: &RangeInclusive<u64>) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    let [least, most] = [*allowed.start(), *allowed.end()].map(Duration::from_millis);
    if duration < least || duration > most || duration.subsec_nanos() % 1_000_000 != 0 {
        return Err(format!("use whole milliseconds from {} to {}", length(least), length(most)));
    }
    Ok(duration)
}

/// Formats a duration limit in its largest whole unit.
pub fn length(limit: Duration) -> String {
    match limit.as_secs() {
        s if s >= 86_400 && s.is_multiple_of(86_400) => format!("{} days", s / 86_400),
        s if s >= 3_600 && s.is_multiple_of(3_600) => format!("{}h", s / 3_600),
        s if s >= 60 && s.is_multiple_of(60) => format!("{}m", s / 60),
        _ => format_duration(limit),
    }
}

/// Requests/s of a driver.
pub fn rate(text: &str) -> Result<f64, String> {
    number(text, &limits::RATE_RPS)
}

/// Total requests/s of the fleet.
pub fn fleet_rate(text: &str) -> Result<f64, String> {
    number(text, &limits::FLEET_RATE_RPS)
}

/// Requests of a driver or of the fleet.
pub fn requests(text: &str) -> Result<u64, String> {
    number(text, &limits::REQUESTS)
}

/// Connections of a driver.
pub fn connections(text: &str) -> Result<u32, String> {
    number(text, &limits::CONNECTIONS)
}

/// Total connections of the fleet.
pub fn fleet_connections(text: &str) -> Result<u32, String> {
    number(text, &limits::FLEET_CONNECTIONS)
}

/// Requests per connection.
pub fn per_connection(text: &str) -> Result<u64, String> {
    number(text, &limits::REQUESTS_PER_CONNECTION)
}

/// The seed of generated values.
pub fn seed(text: &str) -> Result<u64, String> {
    number(text, &(0..=MAX_SEED))
}

/// The duration of a test.
pub fn duration(text: &str) -> Result<Duration, String> {
    duration_ms(text, &limits::DURATION_MS)
}

/// The duration of the warm-up.
pub fn warmup(text: &str) -> Result<Duration, String> {
    duration_ms(text, &limits::WARMUP_MS)
}

/// A response timeout.
pub fn timeout(text: &str) -> Result<Duration, String> {
    duration_ms(text, &limits::TIMEOUT_MS)
}

/// A gap between starts; fractions of a millisecond are allowed.
pub fn delay(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if !limits::DELAY_MS.contains(&(duration.as_secs_f64() * 1e3)) {
        let [least, most] =
            [limits::DELAY_MS.start(), limits::DELAY_MS.end()].map(|ms| Duration::from_secs_f64(ms / 1e3));
        return Err(format!("use a duration from {} to {}", length(least), length(most)));
    }
    Ok(duration)
}

/// An absolute URL, which may contain templates in path and query.
pub fn url(text: &str) -> Result<String, String> {
    check_url(text).map(|()| text.to_owned())
}

/// The name of a server, with or without a port.
pub fn host(text: &str) -> Result<String, String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let is_whole = !text.is_empty()
        && text.chars().all(is_part)
        && super::request::parse_url(&format!("http://{text}/")).is_ok();
    is_whole
        .then(|| text.to_owned())
        .ok_or_else(|| "use a name like shop.example or shop.example:8443".to_owned())
}

/// How requests are paced.
pub fn test_type(text: &str) -> Result<TestType, String> {
    let words = "use avalanche (closed loop or fixed rate) or tsunami (fixed interval)";
    text.parse().map_err(|_| words.to_owned())
}

/// What the loss of a driver means.
pub fn on_driver_loss(text: &str) -> Result<OnDriverLoss, String> {
    match text.trim() {
        "continue" => Ok(OnDriverLoss::Continue),
        "fail" => Ok(OnDriverLoss::Fail),
        _ => Err("use continue or fail".to_owned()),
    }
}

/// `Name: value`.
pub fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("use 'Name: value'")?;
    let pair = (name.trim().to_owned(), value.trim().to_owned());
    header_field(&pair).map(|()| pair)
}

/// A method. Common ones are accepted in any case.
pub fn method(text: &str) -> Result<String, String> {
    Request::new(text, "http://127.0.0.1/", &[], Vec::new()).map(|_| text.to_owned())
}

/// The name and the value of a header field.
pub fn header_field(pair: &(String, String)) -> Result<(), String> {
    Request::new("GET", "http://127.0.0.1/", std::slice::from_ref(pair), Vec::new()).map(drop)
}

/// `30s:100,1m:500`: the duration of each stage and the requests/s at its end.
pub fn stages(text: &str) -> Result<Stages, String> {
    let read = |(at, part): (usize, &str)| {
        let wrong = |why: String| format!("stage {}, {part:?}: {why}", at + 1);
        let Some((length, end_rate)) = part.split_once(':') else {
            return Err(wrong("use DURATION:RATE, like 30s:100".to_owned()));
        };
        if parse_duration(length).is_ok_and(|length| length.is_zero()) {
            let rate = end_rate.trim();
            return Err(wrong(format!(
                "a stage lasts 1ms to 7 days; to start at {rate}/s add --rate {rate}"
            )));
        }
        let duration_ms = duration(length).map_err(wrong)?.as_millis() as u64;
        let rate = number(end_rate, &(0.0..=*limits::FLEET_RATE_RPS.end()));
        Ok(Stage { duration_ms, rate: rate.map_err(|why| wrong(format!("rate {end_rate:?}: {why}")))? })
    };
    text.split(',').enumerate().map(read).collect::<Result<Vec<_>, String>>().map(Stages)
}

/// The value of `--stages`.
#[derive(Clone, Debug, PartialEq)]
pub struct Stages(pub Vec<Stage>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_their_limits_are_refused_with_the_allowed_range() {
        for text in ["0", "-5", "1e400", "NaN", "x", ""] {
            assert!(rate(text).is_err_and(|e| e.contains("0.001 to 10000000")), "{text}");
        }
        assert!(connections("1000000").is_err_and(|e| e.contains("1 to 100000")));
        assert!(requests("-5").is_err() && requests("1.5").is_err());
        assert!(duration("0s").is_err_and(|e| e.contains("1ms to 7 days")));
        assert!(duration("1.5ms").is_err() && timeout("1h").is_err());
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(warmup("0"), Ok(Duration::ZERO));
        assert_eq!(delay("0.5ms"), Ok(Duration::from_micros(500)));
        assert!(delay("0s").is_err());
    }

    #[test]
    fn stages_and_headers_are_read() {
        let Stages(list) = stages("30s:100,1m:500").expect("stages");
        assert_eq!(
            list,
            [Stage { duration_ms: 30_000, rate: 100.0 }, Stage { duration_ms: 60_000, rate: 500.0 }]
        );
        for text in ["", "30s", "30s:x", "0s:1", "30s:100,"] {
            assert!(stages(text).is_err(), "{text}");
        }
        for text in ["a", "a.b-c_d:81", "10.0.0.7", "[::1]:81"] {
            assert_eq!(host(text), Ok(text.to_owned()));
        }
        for text in ["", "a b", "a/b", "u@a", "a:x", "http://a", "::1", "é", "a\n"] {
            assert!(host(text).is_err(), "{text}");
        }
        assert_eq!(header("X-A:  b:c "), Ok(("X-A".to_owned(), "b:c".to_owned())));
        for text in ["novalue", "bad name: x", ": x", "Content-Length: 5", "X: a\nb"] {
            assert!(header(text).is_err(), "{text}");
        }
    }
}
