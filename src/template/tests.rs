use super::*;
use crate::units::utc;
use proptest::prelude::*;
use std::collections::HashSet;

/// Columns are slots in the order of their first use; a cell is `<feed.column>` of its slot.
struct Named;

impl Cells for Named {
    fn cell(&self, slot: CellRef) -> &[u8] {
        if slot.feed == 0 { b"<cell>" } else { b"" }
    }
}

fn compile(text: &str, seed: u64) -> Compiled {
    let slot = |column: &Column| (column.feed == "users").then_some(CellRef { feed: 0, column: 0 });
    let mut context = Context { seed, driver: "driver-1", slot: &slot, fields: 0 };
    let template = Template::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut compiled = Compiled::default();
    compiled.template(&template, Place::Body, &mut context).expect("a template");
    compiled
}

fn at(ticket: u64) -> Moment {
    Moment { ticket, is_warmup: false, now_ms: 1_795_927_232_123 }
}

fn render(text: &str, moment: &Moment) -> String {
    let mut out = Vec::new();
    compile(text, 7).render(moment, &Named, &mut out);
    String::from_utf8(out).expect("UTF-8")
}

fn wrong(text: &str) -> (String, String) {
    let error = Template::parse(text.as_bytes()).expect_err(text);
    (String::from_utf8_lossy(&text.as_bytes()[error.at]).into_owned(), error.why)
}

#[test]
fn text_can_be_written_as_a_template() {
    for text in ["{{x}}", "a{{{b", "{{{{", "{ {"] {
        assert_eq!(as_text(text).as_bytes(), as_bytes(text.as_bytes()), "{text}");
        let parsed = Template::parse(&as_bytes(text.as_bytes())).expect("a template");
        assert_eq!(parsed.constant(), Some(text.as_bytes()));
    }
    assert!(as_bytes(b"").is_empty());
}

#[test]
fn text_without_expressions_is_constant() {
    for text in ["", "plain", "{ \"a\": {} }}", "a { { b"] {
        let template = Template::parse(text.as_bytes()).expect("a template");
        assert_eq!(template.constant(), Some(text.as_bytes()));
        assert_eq!(compile(text, 1).constant(), Some(text.as_bytes()));
        assert_eq!(compile(text, 1).width(), Some(text.len()));
    }
    // Quoted text and the node id are known before the first request.
    assert_eq!(compile("a {{'{{'}}b{{ \"}}'\"|url }}", 1).constant(), Some(&b"a {{b%7D%7D%27"[..]));
    assert_eq!(compile("{{driver}}", 1).constant(), Some(&b"driver-1"[..]));
    assert_eq!(Template::parse(b"{{driver}}").expect("a template").constant(), None);
}

#[test]
fn each_function_writes_its_value() {
    for (text, expected) in [
        ("n={{counter}}.", "n=41."),
        ("{{now_ms}}", "1795927232123"),
        ("{{ now_iso }}", "2026-11-29T04:40:32.123Z"),
        ("{{now_iso|url}}", "2026-11-29T04:40:32.123Z"),
        ("{{counter|base64}}", "NDE="),
        ("{{now_ms|base64}}", "MTc5NTkyNzIzMjEyMw=="),
        ("{{int(5,5)}}{{int(-1_000,-1_000)}}", "5-1000"),
        ("{{choice('a, (b)')}}{{choice( x y )}}", "a, (b)x y"),
        ("{{choice(ü|url)}}", "%C3%BC"),
        ("[{{users.id}}]", "[<cell>]"),
        ("{\"a\":{\"b\":{{int(1,1)}}}}", "{\"a\":{\"b\":1}}"),
    ] {
        let text = text.replace("(ü|url)", "(ü)|url");
        assert_eq!(render(&text, &at(41)), expected, "{text}");
    }
    let warm = Moment { is_warmup: true, ..at(41) };
    assert_eq!(render("{{counter}}", &warm), "1000000000000041");
}

#[test]
fn times_are_those_of_the_calendar() {
    for ms in [1_000_000_000_000, 1_709_164_799_999, 1_709_164_800_000, 1_735_689_599_000, 9_999_999_999_999]
    {
        let text = render("{{now_iso}}", &Moment { now_ms: ms, ..at(0) });
        let expected = utc(ms as f64);
        assert_eq!(text, expected.replace('Z', &format!(".{:03}Z", ms % 1_000)));
    }
    // A clock that is far off does not change the length of a request.
    assert_eq!(render("{{now_ms}} {{now_iso}}", &Moment::default()).len(), 13 + 1 + 24);
}

