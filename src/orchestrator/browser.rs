//! What a browser asks for: the page, the fragment that its script fetches, its files and its two forms.

use super::access::Access;
use super::dashboard::MAX_HISTORY;
use super::merged::Merged;
use super::page::{self, Controls, Form, POLICY, View};
use super::window::Window;
use super::{ApiError, Control, history};
use crate::http::server::{Request, Response};
use std::sync::{Mutex, PoisonError};

/// Maximum number of seconds of which a page shows each one, also in the tables below the plots. Of more, it
/// shows percentiles of several seconds, which need their histograms.
const MAX_WHOLE: usize = 60;

/// What is asked of this host, with the access rules that decide what a reader is shown.
pub struct Browser<'a> {
    pub control: &'a Control,
    pub access: &'a Access,
    pub merged: &'a Mutex<Merged>,
}

impl Browser<'_> {
    /// Answers a request for a path below `/dashboard/`.
    ///
    /// # Errors
    /// 400 for a wrong range of drivers or form; 401 if a wrong token was sent.
    pub fn answer(&self, request: &Request) -> Result<Response, ApiError> {
        match request.path.as_str() {
            "/dashboard/live" => Ok(document(200, page::fragment(&self.view(request)?))),
            "/dashboard/new" => {
                Ok(document(200, page::start_page(&Form::default(), self.controls(request)?)))
            }
            "/dashboard/start" => self.start(request),
            "/dashboard/stop" => Ok(self.stop(request)),
            path => page::asset(path).ok_or_else(|| ApiError::new(404, format!("no such path {path:?}"))),
        }
    }

    /// The whole page.
    ///
    /// # Errors
    /// As [`Browser::answer`].
    pub fn page(&self, request: &Request) -> Result<Response, ApiError> {
        Ok(document(200, page::page(&self.view(request)?)))
    }

    fn view(&self, request: &Request) -> Result<View, ApiError> {
        let window = Window::of(&request.query, true)?;
        let controls = self.controls(request)?;
        let (mut dashboard, mut intervals) = self.control.dashboard_and_intervals(MAX_WHOLE);
        if let Some(test) = dashboard.test.as_ref().filter(|_| !intervals.is_empty()) {
            let mut merged = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
            intervals = merged.of(test, &intervals);
        }
        history::extend(&mut dashboard.history, self.control, MAX_HISTORY);
        Ok(View { dashboard, intervals, window, controls })
    }

    /// Reads need no token, but only those who sent it are shown what needs it. A wrong one is an error, so
    /// that the page can say so. A proxy may have asked for a name and a password, which are not for us.
    fn controls(&self, request: &Request) -> Result<Controls, ApiError> {
        let sent = request.header("authorization").unwrap_or_default();
        let is_token = sent.split(' ').next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
        match self.access.check_token(request) {
            Ok(()) => Ok(Controls::Shown),
            Err(why) if is_token => Err(why),
            Err(_) => Ok(Controls::Locked),
        }
    }

    /// Starts a test, and leads back to the page; a form with problems comes back with them.
    fn start(&self, request: &Request) -> Result<Response, ApiError> {
        let controls = self.controls(request)?;
        let sent_back = |status, form: &Form| document(status, page::start_page(form, controls));
        let (config, form) = match Form::read(&request.body) {
            Ok(read) => read,
            Err(form) => return Ok(sent_back(400, &form)),
        };
        Ok(match self.control.configure(config) {
            Ok(_) => back(),
            Err(why) => sent_back(why.status, &form.with_problem(&why.message)),
        })
    }

    fn stop(&self, request: &Request) -> Response {
        let stopped = page::stopped_test(&request.body)
            .and_then(|test_id| self.control.stop(test_id.as_deref(), "stopped on the page"));
        match stopped {
            Ok(_) => back(),
            Err(why) => document(why.status, page::stop_failed(&why.message)),
        }
    }
}

/// After a form, a reload must not send it again.
fn back() -> Response {
    Response::text(303, "see /dashboard\n").with_header("Location", "/dashboard")
}

fn document(status: u16, text: String) -> Response {
    Response::html(status, text)
        .with_header("Vary", "Accept, Authorization")
        .with_header("Content-Security-Policy", POLICY)
        .with_header("X-Content-Type-Options", "nosniff")
        .with_header("X-Frame-Options", "DENY")
        // Forms still tell this server, and nobody else, where they come from.
        .with_header("Referrer-Policy", "same-origin")
}
