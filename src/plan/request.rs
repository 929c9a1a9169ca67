//! The request that a plan sends repeatedly.

use super::templates::Templates;
use crate::check::Checks;
use crate::template::Template;
use http::{HeaderName, HeaderValue, Method, Uri};
use std::sync::Arc;

/// A validated request, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: Method,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
    checks: Option<Arc<Checks>>,
    templates: Option<Arc<Templates>>,
}

/// Maximum size of a request body, in bytes. A plan is one record of at most 1,000,000 bytes: base64 turns
/// the body into 933,336 of them, and the rest is left for headers and all other fields.
pub const MAX_BODY_BYTES: usize = 700_000;
/// Maximum number of headers that a plan may add.
pub const MAX_HEADERS: usize = 64;

/// The value of `Accept-Encoding` for a client that takes compressed bodies, as curl's `--compressed`.
pub const ENCODINGS: &str = "gzip, deflate, br, zstd";

impl Request {
    /// A `GET` of `url`.
    pub fn get(url: &str) -> Result<Request, String> {
        Request::new("GET", url, &[], Vec::new())
    }

    /// Validates and combines the parts. The error names the part and says what is allowed.
    pub fn new(
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<Request, String> {
        let method = parse_method(method)?;
        let uri = parse_url(url)?;
        if headers.len() > MAX_HEADERS {
            return Err(format!("{} headers: at most {MAX_HEADERS} are allowed", headers.len()));
        }
        if body.len() > MAX_BODY_BYTES {
            return Err(format!("body of {} bytes: at most {MAX_BODY_BYTES} are allowed", body.len()));
        }
        let headers = headers.iter().map(|(n, v)| parse_header(n, v)).collect::<Result<Vec<_>, _>>()?;
        Ok(Request { method, uri, headers, body, checks: None, templates: None })
    }

    /// The same request, whose responses are checked.
    #[must_use]
    pub fn checked(self, checks: Option<Checks>) -> Request {
        Request { checks: checks.map(Arc::new), ..self }
    }

    /// The same request with parts that vary; the constant ones are then only examples of them.
    #[must_use]
    pub fn with_templates(self, templates: Templates) -> Request {
        Request { templates: Some(Arc::new(templates)), ..self }
    }

    /// The parts that vary; `None` if all requests are the same.
    pub fn templates(&self) -> Option<&Templates> {
        self.templates.as_deref()
    }

    /// One of the requests that this one, with its templates, stands for.
    #[must_use]
    pub fn rendered(&self, uri: Uri, headers: Vec<(HeaderName, HeaderValue)>, body: Vec<u8>) -> Request {
        Request { uri, headers, body, ..self.clone() }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The absolute URL, with scheme, authority and path.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Host name or address, without IPv6 brackets.
    pub fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
    }

    /// The port; 80 or 443 if the URL has none.
    pub fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// Host and port, as `HOST:PORT`.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.uri.host().unwrap_or_default(), self.port())
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// Path and query, as in the request line.
    pub fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |p| p.as_str())
    }

    /// The headers that the plan adds, in order; a `Host` among them replaces the default one.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// What its responses must look like, if anything.
    pub fn checks(&self) -> Option<&Arc<Checks>> {
        self.checks.as_ref()
    }

    /// Adds a header, unless the plan has one of this name.
    pub fn add_default(&mut self, name: HeaderName, value: &HeaderValue) {
        if !self.headers.iter().any(|(other, _)| *other == name) {
            if let Some(templates) = &mut self.templates {
                let text = Template::literal(value.as_bytes());
                Arc::make_mut(templates).headers.push((name.clone(), text));
            }
            self.headers.push((name, value.clone()));
        }
    }

    /// The body; empty if none.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

fn parse_method(text: &str) -> Result<Method, String> {
    // Methods are case-sensitive, and servers reject `get`; so the common ones are accepted in any case, as
    // in browsers (<https://fetch.spec.whatwg.org/#concept-method-normalize>).
    let upper = text.to_ascii_uppercase();
    let common =
        ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "CONNECT"].contains(&upper.as_str());
    let text = if common { upper.as_str() } else { text };
    let method = Method::from_bytes(text.as_bytes())
        .map_err(|_| format!("method {text:?}: use a method like GET, POST or PUT"))?;
    if method == Method::CONNECT {
        return Err("method CONNECT is for proxies and is not supported".to_owned());
    }
    Ok(method)
}

/// User and password of a URL, decoded (RFC 3986, section 2.1). A `%` without two digits stands for itself,
/// as for curl.
pub fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).filter(|two| *first == b'%' && two.iter().all(u8::is_ascii_hexdigit));
        let code = digits.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    bytes
}

