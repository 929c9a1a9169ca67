//! What curl would send for a draft.

use super::command::Draft;
use super::options::Data;
use super::{Place, Wrong, shown, wrong};
use crate::plan::request::{ENCODINGS, Request, parse_url, percent_decoded, split_scheme};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A body.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// No body.
    None,
    /// Text.
    Text(String),
    /// The content of a file.
    File(String),
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// `https://shop.example:8443`
    pub origin: String,
    /// Path and query.
    pub path: String,
    /// The method.
    pub method: String,
    /// Headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// What is not carried over.
    pub comments: Vec<String>,
    /// Where its URL is.
    pub at: Place,
}

/// The requests of a draft, one for each URL.
///
/// # Errors
/// What cannot be carried over.
pub fn all(draft: &Draft) -> Result<Vec<Sent>, Wrong> {
    draft.urls.iter().map(|(url, at)| one(draft, url, *at)).collect()
}

fn one(draft: &Draft, url: &str, at: Place) -> Result<Sent, Wrong> {
    let body = body(&draft.data)?;
    let has_data = !draft.data.is_empty() && !draft.in_query;
    if let Some(head) = draft.head.filter(|_| has_data) {
        return Err(wrong(head, "-I and data exclude each other, also for curl: remove one of them"));
    }
    let mut address = Address::parse(draft, url, at)?;
    let (body, query) = if draft.in_query { (Body::None, Some(body)) } else { (body, None) };
    match query {
        Some(Body::Text(query)) => {
            address.path.push(if address.path.contains('?') { '&' } else { '?' });
            address.path.push_str(&query);
        }
        Some(Body::File(_)) => {
            return Err(wrong(at, "-G with a file cannot be carried over: write the query"));
        }
        Some(Body::None) | None => {}
    }
    let implied = match (draft.head.is_some(), has_data) {
        (true, _) => "HEAD",
        (false, true) => "POST",
        (false, false) => "GET",
    };
    let method = draft.method.clone().unwrap_or_else(|| implied.to_owned());
    let mut comments = Vec::new();
    let headers = headers(draft, &address, has_data, &mut comments)?;
    let sent = Sent { origin: address.origin, path: address.path, method, headers, body, comments, at };
    sent.check().map(|()| sent)
}

impl Sent {
    /// The rules of a plan.
    fn check(&self) -> Result<(), Wrong> {
        let body = match &self.body {
            Body::Text(text) => text.clone().into_bytes(),
            Body::None | Body::File(_) => Vec::new(),
        };
        let url = format!("{}{}", self.origin, self.path);
        let checked = Request::new(&self.method, &url, &self.headers, body);
        checked.map(drop).map_err(|why| wrong(self.at, why))
    }
}

/// The parts of a URL.
struct Address {
    origin: String,
    /// As in the header `Host`.
    authority: String,
    path: String,
    user: Option<String>,
}

impl Address {
    fn parse(draft: &Draft, url: &str, at: Place) -> Result<Address, Wrong> {
        // Without a scheme, curl uses http.
        let (scheme, rest) = split_scheme(url).unwrap_or(("http", url));
        let scheme = scheme.to_ascii_lowercase();
        if !["http", "https"].contains(&scheme.as_str()) {
            return Err(wrong(
                at,
                format!("the URL has the scheme {:?}: only http and https are supported", shown(&scheme)),
            ));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(String::from_utf8_lossy(&percent_decoded(user)).into_owned()), host),
            None => (None, authority),
        };
        if !draft.literal_url && path.contains(['{', '}', '[', ']']) {
            let why = "curl sends several URLs for {a,b} and [1-9]: write each of them, or use -g to send \
                       the URL as it is";
            return Err(wrong(at, why));
        }
        let origin = format!("{scheme}://{host}");
        parse_url(&origin).map_err(|why| wrong(at, why))?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Address { origin, authority: host.to_owned(), path: format!("{slash}{path}"), user })
    }
}

/// The body, or with `-G` the query.
fn body(data: &[(Data, Vec<u8>, Place)]) -> Result<Body, Wrong> {
    if let [(kind, value, at)] = data
        && let Some(file) = value.strip_prefix(b"@").filter(|_| matches!(kind, Data::Binary | Data::Json))
        && file != b"-"
    {
        let file =
            String::from_utf8(file.to_vec()).map_err(|_| wrong(*at, "the file's name is not UTF-8"))?;
        return Ok(Body::File(file));
    }
    let mut joined: Option<Vec<u8>> = None;
    for (kind, value, at) in data {
        let part = part(*kind, value, *at)?;
        match &mut joined {
            None => joined = Some(part),
            Some(before) => {
                if *kind != Data::Json {
                    before.push(b'&');
                }
                before.extend(part);
            }
        }
    }
    let (Some(bytes), Some((_, _, at))) = (joined, data.first()) else { return Ok(Body::None) };
    let why = "the body is not UTF-8 text: save it to a file, and use --data-binary @FILE";
    String::from_utf8(bytes).map(Body::Text).map_err(|_| wrong(*at, why))
}

