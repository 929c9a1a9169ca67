//! The dashboard as a page: one self-contained document without scripts that reloads itself.
//!
//! The page consists of `maud` templates, which escape whatever is spliced into them: no function here has to
//! remember that a name, a reason or a state came from outside.

mod errors;
mod figures;
mod fleet;
mod newest;
mod plan;
mod table;
#[cfg(test)]
mod tests;
mod tone;

use super::dashboard::Dashboard;
use crate::stats::summary::Summary;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
/// The page needs nothing but its own style. It says so itself too, for copies of it that no server sends.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
/// Seconds between reloads while a test runs, and otherwise.
const REFRESH_S: (u32, u32) = (1, 3);

/// The whole page.
pub fn render(dashboard: &Dashboard) -> String {
    let test = dashboard.test.as_ref();
    let active = test.is_some_and(|summary| !summary.state.is_over());
    let refresh_s = if active { REFRESH_S.0 } else { REFRESH_S.1 };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                meta http-equiv="refresh" content=(refresh_s);
                title { @if let Some(test) = test { (test.test_id) " " (test.state) " - " } "Floodgate" }
                style { (PreEscaped(STYLE)) }
            }
            body { (body(dashboard)) }
        }
    };
    finish(page)
}

fn body(dashboard: &Dashboard) -> Markup {
    let test = dashboard.test.as_ref();
    html! {
        h1 { "Floodgate" }
        @if let Some(notice) = fleet::notice(&dashboard.fleet).filter(|_| !has_notices(test)) {
            p.notice { (notice) }
        }
        @match test {
            Some(summary) => (newest::test(summary)),
            None => (newest::none_yet()),
        }
        (fleet::fleet(&dashboard.fleet, dashboard.part))
        (fleet::history(&dashboard.history))
    }
}

/// Whether the test itself says that its figures are stale, and why.
fn has_notices(test: Option<&Summary>) -> bool {
    test.is_some_and(|summary| !summary.notices.is_empty())
}

/// maud escapes `& < > "` and quotes every attribute with `"`, which is enough for a browser. This also
/// replaces control characters, and apostrophes, which could end an attribute wherever a part of the page is
/// copied to. Markup and style contain neither, so each of them came from a text.
fn finish(page: Markup) -> String {
    let page = page.into_string();
    let mut out = String::with_capacity(page.len() + page.len() / 16);
    for c in page.chars() {
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
