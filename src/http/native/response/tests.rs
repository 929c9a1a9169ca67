use super::*;

/// Status, reuse and length of a response that arrives in one piece on a connection that stays open.
fn whole(text: &str) -> Result<Option<(u16, bool, u64)>, ErrorKind> {
    let mut response = Response::new(false);
    let step = response.advance(text.as_bytes())?;
    Ok(step.done.then(|| (response.status(), response.keep_alive(), response.bytes())))
}

fn head(fields: &str) -> Result<Option<(u16, bool, u64)>, ErrorKind> {
    whole(&format!("HTTP/1.1 200 OK\r\n{fields}\r\nhello"))
}

#[test]
fn lengths_must_be_decimal_and_agree() {
    let length = |value: &str| head(&format!("Content-Length: {value}\r\n")).map(|end| end.map(|e| e.0));
    assert_eq!(length("5"), Ok(Some(200)));
    assert_eq!(length("0005, 5"), Ok(Some(200)));
    assert_eq!(length("6"), Ok(None));
    for bad in ["", "+5", "-5", "5 5", "0x5", "5,", "5, 6", "1e1", "18446744073709551616"] {
        assert_eq!(length(bad), Err(ErrorKind::Protocol), "{bad:?}");
    }
}

#[test]
fn reuse_follows_version_and_connection_field() {
    let reuse = |minor: u8, fields: &str| {
        whole(&format!("HTTP/1.{minor} 200 OK\r\n{fields}Content-Length: 0\r\n\r\n"))
            .map(|end| end.map(|e| e.1))
    };
    assert_eq!(reuse(1, ""), Ok(Some(true)));
    assert_eq!(reuse(1, "Connection: Close\r\n"), Ok(Some(false)));
    assert_eq!(reuse(1, "Connection: upgrade, close\r\n"), Ok(Some(false)));
    assert_eq!(reuse(1, "Connection: keep-alive\r\nConnection: close\r\n"), Ok(Some(false)));
    assert_eq!(reuse(0, ""), Ok(Some(false)));
    assert_eq!(reuse(0, "Connection: Keep-Alive\r\n"), Ok(Some(true)));
}

#[test]
fn without_a_length_the_close_ends_the_body() {
    for fields in
        ["", "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: chunked, gzip\r\nContent-Length: 5\r\n"]
    {
        let mut response = Response::new(false);
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\nhello");
        let step = response.advance(text.as_bytes()).unwrap();
        assert_eq!(step, Step { consumed: text.len(), done: false });
        assert_eq!(response.finish(b""), Ok(()));
        assert!(!response.keep_alive());
    }
}

#[test]
fn a_known_head_changes_nothing() {
    let texts = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nworld",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ];
    let mut known = KnownHead::default();
    for text in texts.iter().chain(&texts).chain(texts.iter().rev()) {
        for cut in 0..=text.len() {
            let (mut plain, mut knowing) = (Response::new(false), Response::new(false));
            let mut from = 0;
            for to in [cut, text.len()] {
                let input = &text.as_bytes()[from..to];
                let step = plain.advance(input);
                assert_eq!(knowing.advance_knowing(input, &mut known), step, "{text:?} cut at {cut}");
                let end = |r: &Response| (r.status(), r.keep_alive(), r.bytes(), r.state);
                assert_eq!(end(&knowing), end(&plain), "{text:?} cut at {cut}");
                let Ok(step) = step else { break };
                from += step.consumed;
            }
        }
    }
}

#[test]
fn a_body_may_be_skipped_in_part() {
    let mut response = Response::new(false);
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    response.skip(1);
    assert_eq!((response.bytes(), response.body_left()), (0, 0), "no body before the head");
    assert_eq!(response.advance(head), Ok(Step { consumed: head.len(), done: false }));
    assert_eq!(response.body_left(), 10);
    response.skip(9);
    assert_eq!((response.body_left(), response.bytes()), (1, head.len() as u64 + 9));
    assert_eq!(response.advance(b"xHTTP"), Ok(Step { consumed: 1, done: true }));
    response.skip(1);
    assert_eq!(
        (response.body_left(), response.bytes()),
        (0, head.len() as u64 + 10),
        "nothing is left to skip"
    );
}

