//! Texts and keys as TOML, in the form that is easiest to read.

/// A string value.
pub fn string(text: &str) -> String {
    let is_plain = |c: char| !c.is_control();
    let needs_escape = text.contains(['"', '\\']) || !text.chars().all(is_plain);
    if !needs_escape {
        return format!("\"{text}\"");
    }
    if !text.contains('\'') && text.chars().all(is_plain) {
        return format!("'{text}'");
    }
    let is_lines = |c: char| is_plain(c) || c == '\n' || c == '\t';
    // The line end after the opening quotes is not part of the text.
    if text.contains('\n') && !text.contains("''") && !text.ends_with('\'') && text.chars().all(is_lines) {
        return format!("'''\n{text}'''");
    }
    basic(text)
}

/// A key.
pub fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { basic(name) }
}

fn basic(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
