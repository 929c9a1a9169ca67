//! Parses a request head: bytes → the request and how its body is framed (RFC 9112, sections 2 to 6). Pure.
//!
//! Anything that two parsers could interpret differently is refused, because that is how requests are
//! smuggled past a proxy: bare line feeds, folded lines, two lengths, a length together with chunks.

use super::types::Request;
use std::mem::MaybeUninit;

/// Maximum number of header lines; more are answered 431.
pub const MAX_HEADER_LINES: usize = 100;

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By `Content-Length`, 0 if absent.
    Length(u64),
    /// By the chunked transfer coding.
    Chunked,
}

/// What determines the form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The minor version of HTTP/1: 0 or 1.
    pub minor: u8,
    /// Whether the request is a HEAD, whose answer has no body.
    pub is_head: bool,
    /// Whether the connection closes after the answer.
    pub closes: bool,
}

/// Why a request is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 400, 408, 413, 417, 431, 501, 503 or 505.
    pub status: u16,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl Refusal {
    /// A refusal with its reason.
    pub fn new(status: u16, message: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into() }
    }
}

/// A valid head.
#[derive(Clone, Debug)]
pub struct Head {
    /// The request, its body still empty.
    pub request: Request,
    /// How its body is framed.
    pub framing: Framing,
    /// How to answer.
    pub manner: Manner,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// Searches for the end of a head, starting at `from`, where an earlier search ended. Returns the length
/// including the empty line.
pub fn find_end(bytes: &[u8], from: usize) -> Result<Option<usize>, Refusal> {
    let mut at = from;
    while let Some(step) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        let feed = at + step;
        if feed == 0 || bytes[feed - 1] != b'\r' {
            return Err(Refusal::new(
                400,
                "malformed head: a line ends without a carriage return (use CR LF)",
            ));
        }
        if feed >= 3 && bytes[feed - 3..feed - 1] == *b"\r\n" {
            return Ok(Some(feed + 1));
        }
        at = feed + 1;
    }
    Ok(None)
}

/// Whether a request can begin with this byte: a token character (RFC 9110, section 5.6.2).
pub fn may_begin(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~\r".contains(&byte)
}

/// Parses a head, which ends with its empty line.
pub fn parse(bytes: &[u8]) -> Result<Head, Refusal> {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADER_LINES];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(bytes, &mut lines) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => return Err(Refusal::new(400, "malformed head")),
        Err(httparse::Error::TooManyHeaders) => {
            let message = format!("the head has too many lines: at most {MAX_HEADER_LINES} are allowed");
            return Err(Refusal::new(431, message));
        }
        Err(httparse::Error::Version) => {
            return Err(Refusal::new(505, "this server supports HTTP/1.0 and HTTP/1.1"));
        }
        Err(error) => return Err(Refusal::new(400, format!("malformed head: {error}"))),
    }
    let minor = parsed.version.unwrap_or(1);
    let (method, target) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
    let fields = Fields::read(parsed.headers)?;
    fields.check_host(minor)?;
    let (authority, path) = split_target(target)?;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let text = |h: &httparse::Header| (h.name.to_owned(), String::from_utf8_lossy(h.value).into_owned());
    let mut headers: Vec<(String, String)> = parsed.headers.iter().map(text).collect();
    if let Some(authority) = authority {
        // RFC 9112, section 3.2.2: it replaces the value of `Host`.
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
        headers.push(("Host".to_owned(), authority.to_owned()));
    }
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
    };
    let closes = fields.closes || (minor == 0 && !fields.keeps);
    let manner = Manner { minor, is_head: method == "HEAD", closes };
    let framing = fields.framing(minor)?;
    Ok(Head { request, framing, manner, expects_continue: fields.expects_continue && minor == 1 })
}

/// Splits a target into the authority, if present, and the path with its query.
fn split_target(target: &str) -> Result<(Option<&str>, &str), Refusal> {
    if target.starts_with('/') || target == "*" {
        return Ok((None, target));
    }
    let scheme = |name: &str| target.get(..name.len()).is_some_and(|s| s.eq_ignore_ascii_case(name));
    let Some(name) = ["http://", "https://"].into_iter().find(|name| scheme(name)) else {
        return Err(Refusal::new(400, "malformed request line: the target must begin with /"));
    };
    let rest = &target[name.len()..];
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !is_authority(authority) {
        return Err(Refusal::new(400, "malformed request line: the target names no host"));
    }
    match path.starts_with('/') {
        true => Ok((Some(authority), path)),
        false if path.is_empty() => Ok((Some(authority), "/")),
        false => Err(Refusal::new(400, "malformed request line: the target has a query without a path")),
    }
}

fn is_authority(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// The header fields that determine how a message is parsed.
#[derive(Default)]
struct Fields {
    hosts: usize,
    length: Option<u64>,
    is_chunked: bool,
    keeps: bool,
    closes: bool,
    expects_continue: bool,
}

impl Fields {
    fn read(headers: &[httparse::Header]) -> Result<Fields, Refusal> {
        let mut fields = Fields::default();
        for header in headers {
            let value = header.value.trim_ascii();
            match header.name.len() {
                4 if header.name.eq_ignore_ascii_case("host") => fields.host(value)?,
                6 if header.name.eq_ignore_ascii_case("expect") => fields.expect(value)?,
                10 if header.name.eq_ignore_ascii_case("connection") => fields.connection(value),
                14 if header.name.eq_ignore_ascii_case("content-length") => fields.content_length(value)?,
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    fields.transfer_encoding(value)?
                }
                _ => {}
            }
        }
        Ok(fields)
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.hosts += 1;
        match std::str::from_utf8(value).is_ok_and(|text| text.is_empty() || is_authority(text)) {
            true => Ok(()),
            false => Err(Refusal::new(400, "Host is malformed: use HOST or HOST:PORT")),
        }
    }

    /// RFC 9112, section 3.2: HTTP/1.1 requires exactly one.
    fn check_host(&self, minor: u8) -> Result<(), Refusal> {
        match self.hosts {
            1 => Ok(()),
            0 if minor == 0 => Ok(()),
            0 => Err(Refusal::new(400, "Host is missing: HTTP/1.1 requires it")),
            _ => Err(Refusal::new(400, "Host appears more than once")),
        }
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
        match self.expects_continue {
            true => Ok(()),
            false => Err(Refusal::new(417, "Expect: only 100-continue is supported")),
        }
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self.closes |= option.eq_ignore_ascii_case(b"close");
            self.keeps |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.length.is_some() {
            return Err(Refusal::new(400, "Content-Length appears more than once"));
        }
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Refusal::new(400, "Content-Length is not a whole number"));
        }
        let digit = |sum: u64, byte: &u8| sum.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
        self.length = Some(value.iter().fold(0, digit));
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.is_chunked {
            return Err(Refusal::new(400, "Transfer-Encoding appears more than once"));
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::new(501, "Transfer-Encoding: only chunked is supported"));
        }
        self.is_chunked = true;
        Ok(())
    }

    fn framing(&self, minor: u8) -> Result<Framing, Refusal> {
        match (self.is_chunked, self.length) {
            (true, Some(_)) => {
                Err(Refusal::new(400, "Content-Length and Transfer-Encoding cannot be combined"))
            }
            (true, None) if minor == 0 => Err(Refusal::new(400, "HTTP/1.0 has no Transfer-Encoding")),
            (true, None) => Ok(Framing::Chunked),
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}