#[test]
fn each_limit_is_named() {
    let fault = |text: &str| {
        let mut response = Response::new(false);
        assert_eq!(response.advance(text.as_bytes()), Err(ErrorKind::Protocol));
        response.fault()
    };
    let lines = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert!(whole(&lines(MAX_HEADERS)).is_ok());
    assert!(fault(&lines(MAX_HEADERS + 1)).contains(&MAX_HEADERS.to_string()));
    assert!(fault("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n").contains("101"));
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(MAX_HEAD_BYTES));
    assert!(fault(&long).contains("65,536") && MAX_HEAD_BYTES == 65_536);
    assert!(fault("\x15\x03\x01\x00\x02\x02\x0a").contains("expect https"), "a TLS alert");
    assert!(fault("garbage\r\n\r\n").contains("malformed"));
}

#[test]
fn a_premature_end_is_closed_and_malformed_input_is_protocol() {
    let end = |text: &[u8]| {
        let mut response = Response::new(false);
        let step = response.advance(text)?;
        response.finish(&text[step.consumed..])
    };
    assert_eq!(end(b""), Err(ErrorKind::Closed));
    assert_eq!(end(b"HTTP/1.1 200 O"), Err(ErrorKind::Closed));
    assert_eq!(end(b"HTTP/1.1 100 Continue\r\n\r\n"), Err(ErrorKind::Closed));
    assert_eq!(end(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1"), Err(ErrorKind::Closed));
    assert_eq!(end(b"garbage"), Err(ErrorKind::Protocol));
    assert_eq!(end(b"HTTP/1.1 099 Low\r\n\r\n"), Err(ErrorKind::Protocol));
}

/// Notes what it is passed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Noted {
    heads: Vec<(u16, Vec<u8>)>,
    body: Vec<u8>,
}

impl Sink for Noted {
    fn head(&mut self, status: u16, head: &[u8]) {
        self.heads.push((status, head.to_vec()));
    }

    fn body(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
    }
}

#[test]
fn a_sink_gets_the_final_head_and_the_body_without_framing_however_it_is_cut() {
    let until_close = "HTTP/1.1 200 OK\r\n\r\n";
    for (head, rest, status, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello", 200, "hello"),
        (
            "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n",
            "2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nT: v\r\n\r\n",
            404,
            "hello",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", "", 204, ""),
        (until_close, "hello", 200, "hello"),
    ] {
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
        let text = format!("{interim}{head}{rest}");
        let expected = Noted { heads: vec![(status, head.into())], body: body.into() };
        let mut known = KnownHead::default();
        for cut in 0..=text.len() {
            let (mut response, mut noted, mut from) = (Response::new(false), Noted::default(), 0);
            for to in [cut, text.len()] {
                let input = &text.as_bytes()[from..to];
                from += response.advance_into(input, &mut known, &mut noted).expect("valid").consumed;
            }
            assert_eq!(response.finish(b""), Ok(()));
            assert_eq!((&noted, from), (&expected, text.len()), "{text:?} cut at {cut}");
        }
    }
}

#[test]
fn what_follows_the_response_is_not_its_body() {
    for head in ["Content-Length: 2\r\n\r\nok", "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"] {
        let (mut response, mut noted) = (Response::new(false), Noted::default());
        let text = format!("HTTP/1.1 200 OK\r\n{head}HTTP/1.1 200 OK");
        let step =
            response.advance_into(text.as_bytes(), &mut KnownHead::default(), &mut noted).expect("valid");
        assert!(step.done && noted.body == b"ok", "{noted:?}");
    }
}
