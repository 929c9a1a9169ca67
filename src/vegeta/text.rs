//! `METHOD URL`, header lines, and `@FILE` for the body. A blank line or the next target ends a target; lines
//! that begin with `#` are comments.

use super::{Body, MAX_SHOWN, Target};
use crate::units::clip;

const ALLOWED: &str = "a target begins with its method and its URL, like GET http://127.0.0.1:8000/ping; \
                       header lines like Accept: text/plain and @FILE for the body may follow";

/// Whether a line begins a target: a method in upper case, and something after it.
pub fn is_target(line: &str) -> bool {
    let word = line.split_once(char::is_whitespace).map_or("", |(word, _)| word);
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Passes each target on, with its line.
///
/// # Errors
/// The first wrong line, or what `take` refuses.
pub fn read(text: &str, take: &mut impl FnMut(usize, Target) -> Result<(), String>) -> Result<(), String> {
    let mut open: Option<(usize, Target)> = None;
    for (at, line) in text.lines().enumerate() {
        let (number, line) = (at + 1, line.trim());
        if line.starts_with('#') {
            continue;
        }
        let wrong = |why: &str| Err(format!("line {number}: {}: {why}", clip(line, MAX_SHOWN)));
        if line.is_empty() || is_target(line) {
            open.take().map_or(Ok(()), |(begin, target)| take(begin, target))?;
        }
        match (&mut open, line) {
            (_, "") => {}
            (None, line) if is_target(line) => {
                let (method, url) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
                let url = url.trim();
                if !url.contains("://") {
                    return wrong("the URL must be whole, like http://127.0.0.1:8000/ping");
                }
                let (method, url) = (method.to_owned(), url.to_owned());
                open = Some((number, Target { method, url, ..Target::default() }));
            }
            (None, _) => return wrong(ALLOWED),
            (Some((_, target)), line) => match (line.strip_prefix('@'), line.split_once(':')) {
                _ if target.body != Body::None => {
                    return wrong("the body is the last part of a target: add a blank line after it");
                }
                (Some(file), _) => target.body = Body::File(file.to_owned()),
                (None, Some((name, value))) => {
                    target.headers.push((name.trim().to_owned(), value.trim().to_owned()));
                }
                (None, None) => {
                    return wrong("must be a header line like Accept: text/plain, or @FILE for the body");
                }
            },
        }
    }
    open.map_or(Ok(()), |(begin, target)| take(begin, target))
}
