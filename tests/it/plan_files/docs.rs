//! `docs/plans.md` and `docs/plan.schema.json` against what a plan file may contain.

use super::{scratch, settings};
use floodgate::check;
use floodgate::cli::{Floodgate, Task, try_parse};
use floodgate::plan_file::keys;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../docs/plans.md");

/// The blocks of the page with this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(&fence).skip(1).map(|rest| rest.split("```").next().expect("a block")).collect()
}

fn checked(text: &str) -> Result<String, String> {
    let scratch = scratch();
    std::fs::write(scratch.path().join("order.json"), "{}").expect("writes");
    std::fs::write(scratch.path().join("users.csv"), "id,term,password\n7,shoes,x\n").expect("writes");
    let path = scratch.path().join("plan.toml");
    std::fs::write(&path, text).expect("writes");
    let words = ["floodgate", "plan", "check", path.to_str().expect("UTF-8")];
    let answer = match try_parse::<Floodgate>(words)?.into_task() {
        Task::Plan(args) => args.text(),
        other => panic!("{other:?}"),
    };
    let plain = |text: String| text.replace(&format!("{}/", scratch.word()), "");
    answer.map(plain).map_err(plain)
}

#[test]
fn every_example_is_a_valid_plan_file() {
    let examples = blocks("toml");
    assert!(examples.len() >= 8, "{} examples", examples.len());
    for example in &examples {
        checked(example).unwrap_or_else(|error| panic!("{error}\nin\n{example}"));
    }
    let all = examples.concat();
    let all_keys = [&keys::PLAN[..], &keys::REQUEST, &keys::STAGE, &keys::FEED, &check::KEYS];
    for key in all_keys.into_iter().flatten() {
        let is_used = ["\n", "[", "{ ", ", ", "."]
            .iter()
            .any(|before| all.contains(&format!("{before}{key} = ")) || all.contains(&format!("[{key}]")));
        assert!(is_used || all.starts_with(key), "no example has {key}");
        assert!(PAGE.contains(&format!("`{key}`")), "the page does not explain {key}");
    }
}

#[test]
fn every_list_and_recording_is_valid() {
    let scratch = scratch();
    let body = scratch.path().join("order.json");
    std::fs::write(&body, "{}").expect("writes");
    let mut count = 0;
    for (language, flag) in [("urls", "--urls"), ("http", "--urls"), ("jsonl", "--replay-times")] {
        for example in blocks(language) {
            let path = scratch.path().join("example");
            let example = example.replace("@order.json", &format!("@{}", body.display()));
            std::fs::write(&path, &example).expect("writes");
            let words = [flag, path.to_str().expect("UTF-8"), "--url", "http://127.0.0.1:8000"];
            settings(&words).unwrap_or_else(|error| panic!("{error}\nin\n{example}"));
            count += 1;
        }
    }
    assert_eq!(count, 4, "examples");
}

#[test]
fn the_printed_answers_are_those_of_the_program() {
    let answers = blocks("text");
    let [valid, wrong] = &answers[..] else { panic!("{} answers", answers.len()) };
    assert_eq!(checked(blocks("toml")[0]).as_deref(), Ok(*valid));
    let broken = "target_url = \"http://127.0.0.1:8000/ping\"\nrat = 2_000\nduration = 10\n";
    assert_eq!(format!("error: {}\n", checked(broken).expect_err("broken")), *wrong);
}

#[test]
fn the_schema_has_the_keys_and_no_others() {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/plan.schema.json")).expect("JSON");
    let stage = schema.pointer("/$defs/stage").expect("a stage");
    for (object, names) in [
        (&schema, &keys::PLAN[..]),
        (&schema["properties"]["request"], &keys::REQUEST),
        (stage, &keys::STAGE),
        (schema.pointer("/$defs/expect").expect("checks"), &check::KEYS),
        (&schema["$defs"]["feed"], &keys::FEED),
    ] {
        let found: BTreeSet<&str> =
            object["properties"].as_object().expect("properties").keys().map(String::as_str).collect();
        assert_eq!(found, names.iter().copied().collect::<BTreeSet<_>>());
        assert_eq!(object["additionalProperties"], json!(false));
        for (name, property) in object["properties"].as_object().expect("properties") {
            assert!(property["description"].is_string(), "{name} has no description");
        }
    }
    assert_eq!(stage["required"], json!(keys::STAGE));
}

/// The schema's ranges are those of the program: each end is valid, and what is beyond it is refused.
#[test]
fn the_schema_has_the_limits_of_the_program() {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/plan.schema.json")).expect("JSON");
    let mut ranges = 0;
    for (name, property) in schema["properties"].as_object().expect("properties") {
        let (Some(least), Some(most)) = (property["minimum"].as_f64(), property["maximum"].as_f64()) else {
            continue;
        };
        ranges += 1;
        for value in [least, most] {
            assert!(checked(&format!("{name} = {value}")).is_ok(), "{name} = {value}");
        }
        for value in [least - 1.0, most + 1.0] {
            assert!(checked(&format!("{name} = {value}")).is_err(), "{name} = {value}");
        }
    }
    assert_eq!(ranges, 8, "numbers with a range");
    for (name, property) in schema["properties"].as_object().expect("properties") {
        for word in property["enum"].as_array().into_iter().flatten() {
            assert!(checked(&format!("{name} = {word}")).is_ok(), "{name} = {word}");
        }
    }
}
