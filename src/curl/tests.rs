use super::*;
use crate::plan::Plan;
use crate::plan::request::Request;
use crate::plan_file::PlanFile;
use proptest::prelude::*;

/// The requests of the plan for a command, as a driver would send them.
fn requests(plan: &str) -> Vec<Request> {
    let file = PlanFile::parse("p.toml", plan.as_bytes()).unwrap_or_else(|why| panic!("{why}\n{plan}"));
    let config = file.options.config("t", None).expect("a plan");
    let plan = Plan::as_written(&config).unwrap_or_else(|errors| panic!("{errors:?}"));
    plan.sent().list().to_vec()
}

fn plan(command: &str) -> String {
    plan_of_text(command.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong}\n{command}"))
}

/// Method, URL, headers and body of one request, as text.
fn seen(request: &Request) -> String {
    let headers = request.headers().iter().map(|(n, v)| format!("{n}: {}\n", v.to_str().expect("ASCII")));
    let body = String::from_utf8_lossy(request.body());
    format!("{} {}\n{}\n{body}", request.method(), request.uri(), headers.collect::<String>())
}

fn only(command: &str) -> String {
    let all = requests(&plan(command));
    assert_eq!(all.len(), 1, "{command}");
    seen(&all[0])
}

fn refused(command: &str) -> String {
    plan_of_text(command.as_bytes()).expect_err(command).to_string()
}

const CHROME: &str = r#"curl 'https://shop.example/api/orders?dry=1' \
  -H 'accept: application/json' \
  -H 'accept-language: en-US,en;q=0.9' \
  -H 'content-type: application/json' \
  -b 'session=abc; theme=dark' \
  -H 'sec-ch-ua: "Chromium";v="131"' \
  --compressed \
  --data-raw $'{"note":"it\'s \u0021","q":"a\\nb"}'
"#;

#[test]
fn what_a_browser_copies_becomes_the_same_request() {
    let plan = plan(CHROME);
    let expected = "POST https://shop.example/api/orders?dry=1\naccept: application/json\n\
                    accept-language: en-US,en;q=0.9\ncontent-type: application/json\n\
                    sec-ch-ua: \"Chromium\";v=\"131\"\ncookie: session=abc; theme=dark\n\
                    accept-encoding: gzip, deflate, br, zstd\n\n{\"note\":\"it's !\",\"q\":\"a\\nb\"}";
    assert_eq!(seen(&requests(&plan)[0]), expected);
    for part in ["rate = 10 ", "It contains credentials or cookies", "bytes are counted as received"] {
        assert!(plan.contains(part), "{plan}");
    }
}

#[test]
fn words_of_a_shell_are_read_like_a_text() {
    let words = ["-H", "accept: a b", "https://shop.example/x"].map(|word| word.as_bytes().to_vec());
    let by_words = plan_of_words(words.to_vec()).expect("a plan");
    assert_eq!(by_words, plan("curl -H 'accept: a b' https://shop.example/x"));
    let wrong = plan_of_words(vec![b"-F".to_vec(), b"a=b".to_vec()]).expect_err("a form").to_string();
    assert!(wrong.starts_with("curl command, word 2: -F cannot be carried over"), "{wrong}");
}

