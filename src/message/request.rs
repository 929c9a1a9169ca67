//! What a plan sends, as it is written in a `test_config`.

use super::tolerant::{maybe, text};
use crate::check::Expect;
use serde::{Deserialize, Serialize};

/// What differs from a plain `GET`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestSpec {
    /// The method; `GET` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Header lines in addition to those that the client sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body as base64, for bytes that are not text; excludes `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// What its responses must look like; nothing is checked if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// One of several requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NamedRequest {
    /// Its name in results and conditions; unique in the plan.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// Its share of the load, relative to the weights of the others; 1 if absent.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Path and query on the target; those of the target's URL if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What differs from a plain `GET`.
    #[serde(flatten)]
    pub spec: RequestSpec,
}
