//! Suggestions for misspelled names.

/// Maximum length of a name for which a similar one is searched, in bytes.
pub const MOST_COMPARED: usize = 64;

/// The most similar name, if one is similar enough to have been meant. Letter case does not matter, nor
/// whether words are joined by `-` or `_`.
pub fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    if name.len() > MOST_COMPARED {
        return None;
    }
    let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let name = plain(name);
    let distances = names.iter().map(|known| (strsim::damerau_levenshtein(&name, &plain(known)), *known));
    let (distance, known) = distances.min()?;
    (distance <= (known.len() / 3).max(1)).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_similar_name_is_found_and_another_is_not() {
        let names = ["user_id", "term", "First Name"];
        for (name, expected) in [
            ("userid", Some("user_id")),
            ("User-ID", Some("user_id")),
            ("trem", Some("term")),
            ("first name", Some("First Name")),
            ("price", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, &names), expected, "{name}");
        }
        assert_eq!(nearest(&"x".repeat(65), &["x".repeat(65).as_str()]), None);
    }
}
