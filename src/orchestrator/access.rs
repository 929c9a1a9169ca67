//! Access control: browser headers and the token. Pure; checked before a body is read.

use super::ApiError;
use crate::http::server::Request;
use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr};

/// How browsers encode forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// What a request needs to be accepted.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The token that a request that changes something must send; `None` if no token is required.
    pub token: Option<String>,
    /// Names accepted in `Host` in addition to IP addresses and `localhost`.
    pub hosts: Vec<String>,
}

impl Access {
    /// Refuses requests that a page of another site makes a browser send. A name that someone else controls
    /// can resolve to this server's address (DNS rebinding), and the browser then treats that page as one of
    /// this server's own, so only known names are accepted. A browser always sends `Host`; only HTTP/1.0 may
    /// omit it.
    pub fn check_site(&self, head: &Request) -> Result<(), ApiError> {
        let host = head.header("host");
        if let Some(host) = host.filter(|host| !self.is_own(host)) {
            let name = name_of(host);
            let message = format!(
                "Host {host:?} is not known here: use an IP address or localhost, or start the orchestrator \
                 with --allow-host {name}"
            );
            return Err(ApiError::new(403, message));
        }
        let origins = head.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("origin"));
        for (_, origin) in origins {
            if !is_same_site(origin, host.unwrap_or_default()) {
                let message = format!(
                    "this request came from a page of {origin}: only this server's own pages may send it"
                );
                return Err(ApiError::new(403, message));
            }
        }
        Ok(())
    }

    /// Refuses a form that no page of this server sent. Any page can make a browser send a form, without a
    /// token and without asking; browsers say where it came from, in at least one of two headers.
    pub fn check_form(&self, head: &Request) -> Result<(), ApiError> {
        let from = head.header("sec-fetch-site");
        let is_own = match from {
            Some(from) => from.eq_ignore_ascii_case("same-origin"),
            // Compared with Host by `check_site`.
            None => head.header("origin").is_some(),
        };
        let kind = head.header("content-type").unwrap_or_default();
        let is_form = kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM);
        match (is_own, is_form) {
            (true, true) => Ok(()),
            (true, false) => Err(ApiError::new(400, format!("Content-Type {kind:?}: use {FORM}"))),
            (false, _) => {
                let why =
                    "this form was not sent by a page of this server: use POST /configure or POST /stop";
                Err(ApiError::new(403, why))
            }
        }
    }

    fn is_own(&self, host: &str) -> bool {
        let name = name_of(host);
        let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        inner.map_or_else(|| name.parse::<Ipv4Addr>().is_ok(), |inner| inner.parse::<Ipv6Addr>().is_ok())
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Refuses a request without the token, if there is one.
    pub fn check_token(&self, head: &Request) -> Result<(), ApiError> {
        let Some(token) = &self.token else { return Ok(()) };
        let given = head.header("authorization").and_then(|value| {
            let (scheme, given) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| given.trim())
        });
        match given {
            Some(given) if same(given.as_bytes(), token.as_bytes()) => Ok(()),
            Some(_) => Err(ApiError::new(401, "the token does not match this orchestrator's")),
            None => {
                Err(ApiError::new(401, "a token is required: send the header Authorization: Bearer TOKEN"))
            }
        }
    }
}

/// `Host` without its port.
fn name_of(host: &str) -> &str {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether a page of `origin` was loaded from `host`; the scheme's default port may be omitted.
fn is_same_site(origin: &str, host: &str) -> bool {
    let usual = match origin.split_once("://") {
        Some(("http", _)) => ":80",
        Some(("https", _)) => ":443",
        _ => return false,
    };
    let (_, theirs) = origin.split_once("://").unwrap_or_default();
    let bare = |text: &str| text.strip_suffix(usual).unwrap_or(text).to_ascii_lowercase();
    !theirs.is_empty() && bare(theirs) == bare(host)
}

/// Compares in time that does not depend on where the two differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (x, y)| black_box(differs | (x ^ y))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(access: &Access, headers: &[(&str, &str)]) -> u16 {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let head = Request { headers, ..Request::default() };
        access.check_site(&head).and_then(|()| access.check_token(&head)).map_or_else(|e| e.status, |()| 200)
    }

    #[test]
    fn only_known_names_and_addresses_are_accepted() {
        let access = Access { hosts: vec!["box.example".to_owned()], ..Access::default() };
        for host in [
            "127.0.0.1",
            "127.0.0.1:8080",
            "10.1.2.3:1",
            "[::1]",
            "[::1]:8080",
            "localhost",
            "LocalHost.:80",
            "box.example:8080",
            "BOX.example",
        ] {
            assert_eq!(status(&access, &[("Host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "::1",
            "[evil]",
            "2130706433",
            "127.1",
            "box.example.evil",
            "",
            ":80",
            "localhost:x",
        ] {
            assert_eq!(status(&access, &[("Host", host)]), 403, "{host:?}");
        }
        assert_eq!(status(&access, &[]), 200, "HTTP/1.0, no browser");
    }

    #[test]
    fn a_page_may_only_call_the_server_it_came_from() {
        let access = Access::default();
        let from = |host: &str, origin: &str| status(&access, &[("Host", host), ("Origin", origin)]);
        assert_eq!(from("127.0.0.1:8080", "http://127.0.0.1:8080"), 200);
        assert_eq!(from("localhost", "http://localhost:80"), 200);
        assert_eq!(from("localhost:443", "https://LOCALHOST"), 200);
        for origin in
            ["http://evil.example", "null", "", "http://", "http://127.0.0.1:9000", "file://127.0.0.1:8080"]
        {
            assert_eq!(from("127.0.0.1:8080", origin), 403, "{origin}");
        }
        let two = [("Host", "localhost"), ("Origin", "http://localhost"), ("Origin", "http://evil.example")];
        assert_eq!(status(&access, &two), 403);
        assert_eq!(status(&access, &[("Origin", "http://localhost")]), 403);
    }

    #[test]
    fn forms_come_from_own_pages_only() {
        let form = |headers: &[(&str, &str)]| {
            let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let head = Request { headers, ..Request::default() };
            Access::default().check_form(&head).map_or_else(|e| e.status, |()| 200)
        };
        let kind = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
        let origin = ("Origin", "http://localhost");
        assert_eq!(form(&[kind, origin, ("Sec-Fetch-Site", "same-origin")]), 200);
        assert_eq!(form(&[kind, origin]), 200, "an older browser");
        for from in ["cross-site", "same-site", "none", ""] {
            assert_eq!(form(&[kind, origin, ("Sec-Fetch-Site", from)]), 403, "{from}");
        }
        assert_eq!(form(&[kind]), 403, "no browser says nothing");
        assert_eq!(form(&[origin, ("Content-Type", "text/plain")]), 400);
        assert_eq!(form(&[origin]), 400);
    }

    #[test]
    fn tokens_match_only_if_all_bytes_match() {
        assert!(same(b"", b"") && same(b"secret", b"secret"));
        assert!(!same(b"secret", b"secreT") && !same(b"secret", b"secre") && !same(b"", b"x"));
        let access = Access { token: Some("s3cret".to_owned()), ..Access::default() };
        for (value, expected) in [
            ("Bearer s3cret", 200),
            ("bearer  s3cret ", 200),
            ("Bearer ", 401),
            ("Basic s3cret", 401),
            ("", 401),
        ] {
            assert_eq!(status(&access, &[("Authorization", value)]), expected, "{value:?}");
        }
    }
}
