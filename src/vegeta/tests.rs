use super::*;

fn target(method: &str, url: &str) -> Target {
    Target { method: method.to_owned(), url: url.to_owned(), ..Target::default() }
}

fn read(text: &str) -> Result<Vec<Entry>, String> {
    entries(form(text.lines().next().unwrap_or_default()).expect("targets"), text.as_bytes())
}

#[test]
fn equal_targets_become_one_with_a_weight() {
    let get = "GET http://h/a?b\nX-A: 1:2\n";
    let post = "POST http://H/b\nA: b\n@order.json\n";
    let text = [
        format!("{get}# no\nx-b:\n\n\n{post}{get}x-b:\n{post}"),
        "  GET\thttp://h/a?b  \r\nX-A: 1:2\r\nx-b:\n\n".to_owned(),
        format!("{get}x-b:"),
    ];
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let get = Target { headers: vec![pair("X-A", "1:2"), pair("x-b", "")], ..target("GET", "http://h/a?b") };
    let body = Body::File("order.json".to_owned());
    let post = Target { headers: vec![pair("A", "b")], body, ..target("POST", "http://H/b") };
    let expected = [Entry { target: get, weight: 2, line: 1 }, Entry { target: post, weight: 1, line: 7 }];
    assert_eq!(read(&text.concat()).expect("targets"), expected);
}

#[test]
fn json_targets_have_headers_and_a_body() {
    let text = r#"{"method":"POST","url":"http://h/","body":"eA==","header":{"B":["1","2"],"A":["3"]}}
{"method":"GET","url":"http://h/","header":null,"body":""}"#;
    let found = read(text).expect("targets");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(found[0].target.headers, [pair("A", "3"), pair("B", "1"), pair("B", "2")]);
    assert_eq!(found[0].target.body, Body::Bytes(b"x".to_vec()));
    assert_eq!(found[1].target, target("GET", "http://h/"));
}

#[test]
fn wrong_targets_are_named_by_their_line() {
    let many = |count: usize, rest: &str| -> String {
        (0..count).map(|number| format!("GET http://h/{number}\n{rest}")).collect()
    };
    let often = "GET http://h/a\n".repeat(1_001) + "GET http://h/b";
    let own_bodies: String = (0..51).map(|number| format!("PUT http://h/\n@{number}\n")).collect();
    for (text, why) in [
        ("GET http://h/\nnonsense", "line 2: nonsense: must be a header line"),
        ("GET http://h/\n\nnonsense", "line 3: nonsense: a target begins with its method"),
        ("GET /ping", "line 1: GET /ping: the URL must be whole"),
        ("GET http://h/\n@a\nX: 1", "line 3: X: 1: the body is the last part"),
        ("GET http://h/\na b: 1", "line 1: header name \"a b\""),
        ("GET http://h/\nContent-Length: 1", "line 1: header \"Content-Length\" is set by the client"),
        ("GET http://h/\n\nGET http://h:81/", "line 3: goes to http://h:81, but line 1 to http://h: "),
        ("GET http://joe:secret@h/", "line 1: URL \"http://joe:***@h/\" has a user name"),
        ("CONNECT http://h/", "line 1: method CONNECT"),
        (&many(51, ""), "line 51: there are more than 50 different targets"),
        (&many(51, "A: b\n"), "with --method GET"),
        (&own_bodies, "use fewer, or a plan file with templates"),
        (&often, "line 1: this target has a weight of 1,001 after reduction: at most 1000"),
        ("{\"method\": \"GET\"}", "line 1: column 17: missing field `url`"),
        ("{\"method\": \"GET\", \"url\": \"http://h/\", \"headers\": {}}", "unknown field `headers`"),
        ("{\"method\": \"GET\", \"url\": \"http://h/\", \"body\": \"?\"}", "line 1: body is not base64"),
    ] {
        let error = read(text).expect_err(text);
        assert!(error.contains(why) && !error.contains("secret"), "{error}");
    }
    assert_eq!(read(&many(50, "")).expect("targets").len(), 50);
    let not_text = entries(Form::Text, b"GET http://h/\n\xff").expect_err("Latin-1");
    assert_eq!(not_text, "line 2: is not UTF-8: save the file as UTF-8");
    assert!(entries(Form::Text, &vec![b'\n'; MAX_BYTES + 1]).expect_err("long").contains("is too large"));
}

#[test]
fn lines_tell_the_form() {
    for (line, expected) in [
        ("GET http://h/", Some(Form::Text)),
        ("PURGE\thttp://h/", Some(Form::Text)),
        (" {\"url\": 1}", Some(Form::Json)),
        ("/GET x", None),
        ("http://h/", None),
        ("GET", None),
        ("get http://h/", None),
    ] {
        assert_eq!(form(line), expected, "{line}");
    }
}
