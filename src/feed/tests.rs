use super::*;
use crate::template::{Filter, Moment, Place};
use proptest::prelude::*;

fn wanted(column: &str, filter: Option<Filter>, place: Place) -> Wanted {
    Wanted { column: column.to_owned(), filter, places: [place].into() }
}

fn table(format: Format, text: &[u8], wanted: &[Wanted]) -> Result<Vec<Vec<String>>, String> {
    let table = Table::read(format, text, wanted)?.table;
    let cell = |row, column| String::from_utf8(table.cell(row, column as u16).to_vec()).expect("UTF-8");
    Ok((0..table.rows()).map(|row| (0..wanted.len()).map(|column| cell(row, column)).collect()).collect())
}

#[test]
fn only_wanted_columns_are_kept_and_escaped_as_they_are_used() {
    let wanted = [
        wanted("term", Some(Filter::Url), Place::Path),
        wanted("term", Some(Filter::Json), Place::Body),
        wanted("id", None, Place::Path),
    ];
    let expected = [["a%20%22b%22", "a \\\"b\\\"", "7"], ["c%0Ad", "c\\nd", "8"]];
    let csv = b"\xef\xbb\xbfid, term ,other\r\n7,\"a \"\"b\"\"\",x\r\n\r\n8,\"c\nd\",\r\n";
    assert_eq!(table(Format::Csv, csv, &wanted).expect("CSV"), expected);
    let jsonl = br#"{"id": 7, "term": "a \"b\"", "other": null}

        {"other": [1, 2], "term": "c\nd", "id": 8, "more": {}}"#;
    assert_eq!(table(Format::Jsonl, jsonl, &wanted).expect("JSONL"), expected);
    let table = Table::read(Format::Csv, &csv[..], &wanted).expect("CSV").table;
    assert_eq!((table.cell(1, 0), table.cell(0, 2)), (&b"c%0Ad"[..], &b"7"[..]));
    assert_eq!((table.cell(2, 0), table.cell(0, 3)), (&b""[..], &b""[..]), "no such row, no such column");
}

#[test]
fn a_list_of_urls_has_one_column_with_what_follows_the_first_slash() {
    let path = [wanted(PATH, None, Place::Path)];
    for text in [
        "\u{feff}/a?x=1&y=a,b\r\n\n # no\n/\n/%20#x",
        "http://h/a?x=1&y=a,b\nhttp://h\nhttp://h/%20",
        "{\"path\": \"/a?x=1&y=a,b\"}\n{\"offset_ms\": 1, \"path\": \"\\u002f\"}\n{\"path\": \"/%20\"}",
    ] {
        let found = table(Format::Urls, text.as_bytes(), &path).expect("URLs");
        assert_eq!(found, [["a?x=1&y=a,b"], [""], ["%20"]], "{text}");
    }
}

#[test]
fn wrong_urls_are_refused_with_their_line() {
    for (text, expected) in [
        ("\n# /a\n", "is empty: at least one line with a URL is needed"),
        ("/a\n\nb\n", "line 3: b: a line is a path that begins with /"),
        ("/a\n#\n/b c\n", "line 3: /b c: contains a space, which a URL cannot contain: write /b%20c"),
        ("http://h/a\nHTTP://H:80/b\nhttp://h:81/a", "line 3: http://h:81/a: goes to http://h:81, but"),
        ("http://h/a\n/b", "line 2: /b: is a path, but line 1 is a whole URL: write all in one way"),
        ("/b\nhttp://h/a", "line 2: http://h/a: is a whole URL, but line 1 is a path"),
        ("/a\nhttp://joe:secret@h/b", "line 2: has a user name: remove it"),
    ] {
        let error = table(Format::Urls, text.as_bytes(), &[]).expect_err(expected);
        assert!(error.contains(expected), "{error:?} lacks {expected:?}");
    }
}

