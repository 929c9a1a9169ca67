//! One JSON object a line: `{"method": "GET", "url": "http://…", "header": {"Accept": ["x"]}}`, with `body`
//! in base64.

use super::{Body, Target};
use crate::feed::in_column;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    method: String,
    url: String,
    #[serde(default)]
    header: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    body: Option<String>,
}

/// Passes each target on, with its line.
///
/// # Errors
/// The first wrong line, or what `take` refuses.
pub fn read(text: &str, take: &mut impl FnMut(usize, Target) -> Result<(), String>) -> Result<(), String> {
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let in_line = |why: String| format!("line {}: {why}", at + 1);
        take(at + 1, target(line).map_err(in_line)?)?;
    }
    Ok(())
}

fn target(line: &str) -> Result<Target, String> {
    let line: Line = serde_json::from_str(line).map_err(|error| {
        format!(
            "{}: a target is an object like {{\"method\": \"GET\", \"url\": \
             \"http://127.0.0.1:8000/ping\"}}, with header and body (base64) if it needs them",
            in_column(&error)
        )
    })?;
    let body = match line.body.filter(|body| !body.is_empty()) {
        None => Body::None,
        Some(body) => {
            Body::Bytes(STANDARD.decode(body).map_err(|error| format!("body is not base64: {error}"))?)
        }
    };
    let headers = line.header.unwrap_or_default().into_iter();
    let headers =
        headers.flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)));
    Ok(Target { method: line.method, url: line.url, headers: headers.collect(), body })
}
