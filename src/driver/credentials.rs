//! A driver's own credentials, which never travel in a plan: the header `Authorization` of requests to its
//! target.

use crate::plan::request::Request;
use http::HeaderValue;
use http::header::{AUTHORIZATION, HOST};

/// The value of `Authorization`, and for whom it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    origin: Origin,
    /// Marked as sensitive, so that debug output hides it.
    value: HeaderValue,
}

/// Scheme, host and port: another service on the same host is someone else.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    is_https: bool,
    host: String,
    port: u16,
}

impl Origin {
    fn of(request: &Request) -> Origin {
        let host = request.host().to_ascii_lowercase();
        Origin { is_https: request.is_https(), host, port: request.port() }
    }
}

impl Credentials {
    /// Credentials for the scheme, host and port of a URL, and for no other that plans may load.
    ///
    /// # Errors
    /// If the URL or the value is malformed; the error does not repeat the value.
    pub fn new(url: &str, value: &str) -> Result<Credentials, String> {
        let origin = Origin::of(&Request::get(url)?);
        let mut value =
            HeaderValue::from_str(value).map_err(|_| "control characters are not allowed".to_owned())?;
        value.set_sensitive(true);
        Ok(Credentials { origin, value })
    }

    /// The request with the credentials, if it goes to their origin and has none of its own. A plan that
    /// names another host, in a `Host` header or otherwise, may reach someone else at the same address.
    pub fn add_to(&self, request: &Request) -> Request {
        let mut request = request.clone();
        let names_host = request.headers().iter().any(|(name, _)| name == HOST);
        if Origin::of(&request) == self.origin && !names_host {
            request.add_default(AUTHORIZATION, &self.value);
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_to_their_origin_only_and_replace_none() {
        let own = Credentials::new("https://Shop.example/x", "Bearer s3cret").expect("valid");
        let sent = |url: &str, headers: &[(String, String)]| {
            let request = own.add_to(&Request::new("GET", url, headers, Vec::new()).expect("valid"));
            let values = request.headers().iter().filter(|(name, _)| name == "authorization");
            values.map(|(_, value)| value.to_str().expect("text").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(sent("https://shop.EXAMPLE/", &[]), ["Bearer s3cret"]);
        assert_eq!(sent("https://shop.example:443/y", &[]), ["Bearer s3cret"]);
        for other in ["https://other.example/", "http://shop.example/", "https://shop.example:8443/"] {
            assert_eq!(sent(other, &[]), Vec::<String>::new(), "{other}");
        }
        let behind = [("Host".to_owned(), "other.example".to_owned())];
        assert_eq!(sent("https://shop.example/", &behind), Vec::<String>::new());
        let planned = [("authorization".to_owned(), "Basic x".to_owned())];
        assert_eq!(sent("https://shop.example/", &planned), ["Basic x"]);
        assert!(!format!("{own:?}").contains("s3cret"));
        assert!(Credentials::new("http://h/", "s3cret\n").is_err_and(|why| !why.contains("s3cret")));
    }
}