#[test]
fn json_values_are_sent_as_they_are_written() {
    let line = br#"{"a": 1.50, "b": 12345678901234567890, "c": true, "d": {"x": [1, "y"]}, "e": null, "f": "\u00fc"}"#;
    let wanted = ["a", "b", "c", "d", "e", "f"].map(|column| wanted(column, None, Place::Body));
    let expected = ["1.50", "12345678901234567890", "true", r#"{"x": [1, "y"]}"#, "", "ü"];
    assert_eq!(table(Format::Jsonl, line, &wanted).expect("JSONL"), [expected]);
}

#[test]
fn wrong_files_are_refused_with_their_line() {
    let id = [wanted("id", None, Place::Path)];
    let long = "x".repeat(MAX_ROW_BYTES);
    for (format, text, expected) in [
        (Format::Csv, "", "is empty: a header line and at least one row are needed"),
        (Format::Csv, "id,term\n", "is empty"),
        (Format::Csv, "id,term\n1,a\n2\n", "line 3: has 1 column, but the header has 2"),
        (
            Format::Csv,
            "id,term\n1,\"a\nb\"\n3,b,c\n",
            "line 4: has 3 columns, but the header has 2: put values",
        ),
        (Format::Csv, "id,term,id\n", "line 1: columns 1 and 3 are both called id"),
        (Format::Csv, "id,\n1,2\n", "line 1: column 2 has no name"),
        (Format::Csv, "Id\n1\n", "line 1: there is no column \"id\": did you mean Id?"),
        (Format::Csv, "user,term\n1,2\n", "there is no column \"id\": use user, term"),
        (Format::Csv, "user;term\n1;2\n", "the only one is \"user;term\"; separate columns by commas"),
        (
            Format::Csv,
            "id\na b\n",
            "line 2: id contains a space, which a URL cannot contain: add the filter |url",
        ),
        (Format::Csv, "id\n1\nü\n", "line 3: id contains a character outside ASCII"),
        (Format::Csv, &format!("id\n1\n\"{long}{long}"), "line 3: the row is longer than 1000000 bytes"),
        (Format::Jsonl, "\n\n", "is empty: at least one line with a JSON object is needed"),
        (Format::Jsonl, "[1]", "line 1: column 0: invalid type: sequence, expected an object"),
        (
            Format::Jsonl,
            "{\"id\": 1}\n{\"id\": }",
            "line 2: column 8: expected value: each line must be a JSON object",
        ),
        (Format::Jsonl, "{\"id\": 1}\n{\"ID\": 2}", "line 2: lacks \"id\", which the first line has"),
        (Format::Jsonl, "{\"id\": 1, \"id\": 2}", "line 1: columns 1 and 2 are both called id"),
        (Format::Jsonl, "{\"id\": 1}\n{\"id\": 2, \"id\": 2}", "line 2: has the key \"id\" twice"),
        (Format::Jsonl, "{}", "line 1: has 0 columns: use 1 to 1000"),
        (Format::Jsonl, &format!("{{\"id\": \"{long}\"}}"), "line 1: the row is longer than"),
    ] {
        let error = table(format, text.as_bytes(), &id).expect_err(expected);
        assert!(error.contains(expected), "{error:?} lacks {expected:?}");
    }
    let latin = table(Format::Csv, b"id,term\n1,a\n2,f\xfcr\n", &id).expect_err("Latin-1");
    assert_eq!(latin, "line 3: column 2 is not UTF-8: save the file as UTF-8");
    let latin = table(Format::Jsonl, b"{\"id\": \"\xfc\"}", &id).expect_err("Latin-1");
    assert_eq!(latin, "line 1: is not UTF-8: save the file as UTF-8");
    let header = [wanted("id", None, Place::Header)];
    let error = table(Format::Csv, b"id\n\"a\r\nb\"\n", &header).expect_err("a line break");
    assert_eq!(
        error,
        "line 2: id contains a line break, which a header cannot contain: remove it or add a filter"
    );
    assert!(Format::of("users.xlsx").is_err());
    assert_eq!((Format::of("a.CSV"), Format::of("a.b.ndjson")), (Ok(Format::Csv), Ok(Format::Jsonl)));
}

/// Zeros without end.
struct Endless;

impl std::io::Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        buffer.fill(b'0');
        buffer.iter_mut().step_by(1_000).for_each(|byte| *byte = b'\n');
        Ok(buffer.len())
    }
}

