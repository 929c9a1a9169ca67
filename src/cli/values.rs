//! Parsers for flag values, each checked against the limits of a plan.

use crate::message::{OnDriverLoss, Stage, TestType};
use crate::plan::limits;
use crate::thresholds::Threshold;
use crate::units::{format_duration, parse_duration};
use log::LevelFilter;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Maximum length of a driver name, in bytes.
const MAX_NODE_ID_BYTES: usize = 128;
/// Maximum length of a host name, in bytes (RFC 1035, section 2.3.4).
const MAX_HOST_BYTES: usize = 253;
/// Allowed number of drivers in one process.
pub const DRIVERS: RangeInclusive<usize> = 1..=256;

fn number<T: FromStr + PartialOrd + Display>(text: &str, allowed: &RangeInclusive<T>) -> Result<T, String> {
    let (least, most) = (allowed.start(), allowed.end());
    let value = text.trim().parse::<T>().ok().filter(|value| allowed.contains(value));
    value.ok_or_else(|| format!("use a number from {least} to {most}"))
}

fn duration_ms(text: &str, allowed: &RangeInclusive<u64>) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    let [least, most] = [*allowed.start(), *allowed.end()].map(Duration::from_millis);
    if duration < least || duration > most || duration.subsec_nanos() % 1_000_000 != 0 {
        return Err(format!("use whole milliseconds from {} to {}", length(least), length(most)));
    }
    Ok(duration)
}

/// Formats a duration limit in its largest whole unit.
fn length(limit: Duration) -> String {
    match limit.as_secs() {
        s if s >= 86_400 && s.is_multiple_of(86_400) => format!("{} days", s / 86_400),
        s if s >= 3_600 && s.is_multiple_of(3_600) => format!("{}h", s / 3_600),
        s if s >= 60 && s.is_multiple_of(60) => format!("{}m", s / 60),
        _ => format_duration(limit),
    }
}

pub fn rate(text: &str) -> Result<f64, String> {
    number(text, &limits::RATE_RPS)
}

/// Total requests/s of the fleet.
pub fn fleet_rate(text: &str) -> Result<f64, String> {
    number(text, &limits::FLEET_RATE_RPS)
}

pub fn requests(text: &str) -> Result<u64, String> {
    number(text, &limits::REQUESTS)
}

pub fn connections(text: &str) -> Result<u32, String> {
    number(text, &limits::CONNECTIONS)
}

/// Total connections of the fleet.
pub fn fleet_connections(text: &str) -> Result<u32, String> {
    number(text, &limits::FLEET_CONNECTIONS)
}

pub fn drivers(text: &str) -> Result<usize, String> {
    number(text, &DRIVERS)
}

pub fn threads(text: &str) -> Result<usize, String> {
    number(text, &(1..=crate::driver::prepare::MAX_THREADS))
}

pub fn per_connection(text: &str) -> Result<u64, String> {
    number(text, &limits::REQUESTS_PER_CONNECTION)
}

pub fn duration(text: &str) -> Result<Duration, String> {
    duration_ms(text, &limits::DURATION_MS)
}

pub fn warmup(text: &str) -> Result<Duration, String> {
    duration_ms(text, &limits::WARMUP_MS)
}

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

/// A target's response delay; may be 0.
pub fn answer_delay(text: &str) -> Result<Duration, String> {
    let longest = crate::target::behavior::LONGEST;
    let delay = parse_duration(text)?;
    if delay > longest {
        return Err(format!("use a duration up to {}", length(longest)));
    }
    Ok(delay)
}

/// How far back an orchestrator looks, also in days: `24h`, `7d`.
pub fn history(text: &str) -> Result<Duration, String> {
    let (day, most) = (Duration::from_secs(86_400), Duration::from_secs(365 * 86_400));
    let days = text.trim().strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    let length = days.map_or_else(|| parse_duration(text), |days| Ok(day.saturating_mul(days)))?;
    if length > most {
        return Err("use a duration up to 365d, like 24h or 7d".to_owned());
    }
    Ok(length)
}

/// A condition of `--fail-if`.
pub fn condition(text: &str) -> Result<String, String> {
    Threshold::parse(text).map(|threshold| threshold.expression).map_err(|malformed| malformed.to_string())
}

/// An absolute URL.
pub fn url(text: &str) -> Result<String, String> {
    crate::plan::request::parse_url(text).map(|_| text.to_owned())
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

/// A log level.
pub fn log_level(text: &str) -> Result<LevelFilter, String> {
    text.trim().parse().map_err(|_| "use off, error, warn, info, debug or trace".to_owned())
}

/// A flag that means two different things in other tools.
pub fn neither(_: &str) -> Result<String, String> {
    Err("-d is the duration in some tools and the body in others: use -z for the duration, --body for the \
        body"
        .to_owned())
}

/// An address to listen on. Without a host, or with `localhost`, it is the loopback address; others must be
/// explicit.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    let trimmed = text.trim();
    let port = trimmed.strip_prefix(':').or_else(|| trimmed.strip_prefix("localhost:"));
    let address = match port {
        Some(port) => format!("127.0.0.1:{port}"),
        None => trimmed.to_owned(),
    };
    let how = "use ADDRESS:PORT, like 127.0.0.1:8080, or 0.0.0.0:8080 for all interfaces of this host";
    address.parse().map_err(|_| how.to_owned())
}

/// A driver's name, as shown in tables, logs and lists.
pub fn node_id(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if text.is_empty() || text.len() > MAX_NODE_ID_BYTES || !plain {
        return Err(format!("use 1 to {MAX_NODE_ID_BYTES} bytes without spaces, like driver-1"));
    }
    Ok(text.to_owned())
}

/// The address shown for a node: an IP address or a host name.
pub fn node_ip(text: &str) -> Result<String, String> {
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_name = !text.is_empty() && text.len() <= MAX_HOST_BYTES && text.chars().all(name);
    if text.parse::<IpAddr>().is_err() && !is_name {
        return Err("use an IP address or a host name without a port, like 10.0.0.7".to_owned());
    }
    Ok(text.to_owned())
}

/// `Name: value`.
pub fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("use 'Name: value'")?;
    let pair = (name.trim().to_owned(), value.trim().to_owned());
    crate::plan::request::Request::new("GET", "http://127.0.0.1/", std::slice::from_ref(&pair), Vec::new())?;
    Ok(pair)
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

/// A host name as in the `Host` header, without a port.
pub fn host_name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.is_empty() || !name.bytes().all(fits) {
        return Err("use a name without scheme, port or path, like load.example.com".to_owned());
    }
    Ok(name.to_owned())
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
        assert!(requests("-5").is_err() && requests("1.5").is_err() && drivers("0").is_err());
        assert!(duration("0s").is_err_and(|e| e.contains("1ms to 7 days")));
        assert!(duration("1.5ms").is_err() && timeout("1h").is_err());
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(warmup("0"), Ok(Duration::ZERO));
        assert_eq!(delay("0.5ms"), Ok(Duration::from_micros(500)));
        assert!(delay("0s").is_err());
        assert_eq!(history("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(history("24h"), Ok(Duration::from_secs(86_400)));
        assert!(["366d", "d", "7", "99999999999d", ""].iter().all(|text| history(text).is_err()));
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
        assert_eq!(header("X-A:  b:c "), Ok(("X-A".to_owned(), "b:c".to_owned())));
        for text in ["novalue", "bad name: x", ": x", "Content-Length: 5", "X: a\nb"] {
            assert!(header(text).is_err(), "{text}");
        }
    }
}
