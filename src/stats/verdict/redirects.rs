//! Responses that only name another address.

use super::{Facts, Finding};

/// Statuses of a redirect that a browser follows; the drivers follow none.
const REDIRECTS: [&str; 5] = ["301", "302", "303", "307", "308"];

/// A note if no response was anything but a redirect: then the figures are not those of the page that was
/// meant.
pub fn find(facts: &Facts) -> Option<Finding> {
    let codes: Vec<&str> =
        facts.status.iter().filter(|(_, n)| **n > 0).map(|(code, _)| code.as_str()).collect();
    if codes.is_empty() || codes.iter().any(|code| !REDIRECTS.contains(code)) {
        return None;
    }
    let text = format!(
        "Every response was a redirect (all {}; use --url with the final address): redirects are not \
         followed.",
        codes.join(" or ")
    );
    Some(Finding::info("redirects", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(status: &[(&str, u64)]) -> Option<String> {
        let status = status.iter().map(|(code, n)| ((*code).to_owned(), *n)).collect();
        find(&Facts { status, ..Facts::default() }).map(|finding| finding.text)
    }

    #[test]
    fn redirects_alone_are_noted() {
        let text = noted(&[("302", 5)]).expect("a note");
        assert!(text.contains("(all 302; use --url with the final address)"), "{text}");
        assert!(noted(&[("301", 1), ("302", 5)]).is_some_and(|text| text.contains("all 301 or 302")));
        for other in ["200", "304", "404"] {
            assert_eq!(noted(&[("302", 5), (other, 1)]), None, "{other}");
        }
        assert_eq!(noted(&[]), None);
    }
}
