//! Parsers for flag values; those of a plan are in [`crate::plan::values`].

use crate::message::MAX_NODE_ID_BYTES;
pub use crate::plan::values::{
    Stages, connections, delay, duration, fleet_connections, fleet_rate, header, host, on_driver_loss,
    per_connection, rate, requests, seed, stages, test_type, timeout, url, warmup,
};
use crate::plan::values::{length, number};
use crate::thresholds::Threshold;
use crate::units::parse_duration;
use log::LevelFilter;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Maximum length of a host name, in bytes (RFC 1035, section 2.3.4).
const MAX_HOST_BYTES: usize = 253;
/// Allowed number of drivers in one process.
pub const DRIVERS: RangeInclusive<usize> = 1..=256;

pub fn drivers(text: &str) -> Result<usize, String> {
    number(text, &DRIVERS)
}

pub fn threads(text: &str) -> Result<usize, String> {
    number(text, &(1..=crate::driver::prepare::MAX_THREADS))
}

/// How much faster than recorded.
pub fn speed(text: &str) -> Result<f64, String> {
    number(text, &(0.001..=1_000.0))
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

/// What a word of `floodgate run` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The URL to load.
    Url(String),
    /// A plan file.
    File(PathBuf),
}

/// A plan file, if the word is the name of one, or else a URL.
pub fn word(text: &str) -> Result<Word, String> {
    let path = Path::new(text);
    let is_named = path.extension().is_some_and(|kind| kind == "toml") && !text.contains("://");
    match is_named || path.is_file() {
        true => Ok(Word::File(path.to_owned())),
        false => url(text).map(Word::Url),
    }
}

/// A condition of `--fail-if`.
pub fn condition(text: &str) -> Result<String, String> {
    Threshold::parse(text).map(|threshold| threshold.expression).map_err(|malformed| malformed.to_string())
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

/// A host name as in the `Host` header, without a port.
pub fn host_name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.is_empty() || !name.bytes().all(fits) {
        return Err("use a name without scheme, port or path, like load.example.com".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_days_outside_their_limits_are_refused() {
        assert!(drivers("0").is_err() && drivers("257").is_err());
        assert_eq!(history("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(history("24h"), Ok(Duration::from_secs(86_400)));
        assert!(["366d", "d", "7", "99999999999d", ""].iter().all(|text| history(text).is_err()));
    }
}
