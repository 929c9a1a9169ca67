//! Text from outside (names, causes, URLs) inside documents: it can neither end an element nor start one.

/// Longest text from outside, in characters; driver names, causes and URLs can be longer.
pub const MAX_CHARS: usize = 600;

/// Text inside an element or an attribute of XML 1.0. Characters that XML does not allow at all, not even
/// escaped, are replaced (XML 1.0, section 2.2).
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // A reader turns plain ones in attributes into spaces.
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Text inside a line or a table cell of GitHub's Markdown: one line of at most [`MAX_CHARS`] characters in
/// which nothing has a meaning. Numeric references stand for a character without its meaning (CommonMark,
/// section 2.5). Mentions and references to issues are found after that, so a character without width breaks
/// them.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut chars, mut before) = (text.chars(), ' ');
    for c in chars.by_ref().take(MAX_CHARS) {
        let is_inside = std::mem::replace(&mut before, c).is_alphanumeric();
        match c {
            '@' | '#' => out.push_str(&format!("&#{};&#8203;", u32::from(c))),
            ' ' | ',' | '.' | ';' | '%' | '/' | '=' | '\'' | '(' | ')' => out.push(c),
            // Only at its beginning would it make a line an item or a rule.
            '-' if is_inside => out.push(c),
            c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => out.push(' '),
            c if c.is_ascii_punctuation() => out.push_str(&format!("&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    if !chars.as_str().is_empty() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup_in_xml() {
        assert_eq!(xml("a<b>&\"'c]]>"), "a&lt;b&gt;&amp;&quot;&apos;c]]&gt;");
        assert_eq!(xml("é\u{1b}[2J\0\u{ffff}\r"), "é\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(xml("two\nlines\t"), "two&#10;lines&#9;");
    }

    #[test]
    fn nothing_of_a_text_is_markup_in_markdown() {
        assert_eq!(markdown("a|b"), "a&#124;b");
        assert_eq!(markdown("**x** <b> [l](u)\n# h"), {
            "&#42;&#42;x&#42;&#42; &#60;b&#62; &#91;l&#93;(u) &#35;&#8203; h"
        });
        assert_eq!(markdown("@all"), "&#64;&#8203;all");
        assert_eq!(markdown("p99 = 3.4 ms, 5 %"), "p99 = 3.4 ms, 5 %");
        assert_eq!(markdown(&"x".repeat(MAX_CHARS + 1)), format!("{}…", "x".repeat(MAX_CHARS)));
        let left = |c: &char| c.is_ascii_punctuation() && markdown(&c.to_string()) == c.to_string();
        let plain: String = (' '..='~').filter(left).collect();
        assert_eq!(plain, "%'(),./;=", "only these stay as they are");
        assert_eq!(markdown("driver-1 - x"), "driver-1 &#45; x");
    }
}