fn part(kind: Data, value: &[u8], at: Place) -> Result<Vec<u8>, Wrong> {
    let is_file = value.starts_with(b"@");
    match kind {
        Data::Encoded => encoded(value, at),
        Data::Raw => Ok(value.to_vec()),
        Data::Text if is_file => {
            let why =
                "-d @FILE removes the line ends of the file: use --data-binary @FILE to send it as it is";
            Err(wrong(at, why))
        }
        Data::Binary | Data::Json if is_file => {
            let why =
                "a file can only be the whole body: join all data in one file, and use --data-binary @FILE";
            Err(wrong(at, why))
        }
        Data::Text | Data::Binary | Data::Json => Ok(value.to_vec()),
    }
}

/// `content`, `=content`, `name=content`; the name is not encoded.
fn encoded(value: &[u8], at: Place) -> Result<Vec<u8>, Wrong> {
    let (name, content) = match value.iter().position(|byte| *byte == b'=') {
        Some(equals) => (&value[..equals], &value[equals + 1..]),
        None if value.contains(&b'@') => {
            return Err(wrong(at, "--data-urlencode with a file cannot be carried over: write its content"));
        }
        None => (&[][..], value),
    };
    let mut out = name.to_vec();
    if !name.is_empty() {
        out.push(b'=');
    }
    for byte in content {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            _ => out.extend(format!("%{byte:02X}").into_bytes()),
        }
    }
    Ok(out)
}

fn headers(
    draft: &Draft,
    address: &Address,
    has_data: bool,
    comments: &mut Vec<String>,
) -> Result<Vec<(String, String)>, Wrong> {
    let mut headers = Vec::new();
    // Those that `-H` sets or removes; options and defaults do not set them again.
    let mut named: Vec<String> = Vec::new();
    for (line, at) in &draft.headers {
        if let Some(why) = pseudo(line) {
            comments.push(why);
            continue;
        }
        let (name, value) = header(line, *at)?;
        named.push(name.to_ascii_lowercase());
        if let Some(value) = kept(&name, value, address, comments) {
            headers.push((name, value));
        }
    }
    let mut add = |name: &str, value: String| {
        if !named.contains(&name.to_ascii_lowercase()) {
            named.push(name.to_ascii_lowercase());
            headers.push((name.to_owned(), value));
        }
    };
    if let Some(user) = draft.user.as_ref().or(address.user.as_ref()) {
        let user = if user.contains(':') { user.clone() } else { format!("{user}:") };
        add("Authorization", format!("Basic {}", BASE64.encode(user)));
    }
    for (name, value) in draft.set.iter().rev() {
        // curl adds the URLs of redirects, which are not followed here.
        let value = if *name == "Referer" { value.trim_end_matches(";auto") } else { value };
        if value.is_empty() && *name == "User-Agent" {
            comments.push("User-Agent: cannot be left out; floodgate sends its own".to_owned());
        } else if !value.is_empty() {
            add(name, value.to_owned());
        }
    }
    if !draft.cookies.is_empty() {
        add("Cookie", draft.cookies.join(";"));
    }
    if draft.compressed {
        add("Accept-Encoding", ENCODINGS.to_owned());
    }
    if has_data {
        let is_json = draft.data.iter().any(|(kind, ..)| *kind == Data::Json);
        add(
            "Content-Type",
            if is_json { "application/json" } else { "application/x-www-form-urlencoded" }.to_owned(),
        );
        if is_json {
            add("Accept", "application/json".to_owned());
        }
    }
    Ok(headers)
}

/// A pseudo-header of HTTP/2, which some tools copy: `:authority: shop.example`.
fn pseudo(line: &str) -> Option<String> {
    let name = line.strip_prefix(':')?.split(':').next().unwrap_or_default();
    Some(format!(":{}: HTTP/1.1 has no pseudo-headers", shown(name)))
}

/// The name and value of `-H`: `Name: value`, `Name:` to remove a default, or `Name;` for an empty value.
fn header(line: &str, at: Place) -> Result<(String, Option<String>), Wrong> {
    if line.starts_with('@') {
        return Err(wrong(
            at,
            format!("-H {} names a file: write each header as -H 'Name: value'", shown(line)),
        ));
    }
    match (line.split_once(':'), line.trim_end().strip_suffix(';')) {
        (Some((name, value)), _) => {
            let value = value.trim();
            Ok((name.trim().to_owned(), Some(value.to_owned()).filter(|value| !value.is_empty())))
        }
        (None, Some(name)) => Ok((name.trim().to_owned(), Some(String::new()))),
        (None, None) => {
            // The line may be a secret.
            Err(wrong(at, "the value of -H has no colon: use -H 'Name: value'"))
        }
    }
}

/// The value of a header that the plan has, too.
fn kept(name: &str, value: Option<String>, address: &Address, comments: &mut Vec<String>) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let is_default = ["accept", "user-agent", "host"].contains(&lower.as_str());
    match (lower.as_str(), value) {
        (
            "content-length" | "connection" | "transfer-encoding" | "keep-alive" | "proxy-connection",
            Some(_),
        ) => {
            comments.push(format!("{name}: the client sets it"));
            None
        }
        ("te" | "upgrade" | "http2-settings", Some(_)) => {
            comments.push(format!("{name}: floodgate speaks HTTP/1.1 only"));
            None
        }
        ("host", Some(host)) if host.eq_ignore_ascii_case(&address.authority) => None,
        (_, None) if is_default => {
            comments.push(format!("{name}: cannot be left out; floodgate sends its own"));
            None
        }
        (_, value) => value,
    }
}
