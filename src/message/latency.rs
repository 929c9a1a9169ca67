//! The four latencies of the original protocol, in all spellings that its programs use.

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// The latencies of the original protocol, in ms, cumulative. `None` is a figure that a program does not
/// report.
///
/// Reading accepts any letter case, `avg` and `average` for the mean, `p50` for the median, names without
/// `_latency` or with the suffix `_ms`, and texts that contain a number or a duration with its unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LatencyMs {
    /// Arithmetic mean.
    pub mean_latency: Option<f64>,
    /// 50th percentile.
    pub median_latency: Option<f64>,
    /// Minimum.
    pub min_latency: Option<f64>,
    /// Maximum.
    pub max_latency: Option<f64>,
}

impl LatencyMs {
    /// The figure for a field of this name; `None` for any other field.
    fn figure(&mut self, field: &str) -> Option<&mut Option<f64>> {
        let name: String = field.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix("ms").unwrap_or(&name);
        let short = name.strip_suffix("latency").or_else(|| name.strip_prefix("latency")).unwrap_or(name);
        match short {
            "mean" | "avg" | "average" => Some(&mut self.mean_latency),
            "median" | "p50" => Some(&mut self.median_latency),
            "min" | "minimum" => Some(&mut self.min_latency),
            "max" | "maximum" => Some(&mut self.max_latency),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for LatencyMs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Object)
    }
}

/// Reads the object with the figures; anything else has none.
struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = LatencyMs;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("latencies")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LatencyMs, A::Error> {
        let mut read = LatencyMs::default();
        while let Some(field) = map.next_key::<String>()? {
            match read.figure(&field) {
                Some(figure) => *figure = map.next_value::<Figure>()?.0.or(*figure),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(read)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<LatencyMs, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| LatencyMs::default())
    }

    fn visit_unit<E>(self) -> Result<LatencyMs, E> {
        Ok(LatencyMs::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<LatencyMs, E> {
        Ok(LatencyMs::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<LatencyMs, E> {
        Ok(LatencyMs::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<LatencyMs, E> {
        Ok(LatencyMs::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<LatencyMs, E> {
        Ok(LatencyMs::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<LatencyMs, E> {
        Ok(LatencyMs::default())
    }
}

/// One figure; anything that is not a number is unknown.
struct Figure(Option<f64>);

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Number)
    }
}

struct Number;

impl<'de> Visitor<'de> for Number {
    type Value = Figure;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E>(self, ms: f64) -> Result<Figure, E> {
        Ok(Figure(Some(ms).filter(|ms| ms.is_finite())))
    }

    fn visit_u64<E>(self, ms: u64) -> Result<Figure, E> {
        Ok(Figure(Some(ms as f64)))
    }

    fn visit_i64<E>(self, ms: i64) -> Result<Figure, E> {
        Ok(Figure(Some(ms as f64)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Figure, E> {
        let number = text.trim().parse::<f64>().ok();
        let with_unit =
            || crate::units::parse_duration(text).ok().map(|duration| duration.as_nanos() as f64 / 1e6);
        Ok(Figure(number.or_else(with_unit).filter(|ms| ms.is_finite())))
    }

    fn visit_unit<E>(self) -> Result<Figure, E> {
        Ok(Figure(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Figure, E> {
        Ok(Figure(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Figure, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Figure(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Figure, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| Figure(None))
    }
}
