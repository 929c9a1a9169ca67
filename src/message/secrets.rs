//! Hides secrets of a plan that a page or a file must not show.

use serde_json::Value;

/// Replaces a secret.
pub const HIDDEN: &str = "(hidden)";

/// Parts of the names of header fields whose values are secrets; hyphens and the like in a name do not count.
const SECRET: [&str; 15] = [
    "auth",
    "cookie",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "accesskey",
    "signature",
    "session",
    "jwt",
    "bearer",
    "credential",
    "assertion",
];
/// Words that make a name one of a secret, as in `X-Functions-Key`.
const SECRET_WORDS: [&str; 4] = ["key", "sid", "sig", "pwd"];
/// Keys that are no secrets: `Idempotency-Key` and the like.
const PUBLIC_KEYS: [&str; 4] = ["idempotency", "surrogate", "websocket", "partition"];

/// Hides the values of header fields that contain secrets, credentials in the target's URL, and the rows of
/// feeds, which may be logins and are long.
pub fn hide(plan: &mut Value) {
    plan.get_mut("request").into_iter().for_each(hide_headers);
    plan.get_mut("requests").and_then(Value::as_array_mut).into_iter().flatten().for_each(hide_headers);
    plan.get_mut("feeds").and_then(Value::as_array_mut).into_iter().flatten().for_each(drop_data);
    plan.get_mut("target_url").into_iter().for_each(hide_user);
    plan.get_mut("ab").and_then(Value::as_array_mut).into_iter().flatten().for_each(hide_user);
}

fn hide_headers(request: &mut Value) {
    let lines = request.get_mut("headers").and_then(Value::as_array_mut);
    for line in lines.into_iter().flatten() {
        let is_secret = line.get(0).and_then(Value::as_str).is_some_and(is_secret);
        if let Some(value) = line.get_mut(1).filter(|_| is_secret) {
            *value = HIDDEN.into();
        }
    }
}

fn drop_data(feed: &mut Value) {
    feed.as_object_mut().into_iter().for_each(|feed| {
        feed.remove("data");
    });
}

/// Whether the value of a header with this name is a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let joined = words.concat();
    let is_public = |at: usize| at > 0 && PUBLIC_KEYS.contains(&words[at - 1]);
    SECRET.iter().any(|part| joined.contains(part))
        || (0..words.len()).any(|at| SECRET_WORDS.contains(&words[at]) && !is_public(at))
}

fn hide_user(url: &mut Value) {
    if let Some(shown) = url.as_str().and_then(without_user) {
        *url = shown.into();
    }
}

/// A URL with its user and password hidden; `None` if it has none.
pub fn without_user(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (_, host) = rest[..end].rsplit_once('@')?;
    Some(format!("{scheme}://{HIDDEN}@{host}{}", &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_known_by_the_names_of_their_headers() {
        for name in [
            "authorization",
            "X-API-Key",
            "api_key",
            "apikey",
            "x-functions-key",
            "Ocp-Apim-Subscription-Key",
            "X-Amz-Security-Token",
            "session",
            "PHPSESSIONID",
            "X-Session-Id",
            "jwt",
            "X-Goog-IAP-JWT-Assertion",
            "x_access_key",
            "connect.sid",
            "X-Pwd",
            "key",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in
            ["Accept", "Idempotency-Key", "Sec-WebSocket-Key", "X-Request-Id", "Keep-Alive", "monkey", ""]
        {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn secrets_are_hidden_and_nothing_else() {
        let mut plan = json!({
            "target_url": "http://me:pw@h:1/a@b",
            "ab": ["http://me:pw@h:2/", "http://h:3/"],
            "feeds": [{"name": "users", "count": 1, "data": "user,password"}, 7],
            "request": {"method": "GET", "headers": [
                ["Authorization", "Bearer x"], ["X-API-Key", "k"], ["Cookie", "c"],
                ["Accept", "text/plain"], "odd",
            ]},
        });
        hide(&mut plan);
        assert_eq!(plan["target_url"], "http://(hidden)@h:1/a@b");
        assert_eq!(plan["ab"], json!(["http://(hidden)@h:2/", "http://h:3/"]));
        assert_eq!(plan["feeds"], json!([{"name": "users", "count": 1}, 7]));
        let lines = json!([
            ["Authorization", "(hidden)"],
            ["X-API-Key", "(hidden)"],
            ["Cookie", "(hidden)"],
            ["Accept", "text/plain"],
            "odd",
        ]);
        assert_eq!(plan["request"]["headers"], lines);
        for mut same in [json!(null), json!({"target_url": "http://h/a@b", "request": {}}), json!([1])] {
            let before = same.clone();
            hide(&mut same);
            assert_eq!(same, before);
        }
    }
}