#[test]
fn options_mean_what_they_mean_to_curl() {
    let form = "content-type: application/x-www-form-urlencoded";
    for (command, expected) in [
        ("curl shop.example", "GET http://shop.example/\n\n".to_owned()),
        ("curl -sSLo out.html http://h/a#top", "GET http://h/a\n\n".to_owned()),
        ("curl -XDELETE http://h/7 2>/dev/null | jq '.a'", "DELETE http://h/7\n\n".to_owned()),
        ("$ curl --request=PURGE -I http://h", "PURGE http://h/\n\n".to_owned()),
        ("curl -I http://h/?a", "HEAD http://h/?a\n\n".to_owned()),
        ("curl http://h -d a=1 --data b=2", format!("POST http://h/\n{form}\n\na=1&b=2")),
        ("curl http://h -d ''", format!("POST http://h/\n{form}\n\n")),
        ("curl http://h --data-raw @x", format!("POST http://h/\n{form}\n\n@x")),
        ("curl http://h -X PUT -d x -H 'Content-Type:'", "PUT http://h/\n\nx".to_owned()),
        ("curl -G http://h/s?a=1 -d b=2", "GET http://h/s?a=1&b=2\n\n".to_owned()),
        ("curl -G http://h/s --data-urlencode 'q=a b&é'", "GET http://h/s?q=a+b%26%C3%A9\n\n".to_owned()),
        ("curl http://h --data-urlencode ='a=b'", format!("POST http://h/\n{form}\n\na%3Db")),
        (
            "curl http://h --json '{\"a\":' --json 1}",
            "POST http://h/\ncontent-type: application/json\naccept: application/json\n\n{\"a\":1}"
                .to_owned(),
        ),
        ("curl -u joe:pw http://h", "GET http://h/\nauthorization: Basic am9lOnB3\n\n".to_owned()),
        ("curl http://joe:p%77@h", "GET http://h/\nauthorization: Basic am9lOnB3\n\n".to_owned()),
        ("curl -u joe:pw -H 'authorization: x' http://h", "GET http://h/\nauthorization: x\n\n".to_owned()),
        (
            "curl -b a=1 -b b=2 -A me -e 'http://r/;auto' http://h",
            "GET http://h/\nreferer: http://r/\nuser-agent: me\ncookie: a=1;b=2\n\n".to_owned(),
        ),
        ("curl --oauth2-bearer t http://h", "GET http://h/\nauthorization: Bearer t\n\n".to_owned()),
        ("curl -H 'xa;' -H 'xa: 1' -H 'XA: 2' http://h", "GET http://h/\nxa: \nxa: 1\nxa: 2\n\n".to_owned()),
        ("curl -H 'Host: h' http://h", "GET http://h/\n\n".to_owned()),
        ("curl -H 'Host: other' http://h:81", "GET http://h:81/\nhost: other\n\n".to_owned()),
        ("curl -g 'http://h/{a}'", "GET http://h/{a}\n\n".to_owned()),
        ("curl 'h/go?to=https://x/'", "GET http://h/go?to=https://x/\n\n".to_owned()),
        ("curl \\\r\n http://h/\\\na\"b\"'c' >x; ", "GET http://h/abc\n\n".to_owned()),
    ] {
        assert_eq!(only(command), expected, "{command}");
    }
}

#[test]
fn what_a_client_sets_itself_is_left_out_with_a_comment() {
    let command = "curl -k -m 2.5 --http2 -H 'Connection: close' -H ':authority: h' -H 'Content-Length: 3' \
                   -H 'Accept:' -H 'X-Unset:' https://h/ -d abc";
    let plan = plan(command);
    for part in [
        "# Not carried over: Connection: the client sets it\n",
        "# Not carried over: :authority: HTTP/1.1 has no pseudo-headers\n",
        "# Not carried over: Content-Length: the client sets it\n",
        "# Not carried over: Accept: cannot be left out",
        "# Not carried over: --http2: floodgate sends HTTP/1.1\n",
        "timeout = \"2500ms\"\n",
    ] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    assert!(!plan.contains("Unset"), "{plan}");
    let many: String = (0..45).map(|n| format!(" -H ':a{n}: h'")).collect();
    let plan = plan_of_text(format!("curl http://h/{many}").as_bytes()).expect("a plan");
    assert!(plan.contains("# Not carried over: 5 more\n"), "{plan}");
}