/// Parses an absolute `http://` or `https://` URL; the error says what is missing.
pub fn parse_url(given: &str) -> Result<Uri, String> {
    let hint = "use something like http://127.0.0.1:8000/ping";
    // The URL may contain a password, which must not appear in an error.
    let shown = without_password(given);
    let text = shown.as_str();
    if split_scheme(text).is_none() && !text.is_empty() && !text.starts_with('/') {
        return Err(format!("URL {text:?} has no scheme: did you mean http://{text}?"));
    }
    if text.ends_with("://") {
        return Err(format!("URL {text:?} has no host: {hint}"));
    }
    let uri: Uri = given.parse().map_err(|e| format!("URL {text:?} is malformed ({e}): {hint}"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(other) => {
            return Err(format!("URL {text:?} has the scheme {other:?}: only http and https are supported"));
        }
        None => return Err(format!("URL {text:?} has no scheme: {hint}")),
    }
    let authority = uri.authority().map_or("", |a| a.as_str());
    if let Some((user, _)) = authority.split_once('@') {
        let name = user.split(':').next().unwrap_or_default();
        return Err(format!(
            "URL {text:?} has a user name: remove it and use \
             --header \"Authorization: Basic $(printf %s '{name}:PASSWORD' | base64)\""
        ));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(format!("URL {text:?} has no host: {hint}"));
    }
    // The parser silently ignores a port that is not a u16, so the default one would be used.
    let names_port = authority.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
    if names_port && uri.port_u16().is_none_or(|port| port == 0) {
        return Err(format!("URL {text:?} has an invalid port: use 1 to 65535"));
    }
    Ok(uri)
}

/// The scheme of a URL, and what follows `://`; `None` if it has none. Path and query may contain `://`, too.
pub fn split_scheme(url: &str) -> Option<(&str, &str)> {
    url.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', '?', '#']))
}

/// A URL with its password, if any, masked.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority
        .rsplit_once('@')
        .map(|(user, host)| (user.split(':').next().unwrap_or_default(), user, host))
    {
        Some((name, user, host)) if user.contains(':') => format!("{scheme}://{name}:***@{host}{path}"),
        _ => url.to_owned(),
    }
}

fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::from_bytes(name.trim().as_bytes())
        .map_err(|_| format!("header name {name:?}: letters, digits and dashes are allowed"))?;
    if ["content-length", "transfer-encoding", "connection"].contains(&parsed.as_str()) {
        return Err(format!("header {name:?} is set by the client and cannot be overridden"));
    }
    let value = HeaderValue::from_str(value.trim())
        .map_err(|_| format!("value of header {name:?}: control characters are not allowed"))?;
    Ok((parsed, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Result<Request, String> {
        Request::new("GET", "http://h/", &[(name.to_owned(), value.to_owned())], Vec::new())
    }

    #[test]
    fn a_url_is_split_into_its_parts() {
        let request = Request::get("https://example.com:8443/a/b?c=d").unwrap();
        assert_eq!((request.host(), request.port(), request.path()), ("example.com", 8443, "/a/b?c=d"));
        assert!(request.is_https());
        let request = Request::get("http://[::1]").unwrap();
        assert_eq!((request.host(), request.port(), request.path()), ("::1", 80, "/"));
        assert_eq!(Request::get("https://h").unwrap().port(), 443);
        assert_eq!(Request::get("http://h/a#fragment").unwrap().path(), "/a");
    }

    #[test]
    fn unusable_urls_are_rejected_with_what_they_lack() {
        for (url, word) in [
            ("", "URL"),
            ("127.0.0.1:8000/ping", "did you mean http://127.0.0.1:8000/ping?"),
            ("example.com", "did you mean http://example.com?"),
            ("h/go?to=https://x/", "did you mean http://h/go?to=https://x/?"),
            ("/ping", "scheme"),
            ("/go?to=https://x/", "no scheme"),
            ("ftp://h/", "ftp"),
            ("http://", "no host"),
            ("http://user:secret@h/", "'user:PASSWORD'"),
            ("http://user@h/", "user name"),
            ("http://h:0/", "port"),
            ("http://h:/", "port"),
            ("http://h:65536/", "port"),
            ("http://[::1]:99999/", "port"),
            ("http://h/a b", "URL"),
        ] {
            let error = Request::get(url).expect_err(url);
            assert!(error.contains(word) && !error.contains("secret"), "{url:?}: {error}");
        }
    }

    #[test]
    fn methods_are_tokens_and_never_connect() {
        for method in ["", "GE T", "GET\r\n", "CONNECT"] {
            assert!(Request::new(method, "http://h/", &[], Vec::new()).is_err(), "{method:?}");
        }
        assert!(Request::new("connect", "http://h/", &[], Vec::new()).is_err());
        assert_eq!(Request::new("Post", "http://h/", &[], Vec::new()).unwrap().method(), "POST");
        assert_eq!(Request::new("purge", "http://h/", &[], Vec::new()).unwrap().method(), "purge");
        assert_eq!(Request::new("PURGE", "http://h/", &[], Vec::new()).unwrap().method(), "PURGE");
    }

    #[test]
    fn headers_cannot_inject_lines() {
        for (name, value) in
            [("a b", "v"), ("", "v"), ("a:b", "v"), ("a\r\nb", "v"), ("a", "v\r\nb: c"), ("a", "\0")]
        {
            assert!(header(name, value).is_err(), "{name:?}: {value:?}");
        }
        let request = header(" X-Key ", " a value ").unwrap();
        assert_eq!(request.headers()[0].0, "x-key");
        assert_eq!(request.headers()[0].1, "a value");
    }

    #[test]
    fn headers_that_frame_the_request_cannot_be_overridden() {
        for name in ["Content-Length", "transfer-encoding", "CONNECTION"] {
            assert!(header(name, "1").unwrap_err().contains(name));
        }
    }

    #[test]
    fn sizes_up_to_the_limit_are_allowed() {
        let post = |length| Request::new("POST", "http://h/", &[], vec![0; length]);
        assert_eq!(post(MAX_BODY_BYTES).unwrap().body().len(), MAX_BODY_BYTES);
        assert!(post(MAX_BODY_BYTES + 1).unwrap_err().contains("700001"));
        let headers = |count| vec![("a".to_owned(), "b".to_owned()); count];
        assert!(Request::new("GET", "http://h/", &headers(MAX_HEADERS), Vec::new()).is_ok());
        assert!(Request::new("GET", "http://h/", &headers(MAX_HEADERS + 1), Vec::new()).is_err());
    }
}