#[test]
fn uuids_have_the_layout_of_version_4_and_are_unique() {
    let mut all = HashSet::new();
    for is_warmup in [false, true] {
        for ticket in 0..50_000 {
            let uuid = render("{{uuid}}", &Moment { is_warmup, ..at(ticket) });
            let parsed = uuid::Uuid::parse_str(&uuid).expect("a UUID");
            assert_eq!(parsed.get_version_num(), 4, "{uuid}");
            assert_eq!(parsed.get_variant(), uuid::Variant::RFC4122, "{uuid}");
            assert_eq!(parsed.hyphenated().to_string(), uuid);
            assert!(all.insert(uuid));
        }
    }
    let two = render("{{uuid}} {{uuid}}", &at(1));
    assert_ne!(two[..36], two[37..], "fields of one request differ");
    let mut other = Vec::new();
    compile("{{uuid}}", 8).render(&at(1), &NoCells, &mut other);
    assert_ne!(other, &two.as_bytes()[..36], "seeds differ");
}

#[test]
fn every_number_and_text_of_a_range_is_reached() {
    let values = |text: &str| (0..2_000).map(|n| render(text, &at(n))).collect::<HashSet<_>>();
    assert_eq!(values("{{int(-3,4)}}"), (-3..=4).map(|n| n.to_string()).collect());
    assert_eq!(values("{{choice(a,b,,'')}}"), ["a", "b", ""].map(str::to_owned).into());
    assert_eq!(values("{{random(1)}}").len(), 62);
    let wide = values("{{int(-1000000000000000000,1000000000000000000)}}");
    assert!(wide.iter().all(|n| n.parse::<i64>().is_ok_and(|n| n.unsigned_abs() <= 10u64.pow(18))));
    assert!(wide.len() == 2_000 && values("{{random(12)}}").len() == 2_000);
}

#[test]
fn an_error_points_at_the_wrong_part() {
    for (text, part, why) in [
        ("a {{uid}}", "uid", "uid is not a function: did you mean uuid?"),
        ("{{now}}", "now", "did you mean now_ms?"),
        ("{{xyzzy}}", "xyzzy", "use FEED.COLUMN, counter, uuid, int(a,b)"),
        ("{{Counter}}", "Counter", "did you mean counter?"),
        ("{{}}", "{{}}", "the expression is empty"),
        ("a {{ uuid", "{{", "has no closing }}; a literal {{ is written {{'{{'}}"),
        ("{{uuid}", "{{", "has no closing }}"),
        ("{{uuid()x}}", "x", "is not expected here: close the expression with }}"),
        ("{{uuid(1)}}", "uuid(1)", "takes no arguments"),
        ("{{driver()}}", "driver()", "takes no arguments"),
        ("{{int}}", "int", "int takes two whole numbers, the lowest and the highest: int(1,20)"),
        ("{{int(1)}}", "int(1)", "int takes two whole numbers"),
        ("{{int(1,x)}}", "x", "x must be a whole number"),
        ("{{int(1,)}}", ",", "must be a whole number"),
        ("{{int(1,1000000000000000001)}}", "1000000000000000001", "-10^18 to 10^18"),
        ("{{int(9, 1)}}", "9, 1", "the lowest number, 9, is above the highest, 1: swap them"),
        ("{{int(1,2}}", "(1,2", "the ( has no closing )"),
        ("{{choice(a b'c)}}", "'", "is not expected here: separate arguments by commas"),
        ("{{choice('a}}", "'", "the text has no closing quote"),
        ("{{choice()}}", "choice()", "takes texts"),
        ("{{random(0)}}", "0", "must be a number of characters, 1 to 256"),
        ("{{random(257)}}", "257", "1 to 256"),
        ("{{users.id|uri}}", "uri", "uri is not a filter: did you mean url?"),
        ("{{users.id|}}", "|", "\"\" is not a filter: use url, json, base64"),
        ("{{users.id|url|json}}", "|", "only one filter is allowed"),
        ("{{.id}}", ".", "the name of a feed consists of letters"),
        ("{{ my users.id}}", "my users", "the name of a feed consists of letters"),
        ("{{users.}}", "users.", "a column of the feed users is missing"),
        ("{{{users.id}}}", "{users", "the name of a feed consists of letters"),
    ] {
        let (at, found) = wrong(text);
        assert!(at == part && found.contains(why), "{text}: {at:?}: {found}");
    }
    let many = "{{uuid}}".repeat(MAX_EXPRESSIONS + 1);
    assert!(wrong(&many).1.contains("at most 1000 expressions"));
    assert!(Template::parse(b"{{a.\xff}}").expect_err("not UTF-8").why.contains("is not UTF-8"));
}

