//! What all HTML documents share: their end form, their base style, colours and tables. Pure.
//!
//! Documents consist of `maud` templates, which escape whatever is spliced into them.

mod table;
mod tone;

use maud::{DOCTYPE, Markup, PreEscaped, html};
pub use table::{Cell, Column, UNKNOWN, scrolling, table};
pub use tone::{Tone, of_driver, of_run, of_severity};

/// Colours for light and dark, text, tables, tiles and the verdict.
pub const STYLE: &str = include_str!("base.css");
/// Headings and width of a document that is read alone.
const STANDALONE: &str = include_str!("standalone.css");
/// What a browser may do with a standalone document: nothing but apply its own style.
pub const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// One file without a script and without a request to anywhere, with these styles after the base style.
pub fn standalone(title: &str, styles: &[&str], body: &Markup) -> String {
    finish(&html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                title { (title) }
                style {
                    (PreEscaped(STYLE)) (PreEscaped(STANDALONE))
                    @for style in styles { (PreEscaped(style)) }
                }
            }
            body { main { (body) } }
        }
    })
}

/// maud escapes `& < > "` and quotes every attribute with `"`, which is enough for a browser. This also
/// replaces control characters, and apostrophes, which could end an attribute wherever a part of the document
/// is copied to. Markup contains neither, so each of them came from a text.
pub fn finish(document: &Markup) -> String {
    let document = &document.0;
    let mut out = String::with_capacity(document.len() + document.len() / 16);
    for c in document.chars() {
        match c {
            '\'' => out.push_str("&#39;"),
            '\n' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standalone_document_asks_for_nothing_and_escapes_everything() {
        let text = standalone("<b>'\u{1b}", &[".own{}"], &html! { p { "a\u{0}&'" } });
        assert!(text.contains("<title>&lt;b&gt;&#39;\u{fffd}</title>"), "{text}");
        assert!(text.contains("<p>a\u{fffd}&amp;&#39;</p>") && text.contains(".own{}"), "{text}");
        for word in ["http:", "https:", "//", "@import", "url(", "<script"] {
            assert!(!text.contains(word), "{word}");
        }
    }
}
