//! The bytes of a request, rendered once and sent as often as the plan says.

use crate::plan::request::Request;
use crate::template::Compiled;
use http::header::{ACCEPT, HOST, HeaderName, USER_AGENT};

/// Default `User-Agent`.
pub const USER_AGENT_VALUE: &str = concat!("floodgate/", env!("CARGO_PKG_VERSION"));

/// The request as HTTP/1.1 bytes (RFC 9112, section 3), including the body.
pub fn render(request: &Request) -> Vec<u8> {
    rendered(request, false)
}

/// Like [`render`], with `Connection: close` (RFC 9112, section 9.6). A plan never has a `Connection` field.
pub fn render_last(request: &Request) -> Vec<u8> {
    rendered(request, true)
}

fn rendered(request: &Request, says_close: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + request.body().len());
    line(&mut out, &[request.method().as_str().as_bytes(), b" ", request.path().as_bytes(), b" HTTP/1.1"]);
    default_lines(&mut out, request);
    for (name, value) in request.headers() {
        line(&mut out, &[name.as_str().as_bytes(), b": ", value.as_bytes()]);
    }
    if says_close {
        line(&mut out, &[b"connection: close"]);
    }
    if sends_length(request) {
        line(&mut out, &[b"content-length: ", request.body().len().to_string().as_bytes()]);
    }
    line(&mut out, &[]);
    out.extend_from_slice(request.body());
    out
}

/// The head of a request whose path and header values vary, up to the fields that frame its body.
pub fn framed(request: &Request, path: &Compiled, headers: &[Compiled], says_close: bool) -> Compiled {
    let mut out = Compiled::default();
    out.text(request.method().as_str().as_bytes());
    out.text(b" ");
    out.append(path.clone());
    out.text(b" HTTP/1.1\r\n");
    let mut lines = Vec::new();
    default_lines(&mut lines, request);
    out.text(&lines);
    for ((name, _), value) in request.headers().iter().zip(headers) {
        out.text(name.as_str().as_bytes());
        out.text(b": ");
        out.append(value.clone());
        out.text(b"\r\n");
    }
    if says_close {
        out.text(b"connection: close\r\n");
    }
    out
}

/// The header lines that the client sets unless the plan does.
fn default_lines(out: &mut Vec<u8>, request: &Request) {
    if !has(request, &HOST) {
        line(out, &[b"host: ", host_value(request).as_bytes()]);
    }
    if !has(request, &USER_AGENT) {
        line(out, &[b"user-agent: ", USER_AGENT_VALUE.as_bytes()]);
    }
    if !has(request, &ACCEPT) {
        line(out, &[b"accept: */*"]);
    }
}

/// The authority, without the port if the scheme implies it (RFC 9110, section 7.2).
pub fn host_value(request: &Request) -> String {
    let host = request.uri().host().unwrap_or_default();
    let usual = if request.is_https() { 443 } else { 80 };
    if request.port() == usual { host.to_owned() } else { format!("{host}:{}", request.port()) }
}

/// `Content-Length` is sent with a body, or if the method anticipates a body (RFC 9110, section 8.6).
pub fn sends_length(request: &Request) -> bool {
    !request.body().is_empty() || matches!(request.method().as_str(), "POST" | "PUT" | "PATCH")
}

fn has(request: &Request, name: &HeaderName) -> bool {
    request.headers().iter().any(|(n, _)| n == name)
}

fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        String::from_utf8(render(&Request::new(method, url, &headers, body.to_vec()).unwrap())).unwrap()
    }

    #[test]
    fn a_get_has_no_body_and_no_length() {
        let expected = format!(
            "GET /a?b=1 HTTP/1.1\r\nhost: h:81\r\nuser-agent: {USER_AGENT_VALUE}\r\naccept: */*\r\n\r\n"
        );
        assert_eq!(text("GET", "http://h:81/a?b=1", &[], b""), expected);
    }

    #[test]
    fn the_last_request_of_a_connection_says_so() {
        let request = Request::new("POST", "http://h", &[], b"x".to_vec()).unwrap();
        let last = String::from_utf8(render_last(&request)).unwrap();
        assert!(last.ends_with("connection: close\r\ncontent-length: 1\r\n\r\nx"), "{last}");
        assert_eq!(last.replace("connection: close\r\n", ""), String::from_utf8(render(&request)).unwrap());
    }

    #[test]
    fn host_omits_an_implied_port() {
        assert!(text("GET", "http://h:80", &[], b"").contains("host: h\r\n"));
        assert!(text("GET", "https://h:443", &[], b"").contains("host: h\r\n"));
        assert!(text("GET", "https://h:80", &[], b"").contains("host: h:80\r\n"));
        assert!(text("GET", "http://[::1]:8000/", &[], b"").contains("host: [::1]:8000\r\n"));
    }

    #[test]
    fn headers_from_the_plan_replace_the_defaults() {
        let given = [("Host", "other"), ("User-Agent", "me"), ("Accept", "text/plain"), ("X-Key", "v")];
        let expected =
            "GET / HTTP/1.1\r\nhost: other\r\nuser-agent: me\r\naccept: text/plain\r\nx-key: v\r\n\r\n";
        assert_eq!(text("GET", "http://h", &given, b""), expected);
    }

    #[test]
    fn content_length_is_sent_with_bodies_and_with_methods_that_anticipate_one() {
        assert!(text("POST", "http://h", &[], b"abc").ends_with("content-length: 3\r\n\r\nabc"));
        assert!(text("POST", "http://h", &[], b"").ends_with("content-length: 0\r\n\r\n"));
        assert!(text("DELETE", "http://h", &[], b"x").ends_with("content-length: 1\r\n\r\nx"));
        assert!(!text("DELETE", "http://h", &[], b"").contains("content-length"));
    }
}
