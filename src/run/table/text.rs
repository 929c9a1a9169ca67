//! Text in a fixed number of columns.

/// Columns of the result: a terminal of the usual width does not wrap it.
pub const WIDTH: usize = 80;
/// Columns of a label before its text.
pub const LABEL: usize = 16;

/// A label, then the text beside it.
pub fn labelled(label: &str, text: &str) -> String {
    wrap(&format!("{label:<LABEL$}{text}"), LABEL)
}

/// Breaks a text at spaces; the lines after the first are indented. A word longer than a line is broken too,
/// because names, URLs and causes come from outside and can have any length.
pub fn wrap(text: &str, indent: usize) -> String {
    let text = printable(text);
    let words = text.trim_start_matches(' ');
    let mut width = (text.len() - words.len()).min(indent);
    let mut out = " ".repeat(width);
    let break_line = |out: &mut String, width: &mut usize| {
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
        out.push_str(&" ".repeat(indent));
        *width = indent;
    };
    for (at, word) in words.split(' ').enumerate() {
        if at > 0 && width + 1 + columns(word) <= WIDTH {
            out.push(' ');
            width += 1;
        } else if at > 0 {
            break_line(&mut out, &mut width);
        }
        for c in word.chars() {
            if width + columns_of(c) > WIDTH {
                break_line(&mut out, &mut width);
            }
            out.push(c);
            width += columns_of(c);
        }
    }
    out.truncate(out.trim_end_matches(' ').len());
    out
}

/// At most `most` columns of a text: its beginning and its end, which tell hosts of one domain apart.
pub fn shorten(text: &str, most: usize) -> String {
    let text = printable(text);
    if columns(&text) <= most {
        return text;
    }
    let room = most.saturating_sub(1);
    let tail: String = fitting(text.chars().rev(), room / 2).chars().rev().collect();
    format!("{}…{tail}", fitting(text.chars(), room - room / 2))
}

/// As many of the characters as fit into `most` columns.
fn fitting(chars: impl Iterator<Item = char>, most: usize) -> String {
    let mut width = 0;
    let fits = |c: &char| {
        width += columns_of(*c);
        width <= most
    };
    chars.take_while(fits).collect()
}

/// A text that cannot steer a terminal: control characters and those that change the direction of writing are
/// replaced.
pub fn printable(text: &str) -> String {
    let steers = |c: char| {
        let is_invisible = matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        c.is_control() || is_invisible
    };
    text.chars().map(|c| if steers(c) { '?' } else { c }).collect()
}

/// Columns of a text on a terminal.
pub fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// Two for East Asian wide characters and emoji. Combining marks count as one: too narrow a line does no
/// harm.
fn columns_of(c: char) -> usize {
    let is_wide = matches!(u32::from(c),
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f
            | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd);
    1 + usize::from(is_wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_inside_words_longer_than_a_line() {
        let text = wrap(&"seven77 ".repeat(20), 4);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((columns(lines[0]), columns(lines[1])), (79, 75 + 4 - 8 + 4), "{text}");
        assert!(lines[1].starts_with("    seven77"));
        let url = format!("http://h/{}", "x".repeat(200));
        let text = labelled("request", &format!("GET {url}"));
        assert!(text.lines().all(|line| columns(line) <= WIDTH), "{text}");
        let joined: String = text.lines().map(str::trim).collect();
        assert!(joined.ends_with(&url), "nothing is lost: {text}");
    }

    #[test]
    fn leading_spaces_stay_but_not_beyond_the_indent() {
        assert_eq!(wrap("  two", 4), "  two");
        assert_eq!(wrap(&format!("{}many", " ".repeat(200)), 4), "    many");
        assert_eq!(wrap("", 4), "");
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten("host-17.example", 20), "host-17.example");
        assert_eq!(shorten("host-17.eu.example", 10), "host-…mple");
        assert_eq!(columns(&shorten(&"漢".repeat(100), 11)), 9, "two columns each");
    }

    #[test]
    fn nothing_in_a_text_steers_the_terminal() {
        assert_eq!(printable("a\x1b[2J\n\u{202e}b"), "a?[2J??b");
        assert_eq!(columns("déjà 漢"), 7);
    }
}
