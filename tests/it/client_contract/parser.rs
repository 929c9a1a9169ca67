//! The native client's response parser, fed with arbitrary input in arbitrary pieces.

use floodgate::http::native::response::Response;
use floodgate::stats::outcome::ErrorKind;
use proptest::prelude::*;

/// How a response ended: status, reuse and length, or an error.
type End = Result<(u16, bool, u64), ErrorKind>;

/// Feeds the pieces as a connection does, then closes.
fn feed<'a>(pieces: impl Iterator<Item = &'a [u8]>, to_head: bool) -> End {
    let mut response = Response::new(to_head);
    let mut held: Vec<u8> = Vec::new();
    for piece in pieces {
        held.extend_from_slice(piece);
        let step = response.advance(&held)?;
        assert!(step.consumed <= held.len());
        held.drain(..step.consumed);
        if step.done {
            return Ok((response.status(), response.keep_alive(), response.bytes()));
        }
    }
    response.finish(&held)?;
    Ok((response.status(), response.keep_alive(), response.bytes()))
}

fn split_alike(bytes: &[u8], cuts: &[usize], to_head: bool) -> Result<(), TestCaseError> {
    let whole = feed(std::iter::once(bytes), to_head);
    let bytewise = feed(bytes.chunks(1), to_head);
    prop_assert_eq!(whole, bytewise);
    let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let pieces = feed(cuts.windows(2).map(|w| &bytes[w[0]..w[1]]), to_head);
    prop_assert_eq!(whole, pieces);
    Ok(())
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Content-Length: 5".to_owned()),
        (0u64..40).prop_map(|n| format!("content-length: {n}")),
        Just("Content-Length: 5, 5".to_owned()),
        Just("Transfer-Encoding: chunked".to_owned()),
        Just("Transfer-Encoding: gzip, chunked".to_owned()),
        Just("Transfer-Encoding: gzip".to_owned()),
        Just("Connection: close".to_owned()),
        Just("Connection: keep-alive".to_owned()),
        Just(" folded".to_owned()),
        "[A-Za-z-]{1,12}: ?[ -~]{0,20}",
        "[ -~]{0,20}",
    ]
}

fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        Just("5\r\nhello\r\n0\r\n\r\n".to_owned()),
        Just("5;x\r\nhello\r\n0\r\nA: b\r\n\r\nmore".to_owned()),
        Just("a\nten bytes!\n0\n\n".to_owned()),
        prop::collection::vec("[0-9a-f]{0,3}(;[a-z]{0,3})?\r?\n[a-z]{0,12}\r?\n", 0..5)
            .prop_map(|v| v.concat()),
    ]
}

/// Something that usually looks like one or more responses.
fn response() -> impl Strategy<Value = Vec<u8>> {
    let status = prop_oneof![3 => Just(200u16), 1 => 100u16..600];
    let head =
        (prop_oneof![5 => Just(1u8), 1 => 0u8..3], status, prop::collection::vec(line(), 0..5), body());
    let text = head.prop_map(|(minor, status, lines, body)| {
        let lines: String = lines.iter().map(|l| format!("{l}\r\n")).collect();
        format!("HTTP/1.{minor} {status} Text\r\n{lines}\r\n{body}")
    });
    (prop::collection::vec(Just("HTTP/1.1 100 Continue\r\n\r\n"), 0..3), text)
        .prop_map(|(interim, text)| (interim.concat() + &text).into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_bytes_in_any_pieces(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        split_alike(&bytes, &cuts, false)?;
    }

    #[test]
    fn responses_in_any_pieces(
        bytes in response(),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        to_head: bool,
    ) {
        split_alike(&bytes, &cuts, to_head)?;
    }

    #[test]
    fn damaged_responses_in_any_pieces(
        mut bytes in response(),
        at: usize,
        byte: u8,
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let at = at % bytes.len();
        bytes[at] = byte;
        split_alike(&bytes, &cuts, false)?;
    }
}

#[test]
fn heads_beyond_the_limit_are_refused_however_they_are_split() {
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(70_000)).into_bytes();
    assert_eq!(feed(std::iter::once(&long[..]), false), Err(ErrorKind::Protocol));
    assert_eq!(feed(long.chunks(1000), false), Err(ErrorKind::Protocol));
    // A quadratic parser would take minutes for this.
    assert_eq!(feed(long.chunks(1), false), Err(ErrorKind::Protocol));
}

#[test]
fn interim_responses_are_bounded() {
    let response = |interim: usize| {
        ("HTTP/1.1 102 Processing\r\n\r\n".repeat(interim) + "HTTP/1.1 204 No Content\r\n\r\n").into_bytes()
    };
    assert!(feed(std::iter::once(&response(32)[..]), false).is_ok_and(|end| end.0 == 204));
    assert_eq!(feed(std::iter::once(&response(33)[..]), false), Err(ErrorKind::Protocol));
}

#[test]
fn a_body_beyond_the_limit_is_refused_before_it_is_read() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", (1u64 << 30) + 1);
    assert_eq!(feed(std::iter::once(head.as_bytes()), false), Err(ErrorKind::Protocol));
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n";
    assert_eq!(feed(std::iter::once(head.as_bytes()), false), Err(ErrorKind::Protocol));
}
