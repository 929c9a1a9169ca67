//! JSON pointers (RFC 6901): the place of a value in a document.

use serde_json::Value;

/// A pointer, split into its reference tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    tokens: Vec<Token>,
}

/// The name of a member of an object, or the index of an element of a list: which one, the document decides.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    name: String,
    index: Option<usize>,
}

impl Pointer {
    /// Parses a pointer. The empty one is the whole document.
    ///
    /// # Errors
    /// What is wrong with it, and how to write it.
    pub fn parse(text: &str) -> Result<Pointer, String> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(format!(
                "a JSON pointer begins with a slash: use {:?}",
                format!("/{}", dotted(text))
            ));
        }
        if text.split('~').skip(1).any(|after| !after.starts_with(['0', '1'])) {
            return Err("in a JSON pointer, write ~0 for ~ and ~1 for / (RFC 6901)".to_owned());
        }
        let tokens = text.split('/').skip(1).map(Token::new).collect();
        Ok(Pointer { text: text.to_owned(), tokens })
    }

    /// The pointer as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value at this place, if the document has it.
    pub fn find<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        self.tokens.iter().try_fold(document, |value, token| match value {
            Value::Object(members) => members.get(&token.name),
            Value::Array(elements) => elements.get(token.index?),
            _ => None,
        })
    }
}

impl Token {
    fn new(text: &str) -> Token {
        // An index has no leading zeros (RFC 6901, section 4).
        let is_index = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
        let index = text.parse().ok().filter(|_| is_index);
        // In this order, so that ~01 becomes ~1.
        Token { name: text.replace("~1", "/").replace("~0", "~"), index }
    }
}

/// A pointer for a path that is written as in JavaScript: `$.items[0].id`.
fn dotted(text: &str) -> String {
    let text = text.strip_prefix("$.").unwrap_or(text);
    text.replace(['.', '['], "/").replace(']', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The examples of RFC 6901, section 5.
    #[test]
    fn the_examples_of_the_rfc_are_found() {
        let document = json!({
            "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6,
            " ": 7, "m~n": 8
        });
        let find = |text: &str| Pointer::parse(text).expect(text).find(&document).cloned();
        assert_eq!(find(""), Some(document.clone()));
        assert_eq!(find("/foo"), Some(json!(["bar", "baz"])));
        assert_eq!(find("/foo/0"), Some(json!("bar")));
        let members = ["/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", "/k\"l", "/ ", "/m~0n"];
        for (number, text) in members.iter().enumerate() {
            assert_eq!(find(text), Some(json!(number)), "{text}");
        }
        for none in ["/foo/2", "/foo/00", "/foo/01", "/foo/-", "/foo/+1", "/foo/0/x", "/nothing", "/c%25d"] {
            assert_eq!(find(none), None, "{none}");
        }
        let tricky = json!({"~1": 1, "/": 2, "7": {"7": [3]}});
        let find = |text: &str| Pointer::parse(text).expect(text).find(&tricky).cloned();
        assert_eq!(
            (find("/~01"), find("/~1"), find("/7/7/0")),
            (Some(json!(1)), Some(json!(2)), Some(json!(3)))
        );
    }

    #[test]
    fn a_malformed_pointer_is_refused_with_the_right_one() {
        let error = |text: &str| Pointer::parse(text).expect_err(text);
        assert!(error("id").contains("use \"/id\""), "{}", error("id"));
        assert!(error("$.items[0].id").contains("use \"/items/0/id\""), "{}", error("$.items[0].id"));
        for text in ["/a~", "/a~2", "/~~0"] {
            assert!(error(text).contains("write ~0 for ~"), "{text}");
        }
    }
}
