//! The HTTP API: what each path and method does, who may ask, and how it answers.

use super::body::read_strict;
use super::page;
use super::{ApiError, Control};
use crate::http::server::{Request, Response};
use serde::Deserialize;
use serde_json::json;

/// Every path, with the methods that it takes.
const ROUTES: [(&str, &[&str]); 6] = [
    ("/", &["GET", "HEAD"]),
    ("/dashboard", &["GET", "HEAD"]),
    ("/healthz", &["GET", "HEAD"]),
    ("/register", &["POST"]),
    ("/configure", &["POST"]),
    ("/stop", &["POST"]),
];

/// The body of `POST /stop`; an empty one stops the running test.
#[derive(Default, Deserialize)]
#[serde(default)]
struct StopBody {
    test_id: Option<String>,
    reason: Option<String>,
}

/// Answers one request. `token`, where there is one, guards everything but reads.
pub fn answer(control: &Control, token: Option<&str>, request: &Request) -> Response {
    let Some((path, allowed)) = ROUTES.iter().find(|(path, _)| *path == request.path) else {
        let message = format!(
            "no such path {:?}: use GET /dashboard, GET /healthz, POST /configure, POST /stop or POST /register",
            request.path
        );
        return error(&ApiError::new(404, message));
    };
    if !allowed.contains(&request.method.as_str()) {
        let message = format!("Method not allowed: use {} {path}", allowed.join(" or "));
        return error(&ApiError::new(405, message)).with_header("Allow", &allowed.join(", "));
    }
    let changes = request.method == "POST";
    if changes && let Err(refused) = permit(token, request) {
        let refusal = error(&refused);
        return if refused.status == 401 {
            refusal.with_header("WWW-Authenticate", "Bearer")
        } else {
            refusal
        };
    }
    let answered = match *path {
        "/" => Ok(Response::text(302, "see /dashboard\n").with_header("Location", "/dashboard")),
        "/dashboard" => Ok(dashboard(control, request)),
        "/healthz" => control.health().map(|()| Response::json(200, &json!({ "ok": true }))),
        "/register" => {
            control.register_json(&request.body).map(|known| Response::json(202, &registered(known)))
        }
        "/configure" => {
            control.configure_json(&request.body).map(|configured| Response::json(202, &configured))
        }
        _ => stop(control, &request.body),
    };
    answered.unwrap_or_else(|e| error(&e)).with_header("Cache-Control", "no-store")
}

fn registered(known: bool) -> serde_json::Value {
    match known {
        true => json!({ "ok": true, "note": "this node was registered already, and is alive" }),
        false => json!({ "ok": true }),
    }
}

fn stop(control: &Control, body: &[u8]) -> Result<Response, ApiError> {
    let blank = body.iter().all(u8::is_ascii_whitespace);
    let asked: StopBody = if blank {
        StopBody::default()
    } else {
        read_strict(body, "the body of POST /stop", &["test_id", "reason"])?
    };
    let reason = asked.reason.as_deref().unwrap_or("POST /stop");
    control.stop(asked.test_id.as_deref(), reason).map(|stopped| Response::json(202, &stopped))
}

/// JSON, but for a browser, which names `text/html`, a page.
fn dashboard(control: &Control, request: &Request) -> Response {
    let dashboard = control.dashboard();
    if !request.header("accept").is_some_and(|accept| accept.to_ascii_lowercase().contains("text/html")) {
        return Response::json(200, &dashboard).with_header("Vary", "Accept");
    }
    Response::html(200, page::render(&dashboard))
        .with_header("Vary", "Accept")
        .with_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        .with_header("X-Content-Type-Options", "nosniff")
        .with_header("X-Frame-Options", "DENY")
}

fn permit(token: Option<&str>, request: &Request) -> Result<(), ApiError> {
    // A page of another site can make a browser on this host send a POST; browsers then say whose page it is.
    if let Some(origin) = request.header("origin") {
        let own = origin.split_once("://").map(|(_, host)| host);
        if own.is_none() || own != request.header("host") {
            let message =
                format!("this came from a page of {origin}: only this server's own pages may do that");
            return Err(ApiError::new(403, message));
        }
    }
    let Some(token) = token else { return Ok(()) };
    let given = request.header("authorization").and_then(|value| {
        let (scheme, given) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| given.trim())
    });
    match given {
        Some(given) if same(given.as_bytes(), token.as_bytes()) => Ok(()),
        Some(_) => Err(ApiError::new(401, "the token is not the one that --token set")),
        None => Err(ApiError::new(401, "a token is needed: send the header Authorization: Bearer TOKEN")),
    }
}

/// Compares in a time that tells nothing of where the two differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (x, y)| differs | (x ^ y)) == 0
}

fn error(e: &ApiError) -> Response {
    Response::error(e.status, &e.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_same_only_when_all_bytes_are() {
        assert!(same(b"", b"") && same(b"secret", b"secret"));
        assert!(!same(b"secret", b"secreT") && !same(b"secret", b"secre") && !same(b"", b"x"));
    }
}
