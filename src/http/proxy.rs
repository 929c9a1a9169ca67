//! A proxy that tunnels connections (`CONNECT`), for targets that are reached in no other way.

use crate::plan::request::{parse_url, percent_decoded};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;
use std::str::FromStr;

/// An HTTP proxy, from `http://[USER:PASSWORD@]HOST[:PORT]`. User and password may be percent-encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its name or address, without IPv6 brackets.
    pub host: String,
    /// Its port; 80 if the URL has none.
    pub port: u16,
    /// The value of `Proxy-Authorization`.
    authorization: Option<String>,
}

impl Proxy {
    /// The request for a tunnel to `HOST:PORT` (RFC 9110, section 9.3.6).
    pub fn request(&self, authority: &str) -> String {
        let credentials = self.authorization.as_ref();
        let credentials = credentials.map_or_else(String::new, |v| format!("proxy-authorization: {v}\r\n"));
        format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{credentials}\r\n")
    }
}

impl FromStr for Proxy {
    type Err = String;

    /// No error repeats the text, which may contain a password.
    fn from_str(text: &str) -> Result<Proxy, String> {
        let how = || "use http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT".to_owned();
        let rest = text.strip_prefix("http://").ok_or_else(how)?;
        let (user, host) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
        let uri = parse_url(&format!("http://{host}")).map_err(|_| how())?;
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(how());
        }
        let name = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let authorization = user.map(|user| format!("Basic {}", BASE64.encode(credentials(user))));
        Ok(Proxy { host: name, port: uri.port_u16().unwrap_or(80), authorization })
    }
}

/// User and password with the colon that Basic authentication requires (RFC 7617, section 2).
fn credentials(given: &str) -> Vec<u8> {
    let (user, password) = given.split_once(':').unwrap_or((given, ""));
    [percent_decoded(user), vec![b':'], percent_decoded(password)].concat()
}

/// Shows no password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({}:{})", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_and_its_password_is_not_shown() {
        let read = |text: &str| text.parse::<Proxy>();
        let plain = read("http://proxy.example:3128").expect("a proxy");
        assert_eq!((plain.host.as_str(), plain.port), ("proxy.example", 3128));
        assert_eq!(plain.request("h:443"), "CONNECT h:443 HTTP/1.1\r\nhost: h:443\r\n\r\n");
        let secret = read("http://joe:pw@[::1]/").expect("a proxy");
        assert_eq!((secret.host.as_str(), secret.port), ("::1", 80));
        assert!(secret.request("h:80").contains("\r\nproxy-authorization: Basic am9lOnB3\r\n"));
        assert_eq!(format!("{secret:?}"), "Proxy(::1:80)");
        for (user, sent) in [
            ("j%6fe:p%40s%3As%", "joe:p@s:s%"),
            ("joe", "joe:"),
            ("a%3Ab", "a:b:"),
            ("é:1", "é:1"),
            ("%zz%+1", "%zz%+1:"),
        ] {
            let proxy = read(&format!("http://{user}@h")).expect("a proxy");
            assert!(proxy.request("h:80").contains(&format!(" Basic {}\r\n", BASE64.encode(sent))), "{user}");
        }
        for text in
            ["", "proxy:3128", "https://p:1", "http://p:x", "http://p:1/path", "http://", "http://a:s3cret@"]
        {
            assert!(
                read(text).is_err_and(|why| why.contains("http://HOST:PORT") && !why.contains("s3cret")),
                "{text}"
            );
        }
    }
}
