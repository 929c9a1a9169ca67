//! Suggestions for misspelled names.

/// Maximum length of names that are compared, in bytes: comparing takes the product of their lengths.
pub const MOST_COMPARED: usize = 64;

/// The most similar name, if one is similar enough to have been meant. Letter case does not matter, nor
/// whether words are joined by `-` or `_`.
pub fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    if name.len() > MOST_COMPARED {
        return None;
    }
    let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let name = plain(name);
    let comparable = names.iter().filter(|known| known.len() <= MOST_COMPARED);
    let distances = comparable.map(|known| (strsim::damerau_levenshtein(&name, &plain(known)), *known));
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
        assert_eq!(nearest(&"x".repeat(64), &["x".repeat(65).as_str()]), None);
        assert_eq!(nearest("term", &["x".repeat(1_000_000).as_str(), "terms"]), Some("terms"));
    }
}
