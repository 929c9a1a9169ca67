//! A feed in a `test_config`.

use super::tolerant::{number, text};
use crate::feed::{AtEnd, Format, Pick};
use serde::{Deserialize, Serialize};

/// Rows of data for the templates of a plan. Small feeds travel in the plan; of others it has the name and
/// the hash, and each driver has the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeedSpec {
    /// Its name in templates; unique in the plan.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// How rows are chosen; `cycle` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<Pick>,
    /// What happens when every row was used; follows from `pick` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_end: Option<AtEnd>,
    /// How the rows are written.
    #[serde(default)]
    pub format: Format,
    /// Names of all columns.
    pub columns: Vec<String>,
    /// Number of rows.
    #[serde(deserialize_with = "number")]
    pub count: u64,
    /// SHA-256 of the file or of `data`, in hex.
    #[serde(deserialize_with = "text")]
    pub sha256: String,
    /// Name of the file, without folders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The content of the file; results and saved records do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}
