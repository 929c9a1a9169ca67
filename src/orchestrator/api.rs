//! The HTTP API: what each path and method does and returns.

use super::access::Access;
use super::body::read_strict;
use super::browser::Browser;
use super::comparing;
use super::dashboard::MAX_HISTORY;
use super::history;
use super::merged::Merged;
use super::prometheus;
use super::window::Window;
use super::{ApiError, Control};
use crate::http::server::{Handler, Request, Response};
use crate::units::without_mark;
use serde::Deserialize;
use serde_json::json;
use std::sync::Mutex;

/// Every path, with the methods that it accepts.
const ROUTES: [(&str, &[&str]); 16] = [
    ("/", &["GET", "HEAD"]),
    ("/dashboard", &["GET", "HEAD"]),
    ("/dashboard/live", &["GET", "HEAD"]),
    ("/dashboard/new", &["GET", "HEAD"]),
    ("/dashboard/page.js", &["GET", "HEAD"]),
    ("/dashboard/style.css", &["GET", "HEAD"]),
    ("/dashboard/icon.svg", &["GET", "HEAD"]),
    ("/dashboard/start", &["POST"]),
    ("/dashboard/stop", &["POST"]),
    ("/healthz", &["GET", "HEAD"]),
    ("/tests", &["GET", "HEAD"]),
    ("/compare", &["GET", "HEAD"]),
    ("/metrics", &["GET", "HEAD"]),
    ("/register", &["POST"]),
    ("/configure", &["POST"]),
    ("/stop", &["POST"]),
];

/// The body of `POST /stop`; an empty body stops the running test.
#[derive(Default, Deserialize)]
#[serde(default)]
struct StopBody {
    test_id: Option<String>,
    reason: Option<String>,
}

/// The handler of the API.
pub struct Api {
    pub control: Control,
    pub access: Access,
    /// What the page's plots show of long tests.
    pub merged: Mutex<Merged>,
}

impl Api {
    fn browser(&self) -> Browser<'_> {
        Browser { control: &self.control, access: &self.access, merged: &self.merged }
    }
}

impl Handler for Api {
    /// Refuses unknown clients, unknown paths and wrong methods before the body is read. Reads need no token,
    /// so that pages, health checks and scrapers work without one; requests that change something do.
    fn admit(&self, head: &Request) -> Result<(), Response> {
        self.access.check_site(head).map_err(|e| error(&e))?;
        route(head)?;
        if head.method != "POST" {
            return Ok(());
        }
        if is_of_page(&head.path) {
            self.access.check_form(head).map_err(|e| error(&e))?;
        }
        self.access.check_token(head).map_err(|e| error(&e).with_header("WWW-Authenticate", "Bearer"))
    }

    fn answer(&self, request: &Request) -> Response {
        let control = &self.control;
        // Some programs start every text with a byte order mark.
        let body = without_mark(&request.body);
        let answered = match route(request) {
            Err(refusal) => return refusal,
            Ok("/") => Ok(Response::text(302, "see /dashboard\n").with_header("Location", "/dashboard")),
            Ok("/dashboard") => dashboard(&self.browser(), request),
            Ok(path) if is_of_page(path) => self.browser().answer(request),
            Ok("/tests") => history::answer(control, request),
            Ok("/compare") => comparing::answer(control, request),
            Ok("/metrics") => Ok(metrics(control)),
            Ok("/healthz") => control.health().map(|()| Response::json(200, &json!({ "ok": true }))),
            Ok("/register") => {
                control.register_json(body).map(|known| Response::json(202, &registered(known)))
            }
            Ok("/configure") => {
                let kind = request.header("content-type").unwrap_or_default();
                control.configure_body(body, kind).map(|configured| Response::json(202, &configured))
            }
            Ok(_) => stop(control, body),
        };
        answered.unwrap_or_else(|e| error(&e)).with_header("Cache-Control", "no-store")
    }
}

/// The path, if it exists and accepts the method; otherwise the error response.
fn route(head: &Request) -> Result<&'static str, Response> {
    let path = if head.path.starts_with("/tests/") { "/tests" } else { &head.path };
    let Some((path, allowed)) = ROUTES.iter().find(|(known, _)| *known == path) else {
        let message = format!(
            "no such path {:?}: use GET /dashboard, GET /tests, GET /compare, GET /metrics, GET /healthz, \
             POST /configure, POST /stop or POST /register",
            head.path
        );
        return Err(error(&ApiError::new(404, message)));
    };
    if !allowed.contains(&head.method.as_str()) {
        let message = format!("Method not allowed: use {} {path}", allowed.join(" or "));
        return Err(error(&ApiError::new(405, message)).with_header("Allow", &allowed.join(", ")));
    }
    Ok(path)
}

fn registered(known: bool) -> serde_json::Value {
    match known {
        true => json!({ "ok": true, "note": "this node is already registered and alive" }),
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

/// Whether the page's own script or forms use this path.
fn is_of_page(path: &str) -> bool {
    path.starts_with("/dashboard/")
}

/// JSON, or a page for a browser, which accepts `text/html`.
fn dashboard(browser: &Browser, request: &Request) -> Result<Response, ApiError> {
    let accept = request.header("accept").unwrap_or_default();
    if accept.to_ascii_lowercase().contains("text/html") {
        return browser.page(request);
    }
    let window = Window::of(&request.query, false)?;
    let mut dashboard = browser.control.dashboard();
    window.cut(&mut dashboard);
    history::extend(&mut dashboard.history, browser.control, MAX_HISTORY);
    Ok(Response::json(200, &dashboard).with_header("Vary", "Accept, Authorization"))
}

fn metrics(control: &Control) -> Response {
    Response::new(200, prometheus::CONTENT_TYPE, control.metrics().into_bytes())
}

fn error(e: &ApiError) -> Response {
    Response::error(e.status, &e.message)
}