#[test]
fn several_commands_become_named_requests() {
    let text = "curl 'http://h/' ;\ncurl 'http://h/orders' -d x ;\ncurl http://h/orders & curl http://h/\n\
                # a comment\ncurl 'https://cdn.example/a.js' && curl http://h/a http://h/b --next -I http://h/a";
    let plan = plan(text);
    let sent: Vec<String> = requests(&plan).iter().map(|r| format!("{} {}", r.method(), r.path())).collect();
    assert_eq!(sent, ["GET /", "POST /orders", "GET /orders", "GET /a", "GET /b", "HEAD /a"]);
    for part in [
        "target_url = \"http://h\"\n",
        "name = \"root\"\nweight = 2\nurl = \"/\"\n",
        "name = \"get-orders\"\n",
        "name = \"head-a\"\n",
        "# Left out: GET https://cdn.example/a.js: another host\n",
    ] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    let many: String = (0..60).map(|i| format!("curl http://h/{i}\n")).collect();
    let plan = plan_of_text(many.as_bytes()).expect("a plan");
    assert_eq!(requests(&plan).len(), 50);
    assert!(plan.contains("# Left out: GET http://h/59: a plan has at most 50 requests\n"), "{plan}");
}

#[test]
fn what_cannot_be_carried_over_is_an_error_with_its_place() {
    for (command, expected) in [
        ("", "it is empty"),
        ("# nothing", "there is no command"),
        ("wget http://h", "column 1: \"wget\" is not curl"),
        ("curl -s", "column 1: this command has no URL"),
        ("curl http://h -F a=b", "column 15: -F cannot be carried over: a plan has no multipart forms"),
        ("curl http://h -d @f", "column 15: -d @FILE removes the line ends"),
        ("curl http://h --data-binary @f -d a", "column 15: a file can only be the whole body"),
        (
            "curl http://h \\\n  --fail-wth-body",
            "line 2, column 3: --fail-wth-body is not known to floodgate: did you mean",
        ),
        (
            "curl -d 'é\né' \\\n -s http://h\ncurl http://h -W",
            "line 4, column 15: -W is not known to floodgate",
        ),
        ("curl -W http://h", "column 6: -W is not known to floodgate"),
        ("curl http://h -H", "column 15: -H needs a value"),
        ("curl http://h -H secret", "column 15: the value of -H has no colon"),
        ("curl http://h -u joe", "column 15: -u has no password"),
        ("curl http://h -b jar.txt", "names a file"),
        ("curl -d a -I http://h", "exclude each other"),
        ("curl 'http://h", "column 6: the quote that begins here is not closed"),
        ("curl \"http://h/$ID\"", "column 16: $ID is a shell variable"),
        ("curl http://h/`id`", "is the output of a command"),
        ("curl http://h/?a=1&b=2", "column 19: & outside quotes ends the command: put the URL in quotes"),
        ("curl ^\"http://h^\"", "Copy as cURL (bash)"),
        ("fetch(\"http://h\")", "Copy as cURL (bash)"),
        ("curl ftp://h/", "the URL has the scheme \"ftp\""),
        ("curl 'http://h/[1-9]'", "use -g"),
        ("curl 'http://h/a b'", "malformed"),
        ("curl http://h -H 'a b: c'", "header name"),
        ("curl http://h -m 0", "0.001 to 600 s"),
        ("curl http://h --digest -u a:b", "Basic and Bearer authentication only"),
        ("curl -H 'a: 1' -H 'a: 2' -H 'a: 3' http://h", "column 36: the header a occurs too often"),
        ("curl http://h -d $'\\xff'", "column 15: the body is not UTF-8 text"),
    ] {
        let wrong = refused(command);
        assert!(wrong.contains(expected), "{command}: {wrong}");
        assert!(!wrong.contains("secret"), "{wrong}");
    }
}

#[test]
fn what_a_plan_would_take_for_a_template_stays_text() {
    let plan = plan("curl -g 'http://h/{{a}}' -H 'X-A: {{{b' -d '{{{{c}}'");
    let [request] = &requests(&plan)[..] else { panic!("{plan}") };
    assert!(request.templates().is_none(), "{plan}");
    let (header, _) = request.headers().iter().map(|(_, value)| (value, 0)).next().expect("a header");
    assert_eq!(header, "{{{b");
    assert_eq!((request.path(), request.body()), ("/{{a}}", &b"{{{{c}}"[..]), "{plan}");
}

/// How a word is written.
#[derive(Clone, Copy, Debug)]
enum Quote {
    Single,
    Double,
    Ansi,
    Plain,
}

