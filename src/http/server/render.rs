//! Renders responses to bytes with `tiny_http`.

use super::head::Manner;
use super::types::Response;
use std::io::Cursor;

/// Tells a client to send the body that it announced.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The whole response, without the body if the request is a HEAD.
pub fn render(name: &'static str, response: Response, manner: Manner) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512 + response.body.len());
    let version = tiny_http::HTTPVersion(1, manner.minor);
    // Writing to memory cannot fail.
    let _ = native(name, response).raw_print(&mut bytes, version, &[], manner.is_head, None);
    let connection: &[u8] = match (manner.minor, manner.closes) {
        (0, false) => b"Connection: keep-alive\r\n",
        (0, true) | (_, false) => return bytes,
        (_, true) => b"Connection: close\r\n",
    };
    // `tiny_http` leaves this field to its own server. It is inserted after the status line.
    if let Some(feed) = bytes.iter().position(|byte| *byte == b'\n') {
        bytes.splice(feed + 1..feed + 1, connection.iter().copied());
    }
    bytes
}

fn native(name: &'static str, response: Response) -> tiny_http::Response<Cursor<Vec<u8>>> {
    let length = response.body.len();
    let server = tiny_http::Header::from_bytes("Server", name).ok();
    let sendable = |text: &str| !text.chars().any(|c| c.is_ascii_control());
    let lines = response.headers.into_iter().filter(|(n, v)| sendable(n) && sendable(v));
    let lines = lines.filter_map(|(n, v)| tiny_http::Header::from_bytes(n, v).ok());
    let headers = server.into_iter().chain(lines).collect();
    let status = tiny_http::StatusCode(response.status);
    // The last argument is the chunking threshold: always send Content-Length, never chunks.
    tiny_http::Response::new(status, headers, Cursor::new(response.body), Some(length), None)
        .with_chunked_threshold(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(response: Response, minor: u8, is_head: bool, closes: bool) -> String {
        String::from_utf8(render("s/1", response, Manner { minor, is_head, closes })).unwrap()
    }

    #[test]
    fn a_response_has_its_length_its_server_and_its_date() {
        let whole = text(Response::text(200, "pong"), 1, false, false);
        assert!(whole.starts_with("HTTP/1.1 200 OK\r\n") && whole.ends_with("\r\n\r\npong"), "{whole}");
        for line in ["Server: s/1\r\n", "Content-Length: 4\r\n", "Date: ", "Content-Type: text/plain"] {
            assert!(whole.contains(line), "{line} in {whole}");
        }
        assert!(!whole.contains("Connection"), "{whole}");
        let head = text(Response::text(200, "pong"), 1, true, false);
        assert!(head.contains("Content-Length: 4\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[test]
    fn the_connection_field_matches_what_happens_next() {
        let of = |minor, closes| text(Response::text(200, ""), minor, false, closes);
        assert!(of(1, true).starts_with("HTTP/1.1 200 OK\r\nConnection: close\r\n"));
        assert!(of(0, false).starts_with("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"));
        assert!(!of(0, true).contains("Connection"));
    }

    #[test]
    fn a_header_that_http_does_not_allow_is_left_out() {
        let response = Response::text(200, "").with_header("X-A", "1\r\nX-B: 2").with_header("X-C", "3");
        let whole = text(response, 1, false, false);
        assert!(!whole.contains("X-B") && whole.contains("X-C: 3\r\n"), "{whole}");
    }
}
