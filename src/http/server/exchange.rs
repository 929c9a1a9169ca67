//! One exchange: request in, handler, response out.

use super::{Request, Response, Shared};
use std::io::{Cursor, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bodies up to this size are already there when `tiny_http` hands a request over.
const BUFFERED_BYTES: usize = 1_024;
/// Requests whose bodies are received at one time; more are answered 503.
const MAX_UPLOADS: usize = 512;
/// What is left of a refused body may be read and thrown away up to this size; see [`discard`].
const MAX_DISCARD_BYTES: usize = 16 << 20;

/// Answers one request, on this thread where its body is there, else on one of its own: a client that is slow to
/// send must not hold a worker.
pub(super) fn serve(shared: &Arc<Shared>, request: tiny_http::Request) {
    let limit = shared.options.max_body_bytes;
    if request.body_length().is_some_and(|length| length > limit) {
        return refuse(shared, request, 413, &too_large(limit));
    }
    if !has_unread_body(&request) {
        return answer(shared, request, Vec::new());
    }
    if request.body_length().is_some_and(|length| length <= BUFFERED_BYTES) && !expects_continue(&request) {
        return receive(shared, request);
    }
    if shared.uploads.fetch_add(1, Ordering::SeqCst) >= MAX_UPLOADS {
        shared.uploads.fetch_sub(1, Ordering::SeqCst);
        return refuse(shared, request, 503, "too many bodies are being received: send again later");
    }
    let theirs = Arc::clone(shared);
    let builder = std::thread::Builder::new().name("http-upload".to_owned()).stack_size(256 * 1024);
    let spawned = builder.spawn(move || {
        receive(&theirs, request);
        theirs.uploads.fetch_sub(1, Ordering::SeqCst);
    });
    if spawned.is_err() {
        // The request went with the closure; dropping it answered 500.
        shared.uploads.fetch_sub(1, Ordering::SeqCst);
    }
}

fn too_large(limit: usize) -> String {
    format!("the body is too large: at most {limit} bytes are taken")
}

fn header<'a>(request: &'a tiny_http::Request, name: &'static str) -> Option<&'a str> {
    request.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.as_str())
}

fn expects_continue(request: &tiny_http::Request) -> bool {
    header(request, "Expect").is_some()
}

fn has_unread_body(request: &tiny_http::Request) -> bool {
    request.body_length().is_some_and(|length| length > 0) || header(request, "Transfer-Encoding").is_some()
}

/// Reads the body within its limit, then answers.
fn receive(shared: &Arc<Shared>, mut request: tiny_http::Request) {
    let limit = shared.options.max_body_bytes;
    let mut body = Vec::new();
    let read = request.as_reader().take(limit as u64 + 1).read_to_end(&mut body);
    match read {
        Err(e) => refuse(shared, request, 400, &format!("the body could not be read: {e}")),
        Ok(_) if body.len() > limit => refuse(shared, request, 413, &too_large(limit)),
        Ok(_) if request.body_length().is_some_and(|length| length != body.len()) => {
            refuse(shared, request, 400, "the body is shorter than its Content-Length")
        }
        Ok(_) => answer(shared, request, body),
    }
}

/// Calls the handler and sends what it says, or has it sent later.
fn answer(shared: &Arc<Shared>, request: tiny_http::Request, body: Vec<u8>) {
    let asked = convert(&request, body);
    let response = catch_unwind(AssertUnwindSafe(|| (shared.handler)(&asked))).unwrap_or_else(|_| {
        log::error!("{} {} made the handler fail; this is a bug", asked.method, asked.path);
        Response::error(500, "the server failed at this request; its log says where")
    });
    if response.hold.is_zero() {
        send(shared.options.name, request, response);
    } else {
        shared.delayer.hold(shared.options.name, request, response);
    }
}

fn convert(request: &tiny_http::Request, body: Vec<u8>) -> Request {
    let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
    let text = |h: &tiny_http::Header| (h.field.as_str().to_string(), h.value.to_string());
    Request {
        method: request.method().to_string(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: request.headers().iter().map(text).collect(),
        body,
        remote: request.remote_addr().copied(),
    }
}

/// Writes a response; a client that went away is no error.
pub(super) fn send(name: &'static str, request: tiny_http::Request, response: Response) {
    let written = response.written.clone();
    match request.respond(native(name, response)) {
        Ok(()) => {
            if let Some(counter) = written {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        }
        Err(e) => log::debug!("a response could not be written: {e}"),
    }
}

fn native(name: &'static str, response: Response) -> tiny_http::Response<Cursor<Vec<u8>>> {
    let length = response.body.len();
    let server = tiny_http::Header::from_str(&format!("Server: {name}")).ok();
    let lines = response.headers.iter();
    let sendable = |text: &str| !text.chars().any(|c| c.is_ascii_control());
    let lines = lines.filter(|(n, v)| sendable(n) && sendable(v));
    let lines = lines.filter_map(|(n, v)| tiny_http::Header::from_bytes(n.as_bytes(), v.as_bytes()).ok());
    let headers = server.into_iter().chain(lines).collect();
    let status = tiny_http::StatusCode(response.status);
    // The threshold: a Content-Length always, never chunks.
    tiny_http::Response::new(status, headers, Cursor::new(response.body), Some(length), None)
        .with_chunked_threshold(usize::MAX)
}

/// Answers a request whose body is not wanted.
fn refuse(shared: &Arc<Shared>, request: tiny_http::Request, status: u16, message: &str) {
    let response = Response::error(status, message);
    if request.body_length().is_none_or(|length| length <= MAX_DISCARD_BYTES) {
        return discard(shared, request, response);
    }
    send_and_forget(shared, request, response);
}

/// Answers, then reads what the client still sends and throws it away, so that the client reads the answer and
/// not a reset. `tiny_http` does it when the request is dropped, into one buffer of the length that the client
/// stated: that is why only short bodies come here, and each on a thread of its own.
fn discard(shared: &Arc<Shared>, request: tiny_http::Request, response: Response) {
    let theirs = Arc::clone(shared);
    shared.uploads.fetch_add(1, Ordering::SeqCst);
    let builder = std::thread::Builder::new().name("http-discard".to_owned()).stack_size(256 * 1024);
    let spawned = builder.spawn(move || {
        send(theirs.options.name, request, response);
        theirs.uploads.fetch_sub(1, Ordering::SeqCst);
    });
    if spawned.is_err() {
        shared.uploads.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Answers and leaves the connection as it is until the client closes it and this process ends. To drop the
/// request would reserve as many bytes as the client stated, which ends the process where it states too many.
fn send_and_forget(shared: &Shared, request: tiny_http::Request, response: Response) {
    log::warn!(
        "a client announced a body of {} bytes: refused, and its connection is not used again",
        request.body_length().unwrap_or_default()
    );
    // The only way to write and keep the reader is `upgrade`, which leaves out the length and the body.
    let protocol = format!("none\r\nContent-Length: {}", response.body.len());
    let head = Response { body: Vec::new(), ..response.clone() };
    let mut stream = request.upgrade(&protocol, native(shared.options.name, head));
    let _ = stream.write_all(&response.body).and_then(|()| stream.flush());
    std::mem::forget(stream);
}
