//! A driver's own credentials, which never travel in a plan: the header `Authorization` of requests to its
//! target.

use crate::plan::request::{Request, parse_url};
use http::HeaderValue;
use http::header::AUTHORIZATION;

/// The value of `Authorization`, and for which host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    host: String,
    /// Marked as sensitive, so that debug output hides it.
    value: HeaderValue,
}

impl Credentials {
    /// Credentials for the host of a URL, and for no other that plans may load.
    ///
    /// # Errors
    /// If the URL or the value is malformed; the error does not repeat the value.
    pub fn new(url: &str, value: &str) -> Result<Credentials, String> {
        let host = parse_url(url)?.host().unwrap_or_default().to_ascii_lowercase();
        let mut value =
            HeaderValue::from_str(value).map_err(|_| "control characters are not allowed".to_owned())?;
        value.set_sensitive(true);
        Ok(Credentials { host, value })
    }

    /// The request with the credentials, if it goes to their host and has none of its own.
    pub fn add_to(&self, request: &Request) -> Request {
        let is_theirs = request.uri().host().is_some_and(|host| host.eq_ignore_ascii_case(&self.host));
        let mut request = request.clone();
        if is_theirs {
            request.add_default(AUTHORIZATION, &self.value);
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_to_their_host_only_and_replace_none() {
        let own = Credentials::new("http://Shop.example:81/x", "Bearer s3cret").expect("valid");
        let sent = |url: &str, headers: &[(String, String)]| {
            let request = own.add_to(&Request::new("GET", url, headers, Vec::new()).expect("valid"));
            let values = request.headers().iter().filter(|(name, _)| name == "authorization");
            values.map(|(_, value)| value.to_str().expect("text").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(sent("https://shop.EXAMPLE/", &[]), ["Bearer s3cret"]);
        assert_eq!(sent("https://other.example/", &[]), Vec::<String>::new());
        let planned = [("authorization".to_owned(), "Basic x".to_owned())];
        assert_eq!(sent("https://shop.example/", &planned), ["Basic x"]);
        assert!(!format!("{own:?}").contains("s3cret"));
        assert!(Credentials::new("http://h/", "s3cret\n").is_err_and(|why| !why.contains("s3cret")));
    }
}
