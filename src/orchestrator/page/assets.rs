//! The files of the page that never change: compiled into the program, so that only the program must be
//! installed.

use crate::http::server::Response;
use crate::{html, plot};

/// The page loads its own files, sends forms to its own server, and does nothing else. Nothing inside the
/// page is executed or styles it, whatever slipped through.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Every file: its path, its type, and its parts in order. The page's own style may change the others.
const ASSETS: [(&str, &str, &[&str]); 3] = [
    ("/dashboard/page.js", "text/javascript; charset=utf-8", &[include_str!("page.js")]),
    (
        "/dashboard/style.css",
        "text/css; charset=utf-8",
        &[plot::STYLE, html::STYLE, include_str!("style.css")],
    ),
    ("/dashboard/icon.svg", "image/svg+xml", &[include_str!("icon.svg")]),
];

/// The file at this path; `None` if there is no such file.
pub fn asset(path: &str) -> Option<Response> {
    let (_, kind, parts) = ASSETS.iter().find(|(known, _, _)| *known == path)?;
    let response = Response::new(200, kind, parts.concat().into_bytes());
    Some(response.with_header("X-Content-Type-Options", "nosniff"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_ask_for_nothing_elsewhere() {
        for (path, _, parts) in ASSETS {
            let text = parts.concat().replace("http://www.w3.org/2000/svg", "");
            for word in ["http:", "https:", "//cdn", "@import", "url(", "eval(", "innerHTML", "<style"] {
                assert!(!text.contains(word), "{path}: {word}");
            }
            assert!(asset(path).is_some_and(|file| file.status == 200));
        }
        assert!(asset("/dashboard/page.css").is_none());
    }
}
