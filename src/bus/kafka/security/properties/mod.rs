//! Java's properties format, as Kafka's clients read it.
//!
//! Format: <https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)>

mod keys;

pub use keys::read;

/// One entry. It has no `Debug`, since values may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The line on which it starts, from 1.
    pub line: usize,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// The entries of a text, in order.
pub fn parse(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, first)) = lines.next() {
        let first = first.trim_start();
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while continues(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start());
        }
        let (key, value) = split(&logical);
        entries.push(Entry {
            line: at + 1,
            key: unescape(key),
            value: unescape(value).trim_end().to_owned(),
        });
    }
    entries
}

/// Whether the line ends in an odd number of backslashes.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Key and value, separated by the first unescaped `=`, `:` or space.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (c == '=' || c == ':' || c.is_whitespace());
        escaped = c == '\\' && !escaped;
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    (key, rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start())
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                out.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_are_read_as_java_reads_them() {
        let text = "# comment\n! comment\n\n a = b \nc:d\ne f\ng\nh\\=i = j\\\n    k\\\\\nl=\\u0041\\n\\:\n";
        let read: Vec<_> = parse(text).into_iter().map(|e| (e.line, e.key, e.value)).collect();
        let expected = [
            (4, "a", "b"),
            (5, "c", "d"),
            (6, "e", "f"),
            (7, "g", ""),
            (8, "h=i", "jk\\"),
            (10, "l", "A\n:"),
        ];
        let expected = expected.map(|(line, key, value)| (line, key.to_owned(), value.to_owned()));
        assert_eq!(read, expected);
    }

    proptest! {
        #[test]
        fn malformed_input_never_panics(text in "(?s).*") {
            let _ = parse(&text);
        }
    }
}
