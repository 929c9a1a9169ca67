//! Names that users give to requests and feeds.

use super::limits;
use crate::units::clip;

/// Checks a name.
///
/// # Errors
/// What is allowed.
pub fn check(name: &str) -> Result<(), String> {
    let most = limits::NAME_CHARS;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=most).contains(&name.len()) && name.chars().all(is_allowed) {
        return Ok(());
    }
    let shown = clip(name, most);
    Err(format!("{shown:?} must be 1 to {most} letters, digits and the characters _ -"))
}
