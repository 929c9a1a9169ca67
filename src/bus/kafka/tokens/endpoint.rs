//! One request to an OAuth server's token endpoint.

use crate::bus::BusError;
use crate::bus::kafka::security::{Secret, TokenEndpoint};
use crate::fetch;
use crate::tls::Roots;
use crate::units::clip;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// Longest token, in bytes, and longest error of an OAuth server that is repeated.
const LONGEST_TOKEN: usize = 64 << 10;
const LONGEST_ERROR: usize = 200;

/// Asks for a token. `ca_pem` are the authorities trusted for the brokers.
///
/// # Errors
/// Why there is none, without any secret: lasting if the server refuses.
pub fn ask(endpoint: &TokenEndpoint, ca_pem: Option<&[u8]>, timeout: Duration) -> Result<Issued, BusError> {
    let url = &endpoint.url;
    let credentials = credentials(endpoint);
    let mut form = "grant_type=client_credentials".to_owned();
    if let Some(scope) = &endpoint.scope {
        form.push_str(&format!("&scope={}", encoded(scope)));
    }
    let fetched = fetch::post_form(url, &form, credentials.reveal(), roots(endpoint, ca_pem), timeout);
    let fetched = fetched.map_err(|e| {
        let text = format!("no token for Kafka: {e}");
        if e.is_lasting { BusError::Denied(text) } else { BusError::Unavailable(text) }
    })?;
    read(fetched.status, &fetched.body).map_err(|why| {
        let text = format!("no token for Kafka: {url} {why}");
        // RFC 6749, section 5.2: wrong credentials are 400 or 401. An overloaded server may recover.
        if matches!(fetched.status, 400..=404) { BusError::Denied(text) } else { BusError::Unavailable(text) }
    })
}

/// Whom to trust: often the server is a public one and the brokers are not.
fn roots(endpoint: &TokenEndpoint, brokers: Option<&[u8]>) -> Roots {
    match (&endpoint.ca_pem, brokers) {
        (Some(only), _) => Roots::Only(only.clone()),
        (None, Some(brokers)) => Roots::PublicAnd(brokers.to_vec()),
        (None, None) => Roots::Public,
    }
}

/// Id and secret for the header `Authorization`. RFC 6749, section 2.3.1, wants both encoded like a form;
/// Kafka's own clients do so only if told, since many servers do not decode them.
fn credentials(endpoint: &TokenEndpoint) -> Secret {
    let (client, secret) = (endpoint.client.as_str(), endpoint.secret.reveal());
    Secret::new(STANDARD.encode(match endpoint.header_urlencode {
        true => format!("{}:{}", encoded(client), encoded(secret)),
        false => format!("{client}:{secret}"),
    }))
}

/// What an OAuth server answers.
pub struct Issued {
    /// The token.
    pub access_token: Secret,
    /// In seconds; 0 if unknown, so that the token is used once.
    pub expires_in: u64,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issued({} s)", self.expires_in)
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Value,
    error: Option<String>,
    error_description: Option<String>,
}

fn read(status: u16, body: &[u8]) -> Result<Issued, String> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    let Some(answer) = answer else {
        return Err(format!("answered with status {status} and no JSON object"));
    };
    match answer.access_token {
        Some(token) if status == 200 && (1..=LONGEST_TOKEN).contains(&token.len()) => {
            if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err("issued a token with characters that no token has".to_owned());
            }
            let expires_in = seconds(&answer.expires_in).ok_or_else(|| {
                let given = clip(&answer.expires_in.to_string(), LONGEST_ERROR);
                format!("issued a token with expires_in {given}: it must be a number of seconds")
            })?;
            Ok(Issued { access_token: Secret::new(token), expires_in })
        }
        _ => {
            let said = [answer.error, answer.error_description].into_iter().flatten();
            let said = clip(&said.collect::<Vec<_>>().join(": "), LONGEST_ERROR);
            Err(format!(
                "answered with status {status} ({}): check --kafka-token-url, --kafka-user and the password",
                if said.is_empty() { "no token and no error" } else { &said }
            ))
        }
    }
}

/// The life of a token, which some servers send as a string; 0 if they do not name it.
fn seconds(expires_in: &Value) -> Option<u64> {
    let seconds = match expires_in {
        Value::Null => 0.0,
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds as u64)
}

/// A value of a form, as `application/x-www-form-urlencoded`.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_form_are_encoded() {
        assert_eq!(encoded("a-B.9_*~ &=\u{e9}"), "a-B.9_*%7E+%26%3D%C3%A9");
    }

    #[test]
    fn answers_of_an_oauth_server_are_read() {
        let issued =
            read(200, br#"{"access_token":"t","token_type":"Bearer","expires_in":300}"#).expect("a token");
        assert_eq!((issued.access_token.reveal(), issued.expires_in), ("t", 300));
        for (life, expected) in
            [("\"3600\"", 3_600), ("\" 59.9 \"", 59), ("null", 0), ("0", 0), ("1e3", 1_000)]
        {
            let body = format!("{{\"access_token\":\"t\",\"expires_in\":{life}}}");
            assert_eq!(read(200, body.as_bytes()).map(|issued| issued.expires_in), Ok(expected), "{life}");
        }
        for life in ["\"soon\"", "\"\"", "-1", "\"-1\"", "\"inf\"", "\"NaN\"", "[]", "true"] {
            let body = format!("{{\"access_token\":\"t\",\"expires_in\":{life}}}");
            let error = read(200, body.as_bytes()).expect_err(life);
            assert!(error.contains(&format!("expires_in {life}: it must be")), "{error}");
        }
        let refused = br#"{"error":"invalid_client","error_description":"unknown"}"#;
        let error = read(401, refused).expect_err("refused");
        assert!(error.contains("status 401 (invalid_client: unknown)"), "{error}");
        for (status, body) in
            [(500, "oops"), (200, "[]"), (200, r#"{"access_token":""}"#), (403, r#"{"access_token":"t"}"#)]
        {
            assert!(read(status, body.as_bytes()).is_err(), "{body}");
        }
        let odd = read(200, b"{\"access_token\":\"a\\nb\"}").expect_err("two lines");
        assert!(!odd.contains("a\nb"), "{odd}");
    }

    fn endpoint(ca_pem: Option<&[u8]>, header_urlencode: bool) -> TokenEndpoint {
        TokenEndpoint {
            url: "https://id.example".to_owned(),
            client: "c:1".to_owned(),
            secret: Secret::new("s/=%"),
            scope: None,
            ca_pem: ca_pem.map(<[u8]>::to_vec),
            header_urlencode,
        }
    }

    #[test]
    fn credentials_are_encoded_only_if_told() {
        let sent = |is_encoded| credentials(&endpoint(None, is_encoded)).reveal().to_owned();
        let expected = ["c:1:s/=%", "c%3A1:s%2F%3D%25"].map(|text| STANDARD.encode(text));
        assert_eq!([sent(false), sent(true)], expected);
    }

    #[test]
    fn an_authority_for_the_endpoint_is_the_only_one_there() {
        let (own, without) = (endpoint(Some(b"own"), false), endpoint(None, false));
        assert!(matches!(roots(&own, Some(b"brokers")), Roots::Only(pem) if pem == b"own"));
        assert!(matches!(roots(&without, Some(b"brokers")), Roots::PublicAnd(pem) if pem == b"brokers"));
        assert!(matches!(roots(&without, None), Roots::Public));
    }
}
