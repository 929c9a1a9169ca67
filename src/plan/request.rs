//! The one request that a plan sends over and over.

use http::{HeaderName, HeaderValue, Method, Uri};

/// A request whose parts were checked: it can be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: Method,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

/// Largest request body, in bytes.
pub const MAX_BODY_BYTES: usize = 512 * 1024;
/// Most header lines that a plan may add.
pub const MAX_HEADERS: usize = 64;

impl Request {
    /// A `GET` of `url`.
    pub fn get(url: &str) -> Result<Request, String> {
        Request::new("GET", url, &[], Vec::new())
    }

    /// Checks and joins the parts. The error names the part and says what is allowed.
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
        Ok(Request { method, uri, headers, body })
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The absolute URL: scheme, authority and path are there.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Host name or address, without the brackets of IPv6.
    pub fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
    }

    /// The port, 80 or 443 where the URL has none.
    pub fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// Whether the URL begins with `https`.
    pub fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// Path and query as they go into the request line.
    pub fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |p| p.as_str())
    }

    /// The headers that the plan adds, in order; may hold a `Host`, which then replaces the usual one.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The body, empty where there is none.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

fn parse_method(text: &str) -> Result<Method, String> {
    let method = Method::from_bytes(text.as_bytes())
        .map_err(|_| format!("method {text:?}: use a word like GET, POST or PUT"))?;
    if method == Method::CONNECT {
        return Err("method CONNECT is for proxies and cannot be load-tested".to_owned());
    }
    Ok(method)
}

/// Parses an absolute `http://` or `https://` URL; the error says what is missing.
pub fn parse_url(text: &str) -> Result<Uri, String> {
    let hint = "use something like http://127.0.0.1:8000/ping";
    let uri: Uri = text.parse().map_err(|e| format!("URL {text:?} cannot be read ({e}): {hint}"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(other) => {
            return Err(format!("URL {text:?} has the scheme {other:?}: only http and https are sent"));
        }
        None => return Err(format!("URL {text:?} has no scheme: {hint}")),
    }
    let authority = uri.authority().map_or("", |a| a.as_str());
    if authority.contains('@') {
        return Err(format!("URL {text:?} holds a user name: send it as a header instead"));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(format!("URL {text:?} has no host: {hint}"));
    }
    if uri.port().is_some_and(|p| p.as_u16() == 0) || (uri.port().is_none() && authority.ends_with(':')) {
        return Err(format!("URL {text:?} has no usable port: use 1 to 65535"));
    }
    Ok(uri)
}

fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::from_bytes(name.trim().as_bytes())
        .map_err(|_| format!("header name {name:?}: letters, digits and dashes are allowed"))?;
    if ["content-length", "transfer-encoding", "connection"].contains(&parsed.as_str()) {
        return Err(format!("header {name:?} is set by the client itself and cannot be given"));
    }
    let value = HeaderValue::from_str(value.trim())
        .map_err(|_| format!("value of header {name:?}: control characters are not allowed"))?;
    Ok((parsed, value))
}
