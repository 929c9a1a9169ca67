use super::*;
use serde_json::json;

fn expect(value: Value) -> Expect {
    serde_json::from_value(value).expect("an expectation")
}

fn checks(value: Value) -> Checks {
    Checks::new(&expect(value), false).expect("valid").expect("checks")
}

/// The names of the checks that this response fails, and whether that is for lack of the rest of the body.
fn failed(value: Value, seen: &Seen<'_>) -> (Vec<String>, bool) {
    let checks = checks(value);
    let failed = checks.failed(seen);
    (failed.checks().map(|at| checks.names()[at].clone()).collect(), failed.is_truncated)
}

fn seen(status: u16, body: &str) -> Seen<'_> {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    Seen { status, head, body: body.as_bytes(), body_bytes: body.len() as u64 }
}

#[test]
fn each_check_holds_or_fails_by_itself() {
    let all = json!({
        "status": [200, "3xx"], "contains": ["hits", "\"id\""], "not_contains": "error",
        "json": {"/id": "> 0", "/list": "length = 2"}, "header": {"Content-Type": "json"}, "max_bytes": 60,
    });
    let good = r#"{"id": 7, "list": [1, 2], "hits": 1}"#;
    assert_eq!(failed(all.clone(), &seen(304, good)), (vec!["header content-type".to_owned()], false));
    let names = checks(all.clone()).names().to_vec();
    assert_eq!(
        names,
        [
            "status",
            "contains hits",
            "contains \"id\"",
            "not_contains error",
            "json /id",
            "json /list",
            "header content-type",
            "max_bytes",
        ]
    );
    let bad = "error".repeat(13);
    assert_eq!(failed(all, &seen(500, &bad)), (names, false));
    assert_eq!(failed(json!({"status": 200}), &seen(201, "")).0, ["status"]);
    assert!(checks(json!({"status": "2xx"})).failed(&seen(201, "")).is_none());
}

#[test]
fn what_a_truncated_body_leaves_open_fails_and_says_so() {
    let cut = Seen { body_bytes: 1_000, ..seen(200, "hits and a lot more") };
    for (value, is_failed, is_open) in [
        (json!({"contains": "hits"}), false, false),
        (json!({"contains": "rest"}), true, true),
        (json!({"not_contains": "rest"}), true, true),
        (json!({"not_contains": "hits"}), true, false),
        (json!({"json": {"": "exists"}}), true, true),
        (json!({"json": {"/a": "absent"}}), true, true),
    ] {
        let (names, is_truncated) = failed(value.clone(), &cut);
        assert_eq!((names.len() == 1, is_truncated), (is_failed, is_open), "{value}");
    }
    assert_eq!(failed(json!({"max_bytes": 999}), &cut), (vec!["max_bytes".to_owned()], false));
    assert_eq!(failed(json!({"max_bytes": 1_000}), &cut).0, Vec::<String>::new());
}

#[test]
fn a_body_that_is_no_json_fails_every_json_check() {
    for body in ["", "{", "[1] x", "NaN", &"[".repeat(1_000)] {
        for condition in ["exists", "absent"] {
            let value = json!({"json": {"/a": condition}});
            assert_eq!(failed(value, &seen(200, body)).0, ["json /a"], "{body:.20} {condition}");
        }
    }
    assert_eq!(
        failed(json!({"json": {"/a": 1}}), &seen(200, "\u{feff} {\"a\": 1.0} ")).0,
        Vec::<String>::new()
    );
}

#[test]
fn only_what_is_needed_is_kept() {
    let needs = |value: Value, status: u16| {
        let checks = checks(value);
        (checks.needs_head(), checks.needs_body(status))
    };
    assert_eq!(needs(json!({"status": 200}), 200), (false, 0));
    assert_eq!(
        needs(json!({"status": 200}), 500),
        (false, SAMPLE_BYTES),
        "so that people see what came back"
    );
    assert_eq!(needs(json!({"max_bytes": 5}), 200), (false, SAMPLE_BYTES));
    assert_eq!(needs(json!({"header": {"etag": "exists"}}), 200), (true, SAMPLE_BYTES));
    assert_eq!(needs(json!({"status": 200, "contains": "x"}), 500), (false, limits::DEFAULT_CAPTURE_BYTES));
    assert_eq!(needs(json!({"json": {"/a": 1}, "capture_bytes": 100}), 200), (false, 100));
    assert_eq!(needs(json!({"status": 200, "json": {"/a": 1}, "capture_bytes": 100}), 500).1, SAMPLE_BYTES);
    assert_eq!(Checks::new(&Expect::default(), false), Ok(None));
    assert_eq!(Checks::new(&expect(json!({"capture_bytes": 5})), false), Ok(None));
}

