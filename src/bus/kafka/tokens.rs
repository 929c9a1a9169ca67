//! Bearer tokens: from a file, or from an OAuth server by client credentials (RFC 6749, section 4.4, as in
//! KIP-768), where one token serves all connections until it is nearly over.

use super::security::{Secret, TokenSource, read_secret};
use crate::bus::BusError;
use crate::units::clip;
use crate::{clock, fetch};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Longest wait for a token, whatever the deadline.
const PATIENCE: Duration = Duration::from_secs(10);
/// A token is replaced when this percentage of its life is over.
const RENEW_AFTER_PERCENT: u64 = 80;
/// Longest token, in bytes, and longest error of an OAuth server that is repeated.
const LONGEST_TOKEN: usize = 64 << 10;
const LONGEST_ERROR: usize = 200;

/// A token and until when it is used.
struct Kept {
    token: Secret,
    until_ns: u64,
}

/// The tokens of one client.
#[derive(Default)]
pub struct Tokens(Mutex<Option<Kept>>);

impl Tokens {
    /// A token. Connections that need one at the same time wait for the same request.
    ///
    /// # Errors
    /// Why there is none, without any secret: lasting if there is no file or the server refuses.
    pub fn get(
        &self,
        source: &TokenSource,
        ca_pem: Option<&[u8]>,
        deadline_ns: u64,
    ) -> Result<Secret, BusError> {
        let (url, client, secret, scope) = match source {
            TokenSource::File(path) => {
                let named = |why| BusError::Denied(format!("--kafka-token-file {} {why}", path.display()));
                return read_secret(path).map_err(named);
            }
            TokenSource::Endpoint { url, client, secret, scope } => (url, client, secret, scope),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref().filter(|kept| clock::now_ns() < kept.until_ns) {
            return Ok(kept.token.clone());
        }
        let began_ns = clock::now_ns();
        let credentials =
            Secret::new(STANDARD.encode(format!("{}:{}", encoded(client), encoded(secret.reveal()))));
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = scope {
            form.push_str(&format!("&scope={}", encoded(scope)));
        }
        let timeout = clock::until(deadline_ns).min(PATIENCE);
        let fetched = fetch::post_form(url, &form, credentials.reveal(), ca_pem, timeout);
        let fetched = fetched.map_err(|e| {
            let text = format!("no token for Kafka: {e}");
            if e.is_lasting { BusError::Denied(text) } else { BusError::Unavailable(text) }
        })?;
        let issued = read(fetched.status, &fetched.body).map_err(|why| {
            let text = format!("no token for Kafka: {url} {why}");
            // RFC 6749, section 5.2: wrong credentials are 400 or 401. An overloaded server may recover.
            if matches!(fetched.status, 400..=404) {
                BusError::Denied(text)
            } else {
                BusError::Unavailable(text)
            }
        })?;
        let life_ns = clock::to_ns(Duration::from_secs(issued.expires_in));
        let until_ns = began_ns.saturating_add(life_ns / 100 * RENEW_AFTER_PERCENT);
        *kept = Some(Kept { token: issued.access_token.clone(), until_ns });
        Ok(issued.access_token)
    }

    /// Forgets a token that a broker refused.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What an OAuth server answers.
struct Issued {
    access_token: Secret,
    /// In seconds; 0 if unknown, so that the token is used once.
    expires_in: u64,
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
    expires_in: Option<f64>,
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
            let expires_in = answer.expires_in.filter(|seconds| *seconds > 0.0).unwrap_or(0.0) as u64;
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
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn values_of_a_form_are_encoded() {
        assert_eq!(encoded("a-B.9_*~ &=\u{e9}"), "a-B.9_*%7E+%26%3D%C3%A9");
    }

    #[test]
    fn answers_of_an_oauth_server_are_read() {
        let issued =
            read(200, br#"{"access_token":"t","token_type":"Bearer","expires_in":300}"#).expect("a token");
        assert_eq!((issued.access_token.reveal(), issued.expires_in), ("t", 300));
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

    /// Serves two requests, each with a new token, and returns their texts.
    fn server() -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/token", listener.local_addr().expect("an address"));
        let served = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for (number, client) in listener.incoming().flatten().take(2).enumerate() {
                let (mut client, mut bytes) = (client, vec![0; 4_096]);
                let mut text = String::new();
                while !text.ends_with("scope=a+b") {
                    let count = client.read(&mut bytes).expect("a request");
                    text.push_str(&String::from_utf8_lossy(&bytes[..count]));
                }
                let body = format!("{{\"access_token\":\"t{number}\",\"expires_in\":60}}");
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                client.write_all(format!("{head}{body}").as_bytes()).expect("sent");
                requests.push(text);
            }
            requests
        });
        (url, served)
    }

    #[test]
    fn a_token_is_asked_for_once_and_again_after_a_refusal() {
        let (url, served) = server();
        let source = TokenSource::Endpoint {
            url,
            client: "c:1".to_owned(),
            secret: Secret::new("s"),
            scope: Some("a b".to_owned()),
        };
        let tokens = Tokens::default();
        let get = || tokens.get(&source, None, clock::now_ns() + 20 * clock::NS_PER_S).expect("a token");
        assert_eq!([get().reveal(), get().reveal()], ["t0", "t0"]);
        tokens.forget();
        assert_eq!(get().reveal(), "t1");
        let requests = served.join().expect("served");
        let request = requests[0].to_lowercase();
        // c%3A1:s
        assert!(
            request.contains(&format!("authorization: basic {}", STANDARD.encode("c%3A1:s").to_lowercase()))
        );
        assert!(request.contains("content-type: application/x-www-form-urlencoded"), "{request}");
        assert!(request.ends_with("\r\n\r\ngrant_type=client_credentials&scope=a+b"), "{request}");
    }
}