#[test]
#[ignore = "needs half a minute: reads 1 GB in a debug build"]
fn a_file_that_is_too_large_is_refused() {
    for format in [Format::Csv, Format::Jsonl] {
        let error = Table::read(format, Endless, &[]).expect_err("too large");
        assert!(
            format == Format::Jsonl || error == "is too large: a feed has at most 1073741824 bytes",
            "{error}"
        );
    }
}

#[test]
fn a_survey_has_what_a_plan_says_of_a_feed() {
    let text = b"id,term\n1,a\n2,\"b\"\"\"\n";
    let found = survey(Format::Csv, &text[..]).expect("a feed");
    assert_eq!((found.columns.len(), found.count), (2, 2));
    // sha256sum of the same bytes.
    let again = Table::read(Format::Csv, &text[..], &[]).expect("a feed");
    assert_eq!((found.sha256.len(), &found.sha256), (64, &again.sha256));
    let abc = survey(Format::Csv, &b"a\nb\n"[..]).expect("a feed").sha256;
    assert_eq!(abc, "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2");
    assert!(fits_in_plan(&"x".repeat(INLINE_BYTES - 2)) && !fits_in_plan(&"x".repeat(INLINE_BYTES - 1)));
    assert!(!fits_in_plan(&"\n".repeat(INLINE_BYTES / 2)), "as JSON, line breaks are twice as long");
}

#[test]
fn pick_and_end_must_agree() {
    assert_eq!(pick(Pick::Cycle, None), Ok(Pick::Cycle));
    assert_eq!(pick(Pick::Cycle, Some(AtEnd::Repeat)), Ok(Pick::Cycle));
    assert_eq!(pick(Pick::Cycle, Some(AtEnd::Stop)), Ok(Pick::Unique));
    assert_eq!(pick(Pick::Unique, Some(AtEnd::Stop)), Ok(Pick::Unique));
    assert!(pick(Pick::Unique, Some(AtEnd::Repeat)).unwrap_err().contains("use pick = \"cycle\""));
    assert!(pick(Pick::Random, Some(AtEnd::Stop)).unwrap_err().contains("omit it"));
}

fn rounds() -> impl Strategy<Value = Vec<bool>> {
    prop::collection::vec(any::<bool>(), 1..30)
}

proptest! {
    #[test]
    fn uses_are_counted_in_closed_form(round in rounds(), tickets in 0..200u64, offset in 0..60u64) {
        let uses = Uses::new(round.iter().copied()).from_turn(offset);
        let takes = |ticket: u64| round[(offset + ticket) as usize % round.len()];
        prop_assert_eq!(uses.among(tickets), (0..tickets).filter(|ticket| takes(*ticket)).count() as u64);
        let mut using = (0..).filter(|ticket| takes(*ticket));
        for used in 0..20 {
            let expected = round.contains(&true).then(|| using.next()).flatten();
            prop_assert_eq!(uses.nth(used), expected);
        }
    }

    #[test]
    fn a_cycle_uses_rows_evenly_and_chance_any(rows in 1..50u64, parts in 1..5u64) {
        let mut counts = vec![0; rows as usize];
        for part in 0..parts {
            let own = Rows::new(Pick::Cycle, rows, (part, parts), 1, 0);
            prop_assert_eq!(own.supply(), None);
            (0..rows * 2).for_each(|used| counts[own.row(used, &Moment::default()) as usize] += 1);
        }
        prop_assert_eq!(counts, vec![2 * parts; rows as usize]);
        let own = Rows::new(Pick::Random, rows, (0, parts), 1, 0);
        let row = |ticket| own.row(0, &Moment { ticket, ..Moment::default() });
        let found: std::collections::HashSet<_> = (0..rows * 40).map(row).collect();
        prop_assert_eq!(found, (0..rows).collect());
    }
}