fn quoted(word: &str, quote: Quote) -> String {
    match quote {
        Quote::Single => format!("'{}'", word.replace('\'', "'\\''")),
        Quote::Double => {
            let escape = |c: char| if "\"\\$`".contains(c) { format!("\\{c}") } else { c.to_string() };
            format!("\"{}\"", word.chars().map(escape).collect::<String>())
        }
        Quote::Ansi => {
            let escape = |c: char| match c {
                '\'' | '\\' => format!("\\{c}"),
                '\n' => "\\n".to_owned(),
                c if c.is_control() || c == '!' => format!("\\u{:04x}", u32::from(c)),
                c => c.to_string(),
            };
            format!("$'{}'", word.chars().map(escape).collect::<String>())
        }
        // A line end cannot be escaped outside quotes.
        Quote::Plain if word.is_empty() || word.contains(['\n', '\r']) => quoted(word, Quote::Single),
        Quote::Plain => {
            word.chars().map(|c| if c.is_alphanumeric() { c.to_string() } else { format!("\\{c}") }).collect()
        }
    }
}

fn quotes() -> impl Strategy<Value = Quote> {
    prop_oneof![Just(Quote::Single), Just(Quote::Double), Just(Quote::Ansi), Just(Quote::Plain)]
}

/// Names that no option and no client sets.
fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
    let value = "[!-~é]([ -~é]{0,20}[!-~])?";
    proptest::collection::vec(("x-[a-zA-Z0-9_-]{1,10}", value), 0..6)
}

proptest! {
    #[test]
    fn a_plan_sends_what_the_command_sends(
        method in "GET|POST|PUT|PATCH|DELETE|PURGE",
        path in "/[a-z0-9/._~%20-]{0,30}(\\?[a-z0-9=&+,'()*;:@/?$!-]{0,30})?",
        fields in fields(),
        body in proptest::option::of("[ -~\\n\\t\\r\\x01\\x7fé€😀]{0,60}"),
        styles in proptest::collection::vec((quotes(), 0usize..4), 20),
    ) {
        let mut style = styles.iter().cycle();
        let mut next = || *style.next().expect("a cycle");
        let mut text = "curl".to_owned();
        let mut option = |names: [&str; 2], value: &str| {
            let (quote, form) = next();
            // `-d''` is the same word as `-d`.
            let form = if value.is_empty() { 0 } else { form };
            let value = quoted(value, quote);
            text.push_str(&match form {
                0 => format!(" {} {value}", names[0]),
                1 => format!(" \\\n  {}{value}", names[0]),
                2 => format!(" {} {value}", names[1]),
                _ => format!("\t{}={value}", names[1]),
            });
        };
        option(["-X", "--request"], &method);
        fields.iter().for_each(|(name, value)| option(["-H", "--header"], &format!("{name}: {value}")));
        let data = body.as_ref().filter(|body| !body.starts_with('@'));
        if let Some(body) = data {
            option(["-d", "--data-raw"], body);
        }
        let (quote, _) = next();
        text.push_str(&format!(" {}", quoted(&format!("https://shop.example:8443{path}"), quote)));
        let mut expected = fields.clone();
        if data.is_some() {
            let form = "application/x-www-form-urlencoded";
            expected.push(("Content-Type".to_owned(), form.to_owned()));
        }
        let bytes = data.cloned().unwrap_or_default().into_bytes();
        let url = format!("https://shop.example:8443{path}");
        let expected = Request::new(&method, &url, &expected, bytes).expect("a request");
        let plan = plan(&text);
        prop_assert_eq!(requests(&plan), vec![expected], "{}\n{}", text, plan);
    }

    #[test]
    fn any_text_is_a_plan_or_an_error(text in "(curl |curl http://h |)[ -~\\n'\"$\\\\]{0,80}") {
        if let Ok(plan) = plan_of_text(text.as_bytes()) {
            let read = PlanFile::parse("p.toml", plan.as_bytes());
            prop_assert!(read.is_ok(), "{:?}\n{}", read.err(), plan);
        }
    }
}