#[test]
fn the_written_form_is_read_tolerantly_and_written_strictly() {
    for (given, written) in [
        (json!({}), json!({})),
        (json!({"status": 200}), json!({"status": 200})),
        (json!({"status": "200"}), json!({"status": 200})),
        (json!({"status": ["2XX", 404]}), json!({"status": ["2xx", 404]})),
        (json!({"status": [200]}), json!({"status": 200})),
        (
            json!({"contains": "a", "not_contains": ["b", "c"]}),
            json!({"contains": "a", "not_contains": ["b", "c"]}),
        ),
        (json!({"json": {"/a": null}, "unknown": 1}), json!({"json": {"/a": null}})),
    ] {
        let expect = expect(given.clone());
        assert_eq!(serde_json::to_value(&expect).expect("JSON"), written, "{given}");
        assert_eq!(serde_json::from_value::<Expect>(written).expect("read"), expect);
    }
    for wrong in
        [json!({"status": "ok"}), json!({"status": {}}), json!({"contains": [1]}), json!({"json": 5})]
    {
        assert!(serde_json::from_value::<Expect>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn each_rule_names_its_key_and_what_is_allowed() {
    let long = "x".repeat(limits::TEXT_BYTES + 1);
    let many: Vec<String> = (0..17).map(|n| n.to_string()).collect();
    for (value, key, meant) in [
        (json!({"status": 100}), "status", "use 200 to 999"),
        (json!({"status": "1xx"}), "status", "use 200 to 999"),
        (json!({"status": []}), "status", "empty list"),
        (json!({"contains": ""}), "contains", "in every body"),
        (json!({"not_contains": ["a", "a"]}), "not_contains", "\"a\" is listed twice"),
        (json!({"contains": long}), "contains", "4097 bytes: at most 4096"),
        (json!({"json": {"id": 1}}), "json.id", "use \"/id\""),
        (json!({"json": {"/id": "> x"}}), "json./id", "use a comparison like"),
        (json!({"json": {"/id": "=> 0"}}), "json./id", "use a comparison like"),
        (json!({"json": {"/id": "=~ ^a"}}), "json./id", "use a comparison like"),
        (json!({"json": {"/id": "!== 1"}}), "json./id", "use a comparison like"),
        (json!({"header": {"a b": "x"}}), "header.a b", "not the name of a header"),
        (json!({"header": {"A": "x", "a": "y"}}), "header.a", "listed twice"),
        (json!({"max_bytes": 2_000_000_000u64}), "max_bytes", "must be 0 to 1073741824 bytes"),
        (json!({"capture_bytes": 0}), "capture_bytes", "must be 1 to 1048576 bytes"),
        (json!({"contains": many}), "", "17 checks: a request has at most 16"),
    ] {
        let wrong = Checks::new(&expect(value.clone()), false).expect_err("a broken rule");
        assert!(wrong.iter().any(|w| w.key == key && w.reason.contains(meant)), "{value}: {wrong:?}");
    }
    let wrong = Checks::new(&expect(json!({"contains": "x", "max_bytes": 0})), true).expect_err("HEAD");
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0].key == "contains" && wrong[0].reason.contains("HEAD has no body"));
}

#[test]
fn names_are_short_and_distinct() {
    let text = |end: &str| format!("{}{end}", "x".repeat(100));
    let checks = checks(json!({"contains": [text("a"), text("b"), "line\nbreak"], "json": {"": "exists"}}));
    let names = checks.names();
    assert!(names[1] == format!("{} (2)", names[0]) && names[0].chars().count() < 60, "{names:?}");
    assert!(!names[2].contains('\n') && names[3] == "json", "{names:?}");
}
