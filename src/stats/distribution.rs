//! The figures of one distribution of times.

use serde::{Deserialize, Serialize};

/// Figures of one distribution of times, in ms. NaN (null in JSON) is a figure that a driver of the original
/// protocol does not report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Minimum.
    #[serde(deserialize_with = "unknown")]
    pub min: f64,
    /// Arithmetic mean.
    #[serde(deserialize_with = "unknown")]
    pub mean: f64,
    /// 50th percentile.
    #[serde(deserialize_with = "unknown")]
    pub median: f64,
    /// Midpoint of the fullest bucket.
    #[serde(deserialize_with = "unknown")]
    pub mode: f64,
    /// 90th percentile.
    #[serde(deserialize_with = "unknown")]
    pub p90: f64,
    /// 95th percentile.
    #[serde(deserialize_with = "unknown")]
    pub p95: f64,
    /// 99th percentile.
    #[serde(deserialize_with = "unknown")]
    pub p99: f64,
    /// 99.9th percentile.
    #[serde(deserialize_with = "unknown")]
    pub p999: f64,
    /// Maximum.
    #[serde(deserialize_with = "unknown")]
    pub max: f64,
    /// Standard deviation.
    #[serde(deserialize_with = "unknown")]
    pub stddev: f64,
}

fn unknown<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
