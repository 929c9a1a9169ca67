//! The value of `sasl.jaas.config`: a login module and its options.
//!
//! ```text
//! org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" password="secret";
//! ```

use std::iter::Peekable;
use std::str::Chars;

/// A login module and its options. It has no `Debug`, since options are secrets.
#[derive(PartialEq, Eq)]
pub struct Jaas {
    /// The module's class, without its package.
    pub module: String,
    /// The options by name, in order.
    pub options: Vec<(String, String)>,
}

/// Parses the value.
///
/// # Errors
/// What is missing, without any content.
pub fn parse(text: &str) -> Result<Jaas, String> {
    let mut chars = text.chars().peekable();
    let class = word(&mut chars);
    let flag = word(&mut chars);
    if class.is_empty() || flag.is_empty() {
        return Err("use CLASS required name=\"value\" …;".to_owned());
    }
    let mut options = Vec::new();
    loop {
        let name = word(&mut chars);
        skip_spaces(&mut chars);
        match (name.is_empty(), chars.next()) {
            (true, None | Some(';')) => break,
            (false, Some('=')) => {
                let value = value(&mut chars)?;
                options.push((name, value));
            }
            _ => {
                return Err("its options must be name=\"value\", and ';' must follow the last one".to_owned());
            }
        }
    }
    let module = class.rsplit('.').next().unwrap_or_default().to_owned();
    Ok(Jaas { module, options })
}

fn skip_spaces(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| c.is_whitespace()).is_some() {}
}

/// A name or an unquoted value.
fn word(chars: &mut Peekable<Chars<'_>>) -> String {
    skip_spaces(chars);
    std::iter::from_fn(|| chars.next_if(|c| !c.is_whitespace() && !"=;\"'".contains(*c))).collect()
}

/// A value, usually in quotes, within which a backslash keeps the next character.
fn value(chars: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    skip_spaces(chars);
    let Some(quote) = chars.next_if(|c| "\"'".contains(*c)) else { return Ok(word(chars)) };
    let mut value = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.push(match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(other) => other,
                None => break,
            }),
            c if c == quote => return Ok(value),
            c => value.push(c),
        }
    }
    Err("a quote is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> (String, Vec<(String, String)>) {
        let Ok(jaas) = parse(text) else { panic!("not parsed: {text}") };
        (jaas.module, jaas.options)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn modules_and_options_are_read() {
        let text = "org.apache.kafka.common.security.scram.ScramLoginModule required \
                    username=\"alice\" password=\"a=b; \\\"c\\\\\" ;";
        let expected = vec![pair("username", "alice"), pair("password", "a=b; \"c\\")];
        assert_eq!(parsed(text), ("ScramLoginModule".to_owned(), expected));
        let unended = parsed("PlainLoginModule required username='it is' ");
        assert_eq!(unended.1, [pair("username", "it is")]);
        let bare = parsed("a.b.C required tokenauth=true x = 1;");
        assert_eq!(bare.1, [pair("tokenauth", "true"), pair("x", "1")]);
    }

    #[test]
    fn malformed_values_are_refused_without_their_content() {
        for bad in
            ["", "Module", "M required password", "M required password=\"hunter2", "M required =hunter2;"]
        {
            assert!(parse(bad).err().is_some_and(|e| !e.contains("hunter2")), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn malformed_input_never_panics(text in ".*") {
            let _ = parse(&text);
        }
    }
}