#[test]
fn columns_and_samples_are_known_before_rows_are() {
    let template =
        Template::parse(b"/{{users.First Name | url}}/{{int(1,2)}}?{{a-b.c}}").expect("a template");
    let columns: Vec<_> =
        template.columns().map(|c| (&*c.feed, &*c.column, c.filter, c.at.clone())).collect();
    let expected = [("users", "First Name", Some(Filter::Url), 3..19), ("a-b", "c", None, 43..48)];
    assert_eq!(columns, expected);
    assert_eq!(template.sample(), b"/x/x?x");
    let choice = Template::parse(b"{{choice(a,b c)}}").expect("a template");
    assert!(choice.check(Place::Path).unwrap_err().starts_with("choice \"b c\" contains a space"));
    assert_eq!((choice.check(Place::Header), choice.check(Place::Body)), (Ok(()), Ok(())));
    assert_eq!(Template::parse(b"{{choice(b c)|url}}").expect("a template").check(Place::Path), Ok(()));
}

#[test]
fn a_node_id_must_fit_its_place() {
    let mut context = Context { seed: 1, driver: "größe", slot: &|_| None, fields: 0 };
    let mut compile = |text: &[u8], place| {
        let template = Template::parse(text).expect("a template");
        Compiled::default().template(&template, place, &mut context).map_err(|error| error.why)
    };
    assert!(compile(b"/{{driver}}", Place::Path).unwrap_err().contains("add the filter |url"));
    assert_eq!(compile(b"/{{driver|url}}", Place::Path), Ok(()));
    assert!(compile(b"{{a.b}}", Place::Path).unwrap_err().contains("a.b is not loaded"));
}

/// An expression, and whether its width is fixed.
fn expression() -> impl Strategy<Value = (String, bool)> {
    let filter = prop_oneof![Just(""), Just("|url"), Just("|json"), Just("|base64")];
    let name = prop_oneof![
        Just(("counter".to_owned(), false)),
        Just(("uuid".to_owned(), true)),
        Just(("now_ms".to_owned(), true)),
        Just(("now_iso".to_owned(), true)),
        Just(("choice(ab,cd)".to_owned(), true)),
        Just(("choice(a,bcde)".to_owned(), false)),
        (1..=MAX_RANDOM).prop_map(|n| (format!("random({n})"), true)),
        (1..999i64).prop_map(|n| (format!("int({n},1000)"), false)),
        (100..=999i64).prop_map(|n| (format!("int({n},999)"), true)),
        (-9..=-1i64).prop_map(|n| (format!("int(-9,{n})"), true)),
        Just(("int(-1,10)".to_owned(), false)),
    ];
    (name, filter).prop_map(|((name, fixed), filter)| {
        let is_padded = filter == "|base64" && !fixed;
        (format!("{{{{{name}{filter}}}}}"), fixed && !is_padded)
    })
}

proptest! {
    #[test]
    fn the_same_request_has_the_same_bytes_in_both_lanes(
        parts in prop::collection::vec((expression(), "[a-z]{0,5}"), 1..8),
        ticket in 0..1u64 << 40,
        other in 0..1u64 << 40,
        seed in any::<u64>(),
        is_warmup: bool,
    ) {
        let part = |((expression, _), text): &((String, bool), String)| format!("{expression}{text}");
        let text: String = parts.iter().map(part).collect();
        let (compiled, again) = (compile(&text, seed), compile(&text, seed));
        let moment = Moment { is_warmup, ..at(ticket) };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        compiled.render(&at(other), &NoCells, &mut Vec::new());
        compiled.render(&moment, &NoCells, &mut first);
        again.render(&moment, &NoCells, &mut second);
        prop_assert_eq!(&first, &second);
        let is_fixed = parts.iter().all(|((_, fixed), _)| *fixed);
        prop_assert_eq!(compiled.width().is_some(), is_fixed, "{}", text);
        let patched = compiled.patched();
        prop_assert_eq!(patched.is_some(), is_fixed);
        if let Some(mut patched) = patched {
            prop_assert_eq!(compiled.width(), Some(first.len()));
            patched.render(&at(other));
            prop_assert_eq!(patched.render(&moment), &first[..]);
            prop_assert_eq!(patched.last(), &first[..]);
        }
    }

    #[test]
    fn integers_stay_in_their_range(a in -MAX_INT..=MAX_INT, b in -MAX_INT..=MAX_INT, ticket: u64) {
        let (low, high) = (a.min(b), a.max(b));
        let text = render(&format!("{{{{int({low},{high})}}}}"), &at(ticket >> 1));
        let number: i64 = text.parse().expect("a number");
        prop_assert!((low..=high).contains(&number));
        prop_assert_eq!(number.to_string(), text);
    }

    #[test]
    fn any_bytes_are_a_template_or_an_error_inside_them(bytes in prop::collection::vec(
        prop_oneof![prop::sample::select(&b"{{{}}}|(),'.a "[..]), any::<u8>()], 0..40)) {
        match Template::parse(&bytes) {
            Ok(template) => {
                prop_assert!(template.constant().is_none() || !bytes.windows(2).any(|two| two == b"{{")
                    || bytes.contains(&b'\''));
            }
            Err(error) => prop_assert!(error.at.start < error.at.end && error.at.end <= bytes.len()),
        }
    }
}
